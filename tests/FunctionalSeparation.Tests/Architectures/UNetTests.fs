/// The U-Net: its sizes, what its estimates sum to, how far it looks, and what it refuses.
module FunctionalSeparation.Tests.UNetTests

open System
open System.Text.Json
open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core
open FunctionalSeparation.Tests.Layers

let private spec frontEnd channels sources : SourceSpec = { FrontEnd = frontEnd; Channels = channels; Sources = sources }
let private song = spec UNet.frontEnd 1 Stems.musicAndVoice

let private tinyFrontEnd: FrontEnd = { SampleRate = 8000; Stft = Stft(64, 16, StftWindow.Sine, true) }

/// Bins 0 to 23 of 33; an output sees at most 1 + 4 + 4 + 2 frames on each side.
let private tinySettings: UNetSettings = { Channels = [ 4; 6 ]; Blocks = [ 1; 1 ]; Bins = 24; InputScale = 1.0 }

/// Windows long enough to be rounded to whole samples at other rates.
let private fine =
    let frontEnd: FrontEnd = { SampleRate = 8000; Stft = Stft(1024, 256, StftWindow.Sine, true) }
    UNet.family.Network { tinySettings with Bins = 384 } (spec frontEnd 1 Stems.musicAndVoice)

let private tiny channels sources = UNet.family.Network tinySettings (spec tinyFrontEnd channels sources)

let private refuses words (settings: UNetSettings) =
    Scratch.refusesArgument words (fun () -> UNet.family.Network settings (spec tinyFrontEnd 1 Stems.musicAndVoice) |> ignore)

[<Tests>]
let tests =
    testList
        "U-Net"
        [ for name, settings, millions in [ "S", UNet.small, 1.45; "M", UNet.medium, 3.58; "L", UNet.large, 5.20 ] do
              test $"{name} has the weights of the trial, {millions} million" {
                  let count = Layout.total (Network.layout (UNet.family.Network settings song))
                  Expect.isLessThan (abs (float count / 1e6 - millions)) 0.02 $"{count}"
              }

          for channels, sources in [ 1, [ "music"; "voice" ]; 2, [ "rest"; "drums"; "bass" ] ] do
              test (
                  $"estimates of {sources.Length} sources in {channels} channel(s) "
                  + "sum to the mixture, which has no length that it likes"
              ) {
                  Memory.plain (fun () ->
                      let network = tiny channels sources
                      let mixture = (noise 1 [ 2L; int64 channels; 1203L ]).``to`` torch.float32
                      let model = trained network
                      let spectrum = network.Spec.FrontEnd.Stft.Forward mixture
                      let sound = Views.ofSpectrum network.Spec.FrontEnd.Stft spectrum
                      let heard: Mixture = { Sound = sound; Mode = Mode.Inference; InitialStates = [] }
                      let estimates = (Model.apply (Network.model network) model.Parameters heard).Views.Spectrum
                      Expect.equal estimates.shape[..2] [| 2L; int64 sources.Length; int64 channels |] "no estimate is missing"
                      Expect.isLessThan ((estimates.sum 1L - spectrum).abs().max().item<float32>()) 1e-4f "estimates sum to it"
                      let shares = (estimates / spectrum.unsqueeze 1L).narrow(4L, 24L, 9L)
                      let spread = (shares - shares.narrow (4L, 0L, 1L)).abs().max()
                      Expect.isLessThan (spread.item<float32>()) 1e-4f "above, one share for all bins of a frame")
              }

          test "in bfloat16 its objective and gradient are near those of float32" {
              Memory.plain (fun () ->
                  let network = tiny 1 Stems.musicAndVoice
                  let start = (trained network).Parameters.Vector
                  let stft = network.Spec.FrontEnd.Stft
                  let sources = stft.Forward((noise 5 [ 2L; 2L; 1L; 1200L ]).``to`` torch.float32)

                  let run precision (vector: torch.Tensor) =
                      let model = Network.modelIn precision network
                      let sound = Views.ofSpectrum stft (sources.sum 1L)
                      let heard: Mixture = { Sound = sound; Mode = Mode.Training(Key.ofSeed 1); InitialStates = [] }
                      let separated = Model.apply model (Params.create model.Layout vector) heard
                      Loss.logErrorShare.Of separated.Views (Views.ofSpectrum stft sources)

                  let struct (exact, gradient) = Grad.valueAndGrad (run Precision.Float32) start
                  let struct (near, rough) = Grad.valueAndGrad (run Precision.Bfloat16) start
                  Expect.isLessThan (abs (near - exact)) 0.05 $"{near} and {exact} dB"
                  let norm (x: torch.Tensor) = x.norm().item<float32>()
                  Expect.isLessThan (norm (rough - gradient)) (0.1f * norm gradient) "the gradient is near that of float32")
          }

          test "it starts with equal shares" {
              Memory.plain (fun () ->
                  let network = tiny 1 [ "a"; "b"; "c" ]
                  let start = Model.init torch.float32 torch.CPU (Key.ofSeed 1) network.Model

                  let masks =
                      (Model.apply
                          network.Model
                          start
                          (Activations.ofImages ((noise 1 [ 1L; 2L; 8L; 33L ]).``to`` torch.float32)))
                          .Value

                  let real = masks.index_select(1L, torch.tensor [| 0L; 2L; 4L |]).narrow(3L, 0L, 24L)
                  Expect.isLessThan ((real.sub (1.0 / 3.0)).abs().max().item<float32>()) 1e-6f "a third each")
          }

          test "its description is the way back" {
              let words = JsonElement.Parse((UNet.family.Network UNet.medium song).Architecture.ToJsonString())
              let network = Family.read ModelFolder.families words
              Expect.equal (Network.layout network) (Network.layout (UNet.family.Network UNet.medium song)) "the same layout"
          }

          test "it looks as far as it says, and no further" {
              Memory.plain (fun () ->
                  let network = tiny 1 Stems.musicAndVoice
                  let parameters = (trained network).Parameters
                  let image = (noise 2 [ 1L; 2L; 64L; 33L ]).``to`` torch.float32

                  let back, ahead =
                      match network.ReceptiveField with
                      | ReceptiveField.Frames(back, ahead) -> back, ahead
                      | ReceptiveField.Blocks _ -> failtest "it looks at frames"

                  let run (image: torch.Tensor) = (Model.apply network.Model parameters (Activations.ofImages image)).Value
                  let other = image.clone ()
                  other.narrow(2L, 32L, 1L).mul_ 3.0 |> ignore
                  let changed = (run other - run image).abs().amax([| 0L; 1L; 3L |])
                  let frames = [ for t in 0L .. 63L -> changed[t].item<float32>() ]

                  let seen =
                      [ for t, change in List.indexed frames do
                            if change > 0.0f then t ]

                  Expect.isTrue (seen.Head >= 32 - ahead && List.last seen <= 32 + back) $"{seen}"
                  let stride = int network.Stride
                  Expect.isGreaterThanOrEqual seen.Length (back + ahead + 1 - 2 * stride) "and nearly as far")
          }

          for rate in [ 4000; 12000; 16000; 48000 ] do
              test $"songs of {rate} Hz are heard at their own rate, as if it were the network's" {
                  use separator = new NetworkSeparator("fine", trained fine) :> ISeparator

                  let own, here = Scratch.voiceOfChirps separator 8000, Scratch.voiceOfChirps separator rate
                  let loudest = own |> Array.map abs |> Array.max

                  // Where samples of both rates are at the same time; not the ends, where what is beyond differs.
                  let common = [ for n in 10..40 -> own[n * 320], here[n * rate / 25] ]
                  let off = common |> List.map (fun (a, b) -> abs (a - b)) |> List.max
                  Expect.isTrue (loudest > 0.01f && off < 0.02f * loudest) $"{off} of {loudest}"
              }

          test "one that looks further than counts is heard in the same parts, however a song is cut" {
              Memory.plain (fun () ->
                  let settings = { tinySettings with Blocks = [ 3; 3 ] }
                  let model = trained (UNet.family.Network settings (spec tinyFrontEnd 1 Stems.musicAndVoice))

                  match model.Network.ReceptiveField with
                  | ReceptiveField.Blocks _ -> ()
                  | ReceptiveField.Frames _ -> failtest "it is not one that looks far"

                  // 320 frames of 16 samples are a block.
                  let mixture = (noise 4 [ 1L; 18011L ]).``to`` torch.float32
                  let whole = Scratch.separatedInPieces 100000 model mixture
                  Expect.equal whole.shape[2] 18011L "as long as the song"

                  for samples in [ 500; 7777 ] do
                      let off = difference (Scratch.separatedInPieces samples model mixture) whole
                      Expect.isTrue (off < 1e-5) $"pieces of {samples}: {off}"

                  let latency, state = SeparationStream.latency model, SeparationStream.start model 1

                  for length in [ latency; latency + 5120 ] do
                      let given = (fst (SeparationStream.push model (mixture.narrow (1L, 0L, int64 length)) state)).shape[2]
                      Expect.isTrue (int given >= length - latency) $"{given} of {length}")
          }

          test "a stream of it gives what it gives at once, however it is cut" {
              Memory.plain (fun () ->
                  let model = trained (tiny 1 Stems.musicAndVoice)
                  let mixture = (noise 4 [ 1L; 20011L ]).``to`` torch.float32
                  let whole = Scratch.separatedInPieces 100000 model mixture

                  for samples in [ 500; 7777 ] do
                      let pieces = Scratch.separatedInPieces samples model mixture
                      Expect.isLessThan (difference pieces whole) 1e-5 $"pieces of {samples}")
          }

          test "settings that contradict each other are refused by name" {
              refuses [ "at most 100 Blocks"; "1000" ] { tinySettings with Blocks = [ 1; 1000 ] }
              Scratch.refusesArgument [ "two sources"; "1" ] (fun () -> tiny 1 [ "voice" ] |> ignore)
              refuses [ "Blocks"; "2 and 1" ] { tinySettings with Blocks = [ 1 ] }
              refuses [ "Bins"; "multiple of 2"; "25" ] { tinySettings with Bins = 25 }
              refuses [ "Bins up to 33"; "64" ] { tinySettings with Bins = 64 }
              refuses [ "Channels"; "0" ] { tinySettings with Channels = [ 4; 0 ] }
              refuses [ "InputScale"; "-1" ] { tinySettings with InputScale = -1.0 }
          } ]
