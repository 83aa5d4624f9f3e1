namespace FunctionalSeparation

open System
open System.IO
open System.Text.Json.Nodes
open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// A run, trained and scored. The caller owns the model.
[<NoEquality; NoComparison>]
type ScoredRun =
    {
        Run: Run
        Trained: TrainedModel
        Scores: ClipScores list
        /// Step and objective, for the training curve: the steps of all sessions.
        Curve: (int * float) list
        /// Seconds of training, over all sessions.
        Seconds: float
        /// Whether this call trained or was the first to score: false where it returned the scores of an earlier call.
        IsNew: bool
        Provenance: JsonObject
    }

/// Runs of experiments: train, keep the model, score on the test clips of the corpus, write down.
[<RequireQualifiedAccess>]
module ScoredRun =

    let private train (run: Run) =
        let tell = Experiment.progress "training"

        let report (step: StepReport) =
            let dev = step.DevGnsdr |> Option.map (fun score -> $", dev GNSDR {score:F2} dB") |> Option.defaultValue ""
            let value = step.Value.ToString("G3", Globalization.CultureInfo.InvariantCulture)
            tell step.Step step.Steps $"objective {value}{dev}"
            run.Report step

        if run.Resume && Run.hasCheckpoint run.Folder then
            eprintfn $"resuming from the checkpoint in {run.Folder}"

        Run.train { run with Report = report }

    let private provenance (corpus: Corpus) (run: Run) (seconds: float) =
        Provenance.create
            (string run.Device)
            [ "recipe", Recipe.toJson run.Recipe
              "corpus", JsonValue.Create corpus.Name
              "trainingClips", JsonValue.Create run.Train.Length
              "trainingData", JsonValue.Create(Corpus.fingerprint run.Train)
              "testData", JsonValue.Create(Corpus.fingerprint corpus.Test)
              "trainingSeconds", JsonValue.Create(Math.Round(seconds, 1)) ]

    /// Raises InputException before the training for test clips that could not be scored after it.
    let private checkTest (corpus: Corpus) (run: Run) =
        if corpus.Test.IsEmpty then
            raise (
                InputException $"{corpus.Name}: there are no test clips, so the network could not be scored. Give data with some."
            )

        let spec = run.Recipe.Network.Spec
        FrontEnd.requireScorable spec.Sources spec.FrontEnd corpus.Test

    /// The file with a line for each run from this repository.
    let private journal = Experiment.inRepository [ "artifacts"; "results.jsonl" ]

    /// The results are in the run's folder too: a journal that cannot be written stops no run.
    let private orNote (write: unit -> unit) =
        try
            write ()
        with :? InputException as wrong ->
            eprintfn $"note: {wrong.Message} The results of this run are in its own folder only."

    /// How to separate a song with the model of a run: the scripts know no custom families.
    let private songBy (run: Run) =
        let family = run.Recipe.Network.Family

        if ModelFolder.families |> List.exists (fun known -> known.Name = family) then
            $"a song by it: dotnet fsi scripts/separate.fsx SONG --model {run.Folder} --out stems"
        else
            $"a song by it: ModelFolder.openWith, with the reader of its family, {family}"

    let private work (corpus: Corpus) (run: Run) : ScoredRun =
        checkTest corpus run
        let resultsPath = Path.Combine(run.Folder, "results.json")
        Results.requireWritable resultsPath
        orNote (fun () -> Results.requireWritable journal)
        Experiment.announce run.Device
        let finished = train run
        // A run that was stopped while it was scored is new, though its training had ended.
        let isNew = finished.StepsMade > 0 || not (File.Exists resultsPath)
        let provenance = provenance corpus run finished.Seconds
        ModelFolder.save run.Folder finished.Trained provenance
        let separator = Separation.separator finished.Trained Soft

        let scores =
            Experiment.evaluate { Mixing = run.Recipe.Mixing; Pairing = ByBestSir } run.Device "scoring" separator corpus.Test

        let results = Results.ofSystem (Recipe.title run.Recipe) scores
        results["provenance"] <- provenance.DeepClone()
        Results.save resultsPath results

        eprintfn $"the model: {run.Folder}; {songBy run}"

        if isNew then orNote (fun () -> Results.append journal (Results.withoutClips results))

        { Run = run
          Trained = finished.Trained
          Scores = scores
          Curve = RunLog.objectives run.Folder
          Seconds = finished.Seconds
          IsNew = isNew
          Provenance = provenance }

    /// The message of a stopped run: how to resume it.
    let private left (run: Run) () =
        if Run.hasCheckpoint run.Folder then
            let how = if run.Resume then "the same command" else "the same command with --resume"
            $"the last checkpoint in {run.Folder} is whole, and {how} goes on from it"
        else
            "there was no checkpoint yet, start again"

    /// Trains, writes the model folder, and scores the test clips with the soft mask. Writes `results.json` into the folder and a
    /// line to the repository's `artifacts/results.jsonl`; a check before the training makes sure that both can be written.
    /// Shows its progress. Where it is stopped, it prints how to resume.
    /// Raises InputException as `Run.train` and `Evaluate.clip`, and where the folder cannot be written.
    let make (corpus: Corpus) (run: Run) : ScoredRun = Stop.saying (left run) (fun () -> work corpus run)

    let private factNames =
        [ "plan"; "seed"; "training clips"; "training seconds"; "threads"; "device"; "commit"; "time" ]

    let private facts (made: ScoredRun) =
        let entry (name: string) = made.Provenance[name].GetValue<string>()

        [ made.Provenance["recipe"].["plan"].GetValue<string>()
          string made.Run.Recipe.Seed
          string made.Run.Train.Length
          FormattableString.Invariant $"{made.Seconds:F0}"
          made.Provenance["threads"].ToString()
          string made.Run.Device
          entry "commit"
          entry "time" ]
        |> List.zip factNames

    /// Raises InputException where `record` could not add its row, before the work: for a file that cannot be written, or has
    /// other columns.
    let requireRecord (path: string) (first: string list) : unit =
        Results.requireColumns path (first @ factNames @ Results.columnNames @ [ "extra"; "row" ])

    /// Adds the scored run to a CSV file, after the columns `first`, which identify the row. A run that had ended before is there
    /// already.
    let record (path: string) (first: (string * string) list) (made: ScoredRun) : unit =
        if made.IsNew then
            Results.appendCsv
                path
                (first @ facts made @ Results.columns made.Scores @ [ "extra", Results.further made.Scores; "row", "" ])
