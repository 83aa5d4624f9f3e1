// Compares training recipes for DRNN-2 + discrim without touching a test clip: trains on one of the two training singers,
// scores the other, both ways. Adds a row a run to papers/huang2014/heldout.csv.
//   dotnet fsi scripts/huang2014/heldout.fsx DATA EPOCHS [NAME ...]
#load "../load.fsx"

open System.IO
open FunctionalSeparation
open FunctionalSeparation.Core

let excerpts otherSong gainRange = { Frames = 50; Count = 16; OtherSong = otherSong; GainRange = gainRange }

let candidates =
    [ "own song", excerpts 0.0 0.0
      "other song 0.5", excerpts 0.5 0.0
      "other song 1", excerpts 1.0 0.0
      "other song 0.5, gain 6", excerpts 0.5 6.0
      "other song 1, gain 6", excerpts 1.0 6.0 ]

let results = Path.Combine(__SOURCE_DIRECTORY__, "..", "..", "papers", "huang2014", "heldout.csv")

let compare (corpus: Corpus) epochs (name: string, excerpts) =
    for singer in [ "abjones"; "amy" ] do
        let heldOut, train = corpus.Train |> List.partition (fun clip -> clip.Singer = singer)
        let recipe = { Recipe.desk with Plan = RandomExcerpts(excerpts, epochs, 5e-4) }
        let folder = Directory.CreateTempSubdirectory("funcsep-heldout-").FullName
        let tell = Experiment.progress $"{name}, without {singer}"

        let trained, seconds =
            TrainingRun.run
                { Recipe = recipe
                  Train = train
                  Dev = []
                  Device = Devices.Parse "auto"
                  Folder = folder
                  Resume = false
                  CheckpointEvery = 1000
                  Report = fun report -> tell report.Step report.Steps $"objective {report.Value:F1}" }

        let scores =
            Evaluate.clips TorchSharp.torch.float32 (Devices.Parse "auto") ignore (Separation.separator trained Soft) heldOut

        let facts =
            [ "recipe", name
              "held out", singer
              "epochs", string epochs
              "training clips", string train.Length
              "training seconds", $"{seconds:F0}"
              "commit", Provenance.commit () ]

        Results.appendCsv results (facts @ Results.columns scores)
        printfn "%s" (Results.table Results.header [ Results.row $"{name}, {singer} held out" scores ])
        trained.Parameters.Vector.Dispose()
        Directory.Delete(folder, true)

Experiment.main (fun () ->
    match List.tail (List.ofArray fsi.CommandLineArgs) with
    | data :: epochs :: names ->
        let corpus = Mir1k.load data
        let chosen = candidates |> List.filter (fun (name, _) -> names.IsEmpty || List.contains name names)

        if chosen.IsEmpty then
            raise (InputException $"No such recipe. There are: {List.map fst candidates}.")

        List.iter (compare corpus (int epochs)) chosen
    | _ ->
        raise (InputException "Give the data folder and the number of epochs, then names of recipes (all where none is given)."))
