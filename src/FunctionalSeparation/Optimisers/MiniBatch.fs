namespace FunctionalSeparation

/// How a gradient is kept small.
type Clipping =
    /// It is left as it is.
    | NoClipping
    /// Shortened to this Euclidean norm where it is longer.
    | ClipNorm of bound: float
    /// Every element clamped to plus or minus this.
    | ClipElements of bound: float

/// Adapts an optimiser of one fixed objective, such as `Lbfgs`, to an objective that changes: the optimiser restarts with each
/// mini-batch, and gradients are clipped (Huang et al. 2015, authors' code).
[<RequireQualifiedAccess>]
module MiniBatch =

    /// The objective with its gradient [n] clipped; the value is untouched, so the two no longer belong together exactly where
    /// clipping takes hold. Raises ArgumentException for a bound that is not positive.
    let clippedObjective (clipping: Clipping) : Objective -> Objective =
        let through (transform: Transform) (objective: Objective) : Objective =
            fun point ->
                let struct (value, gradient) = objective point
                let struct (clipped, _) = transform.Update gradient OptimiserState.empty point
                struct (value, clipped)

        match clipping with
        | NoClipping -> id
        | ClipNorm bound -> through (Optim.clipNorm bound)
        | ClipElements bound -> through (Optim.clipElement bound)

    /// The optimiser on clipped gradients. Raises ArgumentException for a bound that is not positive.
    let clipped (clipping: Clipping) (optimiser: Optimiser) : Optimiser =
        let clip = clippedObjective clipping
        { optimiser with Step = fun objective -> optimiser.Step(clip objective) }

    /// The optimiser, starting afresh (with the state of its `Init`) after every `period` steps, and where it would stop:
    /// it never stops the run, since the next mini-batch has something to say. The state counts the steps. Raises
    /// ArgumentException for a period below 1.
    let restarted (period: int) (optimiser: Optimiser) : Optimiser =
        if period < 1 then
            invalidArg (nameof period) $"Restarts are at least 1 step apart, got {period}."

        let wrap steps inner =
            OptimiserState.join (OptimiserState.nest "inner" inner) (OptimiserState.create [] [ "steps", float steps ])

        let step objective state parameters =
            let steps = int (OptimiserState.number "steps" state) + 1
            let result = optimiser.Step objective (OptimiserState.inside "inner" state) parameters
            let isOver = steps % period = 0 || result.Stopped.IsSome
            let next = if isOver then optimiser.Init result.Parameters else result.State
            { result with State = wrap steps next; Stopped = None }

        { Name = $"{optimiser.Name}, restarted every {period} steps"
          Init = fun parameters -> wrap 0 (optimiser.Init parameters)
          Step = fun objective state parameters -> Memory.scoped OptimiserStep.tensors (fun () -> step objective state parameters)
          Answer = fun state -> optimiser.Answer(OptimiserState.inside "inner" state) }
