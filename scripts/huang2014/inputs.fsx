// Huang et al. (ISMIR 2014), section 3.3: what the network is shown. DRNN-2 + discrim, context 3; the mask acts on the magnitudes
// in any case.
//   dotnet fsi scripts/huang2014/inputs.fsx --preset brief --data MIR-1K
#load "../load.fsx"

open FunctionalSeparation
open FunctionalSeparation.Plots

/// Magnitudes have the factor of the preset; logarithms, and cepstra of them, are large, all positive or of unlike sizes, and are
/// brought to mean 0 and variance 1: otherwise they switch all hidden units off for good. All of them are then as large as only the
/// loudest magnitudes are, and the preset's learning rate drives them into a corner: with it cepstra learn nothing.
let showing features (recipe: DrnnRecipe) =
    let shown standardised = { recipe with Network = { recipe.Network with Features = features; Standardised = standardised } }
    if features = Magnitude then shown false else shown true |> DrnnRecipe.withRate 1e-4

let rows = [ "spectra", Magnitude; "log powers", LogPower; "log mel powers (123)", LogMel; "MFCC (39)", Mfcc ]

{ Paper = "huang2014"
  Name = "inputs"
  Title = "What the network is shown"
  Load = Mir1k.loadOrEmbedded
  Cells = [ for name, features in rows -> Cell.trained name (DrnnRecipe.forTables >> showing features >> DrnnRecipe.toRecipe) ]
  Claims = [ { Text = "Spectra beat other inputs"; Pairs = [ for name, _ in rows.Tail -> "spectra", name ] } ] }
|> Table.main fsi.CommandLineArgs TablePage.save
