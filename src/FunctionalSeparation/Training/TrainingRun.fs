namespace FunctionalSeparation

open System
open System.IO
open TorchSharp
open FunctionalSeparation.Core

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
        /// Also write event files for TensorBoard (see `TensorBoard`), into the folder `tensorboard` of the run's folder.
        TensorBoard: bool
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

/// A training run in a folder: the fold of `Train`, observed. What is observed is written to `log.jsonl`; the state goes to a
/// `Checkpoint`, so that a run killed at any moment and resumed ends bit-identically.
[<RequireQualifiedAccess>]
module TrainingRun =

    /// Whether the folder holds a checkpoint to go on from.
    let hasCheckpoint (folder: string) : bool = File.Exists(Checkpoint.path folder)

    let private dtype = torch.float32

    /// Frames of a batch of whole clips: enough sequences side by side for the products of a recurrent layer, few enough to
    /// stay in a cache between two passes (see the benchmark `objective`).
    let private framesPerBatch = 3200

    /// What a run follows from its first step to its last.
    [<NoEquality; NoComparison>]
    type private Course =
        {
            Task: Task
            Steps: int
            /// The learning rate, where the optimiser has one.
            Rate: Schedule option
            /// The tensors that live as long as the run.
            Owned: torch.Tensor list
        }

    let private course settings : Course =
        let recipe = settings.Recipe
        let frontEnd = recipe.Architecture.FrontEnd
        let model = Architecture.modelIn recipe.Precision recipe.Architecture
        let loss = Recipe.loss recipe

        match recipe.Plan with
        | FullBatch(shift, iterations) ->
            let batches = Feed.wholeClips frontEnd shift framesPerBatch dtype settings.Device settings.Train

            { Task = { Model = model; Loss = loss; Optimiser = Lbfgs.minFunc iterations; Feed = fun _ -> batches }
              Steps = iterations
              Rate = None
              Owned = List.collect Batch.tensors batches }
        | RandomExcerpts(excerpts, epochs, rate) ->
            let feed = Feed.excerpts frontEnd excerpts settings.Device settings.Train
            let steps = epochs * feed.StepsPerEpoch
            let key = Key.fold 1 (Key.ofSeed recipe.Seed)
            let rate = Schedule.cosine rate steps 0

            { Task = { Model = model; Loss = loss; Optimiser = Optim.adam rate; Feed = fun step -> [ feed.Batch key step ] }
              Steps = steps
              Rate = Some rate
              Owned = [] }
        | MiniBatches plan ->
            let feed = Feed.rotations frontEnd plan.ShiftStep framesPerBatch settings.Device settings.Train

            let optimiser =
                Lbfgs.minFunc plan.Iterations |> MiniBatch.clipped plan.Clipping |> MiniBatch.restarted plan.Iterations

            let batches step = feed.Batches(step / plan.Iterations)

            { Task = { Model = model; Loss = loss; Optimiser = optimiser; Feed = batches }
              Steps = plan.Passes * feed.Count * plan.Iterations
              Rate = None
              Owned = [] }

    let private fingerprint settings = (Recipe.toJson settings.Recipe).ToJsonString() + " " + Corpus.fingerprint settings.Train

    /// The stored progress, where there is some and it is to be resumed. A folder in use is refused before anything is read.
    let private stored settings : (string -> Progress) option =
        let inUse = hasCheckpoint settings.Folder || File.Exists(Path.Combine(settings.Folder, "model.json"))

        if inUse && not settings.Resume then
            raise (
                InputException
                    $"{settings.Folder}: holds a run already. Add --resume to go on with it, or choose another folder with --out."
            )

        if hasCheckpoint settings.Folder then
            let layout = (Architecture.model settings.Recipe.Architecture).Layout
            Some(Checkpoint.load settings.Folder settings.Device layout)
        else
            None

    let private fresh settings (task: Task) : Progress =
        let start = Params.start task.Model.Layout dtype settings.Device (Key.fold 0 (Key.ofSeed settings.Recipe.Seed))
        { State = Train.start task start.Vector; Best = None; Seconds = 0.0 }

    /// Mean level of the training mixtures (root mean square).
    let private level (clips: Clip list) =
        clips
        |> List.averageBy (fun clip ->
            Memory.plain (fun () ->
                let mixture = (Clip.read clip |> Clip.sources Mixing.unitNorm (Clip.key clip) dtype torch.CPU).sum(0L)
                mixture.squared().mean().sqrt().to_type(torch.float64).item<float>()))

    /// The network as it stands. It is heard at the level of the training data only, so no level is needed.
    let private current settings (vector: torch.Tensor) : TrainedModel =
        let architecture = settings.Recipe.Architecture

        { Architecture = architecture
          Parameters = Params.create (Architecture.model architecture).Layout vector
          Level = 1.0 }

    let private devGnsdr settings (vector: torch.Tensor) =
        let trained = current settings vector
        let separator = Separation.separator trained Soft
        let rows = Evaluate.clips Scoring.papers dtype settings.Device ignore separator settings.Dev
        let summary = Evaluate.summary (List.last separator.Sources) rows

        if summary.Clips = 0 then
            let names = String.concat ", " (List.truncate 3 summary.Unscored)

            raise (
                InputException
                    $"{names}: no development clip has a score (a silent source, or an estimate without sound), so no model can be chosen on them."
            )

        summary.Gnsdr

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

        { current settings (vector.clone ()) with Level = level settings.Train }

    let private check settings =
        if settings.Train.IsEmpty then
            raise (
                InputException
                    "There are no training clips. Give a folder with MIR-1K's training singers, or one with a folder 'train'."
            )

        if settings.Recipe.Selection <> LastStep && settings.Dev.IsEmpty then
            raise (InputException "The recipe chooses its model on development clips, and there are none.")

        let usesDev = settings.Recipe.Selection <> LastStep || (settings.TensorBoard && not settings.Dev.IsEmpty)
        let architecture = settings.Recipe.Architecture

        if usesDev then
            Clip.requireScorable architecture.Sources architecture.FrontEnd settings.Dev

        match settings.Recipe.Plan, settings.Recipe.Precision with
        | (FullBatch _ | MiniBatches _), Precision.Bfloat16 ->
            raise (
                InputException
                    "L-BFGS compares objectives more finely than products in bfloat16 are. Train in float32, or with Adam on random excerpts."
            )
        | _ -> ()

    let private reportOf steps (progress: Progress) score =
        { Step = progress.State.Step
          Steps = steps
          Value = progress.State.Value
          Evaluations = progress.State.Evaluations
          DevGnsdr = score
          Seconds = progress.Seconds }

    /// What TensorBoard is shown at a checkpoint: the weights, and how the first development clip sounds, where there is one.
    let private showModel settings (board: EventFileWriter) (state: TrainState) =
        let trained = current settings state.Parameters
        TensorBoard.weights board state.Step trained.Parameters
        settings.Dev |> List.tryHead |> Option.iter (TensorBoard.sound board state.Step trained)
        board.Flush()

    /// Follows the states to the last one, writing the log and checkpoints on the way.
    let private follow settings identity course (first: Progress) : Finished =
        let clock = Diagnostics.Stopwatch.StartNew()
        use log = RunLog.append settings.Folder

        use board =
            if settings.TensorBoard then
                TensorBoard.start settings.Folder first.State.Step
            else
                null

        let board = Option.ofObj board
        let mutable progress = first
        let mutable finished = None

        use _ =
            { new IDisposable with
                member _.Dispose() =
                    TrainState.dispose progress.State
                    progress.Best |> Option.iter _.Vector.Dispose() }

        for state in Train.states course.Task course.Steps first.State do
            progress <- { progress with State = state }
            let score, best = select settings state progress.Best
            progress <- { State = state; Best = best; Seconds = first.Seconds + clock.Elapsed.TotalSeconds }
            let report = reportOf course.Steps progress score
            log.Write(RunLog.line report)
            board |> Option.iter (fun board -> TensorBoard.scalars board course.Rate score state)
            let last = state.Step >= course.Steps || state.Stopped.IsSome

            if last || state.Step % settings.CheckpointEvery = 0 then
                log.Flush()
                board |> Option.iter (fun board -> showModel settings board state)
                Checkpoint.save settings.Folder identity progress

            settings.Report report

            if last then finished <- Some(finish settings progress)

        { Trained = finished.Value; Seconds = progress.Seconds; StepsMade = progress.State.Step - first.State.Step }

    /// A run that had come to its end already.
    let private reopen settings (progress: Progress) : Finished =
        let trained = finish settings progress
        Checkpoint.dispose progress
        { Trained = trained; Seconds = progress.Seconds; StepsMade = 0 }

    /// Trains to the end, or goes on to it. Raises InputException for settings that make no run: no clips, a folder in use, a
    /// checkpoint of another run, a clip that cannot be used, an objective that is not finite.
    let run (settings: RunSettings) : Finished =
        check settings
        let stored = stored settings
        let identity = fingerprint settings
        let stored = stored |> Option.map (fun load -> load identity)
        let course = course settings

        try
            let progress = stored |> Option.defaultWith (fun () -> fresh settings course.Task)
            Directory.CreateDirectory settings.Folder |> ignore
            RunLog.trim settings.Folder progress.State.Step

            if progress.State.Step >= course.Steps || progress.State.Stopped.IsSome then
                reopen settings progress
            else
                follow settings identity course progress
        finally
            for tensor in course.Owned do
                tensor.Dispose()
