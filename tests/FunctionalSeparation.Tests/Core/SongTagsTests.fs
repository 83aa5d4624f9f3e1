/// The tags of a song go on to its stems: texts, cover, place in time, loudspeakers. Tags that are no longer true do not.
module FunctionalSeparation.Tests.SongTagsTests

open System
open System.Diagnostics
open System.IO
open System.Text.Json
open Expecto
open FunctionalSeparation.Core
open FunctionalSeparation.Tests.AudioFileTests
open FunctionalSeparation.Tests.Scratch
open FunctionalSeparation.Tests.WavBytes

let private texts =
    [ "artist", "Łódź = 東京; #1"; "album", "B\\sides"; "title", "Song"; "date", "1987"; "track", "3/12" ]

/// Tags that are no longer true of a stem, or never were.
let private untrue =
    [ "REPLAYGAIN_TRACK_GAIN", "-7.30 dB"
      "REPLAYGAIN_ALBUM_PEAK", "0.99"
      "R128_TRACK_GAIN", "-1234"
      "iTunNORM", "00000A2B"
      "ISRC", "GBAYE0601498" ]

let private metadata pairs = pairs |> List.collect (fun (name, text) -> [ "-metadata"; $"{name}={text}" ])

/// The answer of ffprobe on a file: all tags in lower case, and the coding and disposition of its streams.
let private probed (path: string) =
    let arguments = [ "-v"; "error"; "-show_format"; "-show_streams"; "-of"; "json"; path ]
    use ffprobe = Process.Start(ProcessStartInfo("ffprobe", arguments, RedirectStandardOutput = true))
    let said = JsonDocument.Parse(ffprobe.StandardOutput.ReadToEnd()).RootElement
    let streams = List.ofSeq (said.GetProperty("streams").EnumerateArray())

    let tags =
        [ for place in said.GetProperty "format" :: streams do
              match place.TryGetProperty "tags" with
              | true, tags -> for tag in tags.EnumerateObject() -> tag.Name.ToLowerInvariant(), tag.Value.GetString()
              | _ -> () ]

    tags, streams

let private pictures (streams: JsonElement list) =
    streams
    |> List.filter (fun stream -> stream.GetProperty("disposition").GetProperty("attached_pic").GetInt32() = 1)

/// A song of noise with these tags, and a cover where the format has a place for it.
let private song folder name hasCover =
    let wav, cover, path =
        Path.Combine(folder, "s.wav"), Path.Combine(folder, "cover.jpg"), Path.Combine(folder, $"in.{name}")

    AudioFile.Write(wav, noise 1 2 8000 16000 0.5, SampleFormat.Pcm16) |> ignore
    ffmpeg [ "-f"; "lavfi"; "-i"; "testsrc=s=32x32"; "-frames:v"; "1"; cover ]

    let picture =
        if hasCover then
            [ "-i"; cover; "-map"; "0:a"; "-map"; "1:v"; "-c:v"; "copy"; "-disposition:v"; "attached_pic" ]
        else
            []

    ffmpeg ([ "-i"; wav ] @ picture @ metadata (texts @ untrue) @ [ path ])
    path

let private voice (settings: StemSettings) folder (path: string) =
    use separator = separator 1
    let files = separator.SeparateFile(path, Path.Combine(folder, "out"), settings)
    files["voice"].Path

let private voiceAs (format: StemFormat) = voice (StemSettings([| "voice" |], format))

let private isTold (tags: (string * string) list) =
    for name, text in texts do
        let expected = if name = "title" then "Song (voice)" else text
        Expect.contains tags (name, expected) $"{name}: {tags}"

    for name, _ in untrue do
        Expect.isFalse (List.exists (fst >> (=) (name.ToLowerInvariant())) tags) $"{name} is not told: {tags}"

let private bext (reference: int64) =
    let text (width: int) (text: string) = Array.append (ascii text) (Array.zeroCreate (width - text.Length))

    Array.concat
        [ text 256 "Scene 3"
          text 32 "Recorder"
          text 32 "REF1"
          ascii "2025-01-31"
          ascii "10:20:30"
          u64 reference
          u16 2
          Array.create 64 7uy
          Array.create 10 9uy
          Array.zeroCreate 180
          ascii "A=PCM,F=16000\r\n" ]

/// A song of noise in so many channels at these loudspeakers.
let private around folder channels (mask: int) =
    let path = Path.Combine(folder, "around.wav")

    use writer = new WavWriter(path, 16000, channels, SampleFormat.Pcm16, [||], WavHeaderBytes.RiffLimit, uint32 mask)

    writer.Write(noise 1 channels 4000 16000 0.5)
    writer.Complete()
    path

let private maskOf (path: string) =
    use reader = AudioFile.Open path
    reader.ChannelMask

let private sound = packed [| for i in 0..15999 -> int16 (8000.0 * sin (0.1 * float i)) |]
let private info texts = chunk "LIST" (Array.concat (ascii "INFO" :: [ for id, text in texts -> chunk id text ]))

/// The tags that a WAV file has.
let private read (bytes: byte[]) : SongTags =
    let path = Path.GetTempFileName()

    try
        File.WriteAllBytes(path, bytes)
        use reader = AudioFile.Open path
        reader.Tags
    finally
        File.Delete path

[<Tests>]
let tests =
    testList
        "tags of songs"
        [ for name, hasCover in [ "flac", true; "mp3", true; "m4a", true; "ogg", false; "wav", false ] do
              decoded $"of {name} go to a FLAC stem, but for what is no longer true" (fun folder ->
                  let tags, streams = song folder name hasCover |> voiceAs StemFormat.Flac folder |> probed
                  isTold tags
                  Expect.hasLength (pictures streams) (if hasCover then 1 else 0) "a cover is kept where there is one")

          for format in [ StemFormat.Mp3; StemFormat.Opus; StemFormat.WavFloat32; StemFormat.WavPcm16 ] do
              decoded $"go to a stem of format {format}" (fun folder ->
                  let tags, streams = song folder "flac" true |> voiceAs format folder |> probed
                  isTold tags
                  let holdsPictures = format = StemFormat.Mp3 || format = StemFormat.Opus
                  Expect.hasLength (pictures streams) (if holdsPictures then 1 else 0) "the cover goes where it can")

          decoded "a song without any has its stem's name for a title, and what it was made of in a comment" (fun folder ->
              let path = Path.Combine(folder, "été a=b.wav")
              AudioFile.Write(path, noise 1 1 8000 16000 0.5) |> ignore

              for format in [ StemFormat.Flac; StemFormat.Opus; StemFormat.Mp3; StemFormat.WavPcm24 ] do
                  let stem = voiceAs format folder path
                  let tags, _ = probed stem
                  Expect.contains tags ("title", "voice") $"{format}: {tags}"
                  let tag = StemTag.Read stem
                  Expect.equal (tag.Stem, tag.Song) ("voice", "été a=b.wav") $"{format}"
                  Expect.isFalse (List.exists (fst >> (=) "isrc") tags) $"{format}: {tags}")

          decoded "a picture that is none does not keep a stem from being written" (fun folder ->
              let path = song folder "mp3" true
              let bytes = File.ReadAllBytes path
              let start = bytes.AsSpan().IndexOf(ReadOnlySpan [| 0xFFuy; 0xD8uy; 0xFFuy |])
              Array.fill bytes (start + 3) 300 0uy
              File.WriteAllBytes(path, bytes)
              let tags, _ = voiceAs StemFormat.Flac folder path |> probed
              isTold tags)

          test "the time reference of a part is where the part begins; loudness and identifier are not told" {
              inFolder (fun folder ->
                  let path = Path.Combine(folder, "take.wav")
                  File.WriteAllBytes(path, riff [ chunk "bext" (bext 5_000_000_000L); pcm16; chunk "data" sound ])
                  let stem = voice (StemSettings([| "voice" |], StemFormat.WavPcm24, "{song}_{stem}", 0.25)) folder path
                  let bytes = File.ReadAllBytes stem
                  let at = bytes.AsSpan().IndexOf(ReadOnlySpan(ascii "bext")) + 8
                  let expected = bext 5_000_004_000L
                  Expect.equal bytes[at .. at + 345] expected[..345] "texts and time reference"

                  Expect.equal
                      bytes[at + 346 .. at + 601]
                      (Array.append (u16 1) (Array.zeroCreate 254))
                      "version 1, and nothing else")
          }

          decoded "the time reference goes to FLAC and back, and out of a WAV file of a compressed coding" (fun folder ->
              let path, law = Path.Combine(folder, "take.wav"), Path.Combine(folder, "law.wav")
              File.WriteAllBytes(path, riff [ chunk "bext" (bext 1_000_000L); pcm16; chunk "data" sound ])
              ffmpeg [ "-i"; path; "-c:a"; "pcm_alaw"; "-write_bext"; "1"; law ]

              for song in [ path; law ] do
                  let flac = voiceAs StemFormat.Flac folder song
                  use reader = AudioFile.Open flac
                  Expect.equal reader.Tags.Broadcast.TimeReference 1_000_000L song
                  Expect.equal reader.Tags.Broadcast.Originator "Recorder" song)

          for mask, channels, formats in
              [ 0x60F, 6, [ StemFormat.WavFloat32; StemFormat.Flac ]
                0x107, 4, [ StemFormat.Flac ]
                0x30, 2, [ StemFormat.WavPcm16 ]
                0x3, 2, [ StemFormat.WavPcm16 ]
                0, 6, [ StemFormat.WavPcm16 ] ] do
              decoded $"loudspeakers 0x{mask:X} of {channels} channels stay" (fun folder ->
                  let path = around folder channels mask
                  // Left and right need no word.
                  let expected = if (channels, mask) = (2, 3) then 0u else uint32 mask
                  Expect.equal (maskOf path) expected "the song has these loudspeakers"

                  for format in formats do
                      Expect.equal (maskOf (voiceAs format folder path)) expected $"{format}")

          decoded "loudspeakers that the Opus encoder does not know do not keep a stem from being written" (fun folder ->
              Expect.equal (AudioFile.Info(voiceAs StemFormat.Opus folder (around folder 6 0x60F)).Channels) 6 "channels stay")

          test "of WAV files: before and behind the samples, UTF-8 and Latin-1, numbers of either order" {
              let named title = info [ "INAM", title; "IART", ascii "A"; "IXXX", ascii "?" ]
              let data = chunk "data" sound
              let title bytes = (read bytes).Texts["title"]
              Expect.equal (title (riff [ named (ascii "Song\000"); pcm16; data ])) "Song" "a title before the samples is read"
              Expect.equal (title (riff [ pcm16; data; named (Text.Encoding.UTF8.GetBytes "Été") ])) "Été" "UTF-8 is read too"
              Expect.equal (title (riff [ pcm16; data; named (Text.Encoding.Latin1.GetBytes "Été") ])) "Été" "Latin-1 is read"

              let big =
                  [ bigChunk "fmt " (bigFmtBody 1 1 16)
                    bigChunk "data" (swapped 2 sound)
                    bigChunk "LIST" (Array.concat [ ascii "INFO"; bigChunk "INAM" (ascii "Song") ]) ]

              Expect.equal (title (rifx big)) "Song" "the title of a RIFX file is read"
              Expect.isEmpty (read (riff [ pcm16; data ])).Texts "a file without tags has none"
              Expect.isEmpty (read (riff [ pcm16; data; info [ "INAM", Array.create 2000 65uy ] ])).Texts "no title is that long"
          }

          test "damaged chunks say less, and are no error" {
              let whole =
                  riff
                      [ chunk "bext" (bext 1L)
                        info [ "INAM", ascii "Song" ]
                        pcm16
                        chunk "data" sound
                        info [ "IART", ascii "A" ] ]

              let random = Random 1

              for _ in 1..300 do
                  let bytes = Array.copy whole
                  let at = if random.Next 2 = 0 then random.Next 800 else bytes.Length - 1 - random.Next 30
                  bytes[at] <- byte (random.Next 256)

                  try
                      read bytes |> ignore
                  with :? InputException ->
                      () // of the header

              let short = chunk "bext" (Array.truncate 200 (bext 1L))
              Expect.isNull (read (riff [ short; pcm16; chunk "data" sound ])).Broadcast "a chunk cut short says nothing"
          } ]
