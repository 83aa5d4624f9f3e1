// The networks of Fan, Chan, Yang and Jang (2017), and the training that all of them share here.
#load "../load.fsx"

open FunctionalSeparation
open FunctionalSeparation.Core

/// Factor that brings magnitudes of unit-norm clips into [0, 1] for the colours; chosen by scripts/fan2017/heldout.fsx.
let colourScale = 0.3

let frontEnd context scale : FrontEnd =
    { SampleRate = 16000; Stft = Stft(1024, 256, StftWindow.Hann, true); Context = context; InputScale = scale }

/// How long each preset trains. The paper does not tell its optimiser or its number of steps.
let plan preset =
    let excerpts count = { ExcerptSettings.ofSize 50 count with OtherSong = 0.5 }

    match preset with
    | Smoke -> RandomExcerpts({ excerpts 8 with Frames = 25 }, 1, 1e-3)
    | Brief -> RandomExcerpts(excerpts 4, 2, 1e-3)
    | Desk -> RandomExcerpts(excerpts 16, 40, 5e-4)
    | Paper -> RandomExcerpts(excerpts 16, 120, 5e-4)

/// Three hidden layers of so many neurons, squared error, mask inside the network.
let recipe neuron units context scale preset : Recipe =
    let units = if preset = Smoke then units / 16 else units

    { Recipe.desk with
        Architecture =
            { Architecture.huang2014 with
                FrontEnd = frontEnd context scale
                Hidden = [ units; units; units ]
                Neuron = neuron
                Recurrence = FeedForward }
        Gamma = 0.0
        Plan = plan preset }

let colour scale = recipe (VectorProduct Colour) 512 1 scale
