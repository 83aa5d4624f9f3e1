// Huang et al. (ISMIR 2014), table 2: the step by which the music is rotated against the voice, within its own song.
//   dotnet fsi scripts/huang2014/shift.fsx --preset brief --data MIR-1K
#load "../load.fsx"

open FunctionalSeparation

let row name rotation =
    let rotated (excerpts: ExcerptSettings) = { excerpts with OtherSong = 0.0; Rotation = rotation }

    Row.trained name (fun preset ->
        let network = { Huang2014.network preset with Recurrence = FeedForward }
        Huang2014.recipeOn rotated preset network Loss.squaredError)

{ Paper = "huang2014"
  Name = "shift"
  Title = "Circular shifts"
  Load = Mir1k.loadOrEmbedded
  Rows =
    [ row "no shift" (ShiftStep None)
      row "step 50000" (ShiftStep(Some 50000))
      row "step 25000" (ShiftStep(Some 25000))
      row "step 10000" (ShiftStep(Some 10000))
      row "any place" Anywhere ]
  Claims =
    [ { Text = "Shifting beats not shifting"
        Pairs = [ for name in [ "step 50000"; "step 25000"; "step 10000" ] -> name, "no shift" ] }
      { Text = "Smaller steps beat larger ones"
        Pairs = [ "step 10000", "step 25000"; "step 25000", "step 50000"; "any place", "step 10000" ] } ] }
|> Table.main fsi.CommandLineArgs TablePage.save
