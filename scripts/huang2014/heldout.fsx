// Compares training recipes for DRNN-2 + discrim without touching a test clip: trains on one of the two training singers,
// scores the other, both ways. Adds a row a run to papers/huang2014/heldout.csv. A run that was stopped goes on when the same is
// started again.
//   dotnet fsi scripts/huang2014/heldout.fsx DATA EPOCHS [NAME ...]
#load "../load.fsx"

open System.IO
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

let excerpts otherSong gainRange speeds =
    { ExcerptSettings.ofSize 50 16 with OtherSong = otherSong; GainRange = gainRange; Speeds = speeds }

/// Steps of about two semitones, or of one.
let wide = [ 0.79; 0.89; 1.0; 1.12; 1.26 ]
let narrow = [ 0.89; 0.94; 1.0; 1.06; 1.12 ]

let candidates =
    [ "own song", excerpts 0.0 0.0 [ 1.0 ]
      "other song 0.5", excerpts 0.5 0.0 [ 1.0 ]
      "other song 1", excerpts 1.0 0.0 [ 1.0 ]
      "other song 0.5, gain 6", excerpts 0.5 6.0 [ 1.0 ]
      "other song 1, speeds ±12 %", excerpts 1.0 0.0 narrow
      "other song 1, speeds ±26 %", excerpts 1.0 0.0 wide ]

let results = Path.Combine(__SOURCE_DIRECTORY__, "..", "..", "papers", "huang2014", "heldout.csv")

let compare (corpus: Corpus) epochs (name: string, excerpts) =
    for singer in [ "abjones"; "amy" ] do
        let parts = Corpus.heldOut singer corpus

        let folder =
            Experiment.inRepository
                [ "artifacts"; "heldout"; $"{name}, {epochs} epochs, without {singer}".Replace("%", "percent") ]

        eprintfn $"{name}, {singer} held out"

        let recipe =
            { Huang2014.recipeOn (fun _ -> excerpts) Desk (Huang2014.network Desk) Huang2014.loss with
                Length = Epochs epochs }

        let scored = ScoredRun.make parts { Run.create parts folder recipe with CheckpointEvery = 1000 }
        ScoredRun.record results [ "recipe", name; "held out", singer ] scored
        let row = Results.row $"{name}, {singer} held out" scored.Scores
        printfn "%s\n" (Results.table (Results.header Stems.musicAndVoice) [ row ])
        Params.dispose scored.Trained.Parameters
        Directory.Delete(folder, true)

Experiment.main (fun () ->
    match List.tail (List.ofArray fsi.CommandLineArgs) with
    | data :: count :: names ->
        let epochs = CommandLine.whole "EPOCHS" count
        if epochs < 1 then raise (InputException $"EPOCHS {count}: at least 1.")
        let corpus = Mir1k.load data
        Experiment.tellLeftOut corpus
        let corpus = Inputs.usable (fun _ -> Clip.readableSamples >> ignore) corpus
        ScoredRun.requireRecord results [ "recipe"; "held out" ]
        let chosen = candidates |> List.filter (fun (name, _) -> names.IsEmpty || List.contains name names)

        if chosen.IsEmpty then
            raise (InputException $"No such recipe. There are: {List.map fst candidates}.")

        List.iter (compare corpus epochs) chosen
    | _ ->
        raise (InputException "Give the data folder and the number of epochs, then names of recipes (all where none is given)."))
