namespace FunctionalSeparation.Learning

open System
open TorchSharp
open FunctionalSeparation.Core

/// The objective: value and gradient [n] at a point [n]. The gradient is a fresh tensor that belongs to the current dispose
/// scope (never one the objective hands out twice); the point must not be changed.
type Objective = torch.Tensor -> struct (float * torch.Tensor)

/// The result of one optimiser step. The caller frees its tensors.
[<NoEquality; NoComparison>]
type OptimiserStep =
    {
        /// The new point [n], a fresh handle even where the point did not move.
        Parameters: torch.Tensor
        /// The state for the next step.
        State: OptimiserState
        /// The objective: at the NEW point for L-BFGS, at the OLD point for first-order optimisers, which never evaluate the new
        /// one.
        Value: float
        /// Number of calls of the objective in this step.
        Evaluations: int
        /// The gradient's largest absolute element, at the point where `Value` was taken.
        MaxGradient: float
        /// Why the optimiser cannot continue; None while it can.
        Stopped: string option
    }

/// An optimiser: it moves parameters by pure functions, none of which changes a tensor that it is given.
[<NoEquality; NoComparison>]
type Optimiser =
    {
        /// The identity of the optimiser.
        Id: Id
        /// Its learning rate, where it has one.
        Rate: Schedule option
        /// Whether it compares values of the objective more finely than products in bfloat16 allow.
        ComparesValues: bool
        /// The state before the first step, for parameters [n].
        Init: torch.Tensor -> OptimiserState
        /// One step of a run, from the number of steps of the run, the objective, a state, and the parameters [n] that belong to
        /// the state. Raises InputException where the objective is not finite; state and parameters are then as they were.
        Step: int -> Objective -> OptimiserState -> torch.Tensor -> OptimiserStep
        /// The parameters [n] that a run gives which ended with this state and these parameters: the parameters themselves, or an
        /// average of them. The handle is one of those given.
        Answer: OptimiserState -> torch.Tensor -> torch.Tensor
    }

/// Freeing steps and naming their survivors.
[<RequireQualifiedAccess>]
module OptimiserStep =

    /// Every tensor of the step, [n] each: the parameters and the state's.
    let tensors (step: OptimiserStep) : torch.Tensor list = step.Parameters :: OptimiserState.tensors step.State

    /// Frees the parameters and the state.
    let internal dispose (step: OptimiserStep) : unit =
        for tensor in tensors step do
            tensor.Dispose()

/// Optimisers and the ways to change them.
[<RequireQualifiedAccess>]
module Optimiser =

    /// The answer of an optimiser that does not average: the parameters [n].
    let lastParameters: OptimiserState -> torch.Tensor -> torch.Tensor = fun _ parameters -> parameters

    let private refuse id step what (value: float) =
        let advice = "lower the learning rate, clip the gradient, or look for damaged or empty examples in the batch"

        raise (
            InputException $"{Id.text id}, step {step}: the {what} is {value}; {advice}. The state before this step is unharmed."
        )

    /// The largest absolute element, without a copy of the vector; not a number where any element is not.
    let private largest (vector: torch.Tensor) =
        torch.maximum(vector.max (), vector.min().neg_()).to_type(torch.float64).item<float>()

    let private stepOf (schedule: Schedule) (rule: Transform) steps (objective: Objective) state (given: torch.Tensor) =
        let step = OptimiserState.number "step" state
        let parameters = given.detach ()
        let struct (value, gradient) = objective parameters
        if not (Double.IsFinite value) then refuse rule.Id (step + 1.0) "loss" value
        let maxGradient = largest gradient

        if not (Double.IsFinite maxGradient) then
            refuse rule.Id (step + 1.0) "largest gradient element" maxGradient

        let struct (update, kept) = rule.Update gradient (OptimiserState.inside "rule" state) parameters

        { Parameters = parameters.add (update, -(Schedule.rate schedule steps (int step)))
          State = OptimiserState.join (OptimiserState.nest "rule" kept) (OptimiserState.create [] [ "step", step + 1.0 ])
          Value = value
          Evaluations = 1
          MaxGradient = maxGradient
          Stopped = None }

    /// <summary>
    /// The optimiser parameters' = parameters - rate(step) * update. Each step evaluates the objective once. `Value` and
    /// `MaxGradient` (of the raw gradient) are those at the OLD point, and the optimiser is never `Stopped`. A step reads two
    /// numbers from the device: the objective's own value and the gradient's largest element. Raises InputException where the
    /// loss or the gradient is not finite, and ArgumentException where the schedule's rate is not.
    /// </summary>
    /// <example><code lang="fsharp">
    /// let heavyBall = Transform.momentum 0.9 |> Optimiser.descend (Schedule.cosine 0.01)
    /// let careful = heavyBall |> Optimiser.clipped (Transform.clipNorm 5.0) |> Optimiser.averaged 0.999
    /// </code></example>
    let descend (schedule: Schedule) (transform: Transform) : Optimiser =
        { Id = Id.create "descend" [] [ transform.Id; schedule.Id ]
          Rate = Some schedule
          ComparesValues = false
          Init =
            fun parameters ->
                let init () = OptimiserState.nest "rule" (transform.Init parameters)
                let rule = Memory.scoped OptimiserState.tensors init
                OptimiserState.join rule (OptimiserState.create [] [ "step", 0.0 ])
          Step =
            fun steps objective state parameters ->
                Memory.scoped OptimiserStep.tensors (fun () -> stepOf schedule transform steps objective state parameters)
          Answer = lastParameters }

    /// Plain gradient descent.
    let sgd (schedule: Schedule) : Optimiser = descend schedule (Transform.chain [])

    /// Adam with its authors' settings, beta 0.9 and 0.999, epsilon 1e-8 (Kingma & Ba 2015).
    let adam (schedule: Schedule) : Optimiser = descend schedule (Transform.adam 0.9 0.999 1e-8)

    /// Adam with decoupled weight decay (Loshchilov & Hutter 2019): the schedule multiplies the decay too.
    let adamW (decay: float) (schedule: Schedule) : Optimiser =
        descend schedule (Transform.chain [ Transform.adam 0.9 0.999 1e-8; Transform.weightDecay decay ])

    /// The optimiser with an averaged answer: the exponential moving average a' = decay * a + (1 - decay) * p of its parameters
    /// p. The average is corrected for its start (a is zero before the first step).
    /// Raises ArgumentException unless 0 <= decay < 1.
    let averaged (decay: float) (optimiser: Optimiser) : Optimiser =
        Numbers.fraction "An average" (nameof decay) decay

        let wrap steps (average: torch.Tensor) inner =
            OptimiserState.join
                (OptimiserState.nest "inner" inner)
                (OptimiserState.create [ "average", average ] [ "steps", steps ])

        let step steps objective state parameters =
            let result = optimiser.Step steps objective (OptimiserState.inside "inner" state) parameters
            let count = OptimiserState.number "steps" state + 1.0
            // a' = a + w (p - a), with w such that a' is the corrected average.
            let weight = (1.0 - decay) / (1.0 - decay ** count)
            let before = OptimiserState.tensor "average" state

            { result with
                State =
                    wrap
                        count
                        (before.lerp (
                            result.Parameters,
                            Arithmetic.Full(ReadOnlySpan<int64>.Empty, weight, before.dtype, before.device)
                        ))
                        result.State }

        { optimiser with
            Id = Id.create "averaged" [ "decay", decay ] [ optimiser.Id ]
            Init = fun parameters -> wrap 0.0 (torch.zeros_like parameters) (optimiser.Init parameters)
            Step =
                fun steps objective state parameters ->
                    Memory.scoped OptimiserStep.tensors (fun () -> step steps objective state parameters)
            Answer =
                fun state parameters ->
                    if OptimiserState.number "steps" state = 0.0 then
                        parameters
                    else
                        OptimiserState.tensor "average" state }

    /// The optimiser on gradients [n] that pass a transform without a state, such as `Transform.clipNorm 5.0`. Values of the
    /// objective stay as they are, so a changed gradient no longer belongs exactly to its value.
    let clipped (clip: Transform) (optimiser: Optimiser) : Optimiser =
        let change (objective: Objective) : Objective =
            fun point ->
                let struct (value, gradient) = objective point
                let struct (clipped, _) = clip.Update gradient OptimiserState.empty point
                struct (value, clipped)

        { optimiser with
            Id = Id.create "clipped" [] [ clip.Id; optimiser.Id ]
            Step = fun steps objective -> optimiser.Step steps (change objective) }

    /// The optimiser under a name of one's own, which is its identity in runs, tables and messages.
    let named (name: string) (optimiser: Optimiser) : Optimiser = { optimiser with Id = Id.named name }

    /// The optimiser, restarted with the state of its `Init` after every `period` steps, and wherever it would stop. It never
    /// stops the run, since the next mini-batch may still allow progress (Huang et al. 2015, authors' code). The state counts the
    /// steps. Raises ArgumentException for a period below 1.
    let restarted (period: int) (optimiser: Optimiser) : Optimiser =
        if period < 1 then
            invalidArg (nameof period) $"Restarts are at least 1 step apart, got {period}."

        let wrap steps inner =
            OptimiserState.join (OptimiserState.nest "inner" inner) (OptimiserState.create [] [ "steps", float steps ])

        let step run objective state parameters =
            let steps = int (OptimiserState.number "steps" state) + 1
            let result = optimiser.Step run objective (OptimiserState.inside "inner" state) parameters
            let isOver = steps % period = 0 || result.Stopped.IsSome
            let next = if isOver then optimiser.Init result.Parameters else result.State
            { result with State = wrap steps next; Stopped = None }

        { optimiser with
            Id = Id.create "restarted" [ "period", float period ] [ optimiser.Id ]
            Init = fun parameters -> wrap 0 (optimiser.Init parameters)
            Step =
                fun run objective state parameters ->
                    Memory.scoped OptimiserStep.tensors (fun () -> step run objective state parameters)
            Answer = fun state -> optimiser.Answer(OptimiserState.inside "inner" state) }
