// Fan, Chan, Yang and Jang (2017): vector product networks beside real-valued ones, on iKala where it is given, else on MIR-1K.
//   OMP_NUM_THREADS=1 dotnet fsi scripts/fan2017/table.fsx --preset brief --data MIR-1K
#load "../load.fsx"

open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

/// Of the magnitudes of unit-norm clips, for the colours. Chosen on a held-out training singer (notes.md): nearly all magnitudes
/// then lie in the red, and the outputs begin near zero.
let colourScale = 0.1

let frontEnd = FrontEnd.create 16000 1024 256

/// The excerpts, passes and learning rate of each preset; full as the tables of Huang et al. (2014). The paper does not tell its
/// optimiser or its number of steps.
let training preset =
    let excerpts count = { ExcerptSettings.ofSize 50 count with OtherSong = 0.5 }

    match preset with
    | Smoke -> { excerpts 8 with Frames = 25 }, 1, 1e-3
    | Brief -> excerpts 4, 2, 1e-3
    | Full -> { excerpts 16 with OtherSong = 1.0; Speeds = Huang2014.semitones }, 50, 5e-4
    | Desk -> excerpts 16, 40, 5e-4
    | Paper -> excerpts 16, 120, 5e-4

/// Three hidden layers of so many neurons, squared error, mask inside the network.
let recipe neuron units context scale preset =
    let units = if preset = Smoke then units / 16 else units

    let network =
        { Drnn.huang2014 with
            FrontEnd = frontEnd
            Context = context
            InputScale = scale
            Hidden = [ units; units; units ]
            Neuron = neuron
            Recurrence = FeedForward }

    let excerpts, epochs, rate = training preset
    let optimiser, sampler = Optimiser.adam (Schedule.cosine rate), Sampler.excerpts excerpts

    { Recipe.create (Drnn.network network) Loss.squaredError optimiser sampler (Epochs epochs) with
        Precision = if preset = Full then Precision.Bfloat16 else Precision.Float32 }

let load (folder: string option) =
    match folder with
    | Some folder when IKala.isIn folder -> IKala.load folder
    | other -> Mir1k.loadOrEmbedded other

{ Paper = "fan2017"
  Name = "table"
  Title = "Vector product neural networks"
  Load = load
  Rows =
    [ Row.trained "DNN1" (recipe Plain 512 1 30.0)
      Row.trained "DNN2" (recipe Plain 1536 1 30.0)
      Row.trained "CVPNN" (recipe (VectorProduct Colour) 512 1 colourScale)
      Row.trained "DNN3" (recipe Plain 1536 3 30.0)
      Row.trained "WVPNN" (recipe (VectorProduct Window) 512 3 30.0) ]
  Claims =
    [ { Text = "WVPNN beats DNN1"; Pairs = [ ("WVPNN", "DNN1") ] }
      { Text = "CVPNN beats DNN1"; Pairs = [ ("CVPNN", "DNN1") ] }
      { Text = "Vector products beat real networks with as many or more weights"
        Pairs = [ "WVPNN", "DNN3"; "CVPNN", "DNN2" ] } ] }
|> Table.main fsi.CommandLineArgs TablePage.save
