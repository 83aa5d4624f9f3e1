/// Everything that has a device, on every device there is, in float32 beside the CPU in float64. On a machine without a GPU the
/// tests of CUDA are skipped.
module FunctionalSeparation.Tests.DeviceTests

open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

let private device name : torch.Device =
    TorchRuntime.Initialize()

    if name = "cuda" && not (torch.cuda.is_available ()) then skiptest "no CUDA device"

    torch.device (name: string)

let private net recurrence = { Drnn.huang2014 with Context = 3; Hidden = [ 24; 24 ]; Recurrence = recurrence }

let private architectures =
    [ net FeedForward
      net (RecurrentAt 2)
      { net Stacked with Activation = Tanh; Mask = Squared }
      { net Stacked with Neuron = Gated; Output = ReluOutput }
      { net FeedForward with Neuron = VectorProduct Window }
      { net FeedForward with Neuron = VectorProduct Colour; Context = 1 }
      { net FeedForward with Features = LogMel; InputScale = 10.0 }
      { net FeedForward with Features = Mfcc; InputScale = 10.0 } ]

let private losses =
    [ "squared error", Loss.squaredError
      "mean squared error", Loss.meanSquaredError
      "KL", Loss.kullbackLeibler
      "discriminative", Loss.discriminative 0.05 Loss.squaredError ]

let private optimisers =
    [ Optimiser.sgd (Schedule.constant 1e-3)
      Optimiser.adam (Schedule.constant 1e-3)
      Optimiser.adamW 0.01 (Schedule.constant 1e-3)
      Lbfgs.minFunc 5 ]

let private draw seed (shape: int64 list) = Key.uniformTensor 0.0 0.02 shape (Key.ofSeed seed)

let private at (device: torch.Device) dtype (tensor: torch.Tensor) = tensor.``to``(dtype: torch.ScalarType).``to`` device

let private batch device dtype (architecture: Drnn) : Batch =
    let network = Drnn.network architecture

    Batch.ofMagnitudes
        network
        (draw 1 [ 9L + 2L * network.Margin; 3L; 513L ] |> at device dtype)
        (draw 2 [ 9L; 3L; 2L; 513L ] |> at device dtype)

/// The largest difference, relative to the largest expected element.
let private off (expected: torch.Tensor) (actual: torch.Tensor) =
    let expected, actual = expected.to_type (torch.float64), actual.cpu().to_type(torch.float64)
    (expected - actual).abs().max().item<float>() / (expected.abs().max().item<float>() + 1e-300)

let private isOn (device: torch.Device) (tensor: torch.Tensor) = tensor.device_type = device.``type``

let private gradient device dtype architecture loss =
    let model = Network.model (Drnn.network architecture)
    let vector = (Params.init model.Layout torch.float64 torch.CPU (Key.ofSeed 3)).Vector |> at device dtype
    Train.objective model.Layout (Batch.loss model loss) (Key.ofSeed 9) [ batch device dtype architecture ] vector

let private steps device dtype optimiser =
    let architecture = net (RecurrentAt 1)
    let model = Network.model (Drnn.network architecture)
    let batch = batch device dtype architecture

    let task =
        { Layout = model.Layout
          Loss = Batch.loss model Loss.squaredError
          Optimiser = optimiser
          Steps = 3
          Feed = (fun _ -> [ batch ])
          Key = Key.ofSeed 9 }

    let vector = (Params.init model.Layout torch.float64 torch.CPU (Key.ofSeed 3)).Vector |> at device dtype
    List.fold (fun state _ -> Train.step task state) (Train.start task vector) [ 1..3 ]

[<Tests>]
let tests =
    testSequenced
    <| testList
        "devices"
        [ for name in [ "cpu"; "cuda" ] do
              for architecture in architectures do
                  test $"{name}: objective and gradient of {Drnn.name architecture}, {architecture.Features}" {
                      let device = device name

                      Memory.plain (fun () ->
                          let struct (expected, slope) = gradient torch.CPU torch.float64 architecture Loss.squaredError
                          let struct (value, own) = gradient device torch.float32 architecture Loss.squaredError
                          Expect.isTrue (isOn device own) "the gradient stays where the parameters are"
                          Expect.floatClose { absolute = 0.0; relative = 1e-4 } value expected "the loss is that of the CPU"
                          Expect.isLessThan (off slope own) 2e-3 "the gradient is that of the CPU")
                  }

              for title, loss in losses do
                  test $"{name}: {title}" {
                      let device = device name

                      Memory.plain (fun () ->
                          let struct (expected, slope) = gradient torch.CPU torch.float64 (net FeedForward) loss
                          let struct (value, own) = gradient device torch.float32 (net FeedForward) loss
                          Expect.floatClose { absolute = 1e-6; relative = 1e-4 } value expected "the loss is that of the CPU"
                          Expect.isLessThan (off slope own) 2e-3 "the gradient is that of the CPU")
                  }

              for optimiser in optimisers do
                  test $"{name}: three steps of {Id.text optimiser.Id}" {
                      let device = device name

                      Memory.plain (fun () ->
                          let expected = steps torch.CPU torch.float64 optimiser
                          let own = steps device torch.float32 optimiser
                          Expect.isTrue (TrainState.tensors own |> List.forall (isOn device)) "the state stays on the device"
                          Expect.isLessThan (off expected.Parameters own.Parameters) 5e-3 "the parameters are those of the CPU"
                          Expect.floatClose { absolute = 0.0; relative = 1e-3 } own.Value expected.Value "the loss is as well")
                  }

              test $"{name}: STFT and back" {
                  let device = device name

                  Memory.plain (fun () ->
                      let signal = draw 4 [ 2L; 8192L ]

                      for stft in [ Stft.Huang2014; Stft(1024, 256, StftWindow.Hann, true) ] do
                          let expected = stft.Forward signal
                          let own = stft.Forward(signal |> at device torch.float32)
                          Expect.isTrue (isOn device own) "on the device"
                          Expect.isLessThan (off (expected.abs ()) (own.abs ())) 1e-5 "the magnitudes are those of the CPU"
                          Expect.isLessThan (off (stft.Inverse expected) (stft.Inverse own)) 1e-5 "there and back")
              }

              test $"{name}: random excerpts are made where training is, and separation runs there" {
                  let device = device name

                  Memory.plain (fun () ->
                      let corpus = Corpus.embedded 0

                      let feed settings =
                          Feed.excerpts
                              (Drnn.network (net FeedForward))
                              Scratch.magnitudes
                              (ExcerptSettings.ofSize 20 2)
                              settings
                              corpus.Train

                      let expected, own = (feed torch.CPU).Batch (Key.ofSeed 5) 3, (feed device).Batch (Key.ofSeed 5) 3
                      Expect.isTrue (Batch.tensors own |> List.forall (isOn device)) "on the device"
                      Expect.isLessThan (off (Scratch.references expected) (Scratch.references own)) 1e-5 "same as on the CPU"

                      let trained dtype device =
                          let architecture = net (RecurrentAt 2)

                          let parameters =
                              Params.init (Network.layout (Drnn.network architecture)) torch.float64 torch.CPU (Key.ofSeed 3)

                          { Network = Drnn.network architecture
                            Parameters = { parameters with Vector = at device dtype parameters.Vector }
                            Level = Some 0.01 }

                      let mixture = draw 6 [ 1L; 9000L ]
                      let expected = Scratch.separatedInPieces 3000 (trained torch.float64 torch.CPU) mixture

                      let own =
                          Scratch.separatedInPieces 3000 (trained torch.float32 device) (mixture |> at device torch.float32)

                      Expect.isLessThan (off expected own) 1e-3 "the estimates are those of the CPU")
              }

              test $"{name}: BSS Eval takes tensors from there" {
                  let device = device name

                  Memory.plain (fun () ->
                      let references = draw 7 [ 2L; 4000L ]
                      let estimates = references .+ (draw 8 [ 2L; 4000L ]).mul 0.1
                      let expected = BssEval.Version3(references, estimates, 16)
                      let own = BssEval.Version3(references.``to`` device, estimates.``to`` device, 16)
                      Expect.equal own.Sdr expected.Sdr "the SDR is that of the CPU")
              } ]
