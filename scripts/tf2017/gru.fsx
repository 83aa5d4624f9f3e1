// The TensorFlow re-implementation of 2017: gated recurrent units, ReLU outputs, the mask inside the network; soft and hard mask
// at test time.
//   OMP_NUM_THREADS=1 dotnet fsi scripts/tf2017/gru.fsx --preset brief --data MIR-1K
#load "../load.fsx"

open FunctionalSeparation
open FunctionalSeparation.Core

/// 3 x 256 units; 64 ms windows every 16 ms.
let network =
    { Drnn.huang2014 with
        FrontEnd = FrontEnd.create 16000 1024 256
        Context = 1
        InputScale = 30.0
        Hidden = [ 256; 256; 256 ]
        Neuron = Gated
        Recurrence = Stacked
        Output = ReluOutput }

/// One excerpt of 512 frames (8.19 s) a step, in sequences of 4: presets differ in the number of steps alone. An epoch is about 170
/// steps on MIR-1K's training clips; the original makes 100 000.
let plan preset =
    let excerpts = { ExcerptSettings.ofSize 512 1 with Sequence = Some 4; Rotation = ShiftStep None }

    match preset with
    | Smoke -> RandomExcerpts({ excerpts with Frames = 100 }, 2, 1e-4)
    | Brief -> RandomExcerpts(excerpts, 12, 1e-4)
    | Full
    | Desk -> RandomExcerpts(excerpts, 100, 1e-4)
    | Paper -> RandomExcerpts(excerpts, 585, 1e-4)

let recipe preset : Recipe =
    { DrnnRecipe.desk with
        Network = (if preset = Smoke then { network with Hidden = [ 40; 40; 40 ] } else network)
        Loss = Loss.meanSquaredError
        Gamma = 0.0
        Plan = plan preset }
    |> DrnnRecipe.toRecipe

{ Paper = "tf2017"
  Name = "gru"
  Title = "Gated recurrent units, soft and hard masks"
  Load = Mir1k.loadOrEmbedded
  Rows = [ Row.trainedWith Soft "GRU, soft mask" recipe; Row.trainedWith Hard "GRU, hard mask" recipe ]
  Claims = [ { Text = "The soft mask beats the hard mask"; Pairs = [ ("GRU, soft mask", "GRU, hard mask") ] } ] }
|> Table.main fsi.CommandLineArgs TablePage.save
