/// The U-Net for songs in stereo: middle and side, bands above its bins, sounds of any number of channels.
module FunctionalSeparation.Tests.StereoUNetTests

open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core
open FunctionalSeparation.Tests.Layers

let private frontEnd: FrontEnd = { SampleRate = 8000; Stft = Stft(64, 16, StftWindow.Sine, true) }

/// Bins 0 to 23 of 33, and two bands of four above.
let private settings: StereoUNetSettings =
    { UNet = { Channels = [ 4; 6 ]; Blocks = [ 1; 1 ]; Bins = 24; InputScale = 1.0 }; BandWidth = 4 }

let private network settings channels =
    StereoUNet.family.Network settings { FrontEnd = frontEnd; Channels = channels; Sources = Stems.musicAndVoice }

let private separate (trained: TrainedModel) (mixture: torch.Tensor) =
    match (Separation.separator trained Soft).Estimator with
    | Blind separate -> separate mixture
    | Oracle _ -> failtest "a network hears the mixture alone"

let private largest (x: torch.Tensor) = x.abs().max().item<float32>()

let private audio (sound: torch.Tensor) = AudioTensors.FromTensor(sound, 8000)

[<Tests>]
let tests =
    testList
        "stereo U-Net"
        [ for width in [ 0; 4 ] do
              for channels in [ 1; 2; 3; 6 ] do
                  test (
                      $"bands of {width} bins, a sound of {channels} "
                      + "channel(s): estimates sum to it, as a file and as a stream"
                  ) {
                      Memory.plain (fun () ->
                          let trained = trained (network { settings with BandWidth = width } 2)
                          let mixture = (noise 1 [ int64 channels; 3000L ]).``to``(torch.float32).mul 0.3
                          let estimates = separate trained mixture
                          Expect.equal estimates.shape[..1] [| 2L; int64 channels |] "estimates are sources by channels"
                          let length = estimates.shape[2]
                          Expect.isLessThan (largest (estimates.sum 0L - mixture.narrow (1L, 0L, length))) 1e-4f "sums to it"
                          use separator = new NetworkSeparator("own", trained)
                          let stems = (separator :> ISeparator).Separate(audio mixture)
                          let sum = stems["music"].ToTensor() .+ stems["voice"].ToTensor()
                          Expect.isLessThan (largest (sum - mixture)) 1e-4f "sum of the stream")
                  }

          test "a voice in the middle of a sound of two channels is that of one channel, whose side is silent" {
              Memory.plain (fun () ->
                  let trained = trained (network settings 2)
                  let mono = (noise 1 [ 1L; 3000L ]).``to``(torch.float32).mul 0.3
                  let ofOne = separate trained mono
                  let ofTwo = separate trained (mono.expand (2L, -1L))
                  Expect.isLessThan (largest (ofTwo - ofOne)) 1e-5f "both channels are that of the mono sound")
          }

          test "its two channels are heard together: what one hears depends on the other" {
              Memory.plain (fun () ->
                  let trained = trained (network settings 2)
                  let left, right = (noise 1 [ 3000L ]).``to`` torch.float32, (noise 2 [ 3000L ]).``to`` torch.float32
                  let of2 (a: torch.Tensor) b = (separate trained (torch.stack [| a; b |])).select(1L, 0L)
                  Expect.isGreaterThan (largest (of2 left right - of2 left left)) 1e-3f "the left one depends on the right")

          }

          test "a band has one mask for all its bins" {
              Memory.plain (fun () ->
                  let network = network settings 1
                  let trained = trained network
                  let stft = frontEnd.Stft
                  let spectrum = stft.Forward((noise 1 [ 1L; 1L; 1200L ]).``to`` torch.float32)
                  let heard: Mixture = { Sound = Views.ofSpectrum stft spectrum; Mode = Mode.Inference; InitialStates = [] }
                  let estimates = (Model.apply (Network.model network) trained.Parameters heard).Views.Spectrum
                  let masks = estimates / spectrum.unsqueeze 1L
                  let band first = masks.narrow (4L, first, 4L)

                  for first in [ 24L; 28L ] do
                      Expect.isLessThan (largest (band first - (band first).narrow(4L, 0L, 1L))) 1e-3f "one mask for all bins"

                  Expect.isGreaterThan (largest (band 24L - band 28L)) 1e-3f "each its own")
          }

          test "it is read from a file as it was, channels as middle and side" {
              for channels in [ 1; 2 ] do
                  let own = network settings channels

                  let read =
                      Family.read
                          ModelFolder.families
                          (System.Text.Json.JsonDocument.Parse(own.Architecture.ToJsonString()).RootElement)

                  Expect.equal (read.Architecture.ToJsonString()) (own.Architecture.ToJsonString()) "the description is kept"
                  Expect.equal read.MiddleSide (channels = 2) "middle and side"
          }

          test "settings that make no network are refused" {
              Scratch.refusesArgument [ "BandWidth"; "-1" ] (fun () -> network { settings with BandWidth = -1 } 2 |> ignore)

              Scratch.refusesArgument [ "multiple of 2"; "3 of 3" ] (fun () ->
                  network { settings with BandWidth = 3 } 2 |> ignore)
          } ]
