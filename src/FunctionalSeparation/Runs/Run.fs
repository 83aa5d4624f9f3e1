namespace FunctionalSeparation

open System
open System.IO
open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// A training run: a recipe, clips, and its folder.
[<NoEquality; NoComparison>]
type Run =
    {
        /// Everything that determines the outcome, apart from the clips.
        Recipe: Recipe
        /// Clips to learn from.
        Train: Clip list
        /// Clips to choose with; unused where the recipe keeps the last step.
        Dev: Clip list
        /// Where tensors live.
        Device: torch.Device
        /// The run's folder: log, checkpoint, and in the end the model.
        Folder: string
        /// Resume from the checkpoint in the folder, where there is one.
        Resume: bool
        /// Steps between checkpoints.
        CheckpointEvery: int
        /// Also write event files for TensorBoard (see `TensorBoard`), into the folder `tensorboard` of the run's folder.
        TensorBoard: bool
        /// Called after each step.
        Report: StepReport -> unit
    }

/// A run that has ended. The model belongs to the caller.
[<NoEquality; NoComparison>]
type Finished =
    {
        /// The network with the parameters that the recipe selects.
        Trained: TrainedModel
        /// Seconds of training, over all sessions.
        Seconds: float
        /// Steps made by this call: 0 where the run had ended before.
        StepsMade: int
    }

/// Training runs: the fold of `Train`, with a log. Each step is logged in `log.jsonl`, and the state is saved in a
/// `Checkpoint`. A run that is killed at any moment and resumed ends bit-identically.
[<RequireQualifiedAccess>]
module Run =

    /// A run of a recipe on the training and development clips of a corpus, in a folder. It uses the available device, resumes
    /// from an existing checkpoint, and writes a checkpoint every 100 steps.
    let create (corpus: Corpus) (folder: string) (recipe: Recipe) : Run =
        { Recipe = recipe
          Train = corpus.Train
          Dev = corpus.Dev
          Device = Devices.Parse "auto"
          Folder = folder
          Resume = true
          CheckpointEvery = 100
          TensorBoard = false
          Report = ignore }

    /// Whether the folder holds a checkpoint to resume from.
    let hasCheckpoint (folder: string) : bool = File.Exists(Checkpoint.path folder)

    let private fingerprint run = (Recipe.toJson run.Recipe).ToJsonString() + " " + Corpus.fingerprint run.Train

    /// The stored progress, where there is some and it is to be resumed. A folder in use is refused before anything is read.
    let private stored run : (string -> Progress) option =
        let inUse = hasCheckpoint run.Folder || File.Exists(Path.Combine(run.Folder, "model.json"))

        if inUse && not run.Resume then
            raise (
                InputException
                    $"{run.Folder}: holds a run already. Add --resume to go on with it, or choose another folder with --out."
            )

        if hasCheckpoint run.Folder then
            Some(Checkpoint.load run.Folder run.Device (Network.layout run.Recipe.Network))
        else
            None

    let private fresh run (task: TrainingTask<Batch>) : Progress =
        { State = Train.start task (Recipe.init run.Device run.Recipe).Vector; Best = None; Seconds = 0.0 }

    /// Steps whose batches give the statistics of normalisation; also the number of batches that give the level.
    let private observedSteps = 16

    /// Mean level (root mean square) of the mixtures in the first batches of the run. Their number is `observedSteps`, because a
    /// single step may have all batches of a corpus.
    let private level run (task: TrainingTask<Batch>) : float =
        let ofStep count step =
            Memory.plain (fun () -> task.Feed step |> List.truncate count |> List.map (Batch.level run.Recipe.Network))

        let rec from step levels =
            let missing = observedSteps - List.length levels
            if missing <= 0 then levels else from (step + 1) (levels @ ofStep missing step)

        List.average (from 0 [])

    /// A parameter vector with the statistics that normalising layers observe in the first batches of the run. The caller owns
    /// the statistics.
    let private withStatistics (network: Network) (task: TrainingTask<Batch>) (vector: torch.Tensor) : Params =
        let parameters = Params.create (Network.layout network) vector

        if (Layout.statistics parameters.Layout).IsEmpty then
            parameters
        else
            let inputs =
                seq {
                    for step in 0 .. observedSteps - 1 do
                        for batch in task.Feed step do
                            Network.input network (Batch.heard Mode.Observing batch).Sound
                }

            parameters |> Params.withStatistics (Statistics.observe network.Model parameters inputs)

    /// The network with these parameters. It processes only mixtures at the level of the training data, so it needs no level.
    let private current run task (vector: torch.Tensor) : TrainedModel =
        let network = run.Recipe.Network
        { Network = network; Parameters = withStatistics network task vector; Level = None }

    /// The parameters of the run if it ends with this state.
    let private answer (task: TrainingTask<Batch>) (state: TrainState) = task.Optimiser.Answer state.Optimiser state.Parameters

    let private select run task (state: TrainState) (best: Best option) : float option * Best option =
        match run.Recipe.Selection.Every with
        | Some every when state.Step % every = 0 || state.Stopped.IsSome ->
            let vector = answer task state

            let score =
                Memory.plain (fun () -> run.Recipe.Selection.Judge run.Recipe.Mixing run.Device run.Dev (current run task vector))

            match best with
            | Some known when known.Score >= score -> Some score, best
            | _ ->
                best |> Option.iter _.Vector.Dispose()
                Some score, Some { Score = score; AtStep = state.Step; Vector = vector.clone () }
        | _ -> None, best

    let private finish run task (progress: Progress) : TrainedModel =
        let vector =
            match progress.Best with
            | Some best -> best.Vector
            | None -> answer task progress.State

        Memory.scoped (fun model -> Params.tensors model.Parameters) (fun () ->
            { current run task (vector.clone ()) with Level = Some(level run task) })

    let private check run =
        if run.Train.IsEmpty then
            raise (
                InputException
                    "There are no training clips. Give a folder with MIR-1K's training singers, or one with a folder 'train'."
            )

        let recipe = run.Recipe
        ReceptiveField.require recipe.Network
        recipe.Init |> Option.iter (Model.requireOwn recipe.Network.Model)

        if recipe.Selection.Every.IsSome && run.Dev.IsEmpty then
            raise (InputException "The recipe chooses its model on development clips, and there are none.")

        let usesDev = recipe.Selection.Every.IsSome || (run.TensorBoard && not run.Dev.IsEmpty)
        let spec = recipe.Network.Spec
        if usesDev then FrontEnd.requireScorable spec.Sources spec.FrontEnd run.Dev

        if recipe.Optimiser.ComparesValues && recipe.Precision = Precision.Bfloat16 then
            raise (
                InputException(
                    "L-BFGS compares objectives more finely than products in "
                    + "bfloat16 are. Train in float32, or with Adam on random excerpts."
                )
            )

    let private reportOf steps (progress: Progress) score =
        { Step = progress.State.Step
          Steps = steps
          Value = progress.State.Value
          Evaluations = progress.State.Evaluations
          DevGnsdr = score
          Seconds = progress.Seconds }

    /// Writes to TensorBoard at a checkpoint: the weights, and the estimates of the first development clip, if there is one.
    let private showModel run task (board: EventFileWriter) (state: TrainState) =
        Memory.plain (fun () ->
            let trained = current run task (answer task state)
            TensorBoard.weights board state.Step trained.Parameters
            run.Dev |> List.tryHead |> Option.iter (TensorBoard.sound board state.Step trained)
            board.Flush())

    /// The learning rate of the step just made, where the optimiser has one.
    let private rateOf (task: TrainingTask<Batch>) (state: TrainState) =
        task.Optimiser.Rate |> Option.map (fun schedule -> schedule.Rate task.Steps (state.Step - 1))

    /// Follows the states to the last one, writing the log and checkpoints on the way.
    let private follow run identity (task: TrainingTask<Batch>) (first: Progress) : Finished =
        let clock = Diagnostics.Stopwatch.StartNew()
        use log = RunLog.append run.Folder

        use board = if run.TensorBoard then TensorBoard.start run.Folder first.State.Step else null

        let board = Option.ofObj board
        let mutable progress = first
        let mutable finished = None

        use _ =
            { new IDisposable with
                member _.Dispose() =
                    TrainState.dispose progress.State
                    progress.Best |> Option.iter _.Vector.Dispose() }

        for state in Train.states task first.State do
            progress <- { progress with State = state }
            let score, best = select run task state progress.Best
            progress <- { State = state; Best = best; Seconds = first.Seconds + clock.Elapsed.TotalSeconds }
            let report = reportOf task.Steps progress score
            log.Write(RunLog.line report)
            board |> Option.iter (fun board -> TensorBoard.scalars board (rateOf task state) score state)
            let last = state.Step >= task.Steps || state.Stopped.IsSome

            if last || state.Step % run.CheckpointEvery = 0 then
                log.Flush()
                board |> Option.iter (fun board -> showModel run task board state)
                Checkpoint.save run.Folder identity progress

            run.Report report

            if last then finished <- Some(finish run task progress)

        { Trained = finished.Value; Seconds = progress.Seconds; StepsMade = progress.State.Step - first.State.Step }

    /// A run that had already ended.
    let private reopen run task (progress: Progress) : Finished =
        let trained = finish run task progress
        Checkpoint.dispose progress
        { Trained = trained; Seconds = progress.Seconds; StepsMade = 0 }

    /// <summary>
    /// Trains to the end, from the checkpoint in the folder if there is one. Raises InputException for no clips, a folder in use,
    /// a checkpoint of another run, a clip that cannot be used, or an objective that is not finite. Raises ArgumentException for
    /// a network whose receptive field is larger than it declares (see `ReceptiveField`).
    /// </summary>
    /// <example><code lang="fsharp">
    /// let train (recipe: Recipe) (corpus: Corpus) =
    ///     Run.train
    ///         { Run.create corpus "artifacts/own" recipe with
    ///             Report = fun step -> printfn $"{step.Step}: {step.Value}" }
    /// </code></example>
    let train (run: Run) : Finished =
        check run
        let stored = stored run
        let identity = fingerprint run
        let stored = stored |> Option.map (fun load -> load identity)
        let struct (task, owned) = Recipe.openOn run.Device run.Train run.Recipe

        try
            let progress = stored |> Option.defaultWith (fun () -> fresh run task)
            Directory.CreateDirectory run.Folder |> ignore
            RunLog.trim run.Folder progress.State.Step

            if progress.State.Step >= task.Steps || progress.State.Stopped.IsSome then
                reopen run task progress
            else
                follow run identity task progress
        finally
            for tensor in owned do
                tensor.Dispose()
