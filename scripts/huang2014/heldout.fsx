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
        let folder = Directory.CreateTempSubdirectory("funcsep-heldout-").FullName
        printfn $"{name}, {singer} held out"

        let outcome =
            Trial.run
                { Recipe = { Recipe.desk with Plan = RandomExcerpts(excerpts, epochs, 5e-4) }
                  Data = corpus.Name
                  Train = train
                  Dev = []
                  Test = heldOut
                  Device = Devices.Parse "auto"
                  Folder = folder
                  Resume = false
                  CheckpointEvery = 1000
                  TensorBoard = false }

        Trial.record results [ "recipe", name; "held out", singer ] outcome
        printfn "%s\n" (Results.table Results.header [ Results.row $"{name}, {singer} held out" outcome.Scores ])
        outcome.Trained.Parameters.Vector.Dispose()
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
