/// Identities of runs. The expected titles and descriptions come from the code before networks, losses and optimisers became open
/// (0bd4c17). While they stay unchanged, checkpoints and finished rows of tables remain usable.
module FunctionalSeparation.Tests.IdentityTests

open System.IO
open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning

let private recipe preset network = Huang2014.recipe preset network Huang2014.loss
let private brief = Huang2014.network Brief

let private gated =
    let network = { brief with Neuron = Gated; Recurrence = RecurrentAt 2; Output = ReluOutput; Mask = SquaredExact }

    { Huang2014.recipe Brief network Loss.meanSquaredError with Seed = 3 }

let private miniBatches =
    let optimiser = Lbfgs.minFunc 10 |> Optimiser.clipped (Transform.clipNorm 5.0) |> Optimiser.restarted 10
    Recipe.create (Drnn.network Drnn.huang2014) Huang2014.loss optimiser (Sampler.rotations (Some 10000) 10) (Epochs 2)

let private smoke =
    Recipe.create
        (Drnn.network { brief with Hidden = [ 150; 150 ] })
        Huang2014.loss
        (Optimiser.adam (Schedule.cosine 1e-3))
        (Sampler.excerpts { ExcerptSettings.ofSize 50 8 with OtherSong = 0.5 })
        (Epochs 8)

let private sequences (excerpts: ExcerptSettings) =
    { excerpts with Sequence = Some 10; Rotation = ShiftStep(Some 100); GainRange = 6.0 }

let private recipes =
    [ "paper", recipe Paper Drnn.huang2014
      "desk", recipe Desk Drnn.huang2014
      "brief", recipe Brief brief
      "smoke", smoke
      "kl", Huang2014.recipe Brief { brief with Mask = AbsoluteExact } Loss.kullbackLeibler
      "two-stage", recipe Brief { brief with Mask = NoMask }
      "bfloat16", { recipe Desk Drnn.huang2014 with Precision = Precision.Bfloat16 }
      "mfcc", recipe Brief { brief with Features = Mfcc; InputScale = 0.03 }
      "gru", gated
      "mini", miniBatches
      "sequences", Huang2014.recipeOn sequences Brief brief Huang2014.loss ]

let private written =
    lazy
        (File.ReadAllLines(Path.Combine(__SOURCE_DIRECTORY__, "identities.tsv"))
         |> Array.map (fun line ->
             let cells = line.Split '\t'
             cells[0], (cells[1], cells[2]))
         |> Map.ofArray)

[<Tests>]
let tests =
    testList
        "identities"
        [ for name, recipe in recipes do
              test $"{name}: title and description are as they were" {
                  Expect.equal (Recipe.title recipe, (Recipe.toJson recipe).ToJsonString()) written.Value[name] "is as written"
              }

          // A seed and a step say what is heard: sums over frames and bins that the code before (0bd4c17) drew for the same key,
          // but for the rounding to 16 bits since then.
          test "excerpts, their company, speeds and gains are drawn as they were" {
              Memory.plain (fun () ->
                  let settings =
                      { ExcerptSettings.ofSize 12 3 with OtherSong = 0.5; GainRange = 6.0; Speeds = [ 0.8; 1.0; 1.25 ] }

                  let network = Drnn.network { Drnn.huang2014 with Context = 3 }
                  let feed = Feed.excerpts network Scratch.magnitudes settings torch.CPU (Corpus.embedded 3).Train
                  let batch = feed.Batch (Key.ofSeed 5) 7
                  let sums (axes: int64[]) (x: torch.Tensor) = x.sum(axes).to_type(torch.float64).data<float>().ToArray()

                  let drawn =
                      Array.append
                          (sums [| 0L; 3L; 4L |] (Scratch.references batch))
                          (sums [| 0L; 2L; 3L |] (Scratch.mixtures batch))

                  let before = [| 53.67075729; 61.33537292; 80.45128632; 121.0125122; 94.77996826; 20.81991196 |]
                  let mixtures = [| 125.7098465; 216.40979; 124.1608429 |]

                  for was, is in Array.zip (Array.append before mixtures) drawn do
                      Expect.isLessThan (abs (is - was) / was) 5e-5 $"{is}, was {was}")
          }

          test "L-BFGS with other settings, or another period, is another run" {
              let plan (optimiser: Optimiser) (sampler: Sampler) length = IdText.plan optimiser.Id length sampler.Id
              let whole, rotations = Sampler.wholeClips None, Sampler.rotations None 10
              let lbfgs change = Lbfgs.create (change { Lbfgs.defaults with MaxIterations = 10 })
              let restarted period = Optimiser.restarted period (lbfgs id)

              let all =
                  [ plan (lbfgs id) whole (Steps 10)
                    plan (lbfgs (fun settings -> { settings with Memory = 5 })) whole (Steps 10)
                    plan (lbfgs (fun settings -> { settings with MaxIterations = 20 })) whole (Steps 10)
                    plan (lbfgs (fun settings -> { settings with OptTol = 1e-3 })) whole (Steps 10)
                    plan (restarted 10) rotations (Epochs 2)
                    plan (restarted 5) rotations (Epochs 2)
                    plan (Optimiser.restarted 10 (Optimiser.adam (Schedule.cosine 1e-3))) rotations (Epochs 2) ]

              Expect.hasLength (List.distinct all) all.Length "no two optimisers have one identity"
              Expect.equal all[0] "L-BFGS, 10 iterations, shift none" "the papers' settings have the released text"
          }

          test "another mixing, effect or accompaniment is another run" {
              let text recipe = (Recipe.toJson recipe).ToJsonString()
              let plain = recipe Brief brief
              let changed change = Huang2014.recipeOn change Brief brief Huang2014.loss
              let polarity = changed (fun excerpts -> { excerpts with Effects = [ Effect.polarity ] })
              let fuller = changed (fun excerpts -> { excerpts with SecondAccompaniment = 0.5 })
              let all = [ plain; { plain with Mixing = Mixing.plain }; polarity; fuller ]
              Expect.hasLength (all |> List.map text |> List.distinct) all.Length "each change makes another run"
          } ]
