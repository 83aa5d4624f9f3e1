// A convolutional U-Net with complex masks on MIR-1K, in three sizes, each for the same time. Presets: smoke; brief, about 20
// minutes a row on one thread; desk, an hour and a half; full, three hours; paper, six hours.
//   dotnet fsi scripts/beyond/unet.fsx --preset brief --data MIR-1K
#load "start.fsx"

open FunctionalSeparation
open FunctionalSeparation.Learning
open Start

let sized settings (training: Training) = { training with Training.Settings = settings }
let byAdam (training: Training) = { training with Optimiser = adamW }

/// Each with the steps of an hour and a half on one thread, by what a step computes; the medium one took 100 minutes.
let networks: (string * (Training -> Training) * int) list =
    [ "U-Net S", byAdam, 13000
      "U-Net M", sized UNet.medium >> byAdam, 6500
      "U-Net L", sized UNet.large >> byAdam, 4500
      "U-Net M, Muon", sized UNet.medium, 6500
      "U-Net L, Muon", sized UNet.large, 4500
      "U-Net M, Muon, longer excerpts, loss of waveforms", sized UNet.medium >> longer >> onWaveforms, 6500 ]

let steps desk =
    function
    | Smoke -> 110
    | Brief -> desk / 4
    | Desk -> desk
    | Full -> 2 * desk
    | Paper -> 4 * desk

let make vary deskSteps preset = training (steps deskSteps preset) |> vary |> (if preset = Smoke then smoke else recipe)

/// The networks of two rows heard together: both must have been trained.
let both = [ "U-Net M"; "U-Net M, Muon" ]

let meanOfBoth site =
    Separation.mean
        "mean of two"
        [ for name, vary, deskSteps in networks do
              if List.contains name both then Row.network (make vary deskSteps) site ]

{ Paper = "beyond"
  Name = "unet"
  Title = "A U-Net in three sizes"
  Load = Mir1k.loadOrEmbedded
  Rows =
    [ for name, vary, deskSteps in networks do
          Row.trained name (make vary deskSteps)
      Row.systemAt "mean of both U-Nets M" "mean of the estimates of U-Net M and U-Net M, Muon" meanOfBoth
      Row.trained "DRNN-2 + discrim" (fun preset -> Huang2014.recipe preset (Huang2014.network preset) Huang2014.loss) ]
  Claims =
    [ { Text = "U-Nets beat the papers' network"
        Pairs = [ for name, _, _ in networks -> name, "DRNN-2 + discrim" ] }
      { Text = "Larger ones are better"
        Pairs = [ "U-Net M", "U-Net S"; "U-Net L", "U-Net M"; "U-Net L, Muon", "U-Net M, Muon" ] }
      { Text = "Muon is the better optimiser"
        Pairs = [ for size in [ "M"; "L" ] -> $"U-Net {size}, Muon", $"U-Net {size}" ] }
      { Text = "Two are better than one"; Pairs = [ for name in both -> "mean of both U-Nets M", name ] } ] }
|> Table.main fsi.CommandLineArgs TablePage.save
