/// Whose stems are in a folder: those of a song are replaced by those of the same song only.
module FunctionalSeparation.Tests.StemFilesTests

open System
open System.IO
open System.Threading.Tasks
open Expecto
open FunctionalSeparation
open FunctionalSeparation.Core
open FunctionalSeparation.Tests.Scratch

let private noise (seed: int) channels =
    let random = Random seed
    AudioBuffer([| for _ in 1..channels -> Array.init 20000 (fun _ -> float32 (random.NextDouble() - 0.5)) |], 16000)

/// A folder `out`, and a song that was separated into it; `separate song` separates another.
let private withStems channels (work: string -> (string -> unit) -> unit) =
    inFolder (fun folder ->
        use separator = separator 1
        let song = Path.Combine(folder, "a", "song.wav")
        AudioFile.Write(song, noise 1 channels) |> ignore
        let separate (song: string) = separator.SeparateFile(song, Path.Combine(folder, "out")) |> ignore
        separate song
        work folder separate)

let private contents (folder: string) =
    [ for path in Directory.GetFiles folder |> Array.sort -> Path.GetFileName path, Convert.ToHexString(File.ReadAllBytes path) ]

/// The stems in `out` stay as they are, and nothing comes beside them, while `work` is refused.
let private refusesAll folder (words: string list) (work: unit -> unit) =
    let out = Path.Combine(folder, "out")
    let before = contents out
    refuses (words @ [ "nothing was written"; "Choose another folder" ]) work
    Expect.equal (contents out) before "as they were"

let private stemOf folder name = Path.Combine(folder, "out", $"song_{name}.wav")

[<Tests>]
let tests =
    testList
        "stems of songs"
        [ test "the same song again replaces its stems, wherever its file is and whatever it is called" {
              withStems 2 (fun folder separate ->
                  let copy = Path.Combine(folder, "song.wave")
                  File.Copy(Path.Combine(folder, "a", "song.wav"), copy)
                  let before = contents (Path.Combine(folder, "out"))
                  separate copy
                  Expect.equal (List.map fst (contents (Path.Combine(folder, "out")))) (List.map fst before) "the same files"
                  use other = separator 2
                  other.SeparateFile(copy, Path.Combine(folder, "out")) |> ignore
                  let expected = (other.Separate(AudioFile.Read copy))["voice"]
                  Expect.equal (List.ofSeq (AudioFile.Read(stemOf folder "voice")).Channels) (List.ofSeq expected.Channels) "new")
          }

          test "another song of the same name is refused, with the names of the files in the way" {
              withStems 1 (fun folder separate ->
                  let other = Path.Combine(folder, "b", "song.wav")
                  AudioFile.Write(other, noise 2 1) |> ignore
                  refusesAll folder [ stemOf folder "music"; stemOf folder "voice"; "another song" ] (fun () -> separate other)
                  // The same samples at another rate are another song, and so is a song with one more channel.
                  let faster = AudioBuffer([| (noise 1 1).Channels[0] |], 22050)
                  AudioFile.Write(other, faster) |> ignore
                  refusesAll folder [ "another song" ] (fun () -> separate other)
                  AudioFile.Write(other, noise 1 2) |> ignore
                  refusesAll folder [ "another song" ] (fun () -> separate other))
          }

          test "a file that does not say whose it is stays" {
              withStems 1 (fun folder separate ->
                  let song = Path.Combine(folder, "a", "song.wav")
                  AudioFile.Write(stemOf folder "voice", noise 3 1) |> ignore
                  refusesAll folder [ stemOf folder "voice"; "not known" ] (fun () -> separate song)
                  File.WriteAllText(stemOf folder "voice", "my notes")
                  refusesAll folder [ stemOf folder "voice"; "not known" ] (fun () -> separate song)
                  File.Delete(stemOf folder "voice")
                  separate song

                  Expect.equal
                      (AudioFile.Info(stemOf folder "voice")).Length
                      20000L
                      "and does not stand in the way when it is gone")
          }

          test "a stem that was edited stays" {
              withStems 1 (fun folder separate ->
                  let edited = Path.Combine(folder, "edited.wav")

                  if not (succeeds "ffmpeg" [ "-i"; stemOf folder "voice"; "-af"; "volume=0.5"; edited ]) then
                      skiptest "the ffmpeg program is not installed"

                  File.Move(edited, stemOf folder "voice", true)

                  refusesAll folder [ stemOf folder "voice"; "not known" ] (fun () ->
                      separate (Path.Combine(folder, "a", "song.wav"))))
          }

          test "two songs of one name at the same time: one is refused, and the stems are of one song" {
              inFolder (fun folder ->
                  let out = Path.Combine(folder, "out")
                  let songs = [ for seed in 1..4 -> Path.Combine(folder, string seed, "song.wav") ]

                  for seed, song in List.indexed songs do
                      AudioFile.Write(song, noise seed 1) |> ignore

                  let separate (song: string) =
                      Task.Run(fun () ->
                          use separator = separator 1

                          try
                              separator.SeparateFile(song, out) |> ignore
                              true
                          with :? InputException ->
                              false)

                  let succeeded = (Task.WhenAll(List.map separate songs)).Result
                  Expect.hasLength (Array.filter id succeeded) 1 "one song alone succeeds"
                  let tags = [ for name in [ "music"; "voice" ] -> StemTag.Read(stemOf folder name) ]
                  Expect.equal ([ for tag in tags -> tag.Stem ]) [ "music"; "voice" ] "both stems say what they are"
                  Expect.hasLength (List.distinct [ for tag in tags -> tag.Fingerprint ]) 1 "of one song"
                  Expect.hasLength (Directory.GetFiles out) 2 "the folder holds nothing else")
          }

          test "names that differ in case only, where the file system takes them for one" {
              withStems 1 (fun folder separate ->
                  if not (File.Exists(Path.Combine(folder, "A", "SONG.WAV"))) then
                      skiptest "the file system tells upper and lower case apart"

                  let other = Path.Combine(folder, "b", "SONG.wav")
                  AudioFile.Write(other, noise 2 1) |> ignore
                  refusesAll folder [ "another song" ] (fun () -> separate other))
          }

          test "what a stem says of itself is read back, and disturbs no reader" {
              inFolder (fun folder ->
                  for stem, song in [ "voice", "été 東京 file 2.flac"; "v", "s.mp3"; "", "" ] do
                      for limit in [ WavHeaderBytes.RiffLimit; 100L ] do
                          let tag = StemTag(stem, song, "0123abcd", "89ef")
                          let path = Path.Combine(folder, "x.wav")
                          let audio = noise 1 2

                          using
                              (new WavWriter(
                                  path,
                                  16000,
                                  2,
                                  SampleFormat.Float32,
                                  tag.ToChunks(SongTags(readOnlyDict [])),
                                  limit
                              ))
                              (fun writer ->
                                  writer.Write audio
                                  writer.Complete())

                          Expect.equal (StemTag.Read path) tag "the tag is read back"
                          Expect.equal (List.ofSeq (AudioFile.Read path).Channels) (List.ofSeq audio.Channels) "samples stay")
          }

          test "damaged files say nothing" {
              withStems 1 (fun folder _ ->
                  let whole = File.ReadAllBytes(stemOf folder "voice")
                  let path = Path.Combine(folder, "damaged.wav")
                  Expect.isNotNull (StemTag.Read(stemOf folder "voice")) "the whole file says it"

                  // The samples begin within the first 400 bytes.
                  for length in 0..7..200 do
                      File.WriteAllBytes(path, whole[.. length - 1])
                      StemTag.Read path |> ignore

                  for at in 0..400 do
                      let bytes = Array.copy whole[..1000]
                      bytes[at] <- 255uy
                      File.WriteAllBytes(path, bytes)
                      StemTag.Read path |> ignore)
          }

          for program, arguments in
              [ "ffmpeg", (fun path raw -> [ "-v"; "error"; "-i"; path; "-f"; "f32le"; raw ])
                "sox", (fun path raw -> [ path; "-t"; "f32"; raw ]) ] do
              test $"{program} reads stems as we do" {
                  withStems 2 (fun folder _ ->
                      let raw = Path.Combine(folder, "raw")
                      let path = stemOf folder "voice"

                      if not (succeeds program [ (if program = "sox" then "--version" else "-version") ]) then
                          skiptest $"the {program} program is not installed"

                      Expect.isTrue (succeeds program (arguments path raw)) program
                      let audio = AudioFile.Read path

                      let samples =
                          [| for i in 0 .. audio.Length - 1 do
                                 for channel in audio.Channels -> channel[i] |]

                      let read =
                          Runtime.InteropServices.MemoryMarshal.Cast<byte, float32>(File.ReadAllBytes(raw).AsSpan()).ToArray()

                      Expect.hasLength read samples.Length "the program reads as many samples"
                      // sox computes with integers of 32 bits.
                      let off = Array.map2 (fun (a: float32) b -> abs (a - b)) read samples |> Array.max
                      Expect.isLessThan off 1e-6f "the program reads the same samples")
              } ]
