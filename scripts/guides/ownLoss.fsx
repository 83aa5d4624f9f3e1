(**
---
title: A loss and an optimiser of your own
category: Guides
categoryindex: 1
index: 3
---
# A loss and an optimiser of your own

Whatever decides a run has an identity, a name and numbers. Runs, tables and model folders are told apart by it. So a loss or an
optimiser of your own needs no registration, only a name.
*)
#load "../load.fsx"

open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning

(**
## A loss

A loss is a function of estimates and references. `Loss.onMagnitudes` gives it magnitudes,
`[batch, sources, channels, time, bins]`; `Loss.onSpectra` and `Loss.onWaveforms` give the other views of the same estimates. Its
result is a scalar tensor.

With `open FunctionalSeparation`, libtorch's names take plain numbers, and the sum of two tensors is `a .+ b`. TorchSharp's own
`a + b` and `2.0 * a` free a number that libtorch may still read.
*)
let compressed (power: float) =
    let squash (magnitude: torch.Tensor) = magnitude.add(1e-6).pow power

    Loss.onMagnitudes $"squared error of magnitudes to the power {power}" (fun estimate reference ->
        (squash estimate - squash reference).squared().mean())

(**
Losses compose, and so do their identities.
*)
let loss = Loss.add (compressed 0.3) (Loss.meanSquaredError |> Loss.scale 0.1)

printfn $"{Id.text loss.Id}"
(*** include-output ***)

(**
## An optimiser

An optimiser is a pure function from gradient, state and parameters to an update and a new state. `Transform.remembering` is
enough for one that keeps a vector. This is Lion (Chen et al. 2023): steps of one size, along the sign of the gradient mixed with
its average. `Optimiser.descend` adds a rate over the run, here half a cosine down to zero.
*)
let sign (rate: float) =
    let mixed (decay: float) (gradient: torch.Tensor) (average: torch.Tensor) = average.mul(decay).add(gradient, 1.0 - decay)

    Transform.remembering (Id.named "Lion") "average" (fun gradient average ->
        struct ((mixed 0.9 gradient average).sign(), mixed 0.99 gradient average))
    |> Optimiser.descend (Schedule.cosine rate)

(**
## A recipe

A recipe is all that decides a run: network, loss, optimiser, sampler, length and seed. The identities of its parts tell it from
every other.
*)
let network = Drnn.network { Drnn.huang2014 with Hidden = [ 32 ]; Recurrence = FeedForward; InputScale = 30.0 }
let recipe optimiser = Recipe.create network loss optimiser (Sampler.excerpts (ExcerptSettings.ofSize 32 4)) (Steps 20)

printfn $"{Recipe.plan (recipe (sign 1e-3))}"
(*** include-output ***)

(**
## Two optimisers side by side

`Recipe.task` gives the training of a recipe on some clips, and `Train.states` walks it: a sequence of states, one a step. Nothing
is hidden in a loop, so a training curve is a `Seq.map`.
*)
let clips =
    [ for number in 1..3 ->
          let song = Synthetic.song 4.0 $"song {number}" (Key.ofSeed number)
          Clip.create song.Name 16000 1 Stems.musicAndVoice (fun () -> song.Stems) ]

let curve (recipe: Recipe) =
    let task = Recipe.task torch.CPU clips recipe
    let start = Recipe.init torch.CPU recipe
    Train.states task (Train.start task start.Vector) |> Seq.map _.Value |> List.ofSeq

for name, optimiser in [ "Lion", sign 1e-3; "Adam", Optimiser.adam (Schedule.cosine 1e-3) ] do
    let values = curve (recipe optimiser)
    printfn $"{name}: {values.Head:F4} at the first step, {List.average (List.skip 15 values):F4} over the last five"
(*** include-output ***)

(**
`Run.train` does the same in a folder, with log, checkpoints and a model to keep; `scripts/own.fsx` shows it.
*)
