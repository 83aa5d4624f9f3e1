/// Robust principal component analysis on matrices whose parts are known.
module FunctionalSeparation.Tests.RpcaTests

open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning

let private uniform low high seed (shape: int64 list) = Key.uniformTensor low high shape (Key.ofSeed seed)
let private norm (x: torch.Tensor) = x.norm().item<float>()
let private relative (a: torch.Tensor) (b: torch.Tensor) = norm (a - b) / norm b

/// A matrix of rank 3 and one of which a twentieth is not zero, with signs: what theory says can be told apart.
let private planted seed =
    let lowRank = (uniform -1.0 1.0 seed [ 80L; 3L ]).mm(uniform -1.0 1.0 (seed + 1) [ 3L; 60L ])
    let isThere = (uniform 0.0 1.0 (seed + 2) [ 80L; 60L ]).lt(0.05).to_type torch.float64
    lowRank, isThere * (uniform -5.0 5.0 (seed + 3) [ 80L; 60L ])

[<Tests>]
let tests =
    testList
        "RPCA"
        [ for seed in [ 10; 20; 30 ] do
              test $"finds a planted low-rank and a planted sparse matrix, seed {seed}" {
                  Memory.plain (fun () ->
                      let lowRank, sparse = planted seed
                      let found = Rpca.decompose Rpca.huang2012 (lowRank .+ sparse)
                      Expect.isLessThan (relative found.MusicPart lowRank) 1e-4 "the planted low-rank matrix is found"
                      Expect.isLessThan (relative found.VoicePart sparse) 1e-4 "the planted sparse matrix is found")
              }

          test "the parts sum to the matrix within the tolerance, and scale with it" {
              Memory.plain (fun () ->
                  let magnitudes = uniform 0.0 1.0 1 [ 30L; 40L ]

                  for tolerance in [ 1e-3; 1e-6 ] do
                      let found = Rpca.decompose { Rpca.huang2012 with Tolerance = tolerance } magnitudes
                      Expect.isLessThan (relative (found.MusicPart .+ found.VoicePart) magnitudes) tolerance "the sum is right"

                  let found = Rpca.decompose Rpca.huang2012 magnitudes
                  let scaled = Rpca.decompose Rpca.huang2012 (magnitudes.mul 0.01)
                  Expect.isLessThan (relative scaled.VoicePart (found.VoicePart.mul 0.01)) 1e-6 "the voice part scales too")
          }

          test "a heavier l1 norm leaves less in the sparse part; a heavy weight keeps a bin out of it" {
              Memory.plain (fun () ->
                  let magnitudes = uniform 0.0 1.0 1 [ 30L; 40L ]

                  let sparse sparsity =
                      (Rpca.decompose { Rpca.huang2012 with Sparsity = sparsity } magnitudes).VoicePart.abs().sum().item<float>()

                  Expect.isGreaterThan (sparse 0.5) (sparse 1.0) "0.5 and 1"
                  Expect.isGreaterThan (sparse 1.0) (sparse 1.5) "1 and 1.5"
                  let weights = torch.ones_like magnitudes
                  weights.narrow(1L, 0L, 20L).fill_(100.0) |> ignore
                  let weighted = Rpca.decomposeWeighted Rpca.huang2012 weights magnitudes
                  Expect.isLessThan (norm (weighted.VoicePart.narrow (1L, 0L, 20L))) 1e-6 "heavy weights keep their bins out"
                  Expect.isGreaterThan (norm (weighted.VoicePart.narrow (1L, 20L, 20L))) 0.1 "the others are not")
          }

          test "silence gives silence" {
              Memory.plain (fun () ->
                  let found = Rpca.decompose Rpca.huang2012 (torch.zeros (5L, 7L))
                  Expect.equal (norm found.MusicPart + norm found.VoicePart) 0.0 "both parts of silence are zero")
          } ]
