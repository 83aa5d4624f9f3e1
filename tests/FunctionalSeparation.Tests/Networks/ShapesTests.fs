/// Wrong shapes, types and parameters: every layer names itself, what it wants and what it has got.
module FunctionalSeparation.Tests.ShapesTests

open System
open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

let private noise seed (shape: int64 list) = Key.uniformTensor -1.0 1.0 shape (Key.ofSeed seed)
let private refuses words (act: unit -> unit) = Scratch.refusesArgument words (fun () -> Memory.plain act)

/// Name in the message, features that it wants, and the layer.
let private layers =
    [ "linear 7", 5L, Layer.linear 5 7
      "linear 7", 5L, Layer.dense Relu 5 7
      "recurrent 7", 5L, Layer.recurrent Tanh 5 7
      "GRU 7", 5L, Gru.layer 5 7
      "LSTM 7", 5L, Lstm.layer 5 7
      "vector product 7", 15L, VectorProduct.layer 5 7
      "vector product 7", 15L, VectorProduct.dense Relu 5 7
      "projected vector product 7", 15L, VectorProduct.along (0.0, 1.0, 0.0) 5 7 ]

/// Name in the message, size of the state, and the layer.
let private recurrentLayers =
    [ "recurrent 7", 7L, Layer.recurrent Tanh 5 7; "GRU 7", 7L, Gru.layer 5 7; "LSTM 7", 14L, Lstm.layer 5 7 ]

let private frontEnd = { FrontEnd.huang2014 with Stft = Stft(64, 16, StftWindow.Hann, true) }

let private small = { Drnn.huang2014 with FrontEnd = frontEnd; Hidden = [ 6; 5 ]; Recurrence = Stacked }

let private heard magnitude = { Sound = Views.ofMagnitude magnitude; Mode = Mode.Inference; InitialStates = [] }
let private mixtureOf (shape: int64 list) = heard ((noise 3 shape).abs())

let private trained dtype =
    { Network = Drnn.network small
      Parameters = Model.init dtype torch.CPU (Key.ofSeed 2) (Network.model (Drnn.network small))
      Level = Some 0.01 }

/// Inputs that a network refuses, with words of the error message.
let private wrongMixtures =
    [ "no batch axis", mixtureOf [ 1L; 9L; 33L ], [ "sRNN"; "[batch, 1, "; "[1, 9, 33] of float64" ]
      "two channels at once", mixtureOf [ 2L; 2L; 9L; 33L ], [ "sRNN"; "[batch, 1, "; "[2, 2, 9, 33]" ]
      "another number of bins", mixtureOf [ 2L; 1L; 9L; 32L ], [ "sRNN"; "33]"; "[2, 1, 9, 32]" ]
      "no frame between the margins", mixtureOf [ 2L; 1L; 2L; 33L ], [ "features"; "2 frames"; "margins of 1" ]
      "another type", heard ((noise 3 [ 2L; 1L; 9L; 33L ]).to_type torch.float32), [ "recurrent 6"; "of float64"; "of float32" ]
      "too few start states",
      { mixtureOf [ 2L; 1L; 9L; 33L ] with InitialStates = [ noise 1 [ 2L; 6L ] ] },
      [ "sRNN"; "2 recurrent layers"; "got 1" ]
      "too many start states",
      { mixtureOf [ 2L; 1L; 9L; 33L ] with
          InitialStates = [ noise 1 [ 2L; 6L ]; noise 1 [ 2L; 5L ]; noise 1 [ 2L; 5L ] ] },
      [ "2 recurrent layers"; "got 3" ]
      "a start state of another batch",
      { mixtureOf [ 2L; 1L; 9L; 33L ] with InitialStates = [ noise 1 [ 1L; 6L ]; noise 1 [ 2L; 5L ] ] },
      [ "recurrent 6"; "a start state [2, 6]"; "[1, 6]" ] ]

[<Tests>]
let tests =
    testList
        "shapes"
        [ test "the message is as promised" {
              refuses [ "linear 1000: wants frames [time, batch, 513] of float32, got [513] of float64." ] (fun () ->
                  let layer = Layer.linear 513 1000
                  let parameters = Model.init torch.float32 torch.CPU (Key.ofSeed 1) layer
                  Model.apply layer parameters (Activations.ofFrames (noise 1 [ 513L ])) |> ignore)
          }

          for name, features, layer in layers do
              test $"{layer.Name}: frames and weights of another shape or type are refused by name" {
                  let parameters = Model.init torch.float64 torch.CPU (Key.ofSeed 1) layer
                  let wants = $"{name}: wants frames [time, batch, {features}] of float64"
                  let apply frames = Model.apply layer parameters (Activations.ofFrames frames) |> ignore
                  Memory.plain (fun () -> apply (noise 1 [ 4L; 2L; features ]))

                  for shape in [ [ features ]; [ 4L; features ]; [ 4L; 2L; features + 1L ]; [ 1L; 4L; 2L; features ]; [] ] do
                      let got = shape |> List.map string |> String.concat ", "
                      refuses [ wants; $"got [{got}] of float64" ] (fun () -> apply (noise 1 shape))

                  refuses [ wants; $"got [4, 2, {features}] of float32" ] (fun () ->
                      apply ((noise 1 [ 4L; 2L; features ]).to_type torch.float32))

                  let weights = Params.split parameters
                  let given weights = layer.Apply weights (Activations.ofFrames (noise 1 [ 4L; 2L; features ])) |> ignore
                  refuses [ "wants"; "weights, got 1" ] (fun () -> given [ weights.Head ])
                  refuses [ name; "weight ["; "got" ] (fun () -> given (noise 5 [ 2L; 2L ] :: weights.Tail))
                  parameters.Vector.Dispose()
              }

          test "recurrent layers want a frame, and a start state that fits" {
              for name, size, layer in recurrentLayers do
                  let apply sequence =
                      Model.apply layer (Model.init torch.float64 torch.CPU (Key.ofSeed 1) layer) sequence |> ignore

                  refuses [ name; "at least one frame" ] (fun () -> apply (Activations.ofFrames (noise 1 [ 0L; 2L; 5L ])))

                  for state in [ [ 1L; size ]; [ 2L; size - 1L ]; [ size ] ] do
                      refuses [ name; $"a start state [2, {size}]" ] (fun () ->
                          apply (Activations.continuing [ noise 2 state ] (noise 1 [ 4L; 2L; 5L ])))
          }

          for what, mixture, words in wrongMixtures do
              test $"a network refuses {what}" {
                  let model = Network.model (Drnn.network small)
                  let parameters = Model.init torch.float64 torch.CPU (Key.ofSeed 2) model
                  refuses words (fun () -> Model.apply model parameters mixture |> ignore)
              }

          test "parameters of another model are refused by the first weight that differs" {
              Memory.plain (fun () ->
                  let model = Network.model (Drnn.network small)
                  let other = Network.model (Drnn.network { small with Hidden = [ 7; 5 ] })
                  let fewer = Network.model (Drnn.network { small with Hidden = [ 6 ] })
                  let draw model = Model.init torch.float64 torch.CPU (Key.ofSeed 2) model
                  let apply parameters () = Model.apply model parameters (mixtureOf [ 2L; 1L; 9L; 33L ]) |> ignore
                  apply (draw model) ()
                  refuses [ "sRNN"; "hidden1.weight [99, 6]"; "hidden1.weight [99, 7]" ] (apply (draw other))
                  refuses [ "sRNN"; "8 weights"; "got 5" ] (apply (draw fewer))
                  let vector = (draw model).Vector.narrow(0L, 0L, 10L)
                  refuses [ "a parameter vector"; "got [10]" ] (apply { draw model with Vector = vector }))
          }

          test "a chain of models counts its weights, and a residual keeps its shape" {
              Memory.plain (fun () ->
                  let chain = Layer.linear 5 5 --> Model.prefixed "second" (Layer.linear 5 5)
                  let frames = Activations.ofFrames (noise 1 [ 4L; 2L; 5L ])
                  refuses [ "linear 5 > linear 5"; "4 weights, got 0" ] (fun () -> chain.Apply [] frames |> ignore)

                  let side = Model.sum [ Layer.linear 5 5; Layer.linear 5 5 ]
                  refuses [ "sum (linear 5 & linear 5)"; "4 weights" ] (fun () -> side.Apply [] frames |> ignore)

                  let narrowing = Model.pureFunction "narrow" (Activations.map _.narrow(0L, 0L, 1L))

                  refuses [ "residual (narrow)"; "[4, 2, 5]"; "[1, 2, 5]" ] (fun () ->
                      (Model.residual narrowing).Apply [] frames |> ignore)

                  refuses [ "skip (narrow)"; "[4, 2, channels]"; "[1, 2, 5]" ] (fun () ->
                      (Model.skip narrowing).Apply [] frames |> ignore))
          }

          test "in bfloat16 what is not float32 is refused, and float32 works" {
              Memory.plain (fun () ->
                  let network = Precision.network Precision.Bfloat16 (Layer.linear 5 7)

                  let apply dtype frames =
                      Model.apply network (Model.init dtype torch.CPU (Key.ofSeed 1) network) (Activations.ofFrames frames)

                  let frames = noise 1 [ 4L; 2L; 5L ]
                  Expect.equal (apply torch.float32 (frames.to_type torch.float32)).Value.dtype torch.float32 "float32 works"

                  refuses [ "linear 7 in bfloat16"; "frames of float32"; "float64" ] (fun () ->
                      apply torch.float32 frames |> ignore)

                  refuses [ "weights of float32" ] (fun () -> apply torch.float64 (frames.to_type torch.float32) |> ignore)

                  refuses [ "linear 7: wants frames [time, batch, 5] of bfloat16" ] (fun () ->
                      apply torch.float32 ((noise 1 [ 4L; 5L ]).to_type torch.float32) |> ignore))
          }

          test "separation wants a batch of mixtures of the network's type, a stream its channels" {
              Memory.plain (fun () ->
                  let trained = trained torch.float64
                  let estimate mixture () = Separation.estimate trained Soft mixture |> ignore
                  refuses [ "sRNN"; "mixtures [batch, 1, samples] of float64"; "[500] of float64" ] (estimate (noise 1 [ 500L ]))
                  refuses [ "of float32" ] (estimate ((noise 1 [ 1L; 1L; 500L ]).to_type torch.float32))
                  let state = SeparationStream.start trained 2
                  let push piece () = SeparationStream.push trained piece state |> ignore
                  refuses [ "a piece [2, samples]"; "[1, 500]" ] (push (noise 1 [ 1L; 500L ]))
                  refuses [ "a piece [2, samples]"; "[500]" ] (push (noise 1 [ 500L ])))
          }

          test "the recurrence, vector products and deltas by themselves" {
              let recurrence frames start weight () =
                  RecurrentStates.Apply(noise 1 frames, noise 2 start, noise 3 weight, RecurrentActivation.Relu) |> ignore

              refuses [ "recurrence"; "frames [time, batch, units]" ] (recurrence [ 4L; 3L ] [ 2L; 3L ] [ 3L; 3L ])
              refuses [ "a start state [2, 3]"; "[3]" ] (recurrence [ 4L; 2L; 3L ] [ 3L ] [ 3L; 3L ])
              refuses [ "a weight [3, 3]"; "[3, 4]" ] (recurrence [ 4L; 2L; 3L ] [ 2L; 3L ] [ 3L; 4L ])
              refuses [ "at least one frame" ] (recurrence [ 0L; 2L; 3L ] [ 2L; 3L ] [ 3L; 3L ])

              refuses [ "vector product"; "rows [rows, 15]"; "[4, 14]" ] (fun () ->
                  VectorProduct.product (noise 1 [ 3L; 5L; 7L ]) (noise 2 [ 3L; 7L ]) (noise 3 [ 4L; 14L ]) |> ignore)

              refuses [ "deltas look 2 frames" ] (fun () -> Mel.delta (noise 1 [ 4L; 3L ]) |> ignore)
              refuses [ "deltas look 4 frames" ] (fun () -> Mel.withDeltas (noise 1 [ 8L; 3L ]) |> ignore)
              refuses [ "odd number"; "4" ] (fun () -> Spectra.stackContext 4 (noise 1 [ 9L; 1L; 3L ]) |> ignore)
              refuses [ "margins of 3" ] (fun () -> Spectra.stackMargins 3L (noise 1 [ 6L; 1L; 3L ]) |> ignore)
              refuses [ "Margins of -1" ] (fun () -> Spectra.withMargins -1L (noise 1 [ 6L; 1L; 3L ]) |> ignore)

              refuses [ "Griffin-Lim"; "[5, 33]"; "[1, 33]" ] (fun () ->
                  GriffinLim.withPhases (noise 1 [ 5L; 33L ]) (noise 1 [ 1L; 33L ]) |> ignore)
          } ]
