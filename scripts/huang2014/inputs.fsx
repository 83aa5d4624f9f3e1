// Huang et al. (ISMIR 2014), section 3.3: what the network is shown. DRNN-2 + discrim, context 3; the mask acts on the magnitudes
// in any case.
//   dotnet fsi scripts/huang2014/inputs.fsx --preset brief --data MIR-1K
#load "../load.fsx"

open FunctionalSeparation
open FunctionalSeparation.Learning

/// Standardised inputs are all as large as only the loudest magnitudes are. Without a warm-up, the first steps drive the network
/// into a corner that cepstra never leave, so a third of the steps warm up.
let warmed preset (recipe: Recipe) =
    let rate = Huang2014.rate preset

    let optimiser =
        Optimiser.adam (Schedule.warmupShareCosine (1.0 / 3.0) rate)
        |> Optimiser.named $"Adam {rate}, a third of the steps to warm up"

    if preset = Paper then recipe else { recipe with Optimiser = optimiser }

/// Logarithms of magnitudes, and cepstra of them, are large, all positive or of unlike sizes: they are brought to mean 0 and
/// variance 1.
let row (name, features) =
    Row.trained name (fun preset ->
        let isStandardised = features <> Magnitude
        let network = { Huang2014.network preset with Features = features; Standardised = isStandardised }
        Huang2014.recipe preset network Huang2014.loss |> if isStandardised then warmed preset else id)

let rows = [ "spectra", Magnitude; "log powers", LogPower; "log mel powers (123)", LogMel; "MFCC (39)", Mfcc ]

{ Paper = "huang2014"
  Name = "inputs"
  Title = "What the network is shown"
  Load = Mir1k.loadOrEmbedded
  Rows = List.map row rows
  Claims = [ { Text = "Spectra beat other inputs"; Pairs = [ for name, _ in rows.Tail -> "spectra", name ] } ] }
|> Table.main fsi.CommandLineArgs TablePage.save
