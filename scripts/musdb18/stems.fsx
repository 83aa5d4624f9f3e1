// Four stems in stereo, learnt together: a small U-Net beside the ideal ratio mask and the mixture. Without --data it works on
// the generated band; presets are steps of training, not a claim to have trained out.
//   dotnet fsi scripts/musdb18/stems.fsx --preset brief --data MUSDB18-HQ
#load "../load.fsx"

open FunctionalSeparation
open FunctionalSeparation.Learning

/// 46 ms at 44.1 kHz, of which 512 bins reach to 11 kHz.
let frontEnd = FrontEnd.create Musdb.sampleRate 2048 1024

let settings: UNetSettings = { Channels = [ 16; 24; 32 ]; Blocks = [ 1; 1; 1 ]; Bins = 512; InputScale = 1.0 }

let stems = [ "drums"; "bass"; "other"; "vocals" ]

let recipe preset =
    let network = UNet.family.Network settings { FrontEnd = frontEnd; Channels = 2; Sources = stems }
    let count = if preset = Smoke then 20 else 4000

    let excerpts =
        { ExcerptSettings.ofSize 64 2 with OtherSong = 0.5; Effects = [ Effect.polarity; Effect.equalise 3.0 ] }

    let adamW = Optimiser.adamW 0.01 (Schedule.warmupCosine (count / 10) 2e-3)

    { Recipe.create network Loss.logErrorShare adamW (Sampler.excerpts excerpts) (Steps count) with
        Mixing = Mixing.plain }

let system (separator: Separator) = Row.system separator.Name "STFT 2048/1024; Hann window" separator

{ Paper = "musdb18"
  Name = "stems"
  Title = "Four stems in stereo"
  Load = Musdb.loadOrEmbedded
  Rows =
    [ Row.trained "U-Net, small" recipe
      system (Evaluate.idealRatioMask frontEnd)
      system (Evaluate.mixture frontEnd) ]
  Claims = [ { Text = "A network beats the mixture"; Pairs = [ ("U-Net, small", "mixture") ] } ] }
|> Table.main fsi.CommandLineArgs TablePage.save
