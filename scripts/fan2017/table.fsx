// Fan, Chan, Yang and Jang (2017): vector product networks beside real-valued ones, on iKala where it is given, else on MIR-1K.
//   OMP_NUM_THREADS=1 dotnet fsi scripts/fan2017/table.fsx --preset brief --data MIR-1K
#load "networks.fsx"

open FunctionalSeparation
open FunctionalSeparation.Plots
open Networks

let load (folder: string option) =
    match folder with
    | Some folder when IKala.isIn folder -> IKala.load folder
    | other -> Mir1k.loadOrEmbedded other

{ Paper = "fan2017"
  Name = "table"
  Title = "Vector product neural networks"
  Load = load
  Cells =
    [ Cell.trained "DNN1" (recipe Plain 512 1 30.0)
      Cell.trained "DNN2" (recipe Plain 1536 1 30.0)
      Cell.trained "CVPNN" (colour colourScale)
      Cell.trained "DNN3" (recipe Plain 1536 3 30.0)
      Cell.trained "WVPNN" (recipe (VectorProduct Window) 512 3 30.0) ]
  Claims =
    [ { Text = "WVPNN beats DNN1"; Pairs = [ ("WVPNN", "DNN1") ] }
      { Text = "CVPNN beats DNN1"; Pairs = [ ("CVPNN", "DNN1") ] }
      { Text = "Vector products beat real networks with as many or more weights"
        Pairs = [ "WVPNN", "DNN3"; "CVPNN", "DNN2" ] } ] }
|> Table.main fsi.CommandLineArgs TablePage.save
