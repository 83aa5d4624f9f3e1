// Varies the recipe of the U-Nets, and the network, without touching a test clip: each row is trained on one of the two training
// singers and scored on the other. Presets: smoke; brief, 1500 steps, about a quarter of an hour a row on one thread; desk, four
// times as long; paper, 40 times.
//   dotnet fsi scripts/beyond/recipes.fsx --preset brief --data MIR-1K
#load "start.fsx"

open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core
open Start

/// Windows of so many samples and the same sound in each excerpt, up to the same frequency.
let windows size (training: Training) =
    let times = float size / 2048.0

    { training with
        FrontEnd = { SampleRate = 16000; Stft = Stft(size, size / 4, StftWindow.Sine, true) }
        Settings = { training.Settings with Bins = int (times * 640.0) }
        Excerpts = { training.Excerpts with Frames = int (64.0 / times) } }

/// A larger network for about as long, by what a step computes: with fewer steps.
let sized settings share (training: Training) =
    { training with Training.Settings = settings; Steps = int (share * float training.Steps) }

let averaged decay (training: Training) = { training with Optimiser = training.Optimiser >> Optimiser.averaged decay }

/// Name, and what it varies.
let variants: (string * (Training -> Training)) list =
    [ "AdamW 0.002", fun training -> { training with Optimiser = adamW }
      "formants",
      fun training -> { training with Optimiser = adamW; Excerpts = { excerpts with LeadEffects = [ Effect.formants 1.25 ] } }
      "Muon 0.002", fun training -> { training with Optimiser = muon 0.002 }
      "Muon 0.005", id
      "Muon 0.01", fun training -> { training with Optimiser = muon 0.01 }
      "twice as long excerpts", longer
      "windows of 64 ms", windows 1024
      "windows of 256 ms", windows 4096
      "weights averaged", averaged 0.995
      "loss of waveforms", onWaveforms
      "longer excerpts, loss of waveforms", longer >> onWaveforms
      "U-Net M, as much time", sized UNet.medium 0.5
      "U-Net L, as much time", sized UNet.large 0.35 ]

let steps =
    function
    | Smoke -> 110
    | Brief -> 1500
    | Full -> 3000
    | Desk -> 6000
    | Paper -> 60000

let make vary preset = training (steps preset) |> vary |> (if preset = Smoke then smoke else recipe)

/// A network of another architecture, trained in the same way.
let bandSplit preset =
    let settings =
        if preset = Smoke then
            { BandSplit.small with Units = 8; Blocks = 1 }
        else
            BandSplit.small

    let network =
        BandSplit.family.Network settings { FrontEnd = UNet.frontEnd; Channels = 1; Sources = Stems.musicAndVoice }

    { make id preset with Network = network; Optimiser = muon 0.005 network }

let recipes =
    [ for name, vary in variants do
          name, make vary
      "band-split", bandSplit ]

/// The singer held out, or one of those that there are.
let without singer (corpus: Corpus) =
    let singers = corpus.Train |> List.map _.Singer |> List.distinct
    Corpus.heldOut (if List.contains singer singers then singer else singers.Head) corpus

{ Paper = "beyond"
  Name = "recipes"
  Title = "Recipes, each scored on the singer named, who is held out of its training"
  Load = Mir1k.loadOrEmbedded
  Rows =
    [ for name, recipe in recipes do
          for singer in [ "abjones"; "amy" ] do
              Row.trained $"{name}, {singer}" recipe |> Row.onCorpus $"{singer} held out" (without singer) ]
  Claims = [] }
|> Table.main fsi.CommandLineArgs TablePage.save
