// The TensorFlow re-implementation of 2017: gated recurrent units, ReLU outputs, the mask inside the network; soft and hard mask
// at test time.
//   OMP_NUM_THREADS=1 dotnet fsi scripts/tf2017/gru.fsx --preset brief --data MIR-1K
#load "../load.fsx"

open FunctionalSeparation
open FunctionalSeparation.Learning
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

/// One excerpt of 512 frames (8.19 s) a step, in sequences of 4: presets differ in the number of steps alone. An epoch is about
/// 170 steps on MIR-1K's training clips; the original makes 100 000.
let sampler preset =
    Sampler.excerpts
        { ExcerptSettings.ofSize (if preset = Smoke then 100 else 512) 1 with
            Sequence = Some 4
            Rotation = ShiftStep None }

let epochs =
    function
    | Smoke -> 2
    | Brief -> 12
    | Full
    | Desk -> 100
    | Paper -> 585

let recipe preset =
    let network = if preset = Smoke then { network with Hidden = [ 40; 40; 40 ] } else network
    let optimiser = Optimiser.adam (Schedule.cosine 1e-4)
    Recipe.create (Drnn.network network) Loss.meanSquaredError optimiser (sampler preset) (Epochs(epochs preset))

{ Paper = "tf2017"
  Name = "gru"
  Title = "Gated recurrent units, soft and hard masks"
  Load = Mir1k.loadOrEmbedded
  Rows = [ Row.trainedWith Soft "GRU, soft mask" recipe; Row.trainedWith Hard "GRU, hard mask" recipe ]
  Claims = [ { Text = "The soft mask beats the hard mask"; Pairs = [ ("GRU, soft mask", "GRU, hard mask") ] } ] }
|> Table.main fsi.CommandLineArgs TablePage.save
