// The gain of each choice of our recipe: from the paper's excerpts and inputs to ours, one step at a time. DRNN-2 + discrim, Adam,
// the same number of passes over the clips for every row; trained on one of the two training singers and tested on the other,
// since test clips choose nothing.
//   dotnet fsi scripts/huang2014/ablation.fsx --preset brief --data MIR-1K
#load "../load.fsx"

open FunctionalSeparation
open FunctionalSeparation.Learning

let heldOut (corpus: Corpus) =
    let singers = corpus.Train |> List.map _.Singer |> List.distinct
    Corpus.heldOut (if List.contains "amy" singers then "amy" else singers.Head) corpus

let longer preset =
    match preset, DrnnRecipe.forTables preset with
    | Brief, ({ Plan = RandomExcerpts(excerpts, _, rate) } as recipe) -> { recipe with Plan = RandomExcerpts(excerpts, 25, rate) }
    | _, recipe -> recipe

let excerpts change = DrnnRecipe.withExcerpts change
let unshifted = excerpts (fun e -> { e with OtherSong = 0.0; Rotation = ShiftStep None })
let own = excerpts (fun e -> { e with OtherSong = 0.0 })
let half = excerpts (fun e -> { e with OtherSong = 0.5 })
let other = excerpts (fun e -> { e with OtherSong = 1.0 })
let speeds list = other >> excerpts (fun e -> { e with Speeds = list })

let plainInput (recipe: DrnnRecipe) = { recipe with Network = { recipe.Network with InputScale = 1.0 } }

let steps =
    [ "as recorded, inputs as they are", unshifted >> plainInput
      "+ inputs times 30", unshifted
      "+ music rotated to any place", own
      "+ another song's music, half of the time", half
      "+ another song's music, always", other
      "+ playing speeds of ±12 %", speeds [ 0.89; 0.94; 1.0; 1.06; 1.12 ]
      "or playing speeds of ±26 %", speeds [ 0.79; 0.89; 1.0; 1.12; 1.26 ] ]

/// Our recipe without its first step, the same with products in bfloat16, and with more speeds: what `desk` is.
let others =
    let plain = speeds [ 0.79; 0.89; 1.0; 1.12; 1.26 ] >> plainInput
    let short = DrnnRecipe.withPrecision Precision.Bfloat16

    [ "all, but inputs as they are", plain
      "the same, products in bfloat16", plain >> short
      "the same, playing speeds of a fifth down to a fifth up, in semitones", speeds DrnnRecipe.semitones >> plainInput >> short ]

{ Paper = "huang2014"
  Name = "ablation"
  Title = "What each choice of our recipe gives"
  Load = Mir1k.loadOrEmbedded >> heldOut
  Rows = [ for name, change in steps @ others -> Row.trained name (longer >> change >> DrnnRecipe.toRecipe) ]
  Claims =
    [ { Text = "Each step beats the one before"
        Pairs = steps |> List.map fst |> List.pairwise |> List.map (fun (a, b) -> b, a) } ] }
|> Table.main fsi.CommandLineArgs TablePage.save
