// Chooses how magnitudes are scaled for CVPNN's colours without touching a test clip: trains on one of the two training singers of
// MIR-1K and scores the other.
//   OMP_NUM_THREADS=1 dotnet fsi scripts/fan2017/heldout.fsx --preset brief --data MIR-1K
#load "networks.fsx"

open FunctionalSeparation
open FunctionalSeparation.Plots
open Networks

/// Every fifth clip is enough to choose by.
let heldOut (corpus: Corpus) =
    let amy, abjones = corpus.Train |> List.partition (fun clip -> clip.Singer = "amy")
    let scored = abjones |> List.indexed |> List.filter (fun (index, _) -> index % 5 = 0) |> List.map snd
    { corpus with Name = $"{corpus.Name}, abjones held out"; Train = amy; Dev = []; Test = scored }

/// Without a folder there are no singers to hold out.
let load folder =
    match folder with
    | Some folder -> heldOut (Mir1k.load folder)
    | None -> Corpus.embedded 0

{ Paper = "fan2017"
  Name = "heldout"
  Title = "Scales for CVPNN, on a held-out singer"
  Load = load
  Cells = [ for scale in [ 0.3; 3.0; 30.0 ] -> Cell.trained $"CVPNN, scale {scale}" (colour scale) ]
  Claims = [] }
|> Table.main fsi.CommandLineArgs TablePage.save
