// Trains a deep (recurrent) network with the mask inside it on singing voice and music, and scores it.
// Huang, Kim, Hasegawa-Johnson, Smaragdis: "Singing-voice separation from monaural recordings using deep recurrent
// neural networks", ISMIR 2014, table 3. Options: dotnet fsi scripts/huang2014/drnn.fsx -- --help
#load "options.fsx"

open System.IO
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core
open Options

let papers = Path.Combine(__SOURCE_DIRECTORY__, "..", "..", "papers", "huang2014")

/// The paper's figures for a model, as a row beside ours.
let published title =
    [ for row in Papers.expected (Path.Combine(papers, "expected.csv")) do
          if row.Model = title && row.Table = "architectures" then
              let scores = List.map (snd >> Results.decibels) row.Figures
              $"{row.Model}, the paper (825 clips)" :: scores @ [ ""; ""; "" ] ]

/// Nothing can be learnt from a clip with a silent source; it is scored as far as it goes.
let requireOf stft split clip =
    Clip.read clip |> (if split = Split.Train then Clip.requireUsable else Clip.requireLength) stft clip

Experiment.main (fun () ->
    let arguments = Experiment.arguments<TrainArgument> fsi.CommandLineArgs
    let preset = presetOf arguments
    let recipe = recipeOf arguments
    let title = Recipe.title recipe
    let runFolder = Experiment.inRepository [ "artifacts"; "runs"; $"{preset}-{title}".Replace(" ", "") ]

    let corpus =
        match arguments.TryGetResult TrainArgument.Data, preset with
        | Some folder, _ -> Mir1k.load folder
        | None, Smoke -> Corpus.embedded 0
        | None, _ -> raise (InputException "The desk and paper presets need real songs: give the folder of MIR-1K with --data.")

    Experiment.tellLeftOut corpus

    // The smoke preset takes a slice: enough to see every part work.
    let limit count clips = if preset = Smoke then List.truncate count clips else clips

    let corpus =
        { corpus with Train = limit 12 corpus.Train; Test = limit 6 corpus.Test }
        |> Inputs.usable (requireOf recipe.Network.Spec.FrontEnd.Stft)

    Corpus.require (Recipe.needs recipe) corpus

    let run =
        { Run.create corpus (arguments.GetResult(TrainArgument.Out, runFolder)) recipe with
            Device = Devices.Parse(arguments.GetResult(TrainArgument.Device, "auto"))
            Resume = arguments.Contains TrainArgument.Resume
            CheckpointEvery = (if preset = Desk then 100 else 10)
            TensorBoard = arguments.Contains TrainArgument.TensorBoard }

    eprintfn $"{title}, {preset}: {run.Train.Length} clips of {corpus.Name}, on {run.Device}, into {run.Folder}"

    let isRecordings = arguments.Contains TrainArgument.Data
    let isRecorded = isRecordings && preset <> Smoke
    let record = Path.Combine(papers, "results.csv")
    if isRecorded then ScoredRun.requireRecord record [ "table"; "model"; "preset" ]
    let scored = ScoredRun.make corpus run

    let frontEnd = recipe.Network.Spec.FrontEnd

    let limits =
        [ for separator in [ Evaluate.mixture frontEnd; Evaluate.idealBinaryMask frontEnd ] ->
              Results.row separator.Name (Experiment.evaluate Scoring.papers run.Device separator.Name separator corpus.Test) ]

    printfn $"\n{corpus.Test.Length} test clips of {corpus.Name}, trained for {scored.Seconds:F0} s, BSS Eval 3, dB\n"
    let rows = limits @ [ Results.row title scored.Scores ] @ (if isRecordings then published title else [])
    printfn "%s" (Results.table (Results.header recipe.Network.Spec.Sources) rows)

    for line in Results.remarks scored.Scores do
        printfn "%s" line

    if isRecorded then
        ScoredRun.record record [ "table", "flagship"; "model", title; "preset", string preset ] scored)
