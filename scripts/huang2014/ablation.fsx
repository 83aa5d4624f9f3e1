// The gain of each choice of our recipe: from the paper's excerpts and inputs to ours, one step at a time. DRNN-2 + discrim,
// Adam, the same number of passes over the clips for every row; trained on one of the two training singers and tested on the
// other, since test clips choose nothing.
//   dotnet fsi scripts/huang2014/ablation.fsx --preset brief --data MIR-1K
#load "../load.fsx"

open FunctionalSeparation
open FunctionalSeparation.Learning

let heldOut (corpus: Corpus) =
    let singers = corpus.Train |> List.map _.Singer |> List.distinct
    Corpus.heldOut (if List.contains "amy" singers then "amy" else singers.Head) corpus

let unshifted e = { e with OtherSong = 0.0; Rotation = ShiftStep None }
let own e = { e with OtherSong = 0.0 }
let half e = { e with OtherSong = 0.5 }
let other e = { e with OtherSong = 1.0 }
let speeds list e = { e with OtherSong = 1.0; Speeds = list }

let row input change name excerpts =
    Row.trained name (fun preset ->
        let recipe = Huang2014.recipeOn excerpts preset (input (Huang2014.network preset)) Huang2014.loss
        change (if preset = Brief then { recipe with Length = Epochs 25 } else recipe))

let wide = speeds [ 0.79; 0.89; 1.0; 1.12; 1.26 ]
let asTheyAre (network: Drnn) = { network with InputScale = 1.0 }
let step = row id id
let inBfloat16 (recipe: Recipe) = { recipe with Precision = Precision.Bfloat16 }

let steps =
    [ row asTheyAre id "as recorded, inputs as they are" unshifted
      step "+ inputs times 30" unshifted
      step "+ music rotated to any place" own
      step "+ another song's music, half of the time" half
      step "+ another song's music, always" other
      step "+ playing speeds of ±12 %" (speeds [ 0.89; 0.94; 1.0; 1.06; 1.12 ])
      step "or playing speeds of ±26 %" wide ]

/// Our recipe without its first step, the same with products in bfloat16, and with more speeds: what `desk` is.
let others =
    let fifth = "the same, playing speeds of a fifth down to a fifth up, in semitones"

    [ row asTheyAre id "all, but inputs as they are" wide
      row asTheyAre inBfloat16 "the same, products in bfloat16" wide
      row asTheyAre inBfloat16 fifth (speeds Huang2014.semitones) ]

{ Paper = "huang2014"
  Name = "ablation"
  Title = "What each choice of our recipe gives"
  Load = Mir1k.loadOrEmbedded >> heldOut
  Rows = steps @ others
  Claims =
    [ { Text = "Each step beats the one before"
        Pairs = steps |> List.map _.Name |> List.pairwise |> List.map (fun (a, b) -> b, a) } ] }
|> Table.main fsi.CommandLineArgs TablePage.save
