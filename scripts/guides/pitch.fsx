(**
---
title: Deep learning without separation
category: Guides
categoryindex: 1
index: 7
---
# The pitch of a note from its spectrum

`FunctionalSeparation.Learning` is functional deep learning on TorchSharp, and it knows nothing of sound. This guide uses nothing
else: it trains a network that hears which of 24 semitones a note has, stops in the middle, and goes on from a file.
*)
#load "../load.fsx"

open System
open TorchSharp
open FunctionalSeparation.Learning

(**
## Data are functions of keys

A key stands for randomness: the same key always draws the same notes. A note has ten partials, each of them as loud as chance has
it.
*)
let semitones, samples, rate = 24, 1024, 4000.0

let note (semitone: int) (key: Key) =
    let loudness = Key.uniforms 10 (Key.fold 0 key)
    let hertz = 110.0 * 2.0 ** ((float semitone + 0.5 * Key.uniform (Key.fold 1 key)) / 12.0)
    let partial n number = loudness[number] * sin (2.0 * Math.PI * hertz * float (number + 1) * float n / rate)
    Array.init samples (fun n -> float32 (Seq.sumBy (partial n) [ 0..9 ]))

/// Log spectra [1, 32, 513], and their semitones [32].
let notes (key: Key) =
    let pitches = [| for index in 0..31 -> Key.integer 0 semitones (Key.fold index key) |]

    let sounds =
        torch.stack [| for index in 0..31 -> torch.tensor (note pitches[index] (Key.fold (100 + index) key)) |]

    (torch.fft.rfft sounds).abs().log1p().unsqueeze 0L, torch.tensor (Array.map int64 pitches)

(**
## A model is a function of one vector

`-->` puts layers behind each other. The weights of all of them are one vector, drawn from a key.
*)
let network = Layer.dense Relu 513 64 --> Layer.linear 64 semitones

let logits parameters spectra = (Model.apply network parameters (Activations.ofFrames spectra)).Value.squeeze 0L

(**
## Training is a fold

A task says what is minimised, on which batches, and how the parameters move. `Train.states` is the sequence of states that it
passes.
*)
let task =
    { Layout = network.Layout
      Loss = fun _ (spectra, pitches) parameters -> torch.nn.functional.cross_entropy (logits parameters spectra, pitches)
      Optimiser = Optimiser.adam (Schedule.cosine 0.01)
      Steps = 300
      Feed = fun step -> [ notes (Key.fold step (Key.ofSeed 1)) ]
      Key = Key.ofSeed 2 }

let start = Model.init torch.float32 torch.CPU (Key.ofSeed 0) network
let half = Train.states task (Train.start task start.Vector) |> Seq.truncate 150 |> Seq.last

(**
## A state is a file

A run that goes on from the file ends with the same bits as one that was never stopped.
*)
let file = IO.Path.Combine(IO.Path.GetTempPath(), "pitch.safetensors")
Safetensors.save file (TrainState.toFile half)
let last = TrainState.ofFile torch.CPU (Safetensors.load file) |> Train.states task |> Seq.last

let spectra, pitches = notes (Key.ofSeed 3)
let heard = (logits (Params.create network.Layout last.Parameters) spectra).argmax 1L
printfn $"{heard.eq(pitches).sum().item<int64>()} of 32 new notes are heard right"
(*** include-output ***)

(**
`TrainingTask.Loss` has a key of its own for layers that draw, such as dropout. `Lbfgs.minFunc` takes the place of Adam where
every step has all data. [The next level](ownLoss.html) puts networks, losses and samplers for separation on top of this.
*)
