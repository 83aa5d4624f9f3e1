module FunctionalSeparation.Tests.SeparationStreamTests

open System
open System.IO
open System.Threading
open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

let private ofDrnn architecture =
    { Network = Drnn.network architecture
      Parameters = Params.init (Network.layout (Drnn.network architecture)) torch.float32 torch.CPU (Key.ofSeed 2)
      Level = Some 0.01 }

/// Wide enough that libtorch takes the products of large matrices.
let private net context recurrence = { Drnn.huang2014 with Context = context; Hidden = [ 200; 200 ]; Recurrence = recurrence }

let private withFeatures features (architecture: Drnn) = { architecture with Features = features; InputScale = 10.0 }

let private feedForward =
    [ "DNN", net 3 FeedForward
      "DNN on log powers", net 3 FeedForward |> withFeatures LogPower
      "DNN on log mel powers", net 1 FeedForward |> withFeatures LogMel
      "DNN on MFCC", net 1 FeedForward |> withFeatures Mfcc
      "WVPNN", { net 3 FeedForward with Neuron = VectorProduct Window }
      "CVPNN", { net 1 FeedForward with Neuron = VectorProduct Colour } ]

let private recurrent =
    [ "DRNN-2", net 3 (RecurrentAt 2); "sRNN", net 1 Stacked; "GRU", { net 1 Stacked with Neuron = Gated } ]

let private difference (a: torch.Tensor) (b: torch.Tensor) = (a - b).abs().max().item<float32>()

let private noise rate channels seconds =
    let draw (channel: int) = (Key.ofSeed (7 + channel), [ int64 (seconds * float rate) ])

    AudioBuffer(
        [| for channel in 1..channels ->
               let key, shape = draw channel
               Memory.plain (fun () -> (Key.uniformTensor -0.1 0.1 shape key).``to``(torch.float32).data<float32>().ToArray()) |],
        rate
    )

let private separator architecture = new NetworkSeparator("test", ofDrnn architecture) :> ISeparator

let private piecesOf lengths (audio: AudioBuffer) =
    let starts = List.scan (+) 0 lengths

    [ for start, length in List.zip (List.take lengths.Length starts) lengths ->
          AudioBuffer([| for channel in audio.Channels -> Array.sub channel start length |], audio.SampleRate) ]

/// Cycles through the lengths until the sound is used up.
let private cut lengths (audio: AudioBuffer) =
    let rec go left rest =
        match rest with
        | _ when left = 0 -> []
        | [] -> go left lengths
        | next :: others ->
            let taken = min next left
            taken :: go (left - taken) others

    piecesOf (go audio.Length lengths) audio

let private joined (parts: Collections.Generic.IReadOnlyDictionary<string, AudioBuffer> list) stem channel =
    parts |> List.map (fun part -> part[stem].Channels[channel]) |> Array.concat

let private readAll (files: Collections.Generic.IReadOnlyDictionary<string, StemFile>) =
    files
    |> Seq.map (fun file -> file.Key, AudioFile.Read file.Value.Path)
    |> dict
    |> Collections.ObjectModel.ReadOnlyDictionary
    :> Collections.Generic.IReadOnlyDictionary<string, AudioBuffer>

/// Fails at the first piece.
type private BrokenSeparator() =
    interface ISeparator with
        member _.Name = "broken"
        member _.SampleRate = 16000
        member _.Stems = [| "music"; "voice" |]

        member separator.Open(sampleRate, channels, level) =
            let estimates =
                { new IEstimateStream with
                    member _.Latency = 0
                    member _.Push _ = raise (InputException "the network failed")
                    member _.Finish() = [||]
                    member _.Dispose() = () }

            new StemStream((separator :> ISeparator).Stems, estimates, 16000, sampleRate, channels, level)

        member _.Dispose() = ()

[<Tests>]
let tests =
    testList
        "streams"
        [ for name, architecture in feedForward @ recurrent do
              test $"{name}: however the sound is cut, the estimates are the same" {
                  Memory.plain (fun () ->
                      let trained = ofDrnn architecture
                      let mixture = (Key.uniformTensor -0.03 0.03 [ 2L; 30011L ] (Key.ofSeed 1)).``to`` torch.float32
                      let whole = Scratch.separatedInPieces 1000000 trained mixture
                      let loudest = whole.abs().max().item<float32>()
                      Expect.equal whole.shape [| 2L; 2L; 30011L |] "channels x sources x samples"
                      Expect.isGreaterThan loudest 0.01f "the estimates are not silent"

                      // The state of a recurrent network may collect rounding; the promise is 1e-5.
                      let most = if List.exists (fst >> (=) name) feedForward then 0.0f else 1e-5f * loudest

                      for samples in [ 100; 512; 5000; 16384 ] do
                          Expect.isLessThanOrEqual
                              (difference (Scratch.separatedInPieces samples trained mixture) whole)
                              most
                              $"pieces of {samples} samples")
              }

          for rate, channels in [ 16000, 1; 44100, 2; 8000, 2 ] do
              test $"{rate} Hz, {channels} channels: pieces joined are what a whole sound gives, and come in time" {
                  use separator = separator (net 3 FeedForward)
                  let mixture = noise rate channels 1.5
                  let whole = separator.Separate mixture
                  use stream = separator.Open(rate, channels, mixture.Level())
                  let mutable received, given = 0, 0

                  let parts =
                      [ for piece in cut [ 1; 200; 0; 3000; 77 ] mixture do
                            let part = stream.Push piece
                            received <- received + piece.Length
                            given <- given + part["voice"].Length
                            Expect.isGreaterThanOrEqual given (received - stream.Latency) "what has come out"
                            part ]

                  let all = parts @ [ stream.Finish() ]

                  for stem in separator.Stems do
                      for channel in 0 .. channels - 1 do
                          Expect.equal (joined all stem channel) whole[stem].Channels[channel] $"{stem}, channel {channel}"

                  for channel in 0 .. channels - 1 do
                      let sum = Array.map2 (+) (joined all "music" channel) (joined all "voice" channel)
                      let off = Array.map2 (fun (a: float32) b -> abs (a - b)) sum mixture.Channels[channel] |> Array.max
                      Expect.isLessThan off 1e-6f "the stems sum to the mixture"
              }

          test "the latency at the network's own rate is one window and what it looks ahead" {
              use separator = separator (net 3 (RecurrentAt 1))
              use stream = separator.Open(16000, 1, SoundLevel.WithoutOffset 0.1)
              Expect.equal stream.Latency (1024 + 512) "the latency is a window and what it looks ahead"
          }

          test "wrong pieces are refused, and so is a stream that has ended" {
              use separator = separator (net 1 FeedForward)
              use stream = separator.Open(16000, 1, SoundLevel.WithoutOffset 0.1)
              let mono rate samples = AudioBuffer([| samples |], rate)
              stream.Push(mono 16000 (Array.zeroCreate 100)) |> ignore

              Expect.throwsT<ArgumentException> (fun () -> stream.Push(mono 8000 [| 0.0f |]) |> ignore) "a wrong rate throws"

              Expect.throwsT<ArgumentException>
                  (fun () -> stream.Push(AudioBuffer([| [| 0.0f |]; [| 0.0f |] |], 16000)) |> ignore)
                  "a piece of two channels is refused"

              Scratch.refuses [ "NaN at sample 102 of channel 0 (both counted from 0; " ] (fun () ->
                  stream.Push(mono 16000 [| 0.0f; 0.0f; nanf |]) |> ignore)

              stream.Finish() |> ignore
              Expect.throwsT<InvalidOperationException> (fun () -> stream.Push(mono 16000 [| 0.0f |]) |> ignore) "it has ended"

              Expect.throwsT<ArgumentOutOfRangeException>
                  (fun () -> separator.Open(16000, 1, SoundLevel.WithoutOffset nan) |> ignore)
                  "a level that is no number is refused"
          }

          test "one push of more frames than run at once is what pieces give" {
              Memory.plain (fun () ->
                  let trained = ofDrnn { net 1 FeedForward with Hidden = [ 32 ] }
                  let mixture = (Key.uniformTensor -0.03 0.03 [ 1L; 1_200_000L ] (Key.ofSeed 1)).``to`` torch.float32
                  let whole = Scratch.separatedInPieces 2_000_000 trained mixture
                  Expect.equal (difference (Scratch.separatedInPieces 100_000 trained mixture) whole) 0.0f "they are the same")
          }

          test "a stream outlives the dispose scopes that an application opens around its pieces" {
              use separator = separator (net 1 (RecurrentAt 2))
              let mixture = noise 16000 1 0.5
              let whole = separator.Separate mixture
              use stream = Memory.plain (fun () -> separator.Open(16000, 1, mixture.Level()))
              let parts = [ for piece in cut [ 3000 ] mixture -> Memory.plain (fun () -> stream.Push piece) ]
              let all = parts @ [ stream.Finish() ]
              Expect.equal (joined all "voice" 0) (whole["voice"].Channels[0]) "the voice in pieces is that of the whole"
          }

          for offset in [ 0.01f; 0.05f; 0.1f; 0.3f ] do
              test $"a constant offset of {offset} leaves the voice as it was and stays in the music" {
                  Scratch.inFolder (fun folder ->
                      use separator = separator (net 3 (RecurrentAt 2))
                      let clean = noise 22050 2 3.0
                      // The channels differ: the first has none.
                      let offsets = [| 0.0f; offset |]
                      let shifted = clean.Channels |> Seq.mapi (fun c -> Array.map ((+) offsets[c])) |> Array.ofSeq
                      let song = Path.Combine(folder, "song.wav")
                      AudioFile.Write(song, AudioBuffer(shifted, 22050)) |> ignore
                      let expected = separator.Separate clean
                      let files = separator.SeparateFile(song, folder)

                      for stems in [ separator.Separate(AudioBuffer(shifted, 22050)); readAll files ] do
                          for c in 0..1 do
                              let largest stem (offset: float32) =
                                  Array.map2 (fun a b -> abs (a - b - offset)) stems[stem].Channels[c] expected[stem].Channels[c]
                                  |> Array.max

                              Expect.isLessThan (largest "voice" 0.0f) 1e-6f "the offset leaves the voice as it was"
                              Expect.isLessThan (largest "music" offsets[c]) 1e-6f "the offset stays in the music")
              }

          test "a constant is silence with an offset, and all of it is music" {
              use separator = separator (net 3 FeedForward)
              let constant = AudioBuffer([| Array.create 20000 0.3f |], 16000)
              Expect.equal (constant.Level().RootMeanSquare) 0.0 "a constant has no level"
              let stems = separator.Separate constant
              Expect.all (stems["voice"].Channels[0]) (fun x -> abs x < 1e-6f) "a constant leaves the voice silent"
              Expect.equal (stems["music"].Channels[0]) (constant.Channels[0]) "all of the constant is music"
          }

          test "a level belongs to a sound of as many channels" {
              use separator = separator (net 1 FeedForward)
              let ofTwo = SoundLevel(0.1, [| 0.0; 0.1 |])
              Expect.throwsT<ArgumentException> (fun () -> separator.Open(16000, 1, ofTwo) |> ignore) "one channel is refused"
          }

          test "a file is separated as its sound is" {
              Scratch.inFolder (fun folder ->
                  use separator = separator (net 3 (RecurrentAt 2))
                  let song = Path.Combine(folder, "song.wav")
                  AudioFile.Write(song, noise 22050 2 14.0) |> ignore
                  let shares = Collections.Concurrent.ConcurrentQueue<float>()

                  let progress =
                      { new IProgress<float> with
                          member _.Report share = shares.Enqueue share }

                  let files = separator.SeparateFile(song, Path.Combine(folder, "out"), null, progress)
                  let expected = separator.Separate(AudioFile.Read song)

                  for stem in separator.Stems do
                      let written = AudioFile.Read files[stem].Path
                      Expect.equal (Path.GetFileName files[stem].Path) $"song_{stem}.wav" "song and stem make the file's name"
                      Expect.equal (List.ofSeq written.Channels) (List.ofSeq expected[stem].Channels) stem

                  Expect.equal (Seq.last shares) 1.0 "all of it"
                  Expect.equal (List.ofSeq shares) (List.sort (List.ofSeq shares)) "progress never goes backwards")
          }

          test "a song that breaks off in the middle, a folder that cannot be written, a stop: nothing is left behind" {
              Scratch.inFolder (fun folder ->
                  use separator = separator (net 1 FeedForward)
                  let song, out = Path.Combine(folder, "song.wav"), Path.Combine(folder, "out")
                  AudioFile.Write(song, noise 16000 1 40.0) |> ignore
                  let file = Path.Combine(folder, "file")
                  File.WriteAllText(file, "")
                  Scratch.refuses [ "file" ] (fun () -> separator.SeparateFile(song, file) |> ignore)
                  use stop = new CancellationTokenSource()

                  let stopping =
                      { new IProgress<float> with
                          member _.Report _ = stop.Cancel() }

                  Expect.throwsT<OperationCanceledException>
                      (fun () -> separator.SeparateFile(song, out, null, stopping, stop.Token) |> ignore)
                      "the stop ends the separation"

                  let failing =
                      { new IProgress<float> with
                          member _.Report _ = raise (InputException "the sink failed") }

                  Scratch.refuses [ "the sink failed" ] (fun () -> separator.SeparateFile(song, out, null, failing) |> ignore)
                  use broken = new BrokenSeparator() :> ISeparator
                  Scratch.refuses [ "the network failed" ] (fun () -> broken.SeparateFile(song, out) |> ignore)
                  use stream = broken.Open(16000, 1, SoundLevel.WithoutOffset 0.1)
                  let piece = AudioBuffer([| Array.zeroCreate 100 |], 16000)
                  Scratch.refuses [ "the network failed" ] (fun () -> stream.Push piece |> ignore)

                  Expect.throwsT<InvalidOperationException>
                      (fun () -> stream.Push piece |> ignore)
                      "a stream that failed does not go on"

                  // The last sample, float32, becomes NaN.
                  let bytes = File.ReadAllBytes song
                  BitConverter.GetBytes(nanf).CopyTo(bytes, bytes.Length - 4)
                  File.WriteAllBytes(song, bytes)
                  Scratch.refuses [ "song.wav"; "639999" ] (fun () -> separator.SeparateFile(song, out) |> ignore)
                  Expect.isEmpty (Directory.GetFiles out) "no stem, whole or in part")
          } ]
