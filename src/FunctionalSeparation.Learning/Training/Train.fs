namespace FunctionalSeparation.Learning

open System
open System.Globalization
open TorchSharp
open FunctionalSeparation.Core

/// A learning problem: the loss, the batches, and the optimiser. Batches may be of any type.
[<NoEquality; NoComparison>]
type TrainingTask<'batch> =
    {
        /// The weights that are learnt.
        Layout: Layout
        /// The loss of a batch, a scalar tensor []. It is a function of a key for layers that draw (such as dropout), of the
        /// batch, and of the parameters, in which it is differentiable.
        Loss: Key -> 'batch -> Params -> torch.Tensor
        /// How the parameters move.
        Optimiser: Optimiser
        /// Steps of the run.
        Steps: int
        /// The batches whose losses are summed at a step, as a pure function of the step's number (from 0). It remembers nothing
        /// about the data, so a resumed run receives the same batches as an uninterrupted one. A feed that makes fresh tensors
        /// makes them inside the scope of the step.
        Feed: int -> 'batch list
        /// The root of the keys that `Loss` is given: a step has the child of its number, a batch the child of its place in the
        /// step.
        Key: Key
    }

/// Training at a moment: all that the next step depends on, apart from the task. It owns its tensors. A state that was freed
/// still tells its numbers, and refuses its tensors with an ObjectDisposedException that says why. The constructor takes the
/// members in their order; `Train.start` makes the first state of a run.
[<Sealed>]
type TrainState
    (
        step: int,
        parameters: torch.Tensor,
        optimiser: OptimiserState,
        value: float,
        evaluations: int,
        maxGradient: float,
        stopped: string option
    ) =
    let mutable isFreed = false

    let require () =
        if isFreed then
            raise (
                System.ObjectDisposedException(
                    nameof TrainState,
                    ($"The state after step {step} was freed, by TrainState.dispose or when "
                     + "Train.states drew the next one: clone what must last longer before.")
                )
            )

    /// Steps done.
    member _.Step = step

    /// The parameter vector, [n].
    member _.Parameters: torch.Tensor =
        require ()
        parameters

    /// The state of the optimiser.
    member _.Optimiser: OptimiserState =
        require ()
        optimiser

    /// The objective at the last step (see `OptimiserStep.Value`); NaN before the first.
    member _.Value = value

    /// Evaluations of the objective so far.
    member _.Evaluations = evaluations

    /// Largest absolute element of the last gradient.
    member _.MaxGradient = maxGradient

    /// Why the optimiser cannot continue; None while it can.
    member _.Stopped = stopped

    member internal _.Free() =
        isFreed <- true
        parameters.Dispose()
        OptimiserState.dispose optimiser

/// States of training: their tensors, and the way to a file and back.
[<RequireQualifiedAccess>]
module TrainState =

    /// Every tensor of a state: the parameters [n] first, then what the optimiser remembers. Raises ObjectDisposedException for
    /// one that was freed.
    let tensors (state: TrainState) = state.Parameters :: OptimiserState.tensors state.Optimiser

    /// Frees a state. Freeing it again does nothing.
    let dispose (state: TrainState) = state.Free()

    /// A number as `numberIn` reads it back, to the last bit.
    let invariant (number: float) = number.ToString("R", CultureInfo.InvariantCulture)

    /// A state as named tensors and texts, to the last bit. Raises ObjectDisposedException for one that was freed.
    let toFile (state: TrainState) : TensorFile =
        let numbers =
            state.Optimiser.Numbers |> Map.toList |> List.map (fun (name, number) -> $"number:{name}", invariant number)

        { Tensors =
            ("parameters", state.Parameters)
            :: [ for KeyValue(name, tensor) in state.Optimiser.Tensors -> $"optimiser:{name}", tensor ]
          Texts =
            Map.ofList (
                [ "step", string state.Step
                  "value", invariant state.Value
                  "evaluations", string state.Evaluations
                  "maxGradient", invariant state.MaxGradient
                  "stopped", Option.defaultValue "" state.Stopped ]
                @ numbers
            ) }

    let private suffixes (prefix: string) (pairs: (string * 'a) seq) =
        pairs
        |> Seq.choose (fun (name, value) ->
            if name.StartsWith(prefix, StringComparison.Ordinal) then
                Some(name.Substring prefix.Length, value)
            else
                None)
        |> Map.ofSeq

    let private refuse why = raise (InputException $"{why}. Remove the checkpoint to start afresh.")

    /// Refuses unknown names, rather than ignoring them: the next step may depend on them.
    let private requireKnown kind (known: string list) (prefix: string) (names: string seq) =
        for name in names do
            if not (List.contains name known || name.StartsWith(prefix, StringComparison.Ordinal)) then
                refuse $"The {kind} {Json.quoted name} is not one of a training state"

    /// A text that must be a number, infinity and NaN included.
    let private number name (text: string) =
        match Double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture) with
        | true, value -> value
        | false, _ -> refuse $"The entry {Json.quoted name} is {Json.quoted text}, not a number"

    /// A text that must be a whole number, not negative.
    let private count name (text: string) =
        match Int32.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture) with
        | true, value -> value
        | false, _ -> refuse $"The entry {Json.quoted name} is {Json.quoted text}, not a count"

    let private find (file: TensorFile) name =
        match file.Texts.TryFind name with
        | Some text -> text
        | None -> refuse $"The entry '{name}' is missing"

    /// The number that a file holds under a name. Raises InputException where it is missing or no number.
    let numberIn (file: TensorFile) (name: string) : float = find file name |> number name

    /// The whole number, not negative, that a file holds under a name. Raises InputException where it is missing or no such
    /// number.
    let countIn (file: TensorFile) (name: string) : int = find file name |> count name

    let private entries = [ "step"; "value"; "evaluations"; "maxGradient"; "stopped" ]

    /// The state that `toFile` stored, on `device`. Raises InputException where something is missing, unknown or of another kind.
    let ofFile (device: torch.Device) (file: TensorFile) : TrainState =
        requireKnown "entry" entries "number:" file.Texts.Keys
        requireKnown "tensor" [ "parameters" ] "optimiser:" (Seq.map fst file.Tensors)
        let tensors = file.Tensors |> List.map (fun (name, tensor) -> name, Memory.moveTo device tensor)

        match List.tryFind (fun (name, _) -> name = "parameters") tensors with
        | None -> refuse "The parameters are missing"
        | Some(_, parameters) ->
            let optimiser: OptimiserState =
                { Tensors = suffixes "optimiser:" tensors
                  Numbers = suffixes "number:" (Map.toSeq file.Texts) |> Map.map number }

            TrainState(
                step = countIn file "step",
                parameters = parameters,
                optimiser = optimiser,
                value = numberIn file "value",
                evaluations = countIn file "evaluations",
                maxGradient = numberIn file "maxGradient",
                stopped =
                    match find file "stopped" with
                    | "" -> None
                    | reason -> Some reason
            )

/// Training as a fold: each state is a pure function of the task and the state before it. Logging, checkpoints and choosing
/// a model observe the sequence of states and never live inside a step.
[<RequireQualifiedAccess>]
module Train =

    /// The objective of a step: the summed loss of its batches, and its gradient [n]. Batch i draws from child i of the key.
    /// Raises ArgumentException where there are no batches.
    let objective (layout: Layout) (loss: Key -> 'batch -> Params -> torch.Tensor) (key: Key) (batches: 'batch list) : Objective =
        if batches.IsEmpty then
            invalidArg (nameof batches) "A step needs at least one batch, and the feed gave none."

        let part (index: int) (batch: 'batch) (vector: torch.Tensor) =
            loss (Key.fold index key) batch (Params.create layout vector)

        Grad.valueAndGradOfSum (batches |> List.mapi part)

    /// The state before the first step. Takes over the parameter vector [n]. Raises ArgumentException where it is not one of the
    /// layout.
    let start (task: TrainingTask<'batch>) (parameters: torch.Tensor) : TrainState =
        let vector = (Params.create task.Layout parameters).Vector

        TrainState(
            step = 0,
            parameters = vector,
            optimiser = task.Optimiser.Init vector,
            value = nan,
            evaluations = 0,
            maxGradient = nan,
            stopped = None
        )

    /// One step. The given state stays as it is and stays the caller's. Raises InputException, with the state intact, where
    /// the objective is not finite.
    let step (task: TrainingTask<'batch>) (state: TrainState) : TrainState =
        let result =
            Memory.scoped OptimiserStep.tensors (fun () ->
                let objective = objective task.Layout task.Loss (Key.fold state.Step task.Key) (task.Feed state.Step)
                task.Optimiser.Step task.Steps objective state.Optimiser state.Parameters)

        TrainState(
            step = state.Step + 1,
            parameters = result.Parameters,
            optimiser = result.State,
            value = result.Value,
            evaluations = state.Evaluations + result.Evaluations,
            maxGradient = result.MaxGradient,
            stopped = result.Stopped
        )

    /// <summary>
    /// The states after each step from `first` until the run is at its end or the optimiser stops. Drawing a state frees the one
    /// before it (`first` too), so a long run takes the memory of one. A freed state refuses its tensors, so clone what must last
    /// longer. The last state drawn is the caller's, as of `Seq.last`: free it with `TrainState.dispose`, or leave it to the
    /// garbage collector.
    /// </summary>
    /// <example><code lang="fsharp">
    /// // A straight line through points [x, y], drawn anew at each step.
    /// let line = Layer.linear 1 1
    /// let x = Key.uniformTensor -1.0 1.0 [ 1L; 64L; 1L ]
    ///
    /// let task =
    ///     { Layout = line.Layout
    ///       Loss =
    ///         fun _ (x: torch.Tensor) parameters ->
    ///             let y = (Model.apply line parameters (Activations.ofFrames x)).Value
    ///             (y - x.mul(2.0).add(1.0)).squared().mean()
    ///       Optimiser = Optimiser.adam (Schedule.cosine 0.1)
    ///       Steps = 200
    ///       Feed = fun step -> [ x (Key.fold step (Key.ofSeed 1)) ]
    ///       Key = Key.ofSeed 2 }
    ///
    /// let start = Model.init torch.float64 torch.CPU (Key.ofSeed 0) line
    /// let last = Train.states task (Train.start task start.Vector) |> Seq.last // weights 2 and 1
    /// </code></example>
    let states (task: TrainingTask<'batch>) (first: TrainState) : TrainState seq =
        seq {
            HostMemory.Keep() |> ignore
            let mutable state = first

            while state.Step < task.Steps && state.Stopped.IsNone do
                let next = step task state
                TrainState.dispose state
                state <- next
                yield state
        }
