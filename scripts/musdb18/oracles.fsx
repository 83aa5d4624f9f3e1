// Upper bounds of masks on four stems in stereo: ideal masks of drums, bass, other and vocals, and the mixture as the floor.
//   dotnet fsi scripts/musdb18/oracles.fsx --preset desk --data MUSDB18-HQ
#load "../load.fsx"

open FunctionalSeparation

/// 93 ms at 44.1 kHz.
let frontEnd = FrontEnd.create Musdb.sampleRate 4096 1024

let row (system: FrontEnd -> Separator) =
    let separator = system frontEnd
    Row.system separator.Name "STFT 4096/1024; Hann window" separator

{ Paper = "musdb18"
  Name = "oracles"
  Title = "Four stems: ideal masks and the floor"
  Load = Musdb.loadOrEmbedded
  Rows = List.map row [ Evaluate.idealBinaryMask; Evaluate.idealRatioMask; Evaluate.wienerMask; Evaluate.mixture ]
  Claims =
    [ { Text = "A ratio of magnitudes beats the choice of one source"
        Pairs = [ ("ideal ratio mask", "ideal binary mask") ] } ] }
|> Table.main fsi.CommandLineArgs TablePage.save
