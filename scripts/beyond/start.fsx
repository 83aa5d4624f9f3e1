// The recipe of the U-Nets: what unet.fsx trains, and recipes.fsx varies.
#load "../load.fsx"

open FunctionalSeparation

/// All parts, small: two scales of an eighth of the channels.
let tiny (settings: UNetSettings) =
    { settings with
        Channels = settings.Channels |> List.truncate 2 |> List.map (fun channels -> channels / 8)
        Blocks = List.truncate 2 settings.Blocks }

let network (settings: UNetSettings) =
    UNet.family.Network settings { FrontEnd = UNet.frontEnd; Channels = 1; Sources = Stems.musicAndVoice }

/// Voices and music of other songs at random, in time, pitch, level and tone.
let excerpts =
    { ExcerptSettings.ofSize 64 4 with
        OtherSong = 0.8
        SecondCompany = 0.15
        Speeds = DrnnRecipe.semitones
        GainRange = 2.0
        Effects = [ Effect.polarity; Effect.equalise 3.0 ] }

let adamW _ =
    Optim.chain [ Optim.clipNorm 5.0; Optim.adamDirection 0.9 0.99 1e-8; Optim.weightDecay 0.01 ]
    |> Rule.descend "AdamW 0.002 (0.9, 0.99), decay 0.01, gradient norm at most 5, warm-up 100" (Rule.warmCosine 100 2e-3)

/// Muon for a network, with the other numbers of that rule.
let muonOf network rate =
    Optim.chain [ Optim.clipNorm 5.0; Muon.create 0.95 0.9 0.99 (Network.layout network); Optim.weightDecay 0.01 ]
    |> Rule.descend $"Muon {rate} (0.95; 0.9, 0.99), decay 0.01, gradient norm at most 5, warm-up 100" (Rule.warmCosine 100 rate)

let muon rate settings = muonOf (network settings) rate

let recipe settings rule excerpts steps =
    { Recipe.create
          (network settings)
          Loss.logErrorShare
          (Learning.create (rule settings) (Steps steps) (Learning.excerpts excerpts)) with
        Precision = Precision.Bfloat16 }

/// Excerpts that take seconds to make, to see that all works.
let short excerpts = { excerpts with Frames = 16; Count = 1; Speeds = [ 1.0 ] }

/// The same in seconds.
let smoke settings rule excerpts = { recipe (tiny settings) rule (short excerpts) 110 with Precision = Precision.Float32 }
