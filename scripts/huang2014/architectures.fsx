// Huang et al. (ISMIR 2014), table 3: which hidden layers are recurrent, with and without the discriminative term.
//   dotnet fsi scripts/huang2014/architectures.fsx --preset brief --data MIR-1K
#load "../load.fsx"

open FunctionalSeparation
open FunctionalSeparation.Learning

let networks =
    [ "DNN", FeedForward
      "DRNN-1", RecurrentAt 1
      "DRNN-2", RecurrentAt 2
      "DRNN-3", RecurrentAt 3
      "sRNN", Stacked ]

/// Three recurrent layers do not learn at the rate of the others: the objective stays where it began.
let slower (recipe: Recipe) = { recipe with Optimiser = Optimiser.adam (Schedule.cosine 1e-4) }

let row gamma suffix (name, recurrence) =
    Row.trained (name + suffix) (fun preset ->
        let network = { Huang2014.network preset with Recurrence = recurrence }
        let recipe = Huang2014.recipe preset network (Loss.squaredError |> Loss.discriminative gamma)
        if recurrence = Stacked && preset <> Paper then slower recipe else recipe)

let names = List.map fst networks

{ Paper = "huang2014"
  Name = "architectures"
  Title = "Recurrent layers and discriminative training"
  Load = Mir1k.loadOrEmbedded
  Rows = List.map (row 0.0 "") networks @ List.map (row 0.05 " + discrim") networks
  Claims =
    [ { Text = "Discriminative training beats plain training"
        Pairs = [ for name in names -> $"{name} + discrim", name ] }
      { Text = "Recurrent networks beat the feed-forward one"
        Pairs =
          [ for suffix in [ ""; " + discrim" ] do
                for name in names.Tail -> name + suffix, "DNN" + suffix ] }
      { Text = "Recurrence in layer 2 beats recurrence elsewhere"
        Pairs =
          [ for suffix in [ ""; " + discrim" ] do
                for name in [ "DRNN-1"; "DRNN-3"; "sRNN" ] -> "DRNN-2" + suffix, name + suffix ] } ] }
|> Table.main fsi.CommandLineArgs TablePage.save
