/// What tells runs apart: the descriptions that the closed recipes had, written by the code before networks, losses and learning
/// became open (0bd4c17). Where they stay, checkpoints and finished rows of tables go on.
module FunctionalSeparation.Tests.IdentityTests

open System.IO
open Expecto
open FunctionalSeparation

let private brief = DrnnRecipe.brief

let private gated =
    { brief with
        Network = { brief.Network with Neuron = Gated; Recurrence = RecurrentAt 2; Output = ReluOutput; Mask = SquaredExact }
        Loss = Loss.meanSquaredError
        Gamma = 0.0
        Seed = 3 }

let private miniBatches =
    { DrnnRecipe.paper with
        Plan = MiniBatches { ShiftStep = Some 10000; Passes = 2; Iterations = 10; Clipping = ClipNorm 5.0 }
        Selection = Selection.lastStep }

let private sequences (excerpts: ExcerptSettings) =
    { excerpts with Sequence = Some 10; Rotation = ShiftStep(Some 100); GainRange = 6.0 }

let private recipes =
    [ "paper", DrnnRecipe.paper
      "desk", DrnnRecipe.desk
      "brief", brief
      "smoke", DrnnRecipe.smoke
      "kl", brief |> DrnnRecipe.withLoss Loss.kullbackLeibler |> DrnnRecipe.withGamma 0.0
      "two-stage", brief |> DrnnRecipe.withMask NoMask
      "bfloat16", DrnnRecipe.desk |> DrnnRecipe.withPrecision Precision.Bfloat16
      "mfcc", { brief with Network = { brief.Network with Features = Mfcc; InputScale = 0.03 } }
      "gru", gated
      "mini", miniBatches
      "sequences", brief |> DrnnRecipe.withExcerpts sequences ]

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
                  let recipe = DrnnRecipe.toRecipe recipe
                  Expect.equal (Recipe.title recipe, (Recipe.toJson recipe).ToJsonString()) written.Value[name] "as written"
              }

          test "another mixing, effect or accompaniment is another run" {
              let text recipe = (Recipe.toJson recipe).ToJsonString()
              let plain = DrnnRecipe.toRecipe brief
              let changed = DrnnRecipe.withExcerpts (fun excerpts -> { excerpts with Effects = [ Effect.polarity ] }) brief
              let fuller = DrnnRecipe.withExcerpts (fun excerpts -> { excerpts with SecondCompany = 0.5 }) brief
              let all = [ plain; { plain with Mixing = Mixing.plain }; DrnnRecipe.toRecipe changed; DrnnRecipe.toRecipe fuller ]
              Expect.hasLength (all |> List.map text |> List.distinct) all.Length "told apart"
          } ]
