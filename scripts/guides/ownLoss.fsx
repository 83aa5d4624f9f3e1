(**
---
title: A loss and an optimiser of your own
category: Guides
categoryindex: 1
index: 3
---
# A loss and an optimiser of your own

Whatever decides a run carries words that tell it from others: they become part of the identity of the run, of its tables and of its
model folder. So a loss or a rule of your own needs no registration, only a name.
*)
#load "../load.fsx"

open TorchSharp
open FunctionalSeparation

(**
## A loss

A loss is a function of estimates and references. `Loss.onMagnitudes` gives it magnitudes, `[batch, sources, channels, time, bins]`;
`Loss.onSpectra` and `Loss.onWaveforms` give the other views of the same estimates. Its result is a scalar tensor.

With `open FunctionalSeparation`, libtorch's names take plain numbers, and the sum of two tensors is `a .+ b`. TorchSharp's own
`a + b` and `2.0 * a` free a number that libtorch may still read.
*)
let compressed (power: float) =
    let squash (magnitude: torch.Tensor) = magnitude.add(1e-6).pow power

    Loss.onMagnitudes $"squared error of magnitudes to the power {power}" (fun estimate reference ->
        (squash estimate - squash reference).squared().mean())

(**
Losses compose, and so do their words.
*)
let loss = Loss.add (compressed 0.3) (Loss.meanSquaredError |> Loss.scale 0.1)

printfn $"{Loss.inWords loss}"
(*** include-output ***)

(**
## An optimiser

An optimiser is a pure function from gradient, state and parameters to an update and a new state. `Optim.remembering` is enough for one
that keeps a vector. This is Lion (Chen et al. 2023): steps of one size, along the sign of the gradient mixed with its average.
`Rule.descend` adds a rate over the run, here half a cosine down to zero.
*)
let sign (rate: float) =
    let mixed (decay: float) (gradient: torch.Tensor) (average: torch.Tensor) = average.mul(decay).add(gradient, 1.0 - decay)

    Optim.remembering "lion" "average" (fun gradient average ->
        struct ((mixed 0.9 gradient average).sign(), mixed 0.99 gradient average))
    |> Rule.descend $"Lion {rate}" (Rule.cosine rate)

(**
## A recipe

A recipe is all that decides a run: network, loss, learning, seed. The words of its parts tell it from every other.
*)
let network = Drnn.network { Drnn.huang2014 with Hidden = [ 32 ]; Recurrence = FeedForward; InputScale = 30.0 }
let learning rule = Learning.create rule (Steps 20) (Learning.excerpts (ExcerptSettings.ofSize 32 4))
let recipe rule = Recipe.create network loss (learning rule)

printfn $"{(recipe (sign 1e-3)).Learning.Words}"
(*** include-output ***)

(**
## Two rules side by side

`Learning.Begin` gives the course of a run on some clips, and `Train.states` walks it: a sequence of states, one a step. Nothing is
hidden in a loop, so a training curve is a `Seq.map`.
*)
let clips =
    [ for number in 1..3 ->
          let song = Synthetic.song 4.0 $"song {number}" (Key.ofSeed number)
          Clip.create song.Name 16000 1 Stems.musicAndVoice (fun () -> song.Stems) ]

let curve (recipe: Recipe) =
    let batches = BatchSpec.create recipe.Network recipe.Loss recipe.Mixing
    let key = Key.ofSeed recipe.Seed

    let course =
        recipe.Learning.Begin
            { Network = recipe.Network; Batches = batches; Clips = clips; Device = torch.CPU; Key = Key.fold 0 key }

    let task =
        { Layout = Network.layout recipe.Network
          Loss = Batch.loss (Network.model recipe.Network) recipe.Loss
          Optimiser = course.Optimiser
          Feed = course.Feed
          Key = Key.fold 1 key }

    let start = Params.start task.Layout torch.float32 torch.CPU (Key.fold 2 key)
    Train.states task course.Steps (Train.start task start.Vector) |> Seq.map _.Value |> List.ofSeq

for name, rule in [ "Lion", sign 1e-3; "Adam", Rule.adam 1e-3 ] do
    let values = curve (recipe rule)
    printfn $"{name}: {values.Head:F4} at the first step, {List.average (List.skip 15 values):F4} over the last five"
(*** include-output ***)

(**
`TrainingRun.run` does the same in a folder, with log, checkpoints and a model to keep; `scripts/own.fsx` shows it.
*)
