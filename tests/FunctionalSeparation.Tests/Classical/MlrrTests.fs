/// Multiple low-rank representation on data whose parts are known.
module FunctionalSeparation.Tests.MlrrTests

open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning

let private uniform low high seed (shape: int64 list) = Key.uniformTensor low high shape (Key.ofSeed seed)
let private relative (a: torch.Tensor) (b: torch.Tensor) = (a - b).norm().item<float>() / b.norm().item<float>()

/// The l1 norm weighs enough that nothing which a dictionary can explain passes for a burst.
let private settings = { VoiceRank = 1.0; Sparsity = 10.0; Tolerance = 1e-7; Iterations = 500 }

let private dictionaries () =
    { OfMusic = Nmf.unitAtoms (uniform 0.0 1.0 1 [ 6L; 60L ])
      OfVoice = Nmf.unitAtoms (uniform 0.0 1.0 2 [ 5L; 60L ]) }

/// Representations of rank 2 over each dictionary.
let private planted (dictionaries: Dictionaries) =
    let z rows seed = (uniform -1.0 1.0 seed [ 80L; 2L ]).mm(uniform -1.0 1.0 (seed + 1) [ 2L; rows ])
    (z 6L 11).mm dictionaries.OfMusic, (z 5L 21).mm dictionaries.OfVoice

let private agrees (music: torch.Tensor) (voice: torch.Tensor) (found: Decomposition) =
    Expect.isLessThan (relative found.MusicPart music) 1e-3 "the music is the planted one"
    Expect.isLessThan (relative found.VoicePart voice) 1e-3 "the voice is the planted one"

[<Tests>]
let tests =
    testList
        "MLRR"
        [ test "finds what each dictionary gave" {
              Memory.plain (fun () ->
                  let dictionaries = dictionaries ()
                  let music, voice = planted dictionaries
                  Mlrr.decompose settings dictionaries (music .+ voice) |> agrees music voice)
          }

          test "finds it beneath bursts" {
              Memory.plain (fun () ->
                  let dictionaries = dictionaries ()
                  let music, voice = planted dictionaries
                  let isThere = (uniform 0.0 1.0 31 [ 80L; 60L ]).lt(0.03).to_type torch.float64
                  let bursts = isThere * uniform -3.0 3.0 32 [ 80L; 60L ]
                  Mlrr.decompose settings dictionaries (music .+ voice .+ bursts) |> agrees music voice)
          }

          test "a dear voice leaves all to the music that the music can explain" {
              Memory.plain (fun () ->
                  let dictionaries = dictionaries ()
                  let music, _ = planted dictionaries
                  let same = { dictionaries with OfVoice = dictionaries.OfMusic }
                  let found = Mlrr.decompose { settings with VoiceRank = 5.0 } same music
                  Expect.isLessThan (relative found.MusicPart music) 1e-3 "the music takes all it can explain"
                  Expect.isLessThan (found.VoicePart.norm().item<float>() / music.norm().item<float>()) 1e-3 "nothing is left")
          }

          test "silence gives silence" {
              Memory.plain (fun () ->
                  let found = Mlrr.decompose settings (dictionaries ()) (torch.zeros (9L, 60L))

                  Expect.equal
                      (found.MusicPart.abs().sum().item<float>() + found.VoicePart.abs().sum().item<float>())
                      0.0
                      "both parts of silence are zero")
          } ]
