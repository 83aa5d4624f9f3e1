/// Layers without a file of their own, and what holds for all of them: gradients, batches, names, starts.
module FunctionalSeparation.Tests.LayerTests

open Expecto
open FsCheck
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Tests.Layers

let private refuses words (act: unit -> unit) = Scratch.refusesArgument words (fun () -> Memory.plain act)

let private frames, images = [ 4L; 3L; 6L ], [ 3L; 6L; 4L; 5L ]

/// Layers of six features or channels, and the shapes that they take.
let private layers =
    [ for activation in [ LeakyRelu 0.1; Elu; Gelu; Silu; Softplus ] do
          Layer.linear 6 6 --> Layer.activation activation, frames
      Layer.recurrent Tanh 6 4, frames
      Gru.bidirectional 6 4, frames
      Lstm.layer 6 4, frames
      Lstm.bidirectional 6 4, frames
      Norm.group 3 6, frames
      Norm.group 3 6, images
      Norm.layer 6, frames
      Norm.layer 6, images
      Norm.batch 6, frames
      Norm.batch 6, images
      Norm.standardise 6, images
      Conv.layer 3 6 4, images
      Conv.create { Conv.settings 3 6 6 with Groups = 6 }, images
      Conv.down 2 6 4, images
      Conv.up 2 6 4, images
      Image.linear 5 3, images
      Image.overTime (Lstm.layer 6 4), images
      Image.overBands (Gru.layer 6 4), images
      Image.padded (2, 4) (Image.pool (2, 2) --> Image.enlarge (2, 2)), images
      Model.residual (Conv.layer 3 6 6 --> Norm.batch 6 --> Layer.activation Silu), images
      Model.skip (Conv.down 2 6 4 --> Conv.up 2 4 4) |> Image.padded (2, 2), images
      Image.toFrames --> Model.concat [ Layer.linear 30 4; Lstm.layer 30 2 ] --> Image.ofFrames 3, images ]

/// The axis along which items of a batch lie.
let private batchAxis (shape: int64 list) = if shape.Length = 4 then 0L else 1L

[<Tests>]
let tests =
    testList
        "layers"
        [ for model, shape in layers do
              for mode in [ Mode.Inference; Mode.Training(Key.ofSeed 7) ] do
                  test $"{model.Name} of {shape.Length} axes, {mode}: the gradient is that of finite differences" {
                      hasItsGradient mode model shape
                  }

              test $"{model.Name} of {shape.Length} axes: at inference an item does not depend on the others" {
                  Memory.plain (fun () ->
                      let parameters, input = random 1 model, noise 2 shape
                      let item (value: torch.Tensor) = value.narrow (batchAxis shape, 1L, 1L)
                      let outputItem = (output model parameters input).narrow(batchAxis shape, 1L, 1L)
                      Expect.isLessThan (difference (output model parameters (item input)) outputItem) 1e-12 "as in the batch")
              }

          test "activations have the values of their formulas" {
              Memory.plain (fun () ->
                  let x = [ -2.5; -1.0; 0.0; 0.5; 3.0 ]
                  // P(N(0, 1) < x) by Abramowitz and Stegun's table 26.1.
                  let below = [ 0.0062096653; 0.1586552539; 0.5; 0.6914624613; 0.9986501020 ]

                  let formulas =
                      [ LeakyRelu 0.1, List.map (fun x -> if x > 0.0 then x else 0.1 * x) x
                        Elu, List.map (fun x -> if x > 0.0 then x else exp x - 1.0) x
                        Gelu, List.map2 (*) x below
                        Silu, List.map (fun x -> x / (1.0 + exp -x)) x
                        Softplus, List.map (fun x -> log (1.0 + exp x)) x ]

                  for activation, expected in formulas do
                      let model = Layer.activation activation
                      let values = output model (random 1 model) ((torch.tensor (Array.ofList x)).view(5L, 1L, 1L))
                      Expect.isLessThan (difference (values.view 5L) (torch.tensor (Array.ofList expected))) 1e-9 $"{activation}"

                  let large = Layer.activation Softplus

                  Expect.equal
                      ((output large (random 1 large) (torch.tensor([| 1000.0 |]).view(1L, 1L, 1L))).item<float>())
                      1000.0
                      "a large number does not overflow")
          }

          testProperty "dropout: one key one mask, each draw its own, the mean stays"
          <| fun (seed: int) ->
              Memory.plain (fun () ->
                  let twice = Dropout.layer 0.25 --> Dropout.layer 0.25
                  let ones = torch.ones (50L, 8L, 50L, dtype = torch.float64)

                  let run (model: Model<Activations, Activations>) mode =
                      model.Apply [] (Activations.ofFrames ones |> Activations.inMode mode)

                  let training = Mode.Training(Key.ofSeed seed)
                  let once = run (Dropout.layer 0.25) training
                  Expect.equal (difference once.Value (run (Dropout.layer 0.25) training).Value) 0.0 "the same key"
                  Expect.notEqual once.Mode training "the key is used up"
                  Expect.isLessThan (abs (once.Value.mean().item<float>() - 1.0)) 0.03 "mean, 7 deviations"
                  let kept = (run twice training).Value.count_nonzero().item<int64>() |> float
                  Expect.isLessThan (abs (kept / 20000.0 - 0.5625)) 0.03 "two masks are independent"
                  Expect.equal (difference (run twice Mode.Inference).Value ones) 0.0 "at inference dropout changes nothing")

          test "repeated names are numbered, whatever the order of composition" {
              let a, b = Layer.linear 3 3, Model.prefixed "block" (Layer.linear 3 3 --> Layer.linear 3 3)
              let names (model: Model<Activations, Activations>) = model.Layout |> List.map _.Name
              Expect.equal (names (a --> a --> a)) [ "weight"; "bias"; "weight.2"; "bias.2"; "weight.3"; "bias.3" ] "numbered"
              Expect.equal (names (a --> (a --> a))) (names (a --> a --> a)) "the grouping does not change the names"
              Expect.equal (names ((b --> a) --> (b --> a))) (names (b --> (a --> b) --> a)) "associative, with prefixes"
              Expect.equal (names (b --> b) |> List.distinct |> List.length) 8 "the eight names are all different"
              Expect.equal (names (Model.prefixed "hidden1" a --> Model.prefixed "hidden2" a)).[2] "hidden2.weight" "no clash"

              refuses [ "empty name" ] (fun () -> Layout.join [] [ { Name = " "; Shape = [ 1L ]; Init = Zeros } ] |> ignore)
          }

          test "weights start as they say" {
              Memory.plain (fun () ->
                  let start shape start =
                      let layout = [ { Name = "w"; Shape = shape; Init = start } ]
                      (Params.init layout torch.float64 torch.CPU (Key.ofSeed 3) |> Params.split).Head

                  let deviation = (start [ 100L; 100L ] (Normal 0.3)).std().item<float>()
                  Expect.isLessThan (abs (deviation / 0.3 - 1.0)) 0.03 "normal, 4 deviations"
                  Expect.equal ((start [ 5L ] (Constant 2.5)).sum().item<float>()) 12.5 "the weights start at the constant"

                  for shape in [ [ 6L; 9L ]; [ 9L; 6L ]; [ 4L; 3L; 3L ] ] do
                      let w = (start shape (Orthogonal 2.0)).view(shape.Head, -1L)
                      let w = if w.shape[0] > w.shape[1] then w.t () else w
                      let four = torch.eye(w.shape[0], dtype = torch.float64).mul 4.0
                      Expect.isLessThan (difference (w.mm (w.t ())) four) 1e-12 $"orthogonal {shape}")
          }

          test "a residual of zero weights is the identity, a skip shows its input first" {
              Memory.plain (fun () ->
                  let inner = Conv.layer 3 6 6
                  let zeros = Params.create inner.Layout (torch.zeros (Layout.total inner.Layout, dtype = torch.float64))
                  let input = noise 2 images
                  Expect.equal (difference (output (Model.residual inner) zeros input) input) 0.0 "it gives back its input"
                  let shown = output (Model.skip inner) zeros input
                  Expect.equal (difference (shown.narrow (1L, 0L, 6L)) input) 0.0 "the skip shows its input first"
                  Expect.equal (difference (shown.narrow (1L, 6L, 6L)) (torch.zeros_like input)) 0.0 "the output comes second")
          }

          test "states, moments and keys pass through all combinators in order" {
              Memory.plain (fun () ->
                  let recurrent = Lstm.layer 6 6
                  let normal = Norm.standardise 6
                  let model = Model.residual (recurrent --> normal) --> Model.sum [ normal; recurrent; Dropout.layer 0.5 ]
                  let parameters, input = random 1 model, noise 2 frames
                  let key = Key.ofSeed 4
                  let run mode = Model.apply model parameters (Activations.ofFrames input |> Activations.inMode mode)
                  let states = Activations.finalStates (run Mode.Inference)
                  Expect.hasLength states 2 "both recurrent layers have a state"
                  let single = Params.create recurrent.Layout (parameters.Vector.narrow (0L, 0L, Layout.total recurrent.Layout))
                  let first = Model.apply recurrent single (Activations.ofFrames input)
                  Expect.equal (difference states[0] (Activations.finalStates first).Head) 0.0 "first layer first"
                  Expect.hasLength (run Mode.Observing).Moments 2 "both normalisations observe their moments"
                  Expect.isEmpty (run Mode.Inference).Moments "only where they are asked for"
                  Expect.equal (run (Mode.Training key)).Mode (Mode.Training(Key.fold 1 key)) "dropout alone uses up a draw")
          }

          test "layers refuse what they cannot take by name" {
              refuses [ "not of Gelu" ] (fun () -> Layer.recurrent Gelu 3 3 |> ignore)
              refuses [ "Dropout"; "[0, 1)" ] (fun () -> Dropout.layer 1.0 |> ignore)
              refuses [ "sum ()"; "at least one" ] (fun () -> Model.sum [] |> ignore)
          } ]
