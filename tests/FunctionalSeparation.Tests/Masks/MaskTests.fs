/// The mask layer: values, both gradients of each kind, what it refuses, and its names in a model folder.
module FunctionalSeparation.Tests.MaskTests

open System.Text.Json
open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning

let private sources, bins = 3L, 4L
let private noise seed (shape: int64 list) = Key.uniformTensor -1.0 1.0 shape (Key.ofSeed seed)
let private difference (a: torch.Tensor) (b: torch.Tensor) = (a - b).abs().max().item<float>()

/// Outputs at which the constant 1e-10 is as large as the sum below the fraction: there the two gradients have little in common.
let private small power seed = (noise seed [ 2L; sources; bins ]).mul(1e-10 ** (1.0 / power))

let private mixture () = (noise 7 [ 2L; bins ]).abs().add 0.1
let private slopes () = noise 8 [ 2L; sources; bins ]

let private objective kind (outputs: torch.Tensor) =
    (Mask.apply kind (outputs.view (2L, sources, bins)) (mixture ()) * slopes ()).sum()

let private gradient kind (outputs: torch.Tensor) = (Grad.grad (objective kind) (outputs.view -1L)).view(2L, sources, bins)

/// The published gradient, element by element: the constant is left out of the quotient rule's numerator.
let private published power (outputs: torch.Tensor) =
    let d, x = slopes (), (mixture ()).unsqueeze -2L
    let parts = outputs.abs().pow(power: float)
    let sum = parts.sum (-2L, keepdim = true)
    let inner = if power = 1.0 then outputs.sign () else outputs.mul 2.0
    let below = sum.add Mask.epsilon
    inner * x * (d * sum - (d * parts).sum(-2L, keepdim = true)) / (below * below)

/// Central differences.
let private measured kind (outputs: torch.Tensor) =
    let flat = outputs.view -1L
    let step = 1e-5 * flat.abs().max().item<float>()

    let count = int (flat.numel ())

    let slope index : float =
        let unit = torch.tensor (Array.init count (fun other -> if other = index then step else 0.0))
        ((objective kind (flat .+ unit)).item<float>() - (objective kind (flat - unit)).item<float>()) / (2.0 * step)

    torch.tensor(Array.init count slope).view(2L, sources, bins)

let private kinds = [ "absolute", 1.0, Absolute, AbsoluteExact; "squared", 2.0, Squared, SquaredExact ]

[<Tests>]
let tests =
    testList
        "masks"
        [ for name, power, asPublished, exact in kinds do
              test $"{name}: one value, two gradients" {
                  Memory.plain (fun () ->
                      for seed in 1..5 do
                          let outputs = small power seed

                          let close expected (actual: torch.Tensor) =
                              difference actual expected / expected.abs().max().item<float>()

                          Expect.isLessThan
                              (abs (
                                  (objective asPublished outputs).item<float>() / (objective exact outputs).item<float>() - 1.0
                              ))
                              1e-12
                              "both kinds have the same value"

                          Expect.isLessThan
                              (gradient exact outputs |> close (measured exact outputs))
                              1e-6
                              "exact: finite differences"

                          Expect.isLessThan
                              (gradient asPublished outputs |> close (published power outputs))
                              1e-5
                              "the stated formula"

                          Expect.isGreaterThan
                              (gradient asPublished outputs |> close (gradient exact outputs))
                              1e-2
                              "they differ here"

                          let usual = noise seed [ 2L; sources; bins ]

                          Expect.isLessThan
                              (gradient asPublished usual |> close (gradient exact usual))
                              1e-5
                              "and hardly elsewhere")
              }

          for kind in [ Absolute; AbsoluteExact; Squared; SquaredExact; NoMask ] do
              test $"{kind}: outputs and a mixture that do not fit each other are refused" {
                  Memory.plain (fun () ->
                      let outputs = noise 1 [ 2L; sources; bins ]

                      let refuses words outputs mixture =
                          Scratch.refusesArgument ("mask" :: words) (fun () -> Mask.apply kind outputs mixture |> ignore)

                      refuses [ "[2, 4] of float64"; "[4] of float64" ] outputs (noise 1 [ bins ])
                      refuses [ "[1, 4]" ] outputs (noise 1 [ 1L; bins ])
                      refuses [ "[2, 4] of float64"; "[2, 4] of float32" ] outputs ((mixture ()).``to`` torch.float32)
                      refuses [ "[..., sources, bins]"; "[4] of float64" ] (noise 1 [ bins ]) (noise 1 [ bins ]))
              }

              test $"{kind} has a name in a model folder" {
                  let words = (Drnn.network { Drnn.huang2014 with Mask = kind }).Architecture
                  let read = Drnn.read (JsonSerializer.SerializeToElement words)
                  Expect.equal (string read.Architecture) (string words) "read and written"
              }

          test "a mixture that wants a gradient is refused where there is none" {
              Memory.plain (fun () ->
                  let outputs, wanting = noise 1 [ 2L; sources; bins ], (mixture ()).requires_grad_ true

                  for kind in [ Absolute; Squared ] do
                      Scratch.refusesArgument [ "gradient"; "exact" ] (fun () -> Mask.apply kind outputs wanting |> ignore)

                  for kind in [ AbsoluteExact; SquaredExact ] do
                      (Mask.apply kind outputs wanting).sum().backward()
                      Expect.isGreaterThan (wanting.grad.abs().max().item<float>()) 0.0 "the mixture has a gradient")
          }

          test "masks of what has no sources are refused" {
              Memory.plain (fun () ->
                  for mask in [ Mask.ratio; Mask.wiener; Mask.binary ] do
                      Scratch.refusesArgument [ "mask"; "[..., sources, bins]"; "[4]" ] (fun () ->
                          mask (noise 1 [ bins ]) |> ignore))
          } ]
