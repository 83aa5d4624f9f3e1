// Huang et al. (ISMIR 2014), section 3.3: what the network is shown. DRNN-2 + discrim, context 3; the mask acts on the magnitudes
// in any case.
//   dotnet fsi scripts/huang2014/inputs.fsx --preset brief --data MIR-1K
#load "../load.fsx"

open FunctionalSeparation
open FunctionalSeparation.Learning

/// Logarithms of magnitudes, and cepstra of them, are large, all positive or of unlike sizes, and are brought to mean 0 and variance 1.
let showing features (recipe: DrnnRecipe) =
    { recipe with Network = { recipe.Network with Features = features; Standardised = (features <> Magnitude) } }

/// The optimiser of the preset, with a third of its steps to warm up.
let optimiser rate =
    Optimiser.adam (Schedule.warmupShareCosine (1.0 / 3.0) rate)
    |> Optimiser.named $"Adam {rate}, a third of the steps to warm up"

/// Inputs that are all as large as only the loudest magnitudes are: without warming up the first steps drive the network into a corner
/// that cepstra never leave.
let warmed (recipe: DrnnRecipe) =
    match recipe.Plan with
    | RandomExcerpts(_, _, rate) when recipe.Network.Standardised ->
        { DrnnRecipe.toRecipe recipe with Optimiser = optimiser rate }
    | _ -> DrnnRecipe.toRecipe recipe

let rows = [ "spectra", Magnitude; "log powers", LogPower; "log mel powers (123)", LogMel; "MFCC (39)", Mfcc ]

{ Paper = "huang2014"
  Name = "inputs"
  Title = "What the network is shown"
  Load = Mir1k.loadOrEmbedded
  Rows = [ for name, features in rows -> Row.trained name (DrnnRecipe.forTables >> showing features >> warmed) ]
  Claims = [ { Text = "Spectra beat other inputs"; Pairs = [ for name, _ in rows.Tail -> "spectra", name ] } ] }
|> Table.main fsi.CommandLineArgs TablePage.save
