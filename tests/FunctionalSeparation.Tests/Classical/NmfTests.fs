/// Nonnegative matrix factorisation.
module FunctionalSeparation.Tests.NmfTests

open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning

let private positive seed (shape: int64 list) = Key.uniformTensor 0.05 1.0 shape (Key.ofSeed seed)
let private relative (a: torch.Tensor) (b: torch.Tensor) = (a - b).norm().item<float>() / b.norm().item<float>()
let private isSame (a: torch.Tensor) (b: torch.Tensor) = (a - b).abs().max().item<float>() = 0.0
let private kinds = [ Divergence.Euclidean; Divergence.KullbackLeibler ]

[<Tests>]
let tests =
    testList
        "NMF"
        [ for kind in kinds do
              testProperty $"{kind}: no update makes the divergence grow, and factors stay at least 0"
              <| fun (seed: int) ->
                  Memory.plain (fun () ->
                      let x = positive seed [ 9L; 7L ]
                      let mutable h, w = positive (seed + 1) [ 9L; 3L ], positive (seed + 2) [ 3L; 7L ]
                      let mutable last = Nmf.divergence kind w h x

                      let check label =
                          let now = Nmf.divergence kind w h x
                          Expect.isLessThanOrEqual now (last * (1.0 + 1e-12)) label
                          last <- now

                      for _ in 1..10 do
                          h <- Nmf.updateActivations kind w x h
                          check "the activations do not make the divergence grow"
                          w <- Nmf.updateDictionary kind h x w
                          check "the dictionary does not make the divergence grow"

                      Expect.isGreaterThanOrEqual (min (h.min().item<float>()) (w.min().item<float>())) 0.0 "at least 0")

              test $"{kind}: a product of positive factors is found again" {
                  Memory.plain (fun () ->
                      let x = (positive 1 [ 40L; 2L ]).mm(positive 2 [ 2L; 20L ])
                      let atoms = Nmf.learn kind 2 2000 (Key.ofSeed 3) x
                      let activations = Nmf.encode kind 2000 atoms x
                      Expect.isLessThan (relative (activations.mm atoms) x) 1e-3 "the product of the factors is the matrix"
                      let lengths = atoms.squared().sum(1L).sqrt()
                      Expect.isLessThan (lengths.sub(1.0).abs().max().item<float>()) 1e-9 "every atom has a length of one")
              }

          test "the divergences are those of their formulas" {
              Memory.plain (fun () ->
                  let one (value: float) = torch.tensor([| value |]).view(1L, 1L)
                  let divergence kind = Nmf.divergence kind (one 2.0) (one 1.0) (one 3.0)
                  Expect.floatClose Accuracy.high (divergence Divergence.Euclidean) 0.5 "1/2 (3 - 2)^2"
                  Expect.floatClose Accuracy.high (divergence Divergence.KullbackLeibler) (3.0 * log 1.5 - 1.0) "3 log(3/2) - 1")
          }

          test "silence gives finite numbers" {
              Memory.plain (fun () ->
                  let x = torch.zeros (6L, 5L)

                  for kind in kinds do
                      let atoms = Nmf.learn kind 2 5 (Key.ofSeed 1) x
                      Expect.isTrue ((Nmf.encode kind 5 atoms x).isfinite().all().item<bool>()) $"{kind}: numbers are finite")
          }

          test "the same key, the same atoms; another key, others" {
              Memory.plain (fun () ->
                  let x = positive 1 [ 20L; 10L ]
                  let learn seed = Nmf.learn Divergence.KullbackLeibler 3 10 (Key.ofSeed seed) x
                  Expect.isTrue (isSame (learn 1) (learn 1)) "the same key learns the same atoms"
                  Expect.isFalse (isSame (learn 1) (learn 2)) "another key learns other atoms")
          } ]
