namespace FunctionalSeparation

open System
open System.Globalization
open System.IO
open System.Text.Json.Nodes
open TorchSharp
open FunctionalSeparation.Core

/// The best parameters so far, where a run chooses on development clips.
[<NoEquality; NoComparison>]
type Best =
    {
        /// Voice GNSDR on the development clips, dB.
        Score: float
        /// Steps done when it was reached.
        AtStep: int
        /// The parameters, [total].
        Vector: torch.Tensor
    }

/// What a run tells its observer after each step.
type StepReport =
    {
        /// Steps done.
        Step: int
        /// Steps planned.
        Steps: int
        /// The objective (see `OptimiserStep.Value`).
        Value: float
        /// Evaluations of the objective so far.
        Evaluations: int
        /// Voice GNSDR on the development clips in dB, where this step looked at them.
        DevGnsdr: float option
        /// Seconds of training so far, over all sessions.
        Seconds: float
    }

/// Where and how a run is made.
[<NoEquality; NoComparison>]
type RunSettings =
    {
        Recipe: Recipe
        Train: Clip list
        Dev: Clip list
        Device: torch.Device
        /// The run's folder: log, checkpoint, and in the end the model.
        Folder: string
        /// Go on from the checkpoint in the folder, where there is one.
        Resume: bool
        /// Steps between checkpoints.
        CheckpointEvery: int
        Report: StepReport -> unit
    }

/// A run that has come to its end. The model belongs to the caller.
[<NoEquality; NoComparison>]
type Finished =
    {
        Trained: TrainedModel
        /// Seconds of training, over all sessions.
        Seconds: float
        /// Steps made by this call: 0 where the run had ended before.
        StepsMade: int
    }

/// A training run in a folder: the fold of `Train`, observed. What is observed is written to `log.jsonl`; the state goes to
/// `checkpoint.safetensors`, whole or not at all, so that a run killed at any moment and resumed ends bit-identically.
[<RequireQualifiedAccess>]
module TrainingRun =

    let private checkpointPath folder = Path.Combine(folder, "checkpoint.safetensors")
    let private logPath folder = Path.Combine(folder, "log.jsonl")

    let private dtype = torch.float32

    /// What the next step depends on, apart from the task.
    [<NoEquality; NoComparison>]
    type private Progress = { State: TrainState; Best: Best option; Seconds: float }

    /// The task of the recipe, its number of steps, and the tensors that live as long as the run.
    let private task settings : Task * int * torch.Tensor list =
        let recipe = settings.Recipe
        let frontEnd = recipe.Architecture.FrontEnd
        let model = Architecture.model recipe.Architecture
        let loss = Recipe.loss recipe

        match recipe.Plan with
        | FullBatch(shift, iterations) ->
            let batches = Feed.wholeClips frontEnd shift 1600 dtype settings.Device settings.Train

            { Model = model; Loss = loss; Optimiser = Lbfgs.minFunc iterations; Feed = fun _ -> batches },
            iterations,
            List.collect Batch.tensors batches
        | RandomExcerpts(excerpts, epochs, rate) ->
            let feed = Feed.excerpts frontEnd excerpts settings.Device settings.Train
            let steps = epochs * feed.StepsPerEpoch
            let key = Key.fold 1 (Key.ofSeed recipe.Seed)

            { Model = model
              Loss = loss
              Optimiser = Optim.adam (Schedule.cosine rate steps 0)
              Feed = fun step -> [ feed.Batch key step ] },
            steps,
            []
        | MiniBatches plan ->
            let feed = Feed.rotations frontEnd plan.ShiftStep 1600 settings.Device settings.Train

            { Model = model
              Loss = loss
              Optimiser = Lbfgs.minFunc plan.Iterations |> MiniBatch.clipped plan.Clipping |> MiniBatch.restarted plan.Iterations
              Feed = fun step -> feed.Batches(step / plan.Iterations) },
            plan.Passes * feed.Count * plan.Iterations,
            []

    let private fingerprint settings = (Recipe.toJson settings.Recipe).ToJsonString() + " " + Corpus.fingerprint settings.Train

    let private saveCheckpoint settings identity (progress: Progress) =
        let state = TrainState.toFile progress.State

        let best =
            match progress.Best with
            | None -> [], []
            | Some best ->
                [ "best", best.Vector ],
                [ "best.score", best.Score.ToString("R", CultureInfo.InvariantCulture); "best.step", string best.AtStep ]

        let texts =
            [ "run", identity; "seconds", progress.Seconds.ToString("R", CultureInfo.InvariantCulture) ] @ snd best

        Safetensors.save
            (checkpointPath settings.Folder)
            { Tensors = state.Tensors @ fst best
              Texts = Map.fold (fun all name text -> Map.add name text all) (Map.ofList texts) state.Texts }

    let private readProgress settings identity (file: TensorFile) : Progress =
        if file.Texts.TryFind "run" <> Some identity then
            raise (
                InputException
                    "belongs to a run with other settings or other clips. Use the settings it was started with, or another folder."
            )

        let number name = Double.Parse(file.Texts[name], CultureInfo.InvariantCulture)
        let best, state = file.Tensors |> List.partition (fun (name, _) -> name = "best")

        { State = TrainState.ofFile settings.Device { file with Tensors = state }
          Best =
            best
            |> List.tryHead
            |> Option.map (fun (_, vector) ->
                { Score = number "best.score"
                  AtStep = int file.Texts["best.step"]
                  Vector = Memory.moveTo settings.Device vector })
          Seconds = number "seconds" }

    let private loadCheckpoint settings identity : Progress =
        let path = checkpointPath settings.Folder
        let file = Safetensors.load path

        try
            readProgress settings identity file
        with
        | :? InputException as wrong -> raise (InputException($"{path}: {wrong.Message}", wrong))
        | :? FormatException
        | :? System.Collections.Generic.KeyNotFoundException as cause ->
            raise (InputException($"{path}: is damaged. Remove it to start afresh.", cause))

    /// The stored progress, where there is some and it is to be resumed. A folder in use is refused before anything is read.
    let private stored settings : (string -> Progress) option =
        let inUse =
            File.Exists(checkpointPath settings.Folder) || File.Exists(Path.Combine(settings.Folder, "model.json"))

        if inUse && not settings.Resume then
            raise (
                InputException
                    $"{settings.Folder}: holds a run already. Add --resume to go on with it, or choose another folder with --out."
            )

        if File.Exists(checkpointPath settings.Folder) then
            Some(loadCheckpoint settings)
        else
            None

    let private fresh settings (task: Task) : Progress =
        let start = Params.start task.Model.Layout dtype settings.Device (Key.fold 0 (Key.ofSeed settings.Recipe.Seed))
        { State = Train.start task start.Vector; Best = None; Seconds = 0.0 }

    /// Drops what an interrupted run logged after its last checkpoint.
    let private trimLog folder step =
        let path = logPath folder

        if File.Exists path then
            let isKept (line: string) =
                try
                    (JsonNode.Parse line).["step"].GetValue<int>() <= step
                with _ ->
                    false // a line that the interruption cut off

            File.WriteAllLines(path, File.ReadAllLines path |> Array.filter isKept)

    /// JSON has no word for NaN and infinity: null.
    let private finite (value: float) : JsonNode = if Double.IsFinite value then JsonValue.Create value else null

    let private logLine (report: StepReport) =
        let json = JsonObject()
        json["step"] <- JsonValue.Create report.Step
        json["value"] <- finite report.Value
        json["evaluations"] <- JsonValue.Create report.Evaluations
        json["seconds"] <- JsonValue.Create(Math.Round(report.Seconds, 2))
        report.DevGnsdr |> Option.iter (fun score -> json["devGnsdr"] <- finite score)
        json.ToJsonString() + "\n"

    /// Mean level of the training mixtures (root mean square).
    let private level (clips: Clip list) =
        clips
        |> List.averageBy (fun clip ->
            Memory.plain (fun () ->
                let mixture = (clip.Read() |> Clip.unitNorm dtype torch.CPU).sum(0L)
                mixture.square().mean().sqrt().to_type(torch.float64).item<float>()))

    let private devGnsdr settings (vector: torch.Tensor) =
        let architecture = settings.Recipe.Architecture

        let trained =
            { Architecture = architecture
              Parameters = Params.create (Architecture.model architecture).Layout vector
              Level = 1.0 }

        let rows = Evaluate.clips dtype settings.Device ignore (Separation.separator trained Soft) settings.Dev
        (Evaluate.summary _.Voice rows).Gnsdr

    let private select settings (state: TrainState) (best: Best option) : float option * Best option =
        match settings.Recipe.Selection with
        | BestOnDev every when state.Step % every = 0 || state.Stopped.IsSome ->
            let score = devGnsdr settings state.Parameters

            match best with
            | Some known when known.Score >= score -> Some score, best
            | _ ->
                best |> Option.iter _.Vector.Dispose()
                Some score, Some { Score = score; AtStep = state.Step; Vector = state.Parameters.clone () }
        | _ -> None, best

    let private finish settings (progress: Progress) : TrainedModel =
        let vector =
            match progress.Best with
            | Some best -> best.Vector
            | None -> progress.State.Parameters

        let architecture = settings.Recipe.Architecture

        { Architecture = architecture
          Parameters = Params.create (Architecture.model architecture).Layout (vector.clone ())
          Level = level settings.Train }

    let private check settings =
        if settings.Train.IsEmpty then
            raise (
                InputException
                    "There are no training clips. Give a folder with MIR-1K's training singers, or one with a folder 'train'."
            )

        if settings.Recipe.Selection <> LastStep && settings.Dev.IsEmpty then
            raise (InputException "The recipe chooses its model on development clips, and there are none.")

    let private reportOf steps (progress: Progress) score =
        { Step = progress.State.Step
          Steps = steps
          Value = progress.State.Value
          Evaluations = progress.State.Evaluations
          DevGnsdr = score
          Seconds = progress.Seconds }

    /// Follows the states to the last one, writing the log and checkpoints on the way.
    let private follow settings identity task steps (first: Progress) : Finished =
        let clock = Diagnostics.Stopwatch.StartNew()
        use log = new StreamWriter(logPath settings.Folder, append = true)
        let mutable progress = first
        let mutable finished = None

        use _ =
            { new IDisposable with
                member _.Dispose() = progress.Best |> Option.iter _.Vector.Dispose() }

        for state in Train.states task steps first.State do
            let score, best = select settings state progress.Best
            progress <- { State = state; Best = best; Seconds = first.Seconds + clock.Elapsed.TotalSeconds }
            let report = reportOf steps progress score
            log.Write(logLine report)
            let last = state.Step >= steps || state.Stopped.IsSome

            if last || state.Step % settings.CheckpointEvery = 0 then
                log.Flush()
                saveCheckpoint settings identity progress

            settings.Report report

            if last then finished <- Some(finish settings progress)

        { Trained = finished.Value; Seconds = progress.Seconds; StepsMade = progress.State.Step - first.State.Step }

    /// A run that had come to its end already.
    let private reopen settings (progress: Progress) : Finished =
        let trained = finish settings progress
        TrainState.dispose progress.State
        progress.Best |> Option.iter _.Vector.Dispose()
        { Trained = trained; Seconds = progress.Seconds; StepsMade = 0 }

    /// Trains to the end, or goes on to it. Raises InputException for settings that make no run: no clips, a folder in use, a
    /// checkpoint of another run, a clip that cannot be used, an objective that is not finite.
    let run (settings: RunSettings) : Finished =
        check settings
        let stored = stored settings
        let identity = fingerprint settings
        let stored = stored |> Option.map (fun load -> load identity)
        let task, steps, owned = task settings

        try
            let progress = stored |> Option.defaultWith (fun () -> fresh settings task)
            Directory.CreateDirectory settings.Folder |> ignore
            WholeFile.RemoveLeftovers(checkpointPath settings.Folder)
            trimLog settings.Folder progress.State.Step

            if progress.State.Step >= steps || progress.State.Stopped.IsSome then
                reopen settings progress
            else
                follow settings identity task steps progress
        finally
            for tensor in owned do
                tensor.Dispose()
