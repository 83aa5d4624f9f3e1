/// Proximal operators against their definitions.
module FunctionalSeparation.Tests.ShrinkageTests

open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning

let private noise seed (shape: int64 list) = Key.uniformTensor -1.0 1.0 shape (Key.ofSeed seed)
let private difference (a: torch.Tensor) (b: torch.Tensor) = (a - b).abs().max().item<float>()
let private singular (matrix: torch.Tensor) = torch.linalg.svdvals matrix

/// U max(s - threshold, 0) V' by the library's own singular value decomposition.
let private bySvd (threshold: float) (matrix: torch.Tensor) =
    let struct (u, s, v) = torch.linalg.svd (matrix, fullMatrices = false)
    (u * s.sub(threshold).clamp_min(0.0)).mm v

let private shapes = [ [ 9L; 5L ]; [ 5L; 9L ]; [ 7L; 7L ]; [ 1L; 6L ] ]

[<Tests>]
let tests =
    testList
        "shrinkage"
        [ testProperty "soft threshold: towards zero by the threshold, and there it stops"
          <| fun (seed: int) ->
              Memory.plain (fun () ->
                  let x = noise seed [ 6L; 4L ]
                  let y = Shrinkage.soft 0.3 x
                  let lost = (x - y) * x.sign ()
                  Expect.isLessThan (difference lost (x.abs().clamp_max(0.3))) 1e-15 "what is taken away"
                  Expect.isGreaterThanOrEqual ((x * y).min().item<float>()) 0.0 "no sign changes")

          testProperty "two soft thresholds are one of their sum; it is odd and scales"
          <| fun (seed: int) ->
              Memory.plain (fun () ->
                  let x = noise seed [ 6L; 4L ]
                  let soft = Shrinkage.soft
                  Expect.isLessThan (difference (soft 0.2 (soft 0.1 x)) (soft 0.3 x)) 1e-15 "their sum does the same at once"
                  Expect.isLessThan (difference (soft 0.2 -x) -(soft 0.2 x)) 1e-15 "the threshold is an odd function"
                  Expect.isLessThan (difference (soft 0.6 (x.mul 3.0)) ((soft 0.2 x).mul 3.0)) 1e-15 "it scales as its input")

          for shape in shapes do
              testProperty $"singular values shrink as their decomposition says: {shape}"
              <| fun (seed: int) ->
                  Memory.plain (fun () ->
                      let x = noise seed shape

                      for threshold in [ 0.0; 0.4; 1.5; 100.0 ] do
                          Expect.isLessThan
                              (difference (Shrinkage.singularValues threshold x) (bySvd threshold x))
                              1e-7
                              $"the values shrink by the threshold {threshold}")

          testProperty "singular value threshold is optimal: the rest is a subgradient of the nuclear norm"
          <| fun (seed: int) ->
              Memory.plain (fun () ->
                  let x, threshold = noise seed [ 8L; 6L ], 0.5
                  let y = Shrinkage.singularValues threshold x
                  let slope = (x - y).div threshold
                  Expect.isLessThan ((singular slope).max().item<float>()) (1.0 + 1e-9) "spectral norm at most 1"

                  Expect.isLessThan
                      (abs ((slope * y).sum().item<float>() - (singular y).sum().item<float>()))
                      1e-9
                      "its product with the result is the nuclear norm")

          testProperty "the spectral norm is the largest singular value"
          <| fun (seed: int) ->
              Memory.plain (fun () ->
                  for shape in shapes do
                      let x = noise seed shape
                      Expect.floatClose Accuracy.high (Shrinkage.spectralNorm x) ((singular x).max().item<float>()) $"{shape}") ]
