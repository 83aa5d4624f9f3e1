// Huang et al. (ISMIR 2014), table 1: how many frames a feed-forward network sees at once.
//   dotnet fsi scripts/huang2014/context.fsx --preset brief --data MIR-1K
#load "../load.fsx"

open FunctionalSeparation

let row frames =
    Row.trained $"DNN (context {frames})" (fun preset ->
        let network = { Huang2014.network preset with Recurrence = FeedForward; Context = frames }
        Huang2014.recipe preset network Loss.squaredError)

{ Paper = "huang2014"
  Name = "context"
  Title = "Context windows"
  Load = Mir1k.loadOrEmbedded
  Rows = List.map row [ 1; 3; 5 ]
  Claims =
    [ { Text = "Context 3 beats context 1"; Pairs = [ ("DNN (context 3)", "DNN (context 1)") ] }
      { Text = "Context 3 beats context 5"; Pairs = [ ("DNN (context 3)", "DNN (context 5)") ] } ] }
|> Table.main fsi.CommandLineArgs TablePage.save
