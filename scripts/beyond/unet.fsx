// A convolutional U-Net with complex masks on MIR-1K, in three sizes, each for the same time. Presets: smoke; brief, about 20 minutes
// a row on one thread; desk, an hour and a half; paper, six hours.
//   dotnet fsi scripts/beyond/unet.fsx --preset brief --data MIR-1K
#load "start.fsx"

open FunctionalSeparation
open Start

/// Each with the steps of an hour and a half on one thread, by what a step computes; the medium one took 100 minutes.
let sizes =
    [ "U-Net S", UNet.small, adamW, 13000
      "U-Net M", UNet.medium, adamW, 6500
      "U-Net L", UNet.large, adamW, 4500
      "U-Net M, Muon", UNet.medium, muon 0.005, 6500 ]

let steps desk =
    function
    | Smoke -> 110
    | Brief -> desk / 4
    | Full
    | Desk -> desk
    | Paper -> 4 * desk

let make settings rule deskSteps preset =
    { training (steps deskSteps preset) with Settings = settings; Rule = rule }
    |> if preset = Smoke then smoke else recipe

/// The networks of two rows heard together: both must have been trained.
let both = [ "U-Net M"; "U-Net M, Muon" ]

let meanOfBoth site =
    Separation.mean
        "mean of two"
        [ for name, settings, rule, deskSteps in sizes do
              if List.contains name both then Cell.network (make settings rule deskSteps) site ]

{ Paper = "beyond"
  Name = "unet"
  Title = "A U-Net in three sizes"
  Load = Mir1k.loadOrEmbedded
  Cells =
    [ for name, settings, rule, deskSteps in sizes do
          Cell.trained name (make settings rule deskSteps)
      Cell.systemAt "mean of both U-Nets M" "mean of the estimates of U-Net M and U-Net M, Muon" meanOfBoth
      Cell.trained "DRNN-2 + discrim" (DrnnRecipe.forTables >> DrnnRecipe.toRecipe) ]
  Claims =
    [ { Text = "U-Nets beat the papers' network"
        Pairs = [ for name, _, _, _ in sizes -> name, "DRNN-2 + discrim" ] }
      { Text = "Larger ones are better"; Pairs = [ "U-Net M", "U-Net S"; "U-Net L", "U-Net M" ] }
      { Text = "Muon is the better optimiser"; Pairs = [ ("U-Net M, Muon", "U-Net M") ] }
      { Text = "Two are better than one"; Pairs = [ for name in both -> "mean of both U-Nets M", name ] } ] }
|> Table.main fsi.CommandLineArgs TablePage.save
