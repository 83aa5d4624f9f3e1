module FunctionalSeparation.Tests.ForeignAudioTests

open System
open System.Diagnostics
open System.IO
open Expecto
open FunctionalSeparation.Core
open FunctionalSeparation.Tests.AudioFileTests
open FunctionalSeparation.Tests.Scratch

let private notesOf path = List.ofSeq (AudioFile.Info path).Notes

/// The notes are as many as the lists of words, and each holds its words.
let private says (words: string list list) (path: string) =
    let notes = notesOf path
    Expect.equal notes.Length words.Length $"notes: {notes}"

    for note, parts in List.zip notes words do
        Expect.isFalse (note.Contains '\n') "a note is one line"

        for part in parts do
            Expect.stringContains note part "the note says what it must"

/// Three seconds of a tone, beside a moving picture where there is one.
let private tone = [ "-f"; "lavfi"; "-i"; "sine=440:d=3:r=44100" ]
let private picture = [ "-f"; "lavfi"; "-i"; "testsrc=d=5:s=64x64:r=10" ]

let private timeLines =
    testList
        "time lines"
        [ for container in [ "mp4"; "mov"; "mkv"; "ts"; "avi" ] do
              decoded $"{container}: a sound from the start" (fun folder ->
                  let path = Path.Combine(folder, $"x.{container}")
                  ffmpeg (picture @ tone @ [ "-c:v"; "mpeg4"; "-c:a"; "aac"; path ])
                  says [] path)
          for container in [ "mp4"; "mov"; "mkv"; "ts" ] do
              decoded $"{container}: a sound 1.5 s into the picture" (fun folder ->
                  let path = Path.Combine(folder, $"x.{container}")
                  ffmpeg (picture @ [ "-itsoffset"; "1.5" ] @ tone @ [ "-c:v"; "mpeg4"; "-c:a"; "aac"; path ])
                  says [ [ "starts 1.47"; "begins with the sound" ] ] path
                  Expect.isLessThan (abs ((AudioFile.Info path).Seconds - 3.0)) 0.1 "nothing is added or lost")
          for container in [ "mp4"; "mkv" ] do
              decoded $"{container}: a sound 1.5 s into a file without a picture" (fun folder ->
                  let path = Path.Combine(folder, $"x.{container}")
                  ffmpeg ([ "-itsoffset"; "1.5" ] @ tone @ [ "-c:a"; "aac"; path ])
                  says [ [ "starts 1.47" ] ] path)
          for name, options in
              [ "x.mp3", []
                "x.m4a", []
                "x.ogg", [ "-c:a"; "libvorbis" ]
                "x.opus", [ "-c:a"; "libopus" ]
                "x.webm", [ "-c:a"; "libopus" ]
                "x.ts", [ "-c:a"; "mp2" ]
                "x.flac", []
                "x.wma", []
                "x.aiff", []
                "x.caf", [] ] do
              decoded $"nothing to say of {name}" (fun folder ->
                  let path = Path.Combine(folder, name)
                  ffmpeg (tone @ options @ [ path ])
                  says [] path)
          decoded "two sound tracks" (fun folder ->
              let path = Path.Combine(folder, "x.mkv")
              let languages = [ "-metadata:s:a:0"; "language=eng"; "-metadata:s:a:1"; "language=fra" ]
              ffmpeg (tone @ tone @ [ "-map"; "0"; "-map"; "1"; "-ac:a:0"; "2"; "-c:a"; "flac" ] @ languages @ [ path ])
              says [ [ "2 sound tracks"; "flac, eng, 2 channels" ] ] path
              Expect.equal (AudioFile.Info(path).Channels) 2 "the first track is the one read")
          decoded "sound tracks by their numbers" (fun folder ->
              let parts = [ noise 1 1 4000 8000 0.9; noise 2 2 4000 16000 0.9 ]

              let files =
                  [ for index, audio in List.indexed parts do
                        let file = Path.Combine(folder, $"{index}.wav")
                        AudioFile.Write(file, audio, SampleFormat.Pcm16) |> ignore
                        file ]

              let path = Path.Combine(folder, "x.mkv")

              let inputs =
                  [ for file in files do
                        yield! [ "-i"; file ] ]

              ffmpeg (picture @ inputs @ [ "-map"; "1"; "-map"; "0"; "-map"; "2"; "-c:v"; "mpeg4"; "-c:a"; "flac"; path ])

              for track, file in List.indexed files do
                  let found, expected = AudioFile.ReadTrack(path, track), AudioFile.Read file
                  Expect.equal found.SampleRate expected.SampleRate "the track has its own rate"
                  Expect.equal (samplesOf found) (samplesOf expected) "the track has its own samples"

              let refuses words act = refuses words (fun () -> act () |> ignore)
              refuses [ "x.mkv"; "2 sound track(s)"; "track 2" ] (fun () -> AudioFile.ReadTrack(path, 2))
              refuses [ "0.wav"; "1 sound track"; "track 1" ] (fun () -> AudioFile.ReadTrack(files.Head, 1))

              Expect.equal
                  (samplesOf (AudioFile.ReadTrack(files.Head, 0)))
                  (samplesOf (AudioFile.Read files.Head))
                  "the only one")
          decoded "rate, channels and length without decoding" (fun folder ->
              let wav = Path.Combine(folder, "x.wav")
              AudioFile.Write(wav, noise 1 3 800 22050 0.9) |> ignore
              Expect.equal (AudioFile.Shape wav) (AudioShape(22050, 3, 800L, true)) "the header gives the WAV file's shape"

              for name in [ "x.flac"; "x.m4a"; "x.mp3" ] do
                  let path = Path.Combine(folder, name)
                  ffmpeg [ "-i"; wav; "-ac"; "2"; path ]
                  let shape = AudioFile.Shape path
                  Expect.equal (shape.SampleRate, shape.Channels, shape.IsWav) (22050, 2, false) name
                  Expect.isGreaterThan shape.Length 700L name

              let text = Path.Combine(folder, "text.mp3")
              File.WriteAllText(text, "no sound")
              refuses [ "text.mp3" ] (fun () -> AudioFile.Shape text |> ignore)) ]

/// Puts other bytes into the middle of a file.
let private damage (change: byte[] -> byte[]) (path: string) =
    let bytes = File.ReadAllBytes path
    let middle = bytes.Length / 2
    File.WriteAllBytes(path, Array.concat [ bytes[.. middle - 1]; change bytes[middle..] ])

let private hissed folder name options =
    let path = Path.Combine(folder, name)
    ffmpeg ([ "-f"; "lavfi"; "-i"; "anoisesrc=d=5:r=44100:a=0.2" ] @ options @ [ path ])
    path

let private damages =
    testList
        "damage"
        [ for name in [ "x.mp3"; "x.flac" ] do
              for what, change in
                  [ "other bytes", (fun (rest: byte[]) -> Array.append (Array.init 3000 (fun i -> byte (i * i / 7))) rest[3000..])
                    "zeros", (fun rest -> Array.append (Array.zeroCreate 3000) rest[3000..])
                    "a hole", (fun rest -> rest[3000..]) ] do
                  decoded $"{what} in the middle of {name}" (fun folder ->
                      let path = hissed folder name [ "-sample_fmt"; (if name = "x.mp3" then "fltp" else "s16") ]
                      damage change path
                      let notes = notesOf path
                      Expect.exists notes _.Contains("ffmpeg met damage") $"notes: {notes}")
          decoded "a bit of a FLAC file, which only its checksum tells" (fun folder ->
              let path = hissed folder "x.flac" [ "-sample_fmt"; "s16" ]
              damage (fun rest -> Array.append [| rest[0] ^^^ 0x10uy |] rest[1..]) path
              Expect.exists (notesOf path) _.Contains("ffmpeg met damage") "a note tells of the damage")
          decoded "half an mp3 file whose header counts the frames" (fun folder ->
              let path = hissed folder "x.mp3" []
              damage (fun _ -> [||]) path
              says [ [ "5.0 s were expected and 2.5 s are present" ] ] path)
          decoded "a broken last frame and tags before and behind keep an mp3 file readable" (fun folder ->
              let path = hissed folder "x.mp3" [ "-id3v2_version"; "3"; "-metadata"; "title=x" ]
              let bytes = File.ReadAllBytes path
              File.WriteAllBytes(path, Array.concat [ bytes[.. bytes.Length - 200]; "TAG"B; Array.zeroCreate 125 ])
              let info = AudioFile.Info path
              Expect.isLessThan (abs (info.Seconds - 5.0)) 0.1 "all of it")
          decoded "a sound that changes its rate and channels on the way" (fun folder ->
              let path = hissed folder "x.mp3" [ "-ac"; "2" ]
              let second = hissed folder "y.mp3" [ "-ac"; "1"; "-ar"; "48000" ]
              File.AppendAllBytes(path, File.ReadAllBytes second)
              let info = AudioFile.Info path
              let isOfForm (note: string) = note.Contains "changes its form" && note.Contains "then 48000 Hz mono"
              Expect.exists info.Notes isOfForm $"{List.ofSeq info.Notes}"
              Expect.equal info.SampleRate 44_100 "the rate is that of the beginning") ]

/// Saves the output that a program writes to a pipe. Skips the test if the program is not installed.
let private piped program (line: string) path =
    try
        let script = $"command -v {program} > /dev/null && {line} | cat > '{path}'"
        use run = Process.Start(ProcessStartInfo("sh", [ "-c"; script ], RedirectStandardError = true))
        run.StandardError.ReadToEnd() |> ignore
        run.WaitForExit()

        if run.ExitCode <> 0 then Tests.skiptest $"the {program} program is not installed"
    with :? ComponentModel.Win32Exception ->
        Tests.skiptest $"the {program} program is not installed"

let private pipes =
    testList
        "written to a pipe by other programs"
        [ decoded "an AIFF file by SoX" (fun folder ->
              let path = Path.Combine(folder, "x.aiff")
              let wav = Path.Combine(folder, "x.wav")
              AudioFile.Write(wav, noise 1 2 8000 16_000 0.5, SampleFormat.Pcm16) |> ignore
              piped "sox" $"cat '{wav}' | sox -t wav - -t aiff - speed 1" path
              says [ [ "length open" ] ] path
              Expect.equal (AudioFile.Info(path).Length) 8000L "the length is that of the WAV file")
          testCase "a WAV file by SoX"
          <| fun () ->
              inFolder (fun folder ->
                  let wav, path = Path.Combine(folder, "x.wav"), Path.Combine(folder, "p.wav")

                  // SoX works with integers of 32 bits inside.
                  for format in [ SampleFormat.Pcm8; SampleFormat.Pcm16; SampleFormat.Pcm24; SampleFormat.Float32 ] do
                      let audio = noise 1 3 8000 16_000 0.5
                      AudioFile.Write(wav, audio, format) |> ignore
                      piped "sox" $"cat '{wav}' | sox -t wav - -t wav - speed 1" path
                      says [ [ "length open" ] ] path
                      Expect.isLessThan (worst (AudioFile.Read path) (AudioFile.Read wav)) 1e-7 $"{format}"
                      piped "sox" $"sox '{wav}' -t wav -B -" path
                      Expect.isLessThan (worst (AudioFile.Read path) (AudioFile.Read wav)) 1e-7 $"{format}, RIFX")
          decoded "a cut AIFF file" (fun folder ->
              let path = hissed folder "x.aiff" []
              damage (fun _ -> [||]) path
              refuses [ "x.aiff"; "truncated"; "5.0 s" ] (fun () -> AudioFile.Info path |> ignore))
          for format, options in [ "wav", []; "wav", [ "-rf64"; "always" ]; "w64", [] ] do
              decoded $"""{format} by ffmpeg {String.Join(" ", options)}""" (fun folder ->
                  let path = Path.Combine(folder, "x.bin")
                  let line = String.Join(" ", [ "-v error -f lavfi -i sine=440:d=3:r=44100" ] @ options @ [ "-f"; format; "-" ])
                  piped "ffmpeg" $"ffmpeg {line} < /dev/null" path
                  says [ [ "length open" ] ] path
                  Expect.equal (AudioFile.Info(path).Length) 132_300L "all three seconds are counted") ]

let private colours =
    decoded "colours that the environment asks for stay out of notes and refusals" (fun folder ->
        let path = hissed folder "x.mp3" [ "-b:a"; "128k" ]
        damage (fun rest -> Array.append (Array.zeroCreate 3000) rest) path
        let noise = Path.Combine(folder, "noise.mp3")
        File.WriteAllBytes(noise, Array.init 3000 (fun i -> byte (i * i)))
        let withoutAddresses (said: string) = Text.RegularExpressions.Regex.Replace(said, "0x[0-9a-f]+", "")

        let said () =
            let refusal =
                try
                    AudioFile.Info noise |> string
                with :? InputException as wrong ->
                    wrong.Message

            [ for text in refusal :: List.ofSeq (AudioFile.Info path).Notes -> withoutAddresses text ]

        let plain = said ()
        Expect.isGreaterThan plain.Length 1 "there are notes besides the refusal"
        Environment.SetEnvironmentVariable("AV_LOG_FORCE_COLOR", "1")

        try
            Expect.equal (said ()) plain "the same with colours"
        finally
            Environment.SetEnvironmentVariable("AV_LOG_FORCE_COLOR", null))

[<Tests>]
let tests = testList "ForeignAudio" [ timeLines; damages; pipes; colours ]
