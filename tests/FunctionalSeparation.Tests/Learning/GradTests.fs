/// Products with Jacobians and Hessians.
module FunctionalSeparation.Tests.GradTests

open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

let private noise seed (shape: int64 list) = Key.uniformTensor -1.0 1.0 shape (Key.ofSeed seed)
let private values (x: torch.Tensor) = x.contiguous().data<float>().ToArray() |> List.ofArray
let private dot (a: torch.Tensor) (b: torch.Tensor) = (a * b).sum().item<float>()
let private difference (a: torch.Tensor) (b: torch.Tensor) = (a - b).abs().max().item<float>()

/// A network of 12 inputs, 4 units and 3 outputs, by its 60 weights.
let private network (inputs: torch.Tensor) (weights: torch.Tensor) =
    let first, second = weights.narrow(0L, 0L, 48L).view(12L, 4L), weights.narrow(0L, 48L, 12L).view(4L, 3L)
    inputs.mm(first).tanh().mm(second).sigmoid()

let private network3 = network (noise 1 [ 5L; 12L ])
let private cost (weights: torch.Tensor) = (network3 weights).squared().sum()

let private refuses words (act: unit -> torch.Tensor) = Scratch.refusesArgument words (fun () -> Memory.plain (act >> ignore))

[<Tests>]
let tests =
    testList
        "Grad"
        [ test "products of a function whose derivatives are known" {
              Memory.plain (fun () ->
                  let x, v = torch.tensor [| 1.0; 2.0; 3.0 |], torch.tensor [| 1.0; 0.5; -1.0 |]
                  // Rows of the Jacobian: 2 x and (x2 x3, x1 x3, x1 x2).
                  let f (x: torch.Tensor) = torch.stack [ (x * x).sum(); x.prod () ]
                  Expect.equal (values (Grad.jvp f x v)) [ 2.0 + 2.0 - 6.0; 6.0 + 1.5 - 2.0 ] "J v is what is known by hand"
                  Expect.equal (values (Grad.vjp f x (torch.tensor [| 1.0; -1.0 |]))) [ 2.0 - 6.0; 4.0 - 3.0; 6.0 - 2.0 ] "J' u"
                  // The Hessian of the sum of cubes is diagonal, 6 x.
                  Expect.equal (values (Grad.hvp (fun x -> (x * x * x).sum()) x v)) [ 6.0; 6.0; -18.0 ] "H v is that by hand")
          }

          test "what depends on nothing, and what is linear, has zeros" {
              Memory.plain (fun () ->
                  let x, v = noise 1 [ 3L ], noise 2 [ 3L ]
                  let constant (_: torch.Tensor) = torch.ones (2L, dtype = torch.float64)
                  Expect.equal (values (Grad.jvp constant x v)) [ 0.0; 0.0 ] "J v of a constant"
                  Expect.equal (values (Grad.vjp constant x (noise 3 [ 2L ]))) [ 0.0; 0.0; 0.0 ] "J' u of a constant"
                  Expect.equal (values (Grad.hvp (fun x -> x.sum ()) x v)) [ 0.0; 0.0; 0.0 ] "H v of a sum")
          }

          testProperty "u' (J v) = (J' u)' v"
          <| fun (seed: int) ->
              Memory.plain (fun () ->
                  let x, v, u = noise seed [ 60L ], noise (seed + 1) [ 60L ], noise (seed + 2) [ 5L; 3L ]
                  let forward = dot u (Grad.jvp network3 x v)
                  let backward = dot (Grad.vjp network3 x u) v
                  Expect.isLessThan (abs (forward - backward)) (1e-12 * (1.0 + abs forward)) $"{forward} and {backward}")

          testProperty "the Hessian is symmetric: u' (H v) = v' (H u)"
          <| fun (seed: int) ->
              Memory.plain (fun () ->
                  let x, v, u = noise seed [ 60L ], noise (seed + 1) [ 60L ], noise (seed + 2) [ 60L ]
                  let first, second = dot u (Grad.hvp cost x v), dot v (Grad.hvp cost x u)
                  Expect.isLessThan (abs (first - second)) (1e-12 * (1.0 + abs first)) $"{first} and {second}")

          testProperty "products are what differences of functions and gradients tend to"
          <| fun (seed: int) ->
              Memory.plain (fun () ->
                  let x, v = noise seed [ 60L ], noise (seed + 1) [ 60L ]
                  let slope (f: torch.Tensor -> torch.Tensor) = (f (x.add (v, 1e-5)) - f (x.add (v, -1e-5))).div(2e-5)
                  Expect.isLessThan (difference (Grad.jvp network3 x v) (slope network3)) 1e-7 "J v is the slope of the values"
                  Expect.isLessThan (difference (Grad.hvp cost x v) (slope (Grad.grad cost))) 1e-6 "H v is a gradient's slope")

          test "float32 stays float32, and vectors of another shape are refused by name" {
              Memory.plain (fun () ->
                  let x = (noise 1 [ 60L ]).to_type torch.float32
                  let f (x: torch.Tensor) = (x * x * x).sum()
                  Expect.equal (Grad.hvp f x x).dtype torch.float32 "H v stays in float32"
                  Expect.equal (Grad.jvp f x x).dtype torch.float32 "J v stays in float32")

              let x = noise 1 [ 60L ]
              refuses [ "vjp"; "[3]"; "[5, 3]" ] (fun () -> Grad.vjp network3 x (noise 2 [ 3L ]))
              refuses [ "jvp"; "[3]"; "[60]" ] (fun () -> Grad.jvp network3 x (noise 2 [ 3L ]))
              refuses [ "hvp"; "[3]"; "[60]" ] (fun () -> Grad.hvp cost x (noise 2 [ 3L ]))
              refuses [ "one number"; "[5, 3]" ] (fun () -> Grad.hvp network3 x x)
          }

          test "a layer whose gradient is written by hand refuses a second derivative, and has its first one still" {
              let mixture = Memory.tensor (fun () -> (noise 3 [ 9L ]).abs())

              let masked kind (x: torch.Tensor) = (Mask.apply kind (x.view (2L, 9L)) mixture).squared().sum()

              let states (x: torch.Tensor) =
                  RecurrentStates.Apply(noise 4 [ 3L; 2L; 3L ], noise 5 [ 2L; 3L ], x.view (3L, 3L), RecurrentActivation.Tanh)

              let x, u = noise 6 [ 18L ], noise 7 [ 9L ]
              refuses [ "mask"; "first derivative only"; "exact gradient" ] (fun () -> Grad.hvp (masked Absolute) x x)
              refuses [ "mask" ] (fun () -> Grad.jvp (masked Squared) x x)
              refuses [ "recurrence"; "step by step" ] (fun () -> Grad.jvp states u u)
              let lstm (x: torch.Tensor) = LstmStates.Apply(noise 4 [ 3L; 2L; 12L ], noise 5 [ 2L; 6L ], x.view (3L, 12L))
              refuses [ "LSTM"; "step by step" ] (fun () -> Grad.jvp lstm (noise 8 [ 36L ]) (noise 8 [ 36L ]))

              let gru (x: torch.Tensor) =
                  GruStates.Apply(noise 4 [ 3L; 2L; 9L ], noise 5 [ 2L; 3L ], x.view (3L, 9L), noise 9 [ 9L ])

              refuses [ "GRU"; "step by step" ] (fun () -> Grad.jvp gru (noise 8 [ 27L ]) (noise 8 [ 27L ]))

              Memory.plain (fun () ->
                  let exact, published =
                      Grad.grad (masked AbsoluteExact) x, Grad.vjp (masked Absolute) x (torch.ones_like (masked Absolute x))

                  Expect.isLessThan (difference exact published) 1e-6 "after a refusal"

                  Expect.isGreaterThan
                      ((Grad.hvp (masked AbsoluteExact) x x).abs().max().item<float>())
                      0.01
                      "exact masks have one")
          } ]
