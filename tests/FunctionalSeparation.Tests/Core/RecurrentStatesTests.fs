module FunctionalSeparation.Tests.RecurrentStatesTests

open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

let private kinds =
    [ RecurrentActivation.Relu, (fun (x: torch.Tensor) -> x.relu ())
      RecurrentActivation.Logistic, _.sigmoid()
      RecurrentActivation.Tanh, _.tanh() ]

/// h(t) = f(z(t) + h(t-1) U), one operation after the other.
let private stepByStep
    (activation: torch.Tensor -> torch.Tensor)
    (frames: torch.Tensor)
    (start: torch.Tensor)
    (weight: torch.Tensor)
    =
    let step (state: torch.Tensor) (frame: torch.Tensor) = activation (frame .+ state.matmul weight)
    torch.stack (frames.unbind 0 |> Array.scan step start |> Array.tail, 0L)

let private inputs time =
    [ for index, shape in List.indexed [ [ time; 3L; 5L ]; [ 3L; 5L ]; [ 5L; 5L ] ] ->
          (Key.uniformTensor -0.8 0.8 shape (Key.ofSeed index)).requires_grad_ true ]

let private upstream time = Key.uniformTensor -1.0 1.0 [ time; 3L; 5L ] (Key.ofSeed 9)

let private difference (a: torch.Tensor) (b: torch.Tensor) = (a - b).abs().max().item<float>()

[<Tests>]
let tests =
    testList
        "recurrent states"
        [ for kind, activation in kinds do
              for time in [ 1L; 7L ] do
                  test $"{kind}, {time} frames: states and gradients are those of the steps" {
                      Memory.plain (fun () ->
                          let own, plain = inputs time, inputs time
                          let states = RecurrentStates.Apply(own[0], own[1], own[2], kind)
                          let expected = stepByStep activation plain[0] plain[1] plain[2]
                          Expect.isLessThan (difference states expected) 1e-14 "the states are those of the steps"
                          states.backward [| upstream time |]
                          expected.backward [| upstream time |]

                          for name, own, plain in List.zip3 [ "frames"; "start"; "weight" ] own plain do
                              Expect.isLessThan (difference own.grad plain.grad) 1e-13 name
                              Expect.isGreaterThan (plain.grad.abs().max().item<float>()) 0.01 $"{name}: something to compare")
                  } ]
