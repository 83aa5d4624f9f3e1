/// Robust low-rank nonnegative matrix factorisation.
module FunctionalSeparation.Tests.RnmfTests

open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning

let private uniform low high seed (shape: int64 list) = Key.uniformTensor low high shape (Key.ofSeed seed)
let private relative (a: torch.Tensor) (b: torch.Tensor) = (a - b).norm().item<float>() / b.norm().item<float>()
let private isSame (a: torch.Tensor) (b: torch.Tensor) = (a - b).abs().max().item<float>() = 0.0
let private settings = { Sparsity = 0.5; Ridge = 0.1; Iterations = 50 }

/// Positive factors of rank 2 with strong bursts in a thirtieth of the bins.
let private planted seed =
    let dictionary = uniform 0.0 1.0 (seed + 1) [ 2L; 50L ]
    let music = (uniform 0.2 1.0 seed [ 60L; 2L ]).mm dictionary
    let isThere = (uniform 0.0 1.0 (seed + 2) [ 60L; 50L ]).lt(0.03).to_type torch.float64
    music, isThere * (uniform 4.0 8.0 (seed + 3) [ 60L; 50L ]), dictionary

[<Tests>]
let tests =
    testList
        "RNMF"
        [ testProperty "no update makes the objective grow, and all parts stay at least 0"
          <| fun (seed: int) ->
              Memory.plain (fun () ->
                  let x = (uniform 0.0 1.0 seed [ 12L; 9L ]).pow(4.0)
                  let mutable factors = Rnmf.start 3 (Key.ofSeed seed) x
                  let mutable last = Rnmf.objective settings x factors

                  for _ in 1..20 do
                      factors <- Rnmf.update settings x factors
                      let now = Rnmf.objective settings x factors
                      Expect.isLessThanOrEqual now (last * (1.0 + 1e-12)) "the objective does not grow"
                      last <- now

                  for part in Rnmf.tensors factors do
                      Expect.isGreaterThanOrEqual (part.min().item<float>()) 0.0 "at least 0")

          test "finds planted music and planted bursts, with and without the dictionary" {
              Memory.plain (fun () ->
                  let music, voice, dictionary = planted 7
                  let light = { Sparsity = 0.02; Ridge = 1e-3; Iterations = 3000 }

                  for name, found in
                      [ "unsupervised", Rnmf.decompose light 2 (Key.ofSeed 1) (music .+ voice)
                        "supervised", Rnmf.decomposeWith light dictionary (music .+ voice) ] do
                      Expect.isLessThan (relative found.MusicPart music) 0.05 $"{name}: the planted music is found"
                      Expect.isLessThan (relative found.VoicePart voice) 0.05 $"{name}: the planted bursts are the voice")
          }

          test "the level of the mixture does not matter" {
              Memory.plain (fun () ->
                  let music, voice, dictionary = planted 7

                  for name, decompose in
                      [ "unsupervised", Rnmf.decompose settings 2 (Key.ofSeed 1)
                        "supervised", Rnmf.decomposeWith settings dictionary ] do
                      let at (level: float) = (decompose ((music .+ voice).mul level)).VoicePart
                      Expect.isLessThan (relative (at 0.001) ((at 1.0).mul 0.001)) 1e-9 name)
          }

          test "the same key, the same parts; another key, others" {
              Memory.plain (fun () ->
                  let music, voice, _ = planted 7
                  let found seed = (Rnmf.decompose settings 3 (Key.ofSeed seed) (music .+ voice)).VoicePart
                  Expect.isTrue (isSame (found 1) (found 1)) "the same key gives the same parts"
                  Expect.isFalse (isSame (found 1) (found 2)) "another key gives other parts")
          } ]
