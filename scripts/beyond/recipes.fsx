// Varies the recipe of the U-Nets without touching a test clip: each row is trained on one of the two training singers and scored on
// the other. Presets: smoke; brief, 1500 steps, about a quarter of an hour a row on one thread; desk, four times as long; paper, 40 times.
//   dotnet fsi scripts/beyond/recipes.fsx --preset brief --data MIR-1K
#load "start.fsx"

open FunctionalSeparation
open Start

/// Name, rule and excerpts of each.
let variants =
    [ "as it is", adamW, excerpts
      "Muon 0.002", muon 0.002, excerpts
      "Muon 0.005", muon 0.005, excerpts
      "formants", adamW, { excerpts with LeadEffects = [ Effect.formants 1.25 ] } ]

let steps =
    function
    | Smoke -> 110
    | Brief -> 1500
    | Full -> 3000
    | Desk -> 6000
    | Paper -> 60000

let make rule excerpts preset =
    if preset = Smoke then
        smoke UNet.small rule excerpts
    else
        recipe UNet.small rule excerpts (steps preset)

/// The singer held out, or one of those that there are.
let without singer (corpus: Corpus) =
    let singers = corpus.Train |> List.map _.Singer |> List.distinct
    Corpus.heldOut (if List.contains singer singers then singer else singers.Head) corpus

{ Paper = "beyond"
  Name = "recipes"
  Title = "Recipes, each scored on the singer named, who is held out of its training"
  Load = Mir1k.loadOrEmbedded
  Cells =
    [ for name, rule, excerpts in variants do
          for singer in [ "abjones"; "amy" ] do
              Cell.trained $"{name}, {singer}" (make rule excerpts) |> Cell.onCorpus $"{singer} held out" (without singer) ]
  Claims = [] }
|> Table.main fsi.CommandLineArgs TablePage.save
