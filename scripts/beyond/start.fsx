// The recipe of the U-Nets: what unet.fsx trains, and recipes.fsx varies.
#load "../load.fsx"

open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning

/// All parts, small: two scales of an eighth of the channels.
let tiny (settings: UNetSettings) =
    { settings with
        Channels = settings.Channels |> List.truncate 2 |> List.map (fun channels -> channels / 8)
        Blocks = List.truncate 2 settings.Blocks }

/// Voices and music of other songs at random, in time, pitch, level and tone.
let excerpts =
    { ExcerptSettings.ofSize 64 4 with
        OtherSong = 0.8
        SecondAccompaniment = 0.15
        Speeds = Huang2014.semitones
        GainRange = 2.0
        Effects = [ Effect.polarity; Effect.equalise 3.0 ] }

/// The weights of a model folder, to start from.
let weightsOf folder = (ModelFolder.load ModelFolder.families torch.CPU folder).Parameters

/// Steps in which the rate rises.
let warmUp = 100

let adamW (_: Network) =
    Transform.chain [ Transform.clipNorm 5.0; Transform.adam 0.9 0.99 1e-8; Transform.weightDecay 0.01 ]
    |> Optimiser.descend (Schedule.warmupCosine warmUp 2e-3)
    |> Optimiser.named $"AdamW 0.002 (0.9, 0.99), decay 0.01, gradient norm at most 5, warm-up {warmUp}"

/// Muon with the other numbers of that optimiser.
let muon rate network =
    Transform.chain [ Transform.clipNorm 5.0; Muon.create 0.95 0.9 0.99 (Network.layout network); Transform.weightDecay 0.01 ]
    |> Optimiser.descend (Schedule.warmupCosine warmUp rate)
    |> Optimiser.named $"Muon {rate} (0.95; 0.9, 0.99), decay 0.01, gradient norm at most 5, warm-up {warmUp}"

/// The parts of a training.
type Training =
    { Settings: UNetSettings
      FrontEnd: FrontEnd
      Loss: Loss
      Optimiser: Network -> Optimiser
      Excerpts: ExcerptSettings
      Steps: int }

/// The recipe of the library's own model, with the small network.
let training steps =
    { Settings = UNet.small
      FrontEnd = UNet.frontEnd
      Loss = Loss.logErrorShare
      Optimiser = muon 0.005
      Excerpts = excerpts
      Steps = steps }

/// Excerpts twice as long, half as many.
let longer (training: Training) = { training with Excerpts = { training.Excerpts with Frames = 128; Count = 2 } }

let onWaveforms (training: Training) = { training with Loss = Loss.logErrorRatio }

let recipe (training: Training) =
    let spec = { FrontEnd = training.FrontEnd; Channels = 1; Sources = Stems.musicAndVoice }
    let network = UNet.family.Network training.Settings spec
    let sampler = Sampler.excerpts training.Excerpts
    let recipe = Recipe.create network training.Loss (training.Optimiser network) sampler (Steps training.Steps)
    { recipe with Precision = Precision.Bfloat16 }

/// Excerpts that take seconds to make, to see that all works.
let short excerpts = { excerpts with Frames = 16; Count = 1; Speeds = [ 1.0 ] }

/// The same in seconds.
let smoke training =
    { recipe { training with Settings = tiny training.Settings; Excerpts = short training.Excerpts; Steps = 110 } with
        Precision = Precision.Float32 }
