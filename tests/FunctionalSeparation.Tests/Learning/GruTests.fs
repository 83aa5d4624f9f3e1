/// The GRU layer against torch.nn.GRU with the same weights.
module FunctionalSeparation.Tests.GruTests

open Expecto
open FsCheck
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning

let private noise seed (shape: int64 list) = Key.uniformTensor -1.0 1.0 shape (Key.ofSeed seed)
let private difference (a: torch.Tensor) (b: torch.Tensor) = (a - b).abs().max().item<float>()

let private time, batch, inputs, units = 6L, 2L, 5, 4
let private layer = Gru.layer inputs units

/// The native module's names for our weights, and whether its matrix is the transpose of ours.
let private nativeNames = [ "weight_ih_l0", true; "bias_ih_l0", false; "weight_hh_l0", true; "bias_hh_l0", false ]

let private native (weights: torch.Tensor list) =
    let gru = torch.nn.GRU(int64 inputs, int64 units).``to``(torch.float64)

    for (name, isMatrix), weight in List.zip nativeNames weights do
        use _ = torch.no_grad ()
        gru.get_parameter(name).copy_(if isMatrix then weight.t () else weight) |> ignore

    gru

/// Random weights, biases included.
let private weightsOf seed = layer.Layout |> List.mapi (fun index weight -> noise (seed + index) weight.Shape)

[<Tests>]
let tests =
    testList
        "GRU"
        [ testProperty "states, end state and all gradients are those of torch.nn.GRU"
          <| fun (seed: int) ->
              Memory.plain (fun () ->
                  let leaf (tensor: torch.Tensor) = tensor.detach().clone().requires_grad_ true
                  let weights = weightsOf seed
                  use gru = native weights
                  let x, start = noise (seed + 10) [ time; batch; int64 inputs ], noise (seed + 11) [ batch; int64 units ]
                  let upstream = noise (seed + 12) [ time; batch; int64 units ]

                  let theirX, theirStart = leaf x, leaf (start.unsqueeze 0L)
                  let struct (theirFrames, theirEnd) = gru.call (theirX, theirStart)
                  theirFrames.backward [| upstream |]

                  let ourWeights, ourX, ourStart = List.map leaf weights, leaf x, leaf start
                  let ours = layer.Apply ourWeights (Activations.continuing [ ourStart ] ourX)
                  ours.Value.backward [| upstream |]

                  Expect.isLessThan (difference ours.Value theirFrames) 1e-14 "the states are those of torch.nn.GRU"
                  Expect.isLessThan (difference (Activations.finalStates ours).Head (theirEnd.squeeze 0L)) 1e-14 "the same end"
                  Expect.isLessThan (difference ourX.grad theirX.grad) 1e-13 "gradient of the input"
                  Expect.isLessThan (difference ourStart.grad (theirStart.grad.squeeze 0L)) 1e-13 "gradient of the start"

                  for (name, isMatrix), weight in List.zip nativeNames ourWeights do
                      let theirs = gru.get_parameter(name).grad
                      let theirs = if isMatrix then theirs.t () else theirs
                      Expect.isLessThan (difference weight.grad theirs) 1e-13 $"gradient of {name}")

          testProperty "a sequence cut in two, with the state carried on, gives the same frames"
          <| fun (seed: int) (PositiveInt cut) ->
              Memory.plain (fun () ->
                  let cut = int64 (1 + cut % 5)
                  let weights, x = weightsOf seed, noise (seed + 10) [ time; batch; int64 inputs ]
                  let whole = layer.Apply weights (Activations.ofFrames x)
                  let first = layer.Apply weights (Activations.ofFrames (x.narrow (0L, 0L, cut)))
                  let rest = x.narrow (0L, cut, time - cut)
                  let second = layer.Apply weights (Activations.continuing (Activations.finalStates first) rest)
                  let joined = torch.cat ([| first.Value; second.Value |], 0L)
                  Expect.isLessThan (difference joined whole.Value) 1e-14 "both parts give the frames of the whole")

          test "an update gate held open keeps the state, one held shut forgets it" {
              Memory.plain (fun () ->
                  let weights = weightsOf 1
                  let start = noise 2 [ batch; int64 units ]
                  let x = noise 3 [ time; batch; int64 inputs ]

                  let last (bias: float) start =
                      let gates = (weights[1]).clone()
                      gates.narrow(0L, int64 units, int64 units).fill_(bias) |> ignore
                      let weights = List.updateAt 1 gates weights
                      (layer.Apply weights (Activations.continuing [ start ] x) |> Activations.finalStates).Head

                  Expect.isLessThan (difference (last 100.0 start) start) 1e-14 "an open gate keeps the state"
                  Expect.isGreaterThan (difference (last -100.0 start) start) 0.1 "a shut gate forgets the state")
          } ]
