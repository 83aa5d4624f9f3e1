// Huang et al. (ISMIR 2014), section 3.3: what the network is shown. DRNN-2 + discrim, context 3; the mask acts on the magnitudes
// in any case.
//   dotnet fsi scripts/huang2014/inputs.fsx --preset brief --data MIR-1K
#load "../load.fsx"

open FunctionalSeparation
open FunctionalSeparation.Plots

/// Magnitudes have the factor of the preset, logarithms one that raises their floor, so that most are near zero: otherwise they
/// are large and all positive, and switch all hidden units off for good. Chosen on a held-out training singer (notes.md).
let showing features (recipe: DrnnRecipe) =
    let scale = if features = Magnitude then recipe.Network.InputScale else 0.03
    { recipe with Network = { recipe.Network with Features = features; InputScale = scale } }

let rows = [ "spectra", Magnitude; "log powers", LogPower; "log mel powers (123)", LogMel; "MFCC (39)", Mfcc ]

{ Paper = "huang2014"
  Name = "inputs"
  Title = "What the network is shown"
  Load = Mir1k.loadOrEmbedded
  Cells = [ for name, features in rows -> Cell.trained name (DrnnRecipe.forTables >> showing features >> DrnnRecipe.toRecipe) ]
  Claims = [ { Text = "Spectra beat other inputs"; Pairs = [ for name, _ in rows.Tail -> "spectra", name ] } ] }
|> Table.main fsi.CommandLineArgs TablePage.save
