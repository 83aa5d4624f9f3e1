(**
---
title: A layer of your own
category: Guides
categoryindex: 1
index: 2
---
# A layer of your own

A network is a pure function of its weights and its input. Layers are small models that are joined by `-->`, and a layer of your
own is one record: a name, the weights it wants, and what it does with them.
*)
#load "../load.fsx"

open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning

(**
## The layer

This one weighs every frequency bin by a gain that is learnt. It works on images, `[batch, channels, time, bins]`. `Activations`
travel from layer to layer: a value, and the mode in which the network runs. `Activations.map` changes the value alone.
*)
let binGain (bins: int) : Model<Activations, Activations> =
    { Name = $"bin gain {bins}"
      Layout = [ { Name = "gain"; Shape = [ int64 bins ]; Init = Constant 1.0 } ]
      Apply = fun weights flow -> flow |> Activations.map (fun image -> image * weights.Head) }

(**
## Try it

`Model.init` makes the starting weights, all in one vector. The same key always gives the same weights. At first each gain is 1,
so the layer changes nothing.
*)
let layer = binGain 3
let weights = Model.init torch.float32 torch.CPU (Key.ofSeed 0) layer
let image = Key.uniformTensor 0.0 1.0 [ 1L; 1L; 2L; 3L ] (Key.ofSeed 1)
let same = (Model.apply layer weights (Activations.ofImages image)).Value.allclose image

printfn $"{layer.Name}: {Layout.total layer.Layout} weights; unchanged: {same}"
(*** include-output ***)

(**
Its gradient comes from libtorch. `Grad.valueAndGrad` differentiates any function of a vector.
*)
let struct (value, gradient) =
    weights.Vector
    |> Grad.valueAndGrad (fun vector ->
        (Model.apply layer (Params.create layer.Layout vector) (Activations.ofImages image)).Value.sum())

let perBin = [ for x in gradient.data<float32>().ToArray() -> System.Math.Round(float x, 2) ]
printfn $"sum {value:F3}, gradient {perBin}"
(*** include-output ***)

(**
## Put it into a network

A family says how a network is made of its settings. `NetworkPlan.ratioMask (1, 1)` says the rest: it reads magnitudes, its
outputs become masks, and it looks one frame back and ahead. So songs are separated in pieces, whatever the network is made of.
*)
let weighing =
    Family.define "weighing" (fun (settings: {| Channels: int |}) spec ->
        binGain spec.FrontEnd.Stft.Bins
        --> Conv.layer 3 spec.Channels settings.Channels
        --> Layer.activation Relu
        --> Conv.layer 1 settings.Channels (spec.Channels * spec.Sources.Length)
        |> NetworkPlan.ratioMask (1, 1))

let network =
    weighing.Network {| Channels = 4 |} { FrontEnd = FrontEnd.create 16000 512 256; Channels = 1; Sources = Stems.musicAndVoice }

for weight in Network.layout network do
    printfn $"""{weight.Name}: {weight.Shape |> List.map string |> String.concat " x "}"""
(*** include-output ***)

(**
## Train it for a moment

The next guide is about losses and optimisers. Here both are ready-made, and twenty steps show that the gains learn.
*)
let clips =
    [ for number in 1..3 ->
          let song = Synthetic.song 4.0 $"song {number}" (Key.ofSeed number)
          Clip.create song.Name 16000 1 Stems.musicAndVoice (fun () -> song.Stems) ]

let recipe =
    { Recipe.create
          network
          Loss.meanSquaredError
          (Optimiser.adam (Schedule.constant 1e-2))
          (Sampler.excerpts (ExcerptSettings.ofSize 32 4))
          (Steps 20) with
        Mixing = Mixing.plain }

let task, start = Recipe.task torch.CPU clips recipe, Recipe.init torch.CPU recipe
let last = Train.states task (Train.start task start.Vector) |> Seq.last
let learnt = Params.create task.Layout last.Parameters |> Params.named |> Map.ofList
let gains = learnt["gain"].data<float32>().ToArray()

printfn $"after {last.Step} steps the gains lie between {Array.min gains:F2} and {Array.max gains:F2}"
(*** include-output ***)
