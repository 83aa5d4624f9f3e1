/// The recurrent network over bands and frames.
module FunctionalSeparation.Tests.BandSplitTests

open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core
open FunctionalSeparation.Tests.Layers

let private frontEnd: FrontEnd = { SampleRate = 8000; Stft = Stft(64, 16, StftWindow.Sine, true) }

/// Six bands of four bins: bins 0 to 23 of 33.
let private settings = { BandSplit.small with Units = 6; Blocks = 2; BandWidth = 4; Bins = 24; InputScale = 1.0 }

let private spec channels sources : SourceSpec = { FrontEnd = frontEnd; Channels = channels; Sources = sources }
let private network channels sources = BandSplit.family.Network settings (spec channels sources)

let private estimates mode (trained: TrainedModel) (spectrum: torch.Tensor) =
    let mixture: Mixture = { Sound = Views.ofSpectrum frontEnd.Stft spectrum; Mode = mode; InitialStates = [] }

    (Model.apply (Network.model trained.Network) trained.Parameters mixture).Views.Spectrum

let private largest (x: torch.Tensor) = x.abs().max().item<float32>()

[<Tests>]
let tests =
    testList
        "band-split network"
        [ for channels, sources in [ 1, [ "music"; "voice" ]; 2, [ "rest"; "drums"; "bass" ] ] do
              test $"estimates of {sources.Length} sources in {channels} channel(s) sum to the mixture" {
                  Memory.plain (fun () ->
                      let trained = trained (network channels sources)
                      let spectrum = frontEnd.Stft.Forward((noise 1 [ 2L; int64 channels; 1203L ]).``to`` torch.float32)
                      let estimates = estimates Mode.Inference trained spectrum
                      Expect.equal estimates.shape[..2] [| 2L; int64 sources.Length; int64 channels |] "each source has one"
                      Expect.isLessThan (largest (estimates.sum 1L - spectrum)) 1e-4f "the sum is the mixture")
              }

          test "a frame depends on the frames before it, and on none after it" {
              Memory.plain (fun () ->
                  let trained = trained (network 1 Stems.musicAndVoice)
                  let spectrum = frontEnd.Stft.Forward((noise 1 [ 1L; 1L; 1200L ]).``to`` torch.float32)
                  let changed = spectrum.clone ()
                  changed.narrow(2L, 40L, 1L).mul_(torch.tensor 2.0f) |> ignore
                  let difference = estimates Mode.Inference trained changed - estimates Mode.Inference trained spectrum
                  Expect.equal (largest (difference.narrow (3L, 0L, 40L))) 0.0f "earlier frames are the same"
                  Expect.isGreaterThan (largest (difference.narrow (3L, 41L, 10L))) 0.0f "later frames are others")
          }

          test "a stream gives what a file gives, however it is cut" {
              Memory.plain (fun () ->
                  let trained, mixture = trained (network 1 Stems.musicAndVoice), (noise 2 [ 1L; 3001L ]).``to`` torch.float32
                  let whole = Scratch.separatedInPieces 100000 trained mixture

                  for samples in [ 100; 777 ] do
                      let pieces = Scratch.separatedInPieces samples trained mixture
                      Expect.isLessThan (difference pieces whole) 1e-4 $"pieces of {samples} samples")
          }

          test "training drops features by the key; inference drops none" {
              Memory.plain (fun () ->
                  let trained = trained (network 1 Stems.musicAndVoice)
                  let spectrum = frontEnd.Stft.Forward((noise 1 [ 1L; 1L; 1200L ]).``to`` torch.float32)
                  let training seed = estimates (Mode.Training(Key.ofSeed seed)) trained spectrum
                  Expect.equal (largest (training 1 - training 1)) 0.0f "one key, one output"
                  Expect.isGreaterThan (largest (training 1 - training 2)) 0.0f "another key, another output"

                  Expect.isGreaterThan
                      (largest (training 1 - estimates Mode.Inference trained spectrum))
                      0.0f
                      "inference differs")
          }

          for words, wrong in
              [ [ "even number of Units" ], { settings with Units = 5 }
                [ "multiple of 4"; "got 22" ], { settings with Bins = 22 }
                [ "Bins up to 33" ], { settings with Bins = 36 }
                [ "Blocks" ], { settings with Blocks = 0 }
                [ "InputScale" ], { settings with InputScale = 0.0 } ] do
              test $"settings that contradict each other are refused: {words}" {
                  Scratch.refusesArgument words (fun () -> BandSplit.family.Network wrong (spec 1 Stems.musicAndVoice) |> ignore)
              } ]
