// Upper bounds of masks: ideal masks on the STFT of Huang et al. (ISMIR 2014), and the mixture as the floor.
//   dotnet fsi scripts/huang2014/ceilings.fsx --preset desk --data MIR-1K
#load "../load.fsx"

open FunctionalSeparation

let row (system: FrontEnd -> Separator) =
    let separator = system FrontEnd.huang2014
    Row.system separator.Name "STFT 1024/512; sine window" separator

{ Paper = "huang2014"
  Name = "ceilings"
  Title = "Ceilings and the floor"
  Load = Mir1k.loadOrEmbedded
  Rows =
    List.map
        row
        [ Evaluate.idealBinaryMask
          Evaluate.idealRatioMask
          Evaluate.wienerMask
          Evaluate.trueMagnitude
          Evaluate.mixture ]
  Claims =
    [ { Text = "Powers make the best ideal mask"
        Pairs = [ "ideal Wiener mask", "ideal binary mask"; "ideal Wiener mask", "ideal ratio mask" ] } ] }
|> Table.main fsi.CommandLineArgs TablePage.save
