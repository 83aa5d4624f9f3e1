namespace FunctionalSeparation

open System
open System.IO
open TorchSharp
open FunctionalSeparation.Core

/// Where and how a run is made.
[<NoEquality; NoComparison>]
type RunSettings =
    {
        /// All that decides the outcome, apart from the clips.
        Recipe: Recipe
        /// Clips to learn from.
        Train: Clip list
        /// Clips to choose with; unused where the recipe keeps the last step.
        Dev: Clip list
        /// Where tensors live.
        Device: torch.Device
        /// The run's folder: log, checkpoint, and in the end the model.
        Folder: string
        /// Go on from the checkpoint in the folder, where there is one.
        Resume: bool
        /// Steps between checkpoints.
        CheckpointEvery: int
        /// Also write event files for TensorBoard (see `TensorBoard`), into the folder `tensorboard` of the run's folder.
        TensorBoard: bool
        /// Told after each step.
        Report: StepReport -> unit
    }

/// A run that has come to its end. The model belongs to the caller.
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

/// A training run in a folder: the fold of `Train`, with a log. Each step is logged in `log.jsonl`, and the state is saved in a
/// `Checkpoint`. A run that is killed at any moment and resumed ends bit-identically.
[<RequireQualifiedAccess>]
module TrainingRun =

    /// Whether the folder holds a checkpoint to go on from.
    let hasCheckpoint (folder: string) : bool = File.Exists(Checkpoint.path folder)

    let private dtype = torch.float32

    let private key settings number = Key.fold number (Key.ofSeed settings.Recipe.Seed)

    let private courseOf settings : Course =
        let recipe = settings.Recipe

        recipe.Learning.Begin
            { Network = recipe.Network
              Batches = BatchSpec.create recipe.Network recipe.Loss recipe.Mixing
              Clips = settings.Train
              Device = settings.Device
              Key = key settings 1 }

    let private taskOf settings (course: Course) : TrainingTask<Batch> =
        let recipe = settings.Recipe

        { Layout = Network.layout recipe.Network
          Loss = Batch.loss (Network.modelIn recipe.Precision recipe.Network) recipe.Loss
          Optimiser = course.Optimiser
          Feed = course.Feed
          Key = key settings 2 }

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
            Some(Checkpoint.load settings.Folder settings.Device (Network.layout settings.Recipe.Network))
        else
            None

    let private fresh settings (task: TrainingTask<Batch>) : Progress =
        let start =
            match settings.Recipe.Start with
            | None -> (Params.start task.Layout dtype settings.Device (key settings 0)).Vector
            | Some weights -> weights.Vector.``to``(dtype).``to``(settings.Device, copy = true)

        { State = Train.start task start; Best = None; Seconds = 0.0 }

    /// Steps whose batches statistics of normalisation, and the level, are taken from.
    let private observedSteps = 16

    /// Mean level (root mean square) of the mixtures in the first batches of the run: of as many as there are steps observed, for a step may
    /// have all batches of a corpus.
    let private level settings (task: TrainingTask<Batch>) : float =
        let ofStep count step =
            Memory.plain (fun () -> task.Feed step |> List.truncate count |> List.map (Batch.level settings.Recipe.Network))

        let rec from step levels =
            let missing = observedSteps - List.length levels
            if missing <= 0 then levels else from (step + 1) (levels @ ofStep missing step)

        List.average (from 0 [])

    /// A parameter vector with the statistics that normalising layers observe in the first batches of the run. The caller owns the
    /// statistics.
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

    /// The network with these parameters. It is heard at the level of the training data only, so no level is needed.
    let private current settings task (vector: torch.Tensor) : TrainedModel =
        let network = settings.Recipe.Network
        { Network = network; Parameters = withStatistics network task vector; Level = None }

    /// The parameters that a run gives if it ends here.
    let private answer (task: TrainingTask<Batch>) (state: TrainState) = task.Optimiser.Answer state.Optimiser state.Parameters

    let private select settings task (state: TrainState) (best: Best option) : float option * Best option =
        match settings.Recipe.Selection.Every with
        | Some every when state.Step % every = 0 || state.Stopped.IsSome ->
            let vector = answer task state

            let score =
                Memory.plain (fun () ->
                    settings.Recipe.Selection.Judge
                        settings.Recipe.Mixing
                        settings.Device
                        settings.Dev
                        (current settings task vector))

            match best with
            | Some known when known.Score >= score -> Some score, best
            | _ ->
                best |> Option.iter _.Vector.Dispose()
                Some score, Some { Score = score; AtStep = state.Step; Vector = vector.clone () }
        | _ -> None, best

    let private finish settings task (progress: Progress) : TrainedModel =
        let vector =
            match progress.Best with
            | Some best -> best.Vector
            | None -> answer task progress.State

        Memory.scoped (fun model -> Params.tensors model.Parameters) (fun () ->
            { current settings task (vector.clone ()) with Level = Some(level settings task) })

    let private check settings =
        if settings.Train.IsEmpty then
            raise (
                InputException
                    "There are no training clips. Give a folder with MIR-1K's training singers, or one with a folder 'train'."
            )

        let recipe = settings.Recipe
        ReceptiveField.require recipe.Network
        recipe.Start |> Option.iter (Model.requireOwn recipe.Network.Model)

        if recipe.Selection.Every.IsSome && settings.Dev.IsEmpty then
            raise (InputException "The recipe chooses its model on development clips, and there are none.")

        let usesDev = recipe.Selection.Every.IsSome || (settings.TensorBoard && not settings.Dev.IsEmpty)
        let setting = recipe.Network.Setting
        if usesDev then FrontEnd.requireScorable setting.Sources setting.FrontEnd settings.Dev

        if recipe.Learning.NeedsFloat32 && recipe.Precision = Precision.Bfloat16 then
            raise (
                InputException
                    "L-BFGS compares objectives more finely than products in bfloat16 are. Train in float32, or with Adam on random excerpts."
            )

    let private reportOf steps (progress: Progress) score =
        { Step = progress.State.Step
          Steps = steps
          Value = progress.State.Value
          Evaluations = progress.State.Evaluations
          DevGnsdr = score
          Seconds = progress.Seconds }

    /// Writes to TensorBoard at a checkpoint: the weights, and the estimates of the first development clip, if there is one.
    let private showModel settings task (board: EventFileWriter) (state: TrainState) =
        Memory.plain (fun () ->
            let trained = current settings task (answer task state)
            TensorBoard.weights board state.Step trained.Parameters
            settings.Dev |> List.tryHead |> Option.iter (TensorBoard.sound board state.Step trained)
            board.Flush())

    /// Follows the states to the last one, writing the log and checkpoints on the way.
    let private follow settings identity (course: Course) task (first: Progress) : Finished =
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

        for state in Train.states task course.Steps first.State do
            progress <- { progress with State = state }
            let score, best = select settings task state progress.Best
            progress <- { State = state; Best = best; Seconds = first.Seconds + clock.Elapsed.TotalSeconds }
            let report = reportOf course.Steps progress score
            log.Write(RunLog.line report)
            board |> Option.iter (fun board -> TensorBoard.scalars board course.Rate score state)
            let last = state.Step >= course.Steps || state.Stopped.IsSome

            if last || state.Step % settings.CheckpointEvery = 0 then
                log.Flush()
                board |> Option.iter (fun board -> showModel settings task board state)
                Checkpoint.save settings.Folder identity progress

            settings.Report report

            if last then finished <- Some(finish settings task progress)

        { Trained = finished.Value; Seconds = progress.Seconds; StepsMade = progress.State.Step - first.State.Step }

    /// A run that had come to its end already.
    let private reopen settings task (progress: Progress) : Finished =
        let trained = finish settings task progress
        Checkpoint.dispose progress
        { Trained = trained; Seconds = progress.Seconds; StepsMade = 0 }

    /// <summary>
    /// Trains to the end, or goes on to it. Raises InputException for settings that make no run: no clips, a folder in use, a
    /// checkpoint of another run, a clip that cannot be used, an objective that is not finite. Raises ArgumentException for a network
    /// that looks further than it declares (see `ReceptiveField`).
    /// </summary>
    /// <example><code lang="fsharp">
    /// let train (recipe: Recipe) (corpus: Corpus) =
    ///     TrainingRun.run
    ///         { Recipe = recipe
    ///           Train = corpus.Train
    ///           Dev = corpus.Dev
    ///           Device = torch.CPU
    ///           Folder = "artifacts/own"
    ///           Resume = true // go on, where it was stopped
    ///           CheckpointEvery = 100
    ///           TensorBoard = false
    ///           Report = fun step -> printfn $"{step.Step}: {step.Value}" }
    /// </code></example>
    let run (settings: RunSettings) : Finished =
        check settings
        let stored = stored settings
        let identity = fingerprint settings
        let stored = stored |> Option.map (fun load -> load identity)
        let course = courseOf settings
        let task = taskOf settings course

        try
            let progress = stored |> Option.defaultWith (fun () -> fresh settings task)
            Directory.CreateDirectory settings.Folder |> ignore
            RunLog.trim settings.Folder progress.State.Step

            if progress.State.Step >= course.Steps || progress.State.Stopped.IsSome then
                reopen settings task progress
            else
                follow settings identity course task progress
        finally
            for tensor in course.Owned do
                tensor.Dispose()
