/// The limits of formats are known before a song is separated, and are those of their encoders.
module FunctionalSeparation.Tests.StemFormatTests

open System
open System.IO
open Expecto
open FunctionalSeparation
open FunctionalSeparation.Core
open FunctionalSeparation.Tests.Scratch

let private formats = Enum.GetValues<StemFormat>() |> List.ofArray
let private encoded = [ StemFormat.Flac; StemFormat.Mp3; StemFormat.Opus ]
let private channels = [ 1; 2; 3; 4; 5; 6; 7; 8; 9; 10; 16 ]

let private rates =
    [ 1000; 7999; 11025; 15000; 44100; 50000; 65534; 65535; 65540; 96001; 192000; 655340; 655350; 3000000 ]

let private sound rate channels =
    AudioBuffer(Array.init channels (fun _ -> Array.init (rate / 10) (fun i -> 0.1f * MathF.Sin(0.05f * float32 i))), rate)

/// A separator that must not be asked.
let private never: ISeparator =
    { new ISeparator with
        member _.Name = "never"
        member _.SampleRate = 16000
        member _.Stems = [| "music"; "voice" |]
        member _.Open(_, _, _) = failtest "the song was separated"
      interface IDisposable with
          member _.Dispose() = () }

let private stored folder (format: StemFormat) rate channels =
    let name = Path.Combine(folder, $"{Guid.NewGuid():N}")
    let path = $"{name}.{format}".ToLowerInvariant()
    let song = sound rate channels
    AudioFile.Write(name + ".wav", song) |> ignore
    use reader = AudioFile.Open(name + ".wav")
    use writer = new StemWriter(path, reader, format, StemTag("voice", "song.wav", "0", "1"), reader.Tags)
    writer.Write song
    writer.Seal()
    writer.Complete false
    AudioFile.Shape path

let private requireFfmpeg () =
    if not (succeeds "ffmpeg" [ "-version" ]) then
        skiptest "the ffmpeg program is not installed"

[<Tests>]
let tests =
    testList
        "formats of stems"
        [ for format in encoded do
              Scratch.long $"{format}: what it is said to hold it holds, with the channels and the rate that are told" (fun () ->
                  requireFfmpeg ()

                  inFolder (fun folder ->
                      let cases = [ for count in channels -> 44100, count ] @ [ for rate in rates -> rate, 1 ]

                      for rate, count in cases |> List.filter (fun (rate, count) -> format.Holds(rate, count)) do
                          let shape = stored folder format rate count

                          Expect.equal
                              (shape.SampleRate, shape.Channels)
                              (format.StoredRate rate, count)
                              $"{rate} Hz, {count} channels"))

          test "WAV holds all that is read, as it is" {
              for format in formats |> List.except encoded do
                  for rate in rates do
                      for count in channels @ [ 1024 ] do
                          Expect.isTrue (format.Holds(rate, count)) "WAV holds every rate and channel count"
                          Expect.equal (format.StoredRate rate) rate "WAV keeps the rate as it is"
          }

          test "what a format cannot hold is refused before the song is separated, with the formats that can" {
              inFolder (fun folder ->
                  for format, rate, count, other in
                      [ StemFormat.Opus, 16000, 3, "WAV or FLAC"
                        StemFormat.Opus, 16000, 9, "WAV"
                        StemFormat.Flac, 16000, 10, "WAV"
                        StemFormat.Flac, 65535, 2, "WAV or Opus"
                        StemFormat.Mp3, 16000, 3, "WAV or FLAC"
                        StemFormat.Mp3, 96000, 1, "WAV or FLAC or Opus" ] do
                      let song, out = Path.Combine(folder, "song.wav"), Path.Combine(folder, "out")
                      AudioFile.Write(song, sound rate count) |> ignore
                      let settings = StemSettings(Format = format)

                      refuses [ song; $"{count} channels at {rate} Hz"; $"choose {other}." ] (fun () ->
                          never.SeparateFile(song, out, settings) |> ignore)

                      use reader = AudioFile.Open song
                      refuses [ song ] (fun () -> never.IsSeparated(reader, out, settings) |> ignore)
                      Expect.isFalse (Directory.Exists out) "nothing is written")
          }

          test "names and parts that cannot be are refused before the song is separated" {
              inFolder (fun folder ->
                  let song, out = Path.Combine(folder, "song.wav"), Path.Combine(folder, "out")
                  AudioFile.Write(song, sound 16000 1) |> ignore
                  Directory.CreateDirectory(Path.Combine(out, "voice.wav")) |> ignore

                  for words, settings in
                      [ [ "outside"; "'/{song}_{stem}'" ], StemSettings(Name = "/{song}_{stem}")
                        [ "outside" ], StemSettings(Name = "../{stem}")
                        [ "outside" ], StemSettings(Name = "{song}/../../{stem}")
                        [ "that of a folder" ], StemSettings(Name = "{stem}/")
                        [ String('x', 300) ], StemSettings(Name = String('x', 300) + "{stem}")
                        [ "voice.wav is a folder" ], StemSettings(Name = "{stem}")
                        [ "from -1 s to its end is no part" ], StemSettings(From = -1.0)
                        [ "from 0.5 s to 0.25 s is no part" ], StemSettings(From = 0.5, To = 0.25)
                        [ "no part" ], StemSettings(To = nan) ] do
                      refuses words (fun () -> never.SeparateFile(song, out, settings) |> ignore)

                  Expect.hasLength
                      (Directory.GetFileSystemEntries(folder, "*", SearchOption.AllDirectories))
                      3
                      "nothing is written"

                  for name in [ null; "" ] do
                      refusesArgument [ "Name" ] (fun () -> never.SeparateFile(song, out, StemSettings(Name = name)) |> ignore)

                  refusesArgument [ "99" ] (fun () -> never.SeparateFile(song, out, StemSettings(Format = enum 99)) |> ignore))
          }

          test "settings that no song could meet are refused without one" {
              for words, settings in
                  [ [ "from -1 s" ], StemSettings(From = -1.0)
                    [ "'drums'" ], StemSettings [| "drums" |]
                    [ "{stem}" ], StemSettings(Name = "{song}") ] do
                  refuses words (fun () -> settings.Validate never)

              StemSettings(From = 1.0, To = 2.0).Validate never
          }

          test "a song that is called {stem} keeps its name" {
              inFolder (fun folder ->
                  use separator = separator 1
                  let song = Path.Combine(folder, "{stem} {song}.wav")
                  AudioFile.Write(song, sound 16000 1) |> ignore
                  let files = separator.SeparateFile(song, folder)
                  Expect.equal (Path.GetFileName files["voice"].Path) "{stem} {song}_voice.wav" "the stem has the song's name")
          } ]
