namespace FunctionalSeparation

open System
open System.IO
open System.Text.Json.Nodes
open TorchSharp
open FunctionalSeparation.Core

/// One row of an experiment's table: a recipe, trained on some clips and scored on others.
[<NoEquality; NoComparison>]
type Trial =
    {
        Recipe: Recipe
        /// Name of the data, for provenance.
        Data: string
        Train: Clip list
        /// Clips that the recipe may choose its model with; unused where it keeps the last step.
        Dev: Clip list
        Test: Clip list
        Device: torch.Device
        /// Folder of the run: log, checkpoint, model, results.json.
        Folder: string
        /// Go on with the run in the folder.
        Resume: bool
        /// Steps between checkpoints.
        CheckpointEvery: int
        /// Also write event files for TensorBoard into the folder `tensorboard` of the run's folder.
        TensorBoard: bool
    }

/// Result of a trial. The caller owns the model.
[<NoEquality; NoComparison>]
type Outcome =
    {
        Trial: Trial
        Trained: TrainedModel
        Scores: ClipScores list
        /// Step and objective, for the training curve: the steps of all sessions.
        Curve: (int * float) list
        /// Seconds of training, over all sessions.
        Seconds: float
        /// Whether this call trained or was the first to score: false where it went back to a run that had ended.
        IsNew: bool
        Provenance: JsonObject
    }

/// Trials: train, keep the model, score, write down.
[<RequireQualifiedAccess>]
module Trial =

    /// A recipe on the clips of a corpus, in a folder: on the device that is there, gone on with where it was begun.
    let onCorpus (corpus: Corpus) (folder: string) (recipe: Recipe) : Trial =
        { Recipe = recipe
          Data = corpus.Name
          Train = corpus.Train
          Dev = corpus.Dev
          Test = corpus.Test
          Device = Devices.Parse "auto"
          Folder = folder
          Resume = true
          CheckpointEvery = 100
          TensorBoard = false }

    let private train (trial: Trial) =
        let tell = Experiment.progress "training"

        let report (step: StepReport) =
            let dev = step.DevGnsdr |> Option.map (fun score -> $", dev GNSDR {score:F2} dB") |> Option.defaultValue ""
            let value = step.Value.ToString("G3", Globalization.CultureInfo.InvariantCulture)
            tell step.Step step.Steps $"objective {value}{dev}"

        if trial.Resume && TrainingRun.hasCheckpoint trial.Folder then
            eprintfn $"going on from the checkpoint in {trial.Folder}"

        TrainingRun.run
            { Recipe = trial.Recipe
              Train = trial.Train
              Dev = trial.Dev
              Device = trial.Device
              Folder = trial.Folder
              Resume = trial.Resume
              CheckpointEvery = trial.CheckpointEvery
              TensorBoard = trial.TensorBoard
              Report = report }

    let private provenance (trial: Trial) (seconds: float) =
        Provenance.create
            (string trial.Device)
            [ "recipe", Recipe.toJson trial.Recipe
              "corpus", JsonValue.Create trial.Data
              "trainingClips", JsonValue.Create trial.Train.Length
              "trainingData", JsonValue.Create(Corpus.fingerprint trial.Train)
              "testData", JsonValue.Create(Corpus.fingerprint trial.Test)
              "trainingSeconds", JsonValue.Create(Math.Round(seconds, 1)) ]

    /// Raises InputException before the training for test clips that could not be scored after it.
    let private checkTest (trial: Trial) =
        if trial.Test.IsEmpty then
            raise (
                InputException $"{trial.Data}: there are no test clips, so the network could not be scored. Give data with some."
            )

        let setting = trial.Recipe.Network.Setting
        FrontEnd.requireScorable setting.Sources setting.FrontEnd trial.Test

    /// The file with a line a run, of all runs from this repository.
    let private journal = Experiment.inRepository [ "artifacts"; "results.jsonl" ]

    /// The results are in the run's folder too: a journal that cannot be written stops no run.
    let private orNote (write: unit -> unit) =
        try
            write ()
        with :? InputException as wrong ->
            eprintfn $"note: {wrong.Message} The results of this run are in its own folder only."

    /// How a song is taken apart by the model of a trial: the scripts know no family of one's own.
    let private songBy (trial: Trial) =
        let family = trial.Recipe.Network.Family

        if ModelFolder.families |> List.exists (fun known -> known.Name = family) then
            $"a song by it: dotnet fsi scripts/separate.fsx SONG --model {trial.Folder} --out stems"
        else
            $"a song by it: ModelFolder.openWith, with the reader of its family, {family}"

    let private work (trial: Trial) : Outcome =
        checkTest trial
        let resultsPath = Path.Combine(trial.Folder, "results.json")
        Results.requireWritable resultsPath
        orNote (fun () -> Results.requireWritable journal)
        Experiment.announce trial.Device
        let finished = train trial
        // A run that was stopped while it was scored is new, though its training had ended.
        let isNew = finished.StepsMade > 0 || not (File.Exists resultsPath)
        let provenance = provenance trial finished.Seconds
        ModelFolder.save trial.Folder finished.Trained provenance
        let separator = Separation.separator finished.Trained Soft

        let scores =
            Experiment.evaluate { Mixing = trial.Recipe.Mixing; Pairing = ByBestSir } trial.Device "scoring" separator trial.Test

        let results = Results.ofSystem (Recipe.title trial.Recipe) scores
        results["provenance"] <- provenance.DeepClone()
        Results.save resultsPath results

        eprintfn $"the model: {trial.Folder}; {songBy trial}"

        if isNew then orNote (fun () -> Results.append journal (Results.withoutClips results))

        { Trial = trial
          Trained = finished.Trained
          Scores = scores
          Curve = RunLog.objectives trial.Folder
          Seconds = finished.Seconds
          IsNew = isNew
          Provenance = provenance }

    /// Message of a run that is stopped: how to resume it.
    let private left (trial: Trial) () =
        if TrainingRun.hasCheckpoint trial.Folder then
            let how = if trial.Resume then "the same command" else "the same command with --resume"
            $"the last checkpoint in {trial.Folder} is whole, and {how} goes on from it"
        else
            "there was no checkpoint yet, start again"

    /// Trains, writes the model folder, and scores the test clips with the soft mask. Writes `results.json` into the folder and a
    /// line to the repository's `artifacts/results.jsonl`; a check before the training makes sure that both can be written.
    /// Shows its progress. Where it is stopped, it prints how to resume.
    /// Raises InputException as `TrainingRun.run` and `Evaluate.clip`, and where the folder cannot be written.
    let run (trial: Trial) : Outcome = Stop.saying (left trial) (fun () -> work trial)

    let private factNames =
        [ "plan"; "seed"; "training clips"; "training seconds"; "threads"; "device"; "commit"; "time" ]

    let private facts (outcome: Outcome) =
        let entry (name: string) = outcome.Provenance[name].GetValue<string>()

        [ outcome.Provenance["recipe"].["plan"].GetValue<string>()
          string outcome.Trial.Recipe.Seed
          string outcome.Trial.Train.Length
          FormattableString.Invariant $"{outcome.Seconds:F0}"
          outcome.Provenance["threads"].ToString()
          string outcome.Trial.Device
          entry "commit"
          entry "time" ]
        |> List.zip factNames

    /// Raises InputException where `record` could not add its row, before the work: for a file that cannot be written, or has other columns.
    let requireRecord (path: string) (first: string list) : unit =
        Results.requireColumns path (first @ factNames @ Results.columnNames @ [ "extra"; "row" ])

    /// Adds the outcome to a CSV file, after `first` columns that tell it from other rows. The outcome of a run that had ended
    /// before is there already.
    let record (path: string) (first: (string * string) list) (outcome: Outcome) : unit =
        if outcome.IsNew then
            Results.appendCsv
                path
                (first
                 @ facts outcome
                 @ Results.columns outcome.Scores
                 @ [ "extra", Results.further outcome.Scores; "row", "" ])
