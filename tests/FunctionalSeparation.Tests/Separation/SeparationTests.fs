module FunctionalSeparation.Tests.SeparationTests

open System
open System.IO
open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

let private noise seed (shape: int64 list) = Key.uniformTensor -1.0 1.0 shape (Key.ofSeed seed)
let private difference (a: torch.Tensor) (b: torch.Tensor) = (a - b).abs().max().item<float>()

let private withStft stft recurrence =
    let architecture =
        { Drnn.huang2014 with
            FrontEnd = { FrontEnd.huang2014 with Stft = stft }
            Context = 3
            Hidden = [ 10; 10 ]
            Recurrence = recurrence }

    { Network = Drnn.network architecture
      Parameters = Params.init (Network.layout (Drnn.network architecture)) torch.float64 torch.CPU (Key.ofSeed 2)
      Level = Some 0.01 }

/// A network whose outputs are its biases alone: `voice` of the mixture in every bin.
let private constantMask stft (voice: float) =
    let trained = withStft stft FeedForward
    let zeros = torch.zeros_like trained.Parameters.Vector
    let bias = (Params.named { trained.Parameters with Vector = zeros } |> Map.ofList)["output.bias"]
    let bins = int64 stft.Bins
    bias.narrow(0L, 0L, bins).fill_(1.0 - voice) |> ignore
    bias.narrow(0L, bins, bins).fill_(voice) |> ignore
    { trained with Parameters = { trained.Parameters with Vector = zeros } }

let private stfts =
    [ Stft.Huang2014
      Stft(512, 128, StftWindow.Sine, false)
      Stft(1024, 512, StftWindow.Hann, true)
      Stft(1024, 256, StftWindow.Hann, true) ]

[<Tests>]
let tests =
    testList
        "separation"
        [ for stft in stfts do
              test $"a constant mask gives that share of the mixture, ends included, whatever the window: {stft}" {
                  Memory.plain (fun () ->
                      let mixture = noise 1 [ 2L; 30001L ]
                      let estimates = Scratch.separatedInPieces 3001 (constantMask stft 0.25) mixture
                      Expect.equal estimates.shape [| 2L; 2L; 30001L |] "channels x sources x samples"
                      Expect.isLessThan (difference (estimates.select (1L, 1L)) (mixture.mul 0.25)) 1e-9 "a quarter is voice"
                      Expect.isLessThan (difference (estimates.select (1L, 0L)) (mixture.mul 0.75)) 1e-9 "the rest is music")
              }

          for rate in [ 16000; 44100 ] do
              test $"a mask of 0.25 takes a quarter of left and of right, of all their bins at {rate} Hz" {
                  use separator = new NetworkSeparator("quarter", constantMask Stft.Huang2014 0.25) :> ISeparator

                  let song =
                      AudioBuffer(
                          [| for channel in 1..2 ->
                                 Key.uniforms rate (Key.ofSeed channel)
                                 |> Array.map (fun x -> float32 (x - 0.5) / float32 channel) |],
                          rate
                      )

                  let stems = separator.Separate song

                  for channel in 0..1 do
                      let wanted = song.Channels[channel] |> Array.map (fun x -> 0.25f * x)
                      let off = Array.map2 (fun a b -> abs (a - b)) stems["voice"].Channels[channel] wanted |> Array.max
                      // A constant offset is the accompaniment's.
                      Expect.isTrue (off < 0.01f) $"{off}, channel {channel}"
              }

          for rate in [ 11025; 22050; 44100 ] do
              test $"songs of {rate} Hz are heard at their own rate, in windows rounded to whole samples" {
                  use separator = new NetworkSeparator("DNN", withStft Stft.Huang2014 FeedForward) :> ISeparator

                  let own, here = Scratch.voiceOfChirps separator 16000, Scratch.voiceOfChirps separator rate
                  let loudest = own |> Array.map abs |> Array.max
                  // Windows drift by a millisecond in the two seconds.
                  let off = [ for n in 5..45 -> abs (own[n * 640] - here[n * rate / 25]) ] |> List.max
                  Expect.isTrue (loudest > 0.01f && off < 0.1f * loudest) $"{off} of {loudest}"
              }

          test "inside a clip, long separation is the paper's" {
              Memory.plain (fun () ->
                  let trained = withStft Stft.Huang2014 FeedForward
                  // Whole frames on the same grid: the long form begins one hop earlier.
                  let mixture = noise 1 [ 1L; 20480L ]
                  let inner (x: torch.Tensor) = x.narrow (-1L, 2048L, 16384L)

                  Expect.isLessThan
                      (difference
                          (inner (Scratch.separatedInPieces 20480 trained mixture))
                          (inner ((Separation.estimate trained Soft (mixture.unsqueeze 1L)).squeeze 2L)))
                      1e-10
                      "both give the same samples inside")
          }

          test "the test masks: soft is in between, hard is all or nothing" {
              Memory.plain (fun () ->
                  let trained = constantMask Stft.Huang2014 0.25
                  let mixture = noise 1 [ 1L; 10240L ]
                  let voice mask = (Separation.estimate trained mask (mixture.unsqueeze 1L)).select(1L, 1L)
                  let energy (x: torch.Tensor) = (x * x).sum().item<float>()

                  Expect.floatClose
                      Accuracy.high
                      (energy (voice Soft))
                      (0.0625 * energy (Stft.Huang2014.Inverse(Stft.Huang2014.Forward mixture)))
                      "the soft mask keeps a quarter of the amplitude"

                  Expect.equal (energy (voice Hard)) 0.0 "hard: music is larger everywhere")
          }

          test "a silent mixture separates into silence; an empty or broken one is refused" {
              use separator = new NetworkSeparator("test", withStft Stft.Huang2014 FeedForward) :> ISeparator
              let silent = separator.Separate(AudioBuffer([| Array.zeroCreate 5000 |], 44100))
              Expect.all silent.Values (fun stem -> stem.Channels[0] |> Array.forall ((=) 0.0f)) "silence gives silent stems"

              let refuse samples part =
                  let wrong =
                      Expect.throwsT<InputException>(fun () -> separator.Separate(AudioBuffer([| samples |], 16000)) |> ignore)

                  ignore part
                  wrong "an empty or broken mixture is refused"

              refuse [||] "empty"
              refuse [| 0.0f; nanf; 0.0f |] "no finite number"
          }

          test "a run can be cancelled between two blocks" {
              use separator = new NetworkSeparator("test", withStft Stft.Huang2014 FeedForward) :> ISeparator
              use source = new Threading.CancellationTokenSource()
              source.Cancel()

              Expect.throwsT<OperationCanceledException>
                  (fun () -> separator.Separate(AudioBuffer([| Array.create 50000 0.1f |], 16000), null, source.Token) |> ignore)
                  "the cancelled run throws"
          }

          test "damaged model folders are refused by name" {
              let folder = Directory.CreateTempSubdirectory("funcsep-damaged-").FullName

              try
                  let trained = withStft Stft.Huang2014 FeedForward
                  ModelFolder.save folder trained (System.Text.Json.Nodes.JsonObject())
                  let description, weights = Path.Combine(folder, "model.json"), Path.Combine(folder, "weights.safetensors")
                  let text, bytes = File.ReadAllText description, File.ReadAllBytes weights

                  let refuse (name: string) =
                      try
                          (ModelFolder.load ModelFolder.families torch.CPU folder).Parameters.Vector.Dispose()
                          failtest $"{name}: it was loaded although it is damaged"
                      with :? InputException as wrong ->
                          Expect.stringContains wrong.Message name "names the file"
                          Expect.equal (wrong.Message.Split('\n').Length) 1 "the message has one line"

                  for damaged in
                      [ text[.. text.Length / 2]
                        "[]"
                        "{}"
                        text.Replace("\"hop", "\"hip")
                        text.Replace("512", "300")
                        text.Replace("\"context\": 3", "\"context\": 4")
                        text.Replace("relu", "rely")
                        text.Replace("\"none\"", "\"layer 9\"") ] do
                      File.WriteAllText(description, damaged)
                      refuse "model.json"

                  File.WriteAllText(description, text)

                  let garbled (from: string) (into: string) =
                      Text.Encoding.Latin1.GetBytes(Text.Encoding.Latin1.GetString(bytes).Replace(from, into))

                  for damaged in
                      [ [||]
                        bytes[..5]
                        bytes[..100]
                        bytes[.. bytes.Length - 9]
                        garbled "F64" "F16"
                        garbled "dtype" "dtipe"
                        garbled "[10]" "[-1]"
                        garbled "{\"" "(\"" ] do
                      File.WriteAllBytes(weights, damaged)
                      refuse "weights.safetensors"

                  File.WriteAllBytes(weights, bytes)
                  let loaded = ModelFolder.load ModelFolder.families torch.CPU folder
                  Expect.equal (string loaded.Network.Architecture) (string trained.Network.Architecture) "it is whole again"
              finally
                  Directory.Delete(folder, true)
          }

          test "the mean of systems is that of their estimates, cut to the shortest; only what goes together has one" {
              Memory.plain (fun () ->
                  let system name factor samples : Separator =
                      let separate (mixture: torch.Tensor) =
                          (torch.stack [| mixture; mixture.mul (factor: float) |]).narrow(2L, 0L, samples)

                      { Name = name; FrontEnd = FrontEnd.huang2014; Sources = Stems.musicAndVoice; Estimator = Blind separate }

                  let one, three = system "one" 1.0 900L, system "three" 3.0 800L
                  let mixture = noise 1 [ 2L; 1000L ]

                  match (Separation.mean "both" [ one; three ]).Estimator with
                  | Oracle _ -> failtest "it is not one"
                  | Blind separate ->
                      let estimates = separate mixture
                      let heard = mixture.narrow (1L, 0L, 800L)
                      Expect.equal estimates.shape [| 2L; 2L; 800L |] "the mean is as long as the shortest"
                      Expect.isLessThan (difference estimates (torch.stack [| heard; heard.mul 2.0 |])) 1e-12 "it is the mean"

                  let refuses words separators =
                      Scratch.refusesArgument words (fun () -> Separation.mean "mean" separators |> ignore)

                  refuses [ "at least one" ] []
                  refuses [ "same sources"; "one, three" ] [ one; { three with Sources = [ "voice"; "music" ] } ]
                  refuses [ "true sources"; "three" ] [ one; { three with Estimator = Oracle id } ])
          } ]
