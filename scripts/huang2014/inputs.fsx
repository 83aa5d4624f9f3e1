// Huang et al. (ISMIR 2014), section 3.3: what the network is shown. DRNN-2 + discrim, context 3; the mask acts on the magnitudes
// in any case.
//   dotnet fsi scripts/huang2014/inputs.fsx --preset brief --data MIR-1K
#load "../load.fsx"

open FunctionalSeparation
open FunctionalSeparation.Plots

/// Magnitudes need the factor of the preset. Logarithms are large and all positive: at the rate of the preset they switch all
/// hidden units off for good within a few steps, so they have a lower one.
let showing features (recipe: Recipe) =
    let frontEnd = recipe.Architecture.FrontEnd
    let isLog = features <> Magnitude
    let shown = { frontEnd with Features = features; InputScale = (if isLog then 1.0 else frontEnd.InputScale) }

    { recipe with Architecture = { recipe.Architecture with FrontEnd = shown } }
    |> if isLog then Recipe.withRate 1e-4 else id

let rows = [ "spectra", Magnitude; "log powers", LogPower; "log mel powers (123)", LogMel; "MFCC (39)", Mfcc ]

{ Paper = "huang2014"
  Name = "inputs"
  Title = "What the network is shown"
  Load = Mir1k.loadOrEmbedded
  Cells = [ for name, features in rows -> Cell.trained name (Cell.recipe >> showing features) ]
  Claims = [ { Text = "Spectra beat other inputs"; Pairs = [ for name, _ in rows.Tail -> "spectra", name ] } ] }
|> Table.main fsi.CommandLineArgs TablePage.save
