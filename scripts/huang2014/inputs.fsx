// Huang et al. (ISMIR 2014), section 3.3: what the network is shown. DRNN-2 + discrim, context 3; the mask acts on the magnitudes
// in any case.
//   dotnet fsi scripts/huang2014/inputs.fsx --preset brief --data MIR-1K
#load "../load.fsx"

open FunctionalSeparation
open FunctionalSeparation.Plots

/// Magnitudes have the factor of the preset, logarithms one that raises their floor, so that most are near zero: otherwise they
/// are large and all positive, and switch all hidden units off for good. Chosen on a held-out training singer (notes.md).
let showing features (recipe: Recipe) =
    let frontEnd = recipe.Architecture.FrontEnd
    let scale = if features = Magnitude then frontEnd.InputScale else 0.03
    let shown = { frontEnd with Features = features; InputScale = scale }
    { recipe with Architecture = { recipe.Architecture with FrontEnd = shown } }

let rows = [ "spectra", Magnitude; "log powers", LogPower; "log mel powers (123)", LogMel; "MFCC (39)", Mfcc ]

{ Paper = "huang2014"
  Name = "inputs"
  Title = "What the network is shown"
  Load = Mir1k.loadOrEmbedded
  Cells = [ for name, features in rows -> Cell.trained name (Cell.recipe >> showing features) ]
  Claims = [ { Text = "Spectra beat other inputs"; Pairs = [ for name, _ in rows.Tail -> "spectra", name ] } ] }
|> Table.main fsi.CommandLineArgs TablePage.save
