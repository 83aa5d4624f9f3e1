/// The interface for applications: files written according to settings, asynchronous work, byte streams, and sounds of unknown
/// level.
module FunctionalSeparation.Tests.ApplicationTests

open System
open System.Collections.Generic
open System.IO
open System.Threading
open Expecto
open FsCheck
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core
open FunctionalSeparation.Tests.Scratch

let private noise seed channels seconds (level: float) =
    let channel index =
        Key.uniforms (int (16000.0 * seconds)) (Key.ofSeed (seed + index))
        |> Array.map (fun x -> float32 (2.0 * level * (x - 0.5)))

    AudioBuffer(Array.init channels channel, 16000)

let private writeSong folder =
    let path = Path.Combine(folder, "song.wav")
    AudioFile.Write(path, noise 1 2 2.0 0.5) |> ignore
    path

let private largestDifference (a: AudioBuffer) (b: AudioBuffer) =
    Expect.equal (a.Length, a.Channels.Count, a.SampleRate) (b.Length, b.Channels.Count, b.SampleRate) "the shapes are equal"

    Seq.zip a.Channels b.Channels
    |> Seq.map (fun (a, b) -> Array.map2 (fun (x: float32) y -> abs (x - y)) a b |> Array.max)
    |> Seq.max

/// The formats that ffmpeg encodes, with the rate that they have of a song at 16 kHz.
let private encoded = [ StemFormat.Flac, 16000; StemFormat.Mp3, 16000; StemFormat.Opus, 48000 ]

let private requireFfmpeg () =
    if not (succeeds "ffmpeg" [ "-version" ]) then
        skiptest "the program ffmpeg is not installed"

/// Pieces that come one after the other, some time apart.
let private arriving (pieces: AudioBuffer list) : IAsyncEnumerable<AudioBuffer> =
    { new IAsyncEnumerable<AudioBuffer> with
        member _.GetAsyncEnumerator(stop) =
            let mutable rest = pieces
            let mutable current = pieces.Head

            { new IAsyncEnumerator<AudioBuffer> with
                member _.Current = current

                member _.MoveNextAsync() =
                    stop.ThrowIfCancellationRequested()

                    match rest with
                    | [] -> Tasks.ValueTask<bool> false
                    | next :: others ->
                        rest <- others
                        current <- next
                        Tasks.ValueTask<bool> true

                member _.DisposeAsync() = Tasks.ValueTask() } }

let private collect (stems: IAsyncEnumerable<IReadOnlyDictionary<string, AudioBuffer>>) (name: string) =
    let all = ResizeArray<float32>()
    let enumerator = stems.GetAsyncEnumerator()

    while enumerator.MoveNextAsync().AsTask().Result do
        all.AddRange(enumerator.Current[name].Channels[0])

    enumerator.DisposeAsync().AsTask().Wait()
    all.ToArray()

let private part start length (sound: AudioBuffer) =
    AudioBuffer([| for channel in sound.Channels -> Array.sub channel start length |], sound.SampleRate)

/// A sound cut into pieces of these lengths, and the rest.
let private pieces (lengths: int list) (sound: AudioBuffer) =
    let starts = lengths |> List.scan (+) 0
    let ends = List.tail starts @ [ sound.Length ]
    [ for start, finish in List.zip starts ends -> part start (finish - start) sound ]

/// A stem of a stream that is not told a level.
let private unknownLevel (separator: ISeparator) (stem: string) (parts: AudioBuffer list) =
    use stream = separator.Open(parts.Head.SampleRate, parts.Head.Channels.Count)
    let pushed = [ for piece in parts -> stream.Push piece ]
    Array.concat [ for stems in pushed @ [ stream.Finish() ] -> stems[stem].Channels[0] ]

[<Tests>]
let tests =
    testList
        "applications"
        [ test "one stem of a part of a song, in a folder of the song's name" {
              inFolder (fun folder ->
                  use separator = separator 1
                  let song = writeSong folder
                  let out = Path.Combine(folder, "out")
                  let settings = StemSettings([| "voice" |], Name = "{song}/{stem} only", From = 0.5, To = 1.25)
                  let files = separator.SeparateFile(song, out, settings)
                  Expect.sequenceEqual files.Keys [ "voice" ] "the voice alone is written"
                  Expect.equal files["voice"].Path (Path.Combine(out, "song", "voice only.wav")) "the name follows settings"
                  let whole = AudioFile.Read song
                  let expected = separator.Separate(part 8000 12000 whole)["voice"]
                  Expect.isLessThan (largestDifference (AudioFile.Read files["voice"].Path) expected) 1e-6f "it holds the part"
                  Expect.hasLength (Directory.GetFiles(out, "*", SearchOption.AllDirectories)) 1 "no other file is written")
          }

          test "settings that want what is not there are refused before anything is written" {
              inFolder (fun folder ->
                  use separator = separator 1
                  let song = writeSong folder
                  let out = Path.Combine(folder, "out")

                  for words, settings in
                      [ [ "'drums'"; "music, voice" ], StemSettings [| "drums" |]
                        [ "No stem"; "music, voice" ], StemSettings [||]
                        [ "{stem}" ], StemSettings(Name = "{song}")
                        [ "ends after 2 s"; "from 3 s" ], StemSettings(From = 3.0)
                        [ "no part" ], StemSettings(From = 1.0, To = 0.5)
                        [ "no part" ], StemSettings(From = nan) ] do
                      refuses words (fun () -> separator.SeparateFile(song, out, settings) |> ignore)

                  Expect.isFalse (Directory.Exists out) "refused settings write nothing")
          }

          test "integers count what they clip, floats keep it" {
              inFolder (fun folder ->
                  use separator = separator 1
                  let path = Path.Combine(folder, "loud.wav")
                  AudioFile.Write(path, noise 1 1 1.0 4.0) |> ignore

                  let files format =
                      separator.SeparateFile(path, Path.Combine(folder, string format), StemSettings(Format = format))

                  let clipped = (files StemFormat.WavPcm16)["music"]
                  let kept = (files StemFormat.WavFloat32)["music"]
                  let beyond = (AudioFile.Read kept.Path).Channels[0] |> Array.filter (fun x -> abs x > 1.0f)
                  Expect.equal clipped.ClippedSamples beyond.LongLength "every sample beyond 1 is counted"
                  Expect.isGreaterThan clipped.ClippedSamples 100L "the loud song clips often"
                  Expect.equal kept.ClippedSamples 0L "floats keep what integers clip")
          }

          for format, rate in encoded do
              test $"stems as {format} hold what they should, are known again and are replaced" {
                  requireFfmpeg ()

                  inFolder (fun folder ->
                      use separator = separator 1
                      let path = writeSong folder
                      let out, settings = Path.Combine(folder, "out"), StemSettings(Format = format)
                      let files = separator.SeparateFile(path, out, settings)
                      let written = AudioFile.Read files["voice"].Path
                      let expected = separator.Separate(AudioFile.Read path)["voice"]
                      Expect.equal written.Channels.Count 2 "the stem has both channels"

                      Expect.equal written.SampleRate rate "the stem has the rate of the format"
                      Expect.isLessThan (abs (written.Seconds - expected.Seconds)) 0.15 "the stem is as long as the song"
                      // Coders keep the sound of noise, not its samples.
                      let louder = written.Level().RootMeanSquare / expected.Level().RootMeanSquare
                      Expect.isLessThan (abs (20.0 * log10 louder)) 3.0 "the stem is as loud as it should be"

                      if format = StemFormat.Flac then
                          Expect.isLessThan (largestDifference written expected) 2e-7f "a lossless stem has the same samples"

                      use song = AudioFile.Open path
                      Expect.isTrue (separator.IsSeparated(song, out, settings)) "the song is known as separated"
                      Expect.isFalse (separator.IsSeparated(song, out)) "not as WAV"
                      separator.SeparateFile(path, out, settings) |> ignore
                      AudioFile.Write(path, noise 7 2 2.0 0.5) |> ignore
                      refuses [ "another song" ] (fun () -> separator.SeparateFile(path, out, settings) |> ignore)
                      Expect.hasLength (Directory.GetFiles out) 2 "replacing leaves no other files")
              }

          test "a song that MP3 cannot hold is refused before it is separated; a file that is no sound is in the way" {
              requireFfmpeg ()

              inFolder (fun folder ->
                  use separator = separator 1
                  let song, out = Path.Combine(folder, "song.wav"), Path.Combine(folder, "out")
                  let separate format = separator.SeparateFile(song, out, StemSettings(Format = format)) |> ignore

                  for channels, rate in [ 3, 16000; 1, 96000 ] do
                      AudioFile.Write(song, AudioBuffer(Array.init channels (fun _ -> Array.create 9000 0.1f), rate)) |> ignore
                      refuses [ song; $"{channels} channels at {rate} Hz"; "MP3" ] (fun () -> separate StemFormat.Mp3)

                  Directory.CreateDirectory out |> ignore
                  File.WriteAllText(Path.Combine(out, "song_voice.flac"), "no sound at all, only words")
                  refuses [ "song_voice.flac"; "not known" ] (fun () -> separate StemFormat.Flac))
          }

          test "what is separated is known by song, part and model" {
              inFolder (fun folder ->
                  use separator1 = separator 1
                  use separator2 = separator 2
                  let path, out = writeSong folder, Path.Combine(folder, "out")
                  use song = AudioFile.Open path
                  Expect.isFalse (separator1.IsSeparated(song, out)) "nothing is separated at first"
                  separator1.SeparateFile(path, out) |> ignore
                  Expect.isTrue (separator1.IsSeparated(song, out)) "the song is known once separated"
                  Expect.isFalse (separator2.IsSeparated(song, out)) "not by another model"
                  Expect.isFalse (separator1.IsSeparated(song, out, StemSettings(To = 1.0))) "not a part"
                  File.Delete(Path.Combine(out, "song_voice.wav"))
                  Expect.isFalse (separator1.IsSeparated(song, out)) "not without a stem"
                  Expect.isTrue (separator1.IsSeparated(song, out, StemSettings [| "music" |])) "but the other")
          }

          test "a file that is awaited is the same, and stops when it is told to" {
              inFolder (fun folder ->
                  use separator = separator 1
                  let song, out = writeSong folder, Path.Combine(folder, "out")
                  let shares = ResizeArray()
                  let files = separator.SeparateFileAsync(song, out, null, OrderedProgress(fun share -> shares.Add share)).Result
                  Expect.equal (List.ofSeq shares) (List.sort (List.ofSeq shares)) "progress never goes backwards"
                  Expect.equal (Seq.last shares) 1.0 "to the end"
                  let expected = separator.Separate(AudioFile.Read song)["voice"]
                  Expect.equal (largestDifference (AudioFile.Read files["voice"].Path) expected) 0.0f "both files are equal"
                  use stop = new CancellationTokenSource()
                  let stopping = OrderedProgress(fun _ -> stop.Cancel())
                  let again = Path.Combine(folder, "again")
                  let task = separator.SeparateFileAsync(song, again, null, stopping, stop.Token)

                  Expect.throwsT<OperationCanceledException> (fun () -> task.GetAwaiter().GetResult() |> ignore) "it must stop"

                  Expect.isEmpty (Directory.GetFiles again) "nothing is left")
          }

          test "a song that is cut short, or work that is cancelled, while the separator opens" {
              inFolder (fun folder ->
                  use inner = separator 1
                  let out = Path.Combine(folder, "out")

                  let opening (before: unit -> unit) =
                      { new ISeparator with
                          member _.Name = inner.Name
                          member _.SampleRate = inner.SampleRate
                          member _.Stems = inner.Stems

                          member _.Open(rate, channels, level) =
                              before ()
                              inner.Open(rate, channels, level)

                          member _.Dispose() = () }

                  for _ in 1..5 do
                      let song = writeSong folder

                      let cut () =
                          use file = new FileStream(song, FileMode.Open, FileAccess.Write, FileShare.ReadWrite)
                          file.SetLength 100L

                      refuses [ "song.wav" ] (fun () -> (opening cut).SeparateFile(song, out) |> ignore)

                  let song = writeSong folder
                  use stop = new CancellationTokenSource()

                  Expect.throwsT<OperationCanceledException>
                      (fun () -> (opening stop.Cancel).SeparateFile(song, out, null, null, stop.Token) |> ignore)
                      "the cancelled work throws"

                  Expect.isEmpty (Directory.GetFiles out) "nothing is left")
          }

          test "pieces that arrive are separated as the whole" {
              use separator = separator 1
              let sound = noise 3 1 3.0 0.3
              let whole = separator.Separate(sound)["voice"]
              let stems = separator.SeparateAsync(arriving (pieces [ 100; 0; 20000 ] sound), sound.Level())
              Expect.equal (collect stems "voice") whole.Channels[0] "the pieces give the voice of the whole"
          }

          test "a sound that comes as bytes, and goes as bytes" {
              inFolder (fun folder ->
                  use separator = separator 1
                  let path = writeSong folder
                  use bytes = new MemoryStream(File.ReadAllBytes path)
                  use song = AudioFile.Open(bytes, "upload.wav")
                  let files = separator.SeparateFile(song, Path.Combine(folder, "out"))
                  Expect.equal (Path.GetFileName files["voice"].Path) "upload_voice.wav" "the stem is named after the upload"

                  for format in [ SampleFormat.Float32; SampleFormat.Pcm24 ] do
                      use answer = new MemoryStream()
                      let sound = noise 5 1 0.0626 1.5
                      let clipped = AudioFile.Write(answer, sound, format)
                      let file = Path.Combine(folder, "x.wav")
                      Expect.equal (AudioFile.Write(file, sound, format)) clipped "as many clipped"
                      Expect.equal (answer.ToArray()) (File.ReadAllBytes file) "the bytes of a file"

                  use nothing = new MemoryStream()
                  refuses [ "upload.mp3"; "empty" ] (fun () -> AudioFile.Open(nothing, "upload.mp3") |> ignore))
          }

          testPropertyWithConfig { FsCheckConfig.defaultConfig with maxTest = 10 } "without a level, pieces do not matter"
          <| fun (first: NonNegativeInt) (second: NonNegativeInt) ->
              use separator = separator 1
              let quiet, loud = noise 1 1 0.7 0.003, noise 2 1 1.0 0.4
              let sound = AudioBuffer([| Array.append quiet.Channels[0] loud.Channels[0] |], 16000)
              let lengths = [ first.Get % 9000; second.Get % 9000 ]
              let cut = unknownLevel separator "voice" (pieces lengths sound)
              let whole = unknownLevel separator "voice" [ sound ]
              Expect.isLessThan (Array.map2 (fun (a: float32) b -> abs (a - b)) cut whole |> Array.max) 1e-5f "however it is cut"

          test "a level that is found is soon that of the sound, also behind a quiet beginning" {
              use separator = separator 1
              let steady = noise 1 1 3.0 0.3
              let known = (separator.Separate(steady)["voice"]).Channels[0]
              let off (a: float32[]) (b: float32[]) = Array.map2 (fun x y -> float (abs (x - y))) a b |> Array.max
              let found = unknownLevel separator "voice" [ steady ]
              Expect.isLessThan (off found known) 0.01 "a steady sound is soon at its level"
              let quiet = Array.append (noise 9 1 2.048 0.001).Channels[0] steady.Channels[0]
              let behind = unknownLevel separator "voice" [ AudioBuffer([| quiet |], 16000) ]
              // From a second behind the quiet, which is a whole number of hops, on.
              Expect.isLessThan (off behind[48768..] known[16000..]) 0.01 "behind the quiet"
          }

          test "a running level is that of what has come, without what is far below the loudest" {
              let level = RunningLevel 16000
              Expect.equal level.RootMeanSquare 0.0 "nothing heard has no level"
              let steps = pieces (List.replicate 19 1600) (noise 1 2 2.0 0.2)
              List.iter level.Add steps
              let whole = (noise 1 2 2.0 0.2).Level().RootMeanSquare
              Expect.isLessThan (abs (level.RootMeanSquare / whole - 1.0)) 0.02 "the running level is the level so far"
              level.Add(AudioBuffer([| Array.zeroCreate 1600 |], 16000))
              List.iter level.Add (pieces (List.replicate 19 1600) (noise 1 2 2.0 0.0001))
              Expect.isLessThan (abs (level.RootMeanSquare / whole - 1.0)) 0.02 "silence does not count"
              let expected = sqrt ((whole * whole + 100.0 * whole * whole) / 2.0)
              List.iter level.Add (pieces (List.replicate 19 1600) (noise 1 2 2.0 2.0))
              Expect.isLessThan (abs (level.RootMeanSquare / expected - 1.0)) 0.02 "what is near counts"
          }

          test "sounds to tensors and back, and in words" {
              Memory.plain (fun () ->
                  let sound = noise 4 2 0.1 0.5
                  let back = AudioTensors.FromTensor(sound.ToTensor(), 16000)
                  Expect.equal (largestDifference back sound) 0.0f "the sound comes back unchanged"
                  let mono = AudioTensors.FromTensor(torch.zeros (5L, dtype = torch.float64), 8000)
                  Expect.equal (mono.Channels.Count, mono.Length) (1, 5) "a row of samples is one channel"
                  Expect.equal (string mono) "sound of 0.001 s, mono, 8000 Hz, silence" "the text says that it is silent"
                  let full = AudioBuffer([| Array.init 32000 (fun i -> if i % 2 = 0 then 1.0f else -1.0f) |], 16000)
                  Expect.equal (string full) "sound of 2 s, mono, 16000 Hz, 0.0 dB RMS" "the text gives level and rate"

                  refusesArgument [ "[channels, samples]"; "[1, 2, 3]" ] (fun () ->
                      AudioTensors.FromTensor(torch.zeros (1L, 2L, 3L), 8000) |> ignore))
          }

          test "metrics of arrays are those of tensors, and print as scores" {
              Memory.plain (fun () ->
                  let sounds seed = [| noise seed 1 1.0 0.3; noise (seed + 50) 1 1.0 0.2 |]
                  let references = sounds 1
                  let mixed = Array.map2 (fun a b -> a + 0.3f * b) references[0].Channels[0] references[1].Channels[0]
                  let estimates = [| AudioBuffer([| mixed |], 16000); references[1] |]
                  let rows (sounds: AudioBuffer[]) = [| for sound in sounds -> sound.Channels[0] |]
                  let tensor (sounds: AudioBuffer[]) = torch.stack [| for row in rows sounds -> torch.tensor row |]
                  let scores = BssEval.Version3(rows references, rows estimates)
                  Expect.equal scores.Sdr (BssEval.Version3(tensor references, tensor estimates)).Sdr "version 3 is the same"
                  Expect.stringContains (string scores) $"source 1: SDR {scores.Sdr[0]:F2}, SIR" "each source has its line"
                  let windows = BssEval.InWindows(references, estimates)
                  let images (sounds: AudioBuffer[]) = (tensor sounds).unsqueeze 1L
                  let expected = BssEval.InWindows(images references, images estimates, BssEvalSettings.Version4 16000)
                  Expect.equal windows.Sdr expected.Sdr "arrays have the version 4 scores of tensors"
                  let spans = SiSdr.Compute(ReadOnlySpan references[0].Channels[0], ReadOnlySpan mixed)
                  Expect.equal spans (SiSdr.Compute((tensor references).[0], torch.tensor mixed)[0]) "the SI-SDR is the same"

                  refusesArgument [ "one length"; "16000"; "5" ] (fun () ->
                      BssEval.Version3([| rows(references)[0]; Array.zeroCreate 5 |], rows estimates) |> ignore)

                  refusesArgument [ "alike"; "2 channels" ] (fun () ->
                      BssEval.InWindows([| references[0]; noise 1 2 1.0 0.1 |], estimates) |> ignore))
          }

          test "the model of a folder, for those who have no F#" {
              inFolder (fun folder ->
                  Scratch.saveModel folder [ 8 ]
                  use separator = Separators.Open(folder, "cpu")
                  Expect.sequenceEqual separator.Stems [ "music"; "voice" ] "the model has music and voice"
                  Expect.equal separator.Fingerprint.Length 64 "the fingerprint has 64 characters"
                  use again = Separators.Open folder
                  Expect.equal again.Fingerprint separator.Fingerprint "of the model"

                  refuses [ "nothing"; "no such model folder" ] (fun () ->
                      Separators.Open(Path.Combine(folder, "nothing")) |> ignore))
          } ]
