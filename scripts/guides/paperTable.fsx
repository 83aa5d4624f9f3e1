(**
---
title: A table for a paper
category: Guides
categoryindex: 1
index: 5
---
# A table for a paper

A table is a value: its rows, the claims that it is to settle, and the data that it is made on. One call turns it into a script
that trains what is missing, prints the table, and writes [a page that can be kept](losses-smoke.html). Stopped at any moment, it
goes on where it was.
*)
#load "../load.fsx"
(*** hide ***)
// fsdocs runs a guide in its own folder.
System.IO.Directory.SetCurrentDirectory(System.IO.Path.Combine(__SOURCE_DIRECTORY__, "..", ".."))
(** *)

open FunctionalSeparation
open FunctionalSeparation.Learning

(**
## The rows

Every row is a system and how its scores come about. A trained row has a recipe for each preset: `smoke` shows in seconds that
every part works; `brief`, `full`, `desk` and `paper` are for recordings.
*)
let recipe (loss: Loss) (preset: Preset) =
    let network = Drnn.network { Drnn.huang2014 with Hidden = [ 32; 32 ]; InputScale = 30.0 }
    let steps = Steps(if preset = Smoke then 10 else 4000)
    Recipe.create network loss (Optimiser.adam (Schedule.cosine 1e-3)) (Sampler.excerpts (ExcerptSettings.ofSize 50 4)) steps

let rows =
    [ Row.trained "squared error" (recipe Loss.squaredError)
      Row.trained "discriminative" (recipe (Loss.squaredError |> Loss.discriminative 0.05)) ]

(**
## Floor and ceiling

Every table shows what the mixture itself scores, and what a mask with the true sources does: figures mean little without them.
*)
let limits =
    [ Row.system "mixture" "nothing" (Evaluate.mixture FrontEnd.huang2014)
      Row.system "ideal ratio mask" "the true sources" (Evaluate.idealRatioMask FrontEnd.huang2014) ]

(**
## The table

A claim names pairs of rows, the better one first. The table says for each claim whether its figures agree.
*)
let table: Table =
    { Paper = "guides"
      Name = "losses"
      Title = "Two losses for one small network"
      Load = Mir1k.loadOrEmbedded
      Rows = rows @ limits
      Claims =
        [ { Text = "Any training beats the mixture"
            Pairs = [ ("squared error", "mixture"); ("discriminative", "mixture") ] } ] }

(**
## Run it

In a script of your own the first argument is `fsi.CommandLineArgs`, and then
`dotnet fsi table.fsx --preset brief --data MIR-1K --seeds 3` makes it on recordings, with three seeds a row; `--cell 1/4` makes a
quarter of the rows, for a job array. This page makes it on generated songs.
*)
Table.main [| "paperTable.fsx"; "--out"; "artifacts/guides" |] TablePage.save table
(*** include-output ***)

(**
Ten steps on generated songs say that the table works, not which loss is better. Every row keeps its provenance: recipe, seed,
commit, fingerprint of the data, versions, device and time.
*)
