module FunctionalSeparation.Tests.AudioFileTests

open System
open System.Diagnostics
open System.IO
open System.Text
open Expecto
open FsCheck
open FunctionalSeparation.Core
open FunctionalSeparation.Tests.Scratch

let private formats =
    [ SampleFormat.Pcm8
      SampleFormat.Pcm16
      SampleFormat.Pcm24
      SampleFormat.Pcm32
      SampleFormat.Float32
      SampleFormat.Float64 ]

/// The size of a step; a float32 value itself has no finer steps than 2^-24 near full scale.
let private step format =
    match format with
    | SampleFormat.Pcm8 -> 1.0 / 128.0
    | SampleFormat.Pcm16 -> 1.0 / 32768.0
    | SampleFormat.Pcm24 -> 1.0 / 8388608.0
    | SampleFormat.Pcm32 -> 1.0 / 8388608.0
    | _ -> 0.0

/// Uniform in ±limit.
let noise (seed: int) channels length rate (limit: float) =
    let random = Random seed

    AudioBuffer(
        [| for _ in 1..channels -> Array.init length (fun _ -> float32 (limit * (2.0 * random.NextDouble() - 1.0))) |],
        rate
    )

/// The largest difference of two sounds.
let worst (a: AudioBuffer) (b: AudioBuffer) =
    Seq.map2
        (fun (x: float32[]) (y: float32[]) -> Array.fold2 (fun m u v -> max m (abs (float u - float v))) 0.0 x y)
        a.Channels
        b.Channels
    |> Seq.max

/// The channels.
let samplesOf (audio: AudioBuffer) = List.ofSeq audio.Channels

let private roundTrips =
    testList
        "round trips"
        [ for format in formats do
              testPropertyWithConfig { FsCheckConfig.defaultConfig with maxTest = 25 } $"{format}"
              <| fun (seed: int) (PositiveInt channels) (PositiveInt length) ->
                  inFolder (fun folder ->
                      let path = Path.Combine(folder, "new", "x.wav")
                      let limit = if step format = 0.0 then 3.0 else 1.0 - step format
                      let audio = noise seed (1 + channels % 5) (1 + length * 397 % 40_000) 44_100 limit
                      Expect.equal (AudioFile.Write(path, audio, format)) 0L "no sample of the noise is clipped"
                      let back = AudioFile.Read path

                      Expect.equal
                          (back.SampleRate, back.Channels.Count, back.Length)
                          (44_100, audio.Channels.Count, audio.Length)
                          "the rate, channels and length come back"

                      Expect.isLessThanOrEqual (worst audio back) (step format / 2.0) "half a step"
                      AudioFile.Write(path, back, format) |> ignore
                      Expect.equal (samplesOf (AudioFile.Read path)) (samplesOf back) "stored values come back exactly") ]

let private reading =
    testList
        "reading in parts"
        [ testProperty "a part equals the slice of the whole"
          <| fun (seed: int) (PositiveInt channels) (NonNegativeInt offset) (NonNegativeInt length) ->
              inFolder (fun folder ->
                  let path = Path.Combine(folder, "x.wav")
                  AudioFile.Write(path, noise seed (1 + channels % 3) 30_000 8000 1.0, SampleFormat.Pcm24) |> ignore
                  let whole = AudioFile.Read path
                  let offset = offset * 997 % 30_000
                  let length = length * 997 % (30_001 - offset)
                  let part = AudioFile.Read(path, int64 offset, length)
                  Expect.equal (samplesOf part) [ for c in whole.Channels -> c[offset .. offset + length - 1] ] "as the slice")
          testCase "beyond the end"
          <| fun () ->
              inFolder (fun folder ->
                  let path = Path.Combine(folder, "x.wav")
                  AudioFile.Write(path, noise 1 1 100 8000 1.0) |> ignore
                  refuses [ "x.wav"; "100 samples"; "beyond its end" ] (fun () -> AudioFile.Read(path, 90L, 11) |> ignore)
                  Expect.equal (AudioFile.Read(path, 90L, 10).Length) 10 "up to the end"

                  Expect.throwsT<ArgumentOutOfRangeException>
                      (fun () -> AudioFile.Read(path, -1L, 1) |> ignore)
                      "a negative offset is refused")
          testCase "a clip of MIR-1K"
          <| fun () ->
              let clip = sharedData [ "MIR-1K"; "Wavfile"; "abjones_1_01.wav" ]

              inFolder (fun folder ->
                  let audio = AudioFile.Read clip
                  Expect.equal (audio.SampleRate, audio.Channels.Count) (16_000, 2) "the clip has two channels at 16 kHz"
                  let copy = Path.Combine(folder, "copy.wav")
                  AudioFile.Write(copy, audio, SampleFormat.Pcm16) |> ignore
                  Expect.equal (samplesOf (AudioFile.Read copy)) (samplesOf audio) "16-bit samples survive exactly") ]

let private writing =
    testList
        "writing"
        [ testCase "pieces make the file that one call makes"
          <| fun () ->
              inFolder (fun folder ->
                  let audio = noise 5 2 1001 22_050 1.0
                  let whole, pieces = Path.Combine(folder, "whole.wav"), Path.Combine(folder, "pieces.wav")
                  AudioFile.Write(whole, audio, SampleFormat.Pcm24) |> ignore

                  using (new WavWriter(pieces, 22_050, 2, SampleFormat.Pcm24)) (fun writer ->
                      for start in 0..100..1000 do
                          let slice = [| for c in audio.Channels -> c[start .. min 1000 (start + 99)] |]
                          writer.Write(AudioBuffer(slice, 22_050))

                      writer.Complete())

                  Expect.equal (File.ReadAllBytes pieces) (File.ReadAllBytes whole) "both files have the same bytes")
          testCase "without Complete nothing stays, and the older file is kept"
          <| fun () ->
              inFolder (fun folder ->
                  let path = Path.Combine(folder, "x.wav")
                  File.WriteAllText(path, "older")
                  using (new WavWriter(path, 8000, 1)) (fun writer -> writer.Write(noise 1 1 100_000 8000 1.0))
                  Expect.equal (Directory.GetFiles folder) [| path |] "the older file is the only one left"
                  Expect.equal (File.ReadAllText path) "older" "the older file keeps its content")
          testCase "values beyond full scale are counted and saturate"
          <| fun () ->
              inFolder (fun folder ->
                  let path = Path.Combine(folder, "x.wav")
                  let audio = AudioBuffer([| [| 1.5f; 1.f; 0.f |]; [| -1.f; -7.f; 1.001f |] |], 8000)
                  Expect.equal (AudioFile.Write(path, audio, SampleFormat.Pcm16)) 3L "three values are counted as clipped"
                  let top = 32767.f / 32768.f
                  Expect.equal (samplesOf (AudioFile.Read path)) [ [| top; top; 0.f |]; [| -1.f; -1.f; top |] ] "they saturate"
                  Expect.equal (AudioFile.Write(path, audio)) 0L "floats keep them"
                  Expect.equal (samplesOf (AudioFile.Read path)) (samplesOf audio) "floats come back beyond full scale")
          for format in formats do
              testCase $"RF64 from the size limit on, {format}"
              <| fun () ->
                  inFolder (fun folder ->
                      let path = Path.Combine(folder, "x.wav")
                      let audio = noise 9 3 777 48_000 0.9

                      let write (limit: int64) =
                          use writer = new WavWriter(path, 48_000, 3, format, [||], limit)
                          writer.Write audio
                          writer.Complete()
                          Encoding.ASCII.GetString(File.ReadAllBytes path, 0, 4), samplesOf (AudioFile.Read path)

                      let size = FileInfo(let _ = write 1_000_000L in path).Length
                      let plain, samples = write (size - 8L)
                      let long, longSamples = write (size - 9L)
                      Expect.equal (plain, long) ("RIFF", "RF64") "only the file beyond the limit is RF64"
                      Expect.equal longSamples samples "both files hold the same samples")
          testCase "a header of 4 GiB and more is RF64 and as long as any other"
          <| fun () ->
              let build frames =
                  WavHeaderBytes.Build(SampleFormat.Pcm16, 1, 8000, frames, ReadOnlySpan(), WavHeaderBytes.RiffLimit)

              let short, long = build 1L, build 3_000_000_000L
              Expect.equal long.Length short.Length "both headers are equally long"
              Expect.equal (Encoding.ASCII.GetString(long, 0, 4)) "RF64" "the header of the long file is RF64"
              Expect.equal (BitConverter.ToInt64(long, 28)) 6_000_000_000L "bytes of samples" ]

let private refusals =
    let refused name words (action: string -> unit) =
        testCase name <| fun () -> inFolder (fun folder -> refuses words (fun () -> action folder))

    let read folder name = AudioFile.Read(Path.Combine(folder, name)) |> ignore
    let one = AudioBuffer([| [| 0.5f |] |], 8000)

    testList
        "refusals"
        [ refused "a missing file" [ "none.wav"; "does not exist" ] (fun folder -> read folder "none.wav")
          refused "a missing folder" [ "none.wav"; "does not exist" ] (fun folder -> read folder "nowhere/none.wav")
          refused "a folder" [ "is a folder" ] (fun folder -> AudioFile.Read folder |> ignore)
          refused "a file of 0 bytes" [ "x.mp3"; "empty" ] (fun folder ->
              File.WriteAllBytes(Path.Combine(folder, "x.mp3"), [||])
              read folder "x.mp3")
          refused "no ffmpeg" [ "ffmpeg is not on the PATH"; "x.mp3"; "to WAV" ] (fun folder ->
              File.WriteAllText(Path.Combine(folder, "x.mp3"), "x")
              use source = SoundSource.From(Path.Combine(folder, "x.mp3"))
              ForeignAudio.Open(source, folder) |> ignore)
          refused "WAV samples under another name" [ "x.mp3"; ".wav" ] (fun folder ->
              AudioFile.Write(Path.Combine(folder, "x.mp3"), one) |> ignore)
          refused "a folder as the target" [ "x.wav"; "is a folder" ] (fun folder ->
              Directory.CreateDirectory(Path.Combine(folder, "x.wav")) |> ignore
              AudioFile.Write(Path.Combine(folder, "x.wav"), one) |> ignore)
          refused "a file in the folder's place" [ "x.wav"; "cannot be written" ] (fun folder ->
              File.WriteAllText(Path.Combine(folder, "file"), "")
              AudioFile.Write(Path.Combine(folder, "file", "x.wav"), one) |> ignore)
          refused "writing what is not a number" [ "x.wav"; "sample 4 of channel 1 "; "NaN" ] (fun folder ->
              use writer = new WavWriter(Path.Combine(folder, "x.wav"), 8000, 2)
              writer.Write(noise 1 2 3 8000 1.0)
              writer.Write(AudioBuffer([| [| 0.f; 0.f |]; [| 0.f; nanf |] |], 8000)))
          refused "a full disk" [ "x.wav"; "No space left"; "free some space" ] (fun _ ->
              if not (File.Exists "/dev/full") then Tests.skiptest "needs /dev/full"

              try
                  use full = File.OpenHandle("/dev/full", FileMode.Open, FileAccess.Write)
                  RandomAccess.Write(full, ReadOnlySpan [| 1uy |], 0L)
              with :? IOException as e ->
                  raise (FileFailure.Writing("x.wav", e))) ]

/// Runs ffmpeg; the test is skipped where there is none.
let ffmpeg (arguments: string list) =
    try
        use run = Process.Start(ProcessStartInfo("ffmpeg", [ "-v"; "error"; "-nostdin"; "-y" ] @ arguments))
        run.WaitForExit()
        Expect.equal run.ExitCode 0 "ffmpeg ends without an error"
    with :? ComponentModel.Win32Exception ->
        Tests.skiptest "the ffmpeg program is not installed"

let private hasFfmpeg = lazy (succeeds "ffmpeg" [ "-version" ])

/// Skips the test where there is no ffmpeg.
let requireFfmpeg () = if not hasFfmpeg.Value then Tests.skiptest "the ffmpeg program is not installed"

/// A test in a new folder that needs ffmpeg.
let decoded name (test: string -> unit) =
    testCase name
    <| fun () ->
        requireFfmpeg ()
        inFolder test

let private searchPath = Environment.GetEnvironmentVariable "PATH"

/// A second of quiet noise as a 16-bit WAV file, and that file encoded by ffmpeg under another name.
let encoded folder name options =
    let wav, other = Path.Combine(folder, "source.wav"), Path.Combine(folder, name)
    AudioFile.Write(wav, noise 3 2 44_100 44_100 0.1, SampleFormat.Pcm16) |> ignore
    ffmpeg ([ "-i"; wav ] @ options @ [ other ])
    AudioFile.Read wav, other

let private foreign =
    testList
        "through ffmpeg"
        [ decoded "FLAC gives the same samples, whole and in parts" (fun folder ->
              let audio, flac = encoded folder "a b'c.flac" []
              Expect.equal (samplesOf (AudioFile.Read flac)) (samplesOf audio) "the whole FLAC file gives the samples"
              Expect.equal (samplesOf (AudioFile.Read(flac, 1000L, 50))) [ for c in audio.Channels -> c[1000..1049] ] "part"
              Expect.equal (AudioFile.Info flac) (AudioInfo(44_100, 2, 44_100L, "flac, decoded by ffmpeg")) "the info matches")
          decoded "the content counts, not the name" (fun folder ->
              let audio, flac = encoded folder "x.flac" []
              let disguised = Path.Combine(folder, "really-flac.wav")
              File.Move(flac, disguised)
              Expect.equal (samplesOf (AudioFile.Read disguised)) (samplesOf audio) "the samples are those of the WAV file")
          decoded "a WAV file of a compressed coding" (fun folder ->
              let audio, law = encoded folder "law.wav" [ "-c:a"; "pcm_mulaw" ]
              Expect.isLessThan (worst audio (AudioFile.Read law)) 0.005 "mu-law has steps of about 1/32 of the value"
              Expect.equal (AudioFile.Info(law).Format) "pcm_mulaw, decoded by ffmpeg" "the format names the coding")
          decoded "a cut FLAC file" (fun folder ->
              let _, flac = encoded folder "cut.flac" []
              File.WriteAllBytes(flac, let bytes = File.ReadAllBytes flac in bytes[.. bytes.Length / 4])
              refuses [ "cut.flac"; "truncated"; "1.0 s" ] (fun () -> AudioFile.Read flac |> ignore))
          decoded "foreign bytes" (fun folder ->
              let path = Path.Combine(folder, "x.mp3")
              File.WriteAllBytes(path, Array.init 5000 (fun i -> byte (i * i / 7)))
              refuses [ "x.mp3"; "cannot be decoded"; "convert" ] (fun () -> AudioFile.Read path |> ignore))
          decoded "a picture" (fun folder ->
              let path = Path.Combine(folder, "x.png")
              ffmpeg [ "-f"; "lavfi"; "-i"; "color=size=8x8"; "-frames:v"; "1"; path ]
              refuses [ "x.png"; "no audio" ] (fun () -> AudioFile.Read path |> ignore))
          for format in formats do
              for limit in [ WavHeaderBytes.RiffLimit; 100L ] do
                  decoded $"ffmpeg reads what is written: {format}, RF64 from {limit} bytes" (fun folder ->
                      let path = Path.Combine(folder, "x.wav")

                      using (new WavWriter(path, 32_000, 3, format, [||], limit)) (fun writer ->
                          writer.Write(noise 4 3 501 32_000 0.9)
                          writer.Complete())

                      use source = SoundSource.From path
                      use theirs = ForeignAudio.Open(source, searchPath)
                      Expect.equal (theirs.Info.Length, theirs.Info.SampleRate) (501L, 32_000) "ffmpeg sees length and rate"
                      Expect.equal (samplesOf (theirs.Read(0L, 501))) (samplesOf (AudioFile.Read path)) "the samples agree") ]

[<Tests>]
let tests = testList "AudioFile" [ roundTrips; reading; writing; refusals; foreign ]
