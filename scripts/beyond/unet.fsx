// A convolutional U-Net with complex masks on MIR-1K, in three sizes, each for the same time. Presets: smoke; brief, about 20 minutes
// a row on one thread; desk, an hour and a half; paper, six hours.
//   dotnet fsi scripts/beyond/unet.fsx --preset brief --data MIR-1K
#load "../load.fsx"

open FunctionalSeparation
open FunctionalSeparation.Plots

/// Each with the steps of an hour and a half on one thread, by what a step computes; the medium one took 100 minutes.
let sizes = [ "U-Net S", UNet.small, 13000; "U-Net M", UNet.medium, 6500; "U-Net L", UNet.large, 4500 ]

/// All parts, small: two scales of an eighth of the channels.
let tiny (settings: UNetSettings) =
    { settings with
        Channels = settings.Channels |> List.truncate 2 |> List.map (fun channels -> channels / 8)
        Blocks = List.truncate 2 settings.Blocks }

/// Voices and music of other songs at random, in time, pitch, level and tone.
let excerpts =
    { ExcerptSettings.ofSize 64 4 with
        OtherSong = 0.8
        SecondCompany = 0.15
        Speeds = DrnnRecipe.semitones
        GainRange = 2.0
        Effects = [ Effect.polarity; Effect.equalise 3.0 ] }

let rule =
    Optim.chain [ Optim.clipNorm 5.0; Optim.adamDirection 0.9 0.99 1e-8; Optim.weightDecay 0.01 ]
    |> Rule.descend "AdamW 0.002 (0.9, 0.99), decay 0.01, gradient norm at most 5, warm-up 100" (Rule.warmCosine 100 2e-3)

let shorter (preset: Preset) =
    if preset = Smoke then
        { ExcerptSettings.ofSize 32 2 with OtherSong = 0.8 }
    else
        excerpts

let steps desk =
    function
    | Smoke -> 110
    | Brief -> desk / 4
    | Desk -> desk
    | Paper -> 4 * desk

let recipe settings deskSteps preset =
    let network =
        UNet.family.Network
            (if preset = Smoke then tiny settings else settings)
            { FrontEnd = UNet.frontEnd; Channels = 1; Sources = Stems.musicAndVoice }

    { Recipe.create
          network
          Loss.logErrorShare
          (Learning.create rule (Steps(steps deskSteps preset)) (Learning.excerpts (shorter preset))) with
        Precision = (if preset = Smoke then Precision.Float32 else Precision.Bfloat16) }

{ Paper = "beyond"
  Name = "unet"
  Title = "A U-Net in three sizes"
  Load = Mir1k.loadOrEmbedded
  Cells =
    [ for name, settings, deskSteps in sizes do
          Cell.trained name (recipe settings deskSteps)
      Cell.trained "DRNN-2 + discrim" (DrnnRecipe.forTables >> DrnnRecipe.toRecipe) ]
  Claims =
    [ { Text = "U-Nets beat the papers' network"; Pairs = [ for name, _, _ in sizes -> name, "DRNN-2 + discrim" ] }
      { Text = "Larger ones are better"; Pairs = [ "U-Net M", "U-Net S"; "U-Net L", "U-Net M" ] } ] }
|> Table.main fsi.CommandLineArgs TablePage.save
