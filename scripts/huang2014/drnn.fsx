// Trains a deep (recurrent) network with the mask inside it on singing voice and music, and scores it.
// Huang, Kim, Hasegawa-Johnson, Smaragdis: "Singing-voice separation from monaural recordings using deep recurrent
// neural networks", ISMIR 2014, table 3. Options: dotnet fsi scripts/huang2014/drnn.fsx --help
#load "../load.fsx"

open System.IO
open System.Text.Json.Nodes
open FunctionalSeparation
open FunctionalSeparation.Core

let papers = Path.Combine(__SOURCE_DIRECTORY__, "..", "..", "papers", "huang2014")

Experiment.main (fun () ->
    let arguments = Experiment.arguments<TrainArgument> fsi.CommandLineArgs
    let preset, recipe = Experiment.preset arguments, Experiment.recipe arguments
    let deviceName = arguments.GetResult(TrainArgument.Device, "auto")
    let device = Devices.Parse deviceName

    let corpus =
        match arguments.TryGetResult TrainArgument.Data, preset with
        | Some folder, _ -> Mir1k.load folder
        | None, Smoke -> Corpus.embedded 0
        | None, _ -> raise (InputException "The desk and paper presets need real songs: give the folder of MIR-1K with --data.")

    // The smoke preset takes a slice: enough to see every part work.
    let limit count clips = if preset = Smoke then List.truncate count clips else clips
    let train, test = limit 12 corpus.Train, limit 6 corpus.Test

    let folder =
        arguments.GetResult(Out, Path.Combine("artifacts", "runs", $"{preset}-{Recipe.title recipe}".Replace(" ", "")))

    printfn $"{Recipe.title recipe}, {preset}: {train.Length} training clips of {corpus.Name}, on {device}, into {folder}"
    let tell = Experiment.progress "training"

    let trained, seconds =
        TrainingRun.run
            { Recipe = recipe
              Train = train
              Dev = corpus.Dev
              Device = device
              Folder = folder
              Resume = arguments.Contains Resume
              CheckpointEvery =
                (match preset with
                 | Desk -> 100
                 | Smoke
                 | Paper -> 10)
              Report =
                fun report ->
                    let dev = report.DevGnsdr |> Option.map (fun score -> $", dev GNSDR {score:F2} dB") |> Option.defaultValue ""
                    tell report.Step report.Steps $"objective {report.Value:F1}{dev}" }

    let provenance =
        Provenance.create
            (string device)
            [ "recipe", Recipe.toJson recipe
              "corpus", JsonValue.Create corpus.Name
              "trainingClips", JsonValue.Create train.Length
              "trainingData", JsonValue.Create(Corpus.fingerprint train)
              "trainingSeconds", JsonValue.Create(System.Math.Round(seconds, 1)) ]

    ModelFolder.save folder trained provenance

    let score label separator = Experiment.evaluate device label separator test
    let ours = score "scoring" (Separation.separator trained Soft)
    let ceiling = score "ceiling" (Evaluate.idealBinaryMask trained.Architecture.FrontEnd.Stft)

    let results = Results.ofSystem (Recipe.title recipe) ours
    results["provenance"] <- provenance.DeepClone()
    Results.save (Path.Combine(folder, "results.json")) results
    Results.append (Path.Combine("artifacts", "results.jsonl")) (Results.withoutClips results)

    if arguments.Contains Data && preset <> Smoke then
        Results.appendCsv
            (Path.Combine(papers, "results.csv"))
            ([ "model", Recipe.title recipe
               "preset", string preset
               "plan", provenance["recipe"].["plan"].GetValue<string>()
               "seed", string recipe.Seed
               "training clips", string train.Length
               "training seconds", $"{seconds:F0}"
               "device", string device
               "commit", provenance["commit"].GetValue<string>()
               "time", provenance["time"].GetValue<string>() ]
             @ Results.columns ours)

    let paper =
        Papers.expected (Path.Combine(papers, "expected.csv"))
        |> List.filter (fun row -> row.Model = Recipe.title recipe)
        |> List.map (fun row ->
            [ row.Model + ", the paper (825 clips)"
              Results.decibels row.Gnsdr
              Results.decibels row.Gsir
              Results.decibels row.Gsar
              ""
              ""
              "" ])

    printfn $"\n{test.Length} test clips of {corpus.Name}, trained for {seconds:F0} s, BSS Eval 3, dB\n"

    printfn
        "%s"
        (Results.table
            Results.header
            ([ Results.row "ideal binary mask" ceiling; Results.row (Recipe.title recipe) ours ] @ paper))

    for line in Results.unscored ours do
        printfn "%s" line)
