namespace FunctionalSeparation.Learning

open System
open TorchSharp
open FunctionalSeparation.Core

/// The settings of `Lbfgs`, named as in the literature; `Lbfgs.defaults` holds those of Huang et al. 2014.
[<NoComparison>]
type LbfgsSettings =
    {
        /// How many curvature pairs are kept.
        Memory: int
        /// Iterations after which the optimiser stops.
        MaxIterations: int
        /// Evaluations, over all iterations, after which the optimiser stops.
        MaxEvaluations: int
        /// c1 of the strong Wolfe conditions: sufficient decrease.
        Decrease: float
        /// c2 of the strong Wolfe conditions: curvature.
        Curvature: float
        /// Step lengths tried in one line search after the first.
        MaxLineSearch: int
        /// Stop where the gradient's largest absolute element is at most this.
        OptTol: float
        /// Stop where the value changed by less than this, or no parameter moved by more than this.
        ProgTol: float
    }

/// Limited-memory BFGS (Nocedal 1980; Liu & Nocedal 1989) with a strong Wolfe line search, made to follow minFunc 2012 (Schmidt
/// 2005) evaluation by evaluation. The state holds the gradient and the whole memory, so saving it is a checkpoint. Sums and
/// products run in the parameters' dtype on their device. A float32 product of millions of elements is accurate to about 1e-4
/// relative, which the directions tolerate. Decisions are taken in float64 on the host.
[<RequireQualifiedAccess>]
module Lbfgs =

    /// Memory 50, at most 400 iterations and 2500 evaluations, c1 1e-4, c2 0.9, 25 trials a line search, optimality 1e-5,
    /// progress 1e-9 (Huang et al. 2014, the published configuration).
    let defaults: LbfgsSettings =
        { Memory = 50
          MaxIterations = 400
          MaxEvaluations = 2500
          Decrease = 1e-4
          Curvature = 0.9
          MaxLineSearch = 25
          OptTol = 1e-5
          ProgTol = 1e-9 }

    /// A pair is kept only where the curvature y's along the step is larger than this.
    let private leastCurvature = 1e-10

    /// One curvature pair: the step s [n], the gradient's change y [n], their product y's.
    [<NoEquality; NoComparison>]
    type private Pair = { S: torch.Tensor; Y: torch.Tensor; Product: float }

    /// Where the optimiser stands: everything that the state holds, under its own type.
    [<NoEquality; NoComparison>]
    type private Position =
        {
            Gradient: torch.Tensor
            Value: float
            MaxGradient: float
            Iteration: int
            Evaluations: int
            /// y's / y'y of the newest pair: the inverse Hessian before any pair.
            Scale: float
            /// Newest first.
            Pairs: Pair list
        }

    let private toState position =
        let pairs = position.Pairs |> List.rev |> List.indexed
        let tensors = pairs |> List.collect (fun (i, pair) -> [ $"s.{i}", pair.S.alias (); $"y.{i}", pair.Y.alias () ])

        OptimiserState.create
            (("gradient", position.Gradient.alias ()) :: tensors)
            ([ "value", position.Value
               "maxGradient", position.MaxGradient
               "iteration", float position.Iteration
               "evaluations", float position.Evaluations
               "scale", position.Scale
               "pairs", float pairs.Length ]
             @ (pairs |> List.map (fun (i, pair) -> $"ys.{i}", pair.Product)))

    let private ofState state =
        let number name = OptimiserState.number name state
        let tensor name = OptimiserState.tensor name state

        { Gradient = tensor "gradient"
          Value = number "value"
          MaxGradient = number "maxGradient"
          Iteration = int (number "iteration")
          Evaluations = int (number "evaluations")
          Scale = number "scale"
          Pairs =
            [ for i in int (number "pairs") - 1 .. -1 .. 0 ->
                  { S = tensor $"s.{i}"; Y = tensor $"y.{i}"; Product = number $"ys.{i}" } ] }

    /// Several scalars of one device in one transfer.
    let private read (scalars: torch.Tensor list) : float[] =
        use together = torch.stack (scalars |> Seq.map _.to_type(torch.float64))
        together.cpu().data<float>().ToArray()

    let private largest (vector: torch.Tensor) = torch.maximum (vector.max (), vector.min().neg_())

    let private refuse iteration what (value: float) =
        let advice = "check the data for damaged or empty examples, or start from smaller weights"

        raise (
            InputException
                $"L-BFGS, iteration {iteration}: the {what} is {value}; {advice}. The state before this iteration is unharmed."
        )

    let private opening (objective: Objective) parameters =
        let struct (value, gradient) = objective parameters
        if not (Double.IsFinite value) then refuse 1 "objective at the start" value
        let maxGradient = (read [ largest gradient ])[0]

        if not (Double.IsFinite maxGradient) then
            refuse 1 "largest gradient element at the start" maxGradient

        { Gradient = gradient
          Value = value
          MaxGradient = maxGradient
          Iteration = 0
          Evaluations = 1
          Scale = 1.0
          Pairs = [] }

    /// Minus the inverse Hessian times the gradient, by the two-loop recursion (Nocedal & Wright 2006, algorithm 7.4),
    /// without a host read: the coefficients stay on the device.
    let private direction position : torch.Tensor =
        let d = position.Gradient.neg ()

        let forget pair =
            let weight = pair.S.dot(d).div_(pair.Product)
            d.addcmul_ (pair.Y, weight, -1.0) |> ignore
            weight

        let restore (pair, weight: torch.Tensor) =
            let overlap: torch.Tensor = pair.Y.dot(d).div_(pair.Product)
            d.addcmul_ (pair.S, weight.sub overlap, 1.0) |> ignore

        let weights = position.Pairs |> List.map forget
        d.mul_ position.Scale |> ignore
        List.zip position.Pairs weights |> List.rev |> List.iter restore
        d

    let private remember memory position step (change: torch.Tensor) ys yy =
        if ys > leastCurvature then
            let pair = { S = step; Y = change; Product = ys }
            ys / yy, List.truncate memory (pair :: position.Pairs)
        else
            position.Scale, position.Pairs

    let private reason settings before after moved =
        if after.MaxGradient <= settings.OptTol then
            Some "the gradient is below the optimality tolerance"
        elif moved <= settings.ProgTol then
            Some "the step is below the progress tolerance"
        elif abs (after.Value - before.Value) < settings.ProgTol then
            Some "the objective changed by less than the progress tolerance"
        elif after.Evaluations >= settings.MaxEvaluations then
            Some "the maximum number of evaluations is reached"
        elif after.Iteration >= settings.MaxIterations then
            Some "the maximum number of iterations is reached"
        else
            None

    let private result (parameters: torch.Tensor) position evaluations stopped =
        { Parameters = parameters
          State = toState position
          Value = position.Value
          Evaluations = evaluations
          MaxGradient = position.MaxGradient
          Stopped = stopped }

    let private search settings (objective: Objective) (parameters: torch.Tensor) (d: torch.Tensor) reach slope first position =
        let wolfe =
            { Decrease = settings.Decrease
              Curvature = settings.Curvature
              MaxTrials = settings.MaxLineSearch
              Resolution = settings.ProgTol }

        let evaluate (t: float) =
            use point = parameters.add (d, t)
            let struct (value, gradient) = objective point
            { At = t; Value = value; Slope = (read [ gradient.dot d ])[0]; Gradient = gradient }

        let start = { At = 0.0; Value = position.Value; Slope = slope; Gradient = position.Gradient }
        LineSearch.strongWolfe wolfe evaluate reach start first

    /// The iteration proper, once a descent direction is known.
    let private move settings objective (parameters: torch.Tensor) (d: torch.Tensor) (facts: float[]) position =
        let slope, reach, total = facts[0], facts[1], facts[2]
        let first = if position.Iteration = 0 then min 1.0 (1.0 / total) else 1.0
        let struct (probe, evaluations) = search settings objective parameters d reach slope first position
        let step = d.mul probe.At
        let change = probe.Gradient.sub (position.Gradient: torch.Tensor)
        let ends = read [ largest probe.Gradient; change.dot step; change.dot change ]

        if not (Double.IsFinite ends[0]) then
            refuse (position.Iteration + 1) "largest gradient element" ends[0]

        let scale, pairs = remember settings.Memory position step change ends[1] ends[2]

        let after =
            { Gradient = probe.Gradient
              Value = probe.Value
              MaxGradient = ends[0]
              Iteration = position.Iteration + 1
              Evaluations = position.Evaluations + evaluations
              Scale = scale
              Pairs = pairs }

        struct (parameters .+ step, after, reason settings position after (probe.At * reach))

    let private iterate settings objective (parameters: torch.Tensor) evaluated position =
        let d = direction position
        let facts = read [ position.Gradient.dot d; largest d; position.Gradient.abs().sum() ]

        if not (Array.forall Double.IsFinite facts) then
            refuse (position.Iteration + 1) "slope along the search direction" facts[0]
        elif facts[0] > -settings.ProgTol then
            result (parameters.alias ()) position evaluated (Some "the slope is below the progress tolerance")
        else
            let struct (next, after, stopped) = move settings objective parameters d facts position
            result next after (evaluated + after.Evaluations - position.Evaluations) stopped

    let private stepOf settings (objective: Objective) state (given: torch.Tensor) =
        let parameters = given.detach ()

        if Map.isEmpty state.Tensors then
            let position = opening objective parameters

            if position.MaxGradient <= settings.OptTol then
                result (parameters.alias ()) position 1 (Some "the gradient is below the optimality tolerance")
            else
                iterate settings objective parameters 1 position
        else
            iterate settings objective parameters 0 (ofState state)

    /// The optimiser of the given settings. One step is one iteration; the very first also evaluates the start. `Value` and
    /// `MaxGradient` belong to the NEW point; `Evaluations` counts this step's, the state's number "evaluations" all of them. The
    /// state holds 1 + 2 * Memory vectors once the memory is full; consecutive states share their storage. A line search backs
    /// away from points where the objective is not finite. Raises InputException where value or gradient is not finite at the
    /// start, or the gradient is not at the point found. Raises ArgumentException where a limit is below 1, a tolerance is
    /// negative or not finite, or not 0 < Decrease < Curvature < 1. `Stopped` is advice: another step would continue from the
    /// state.
    let create (settings: LbfgsSettings) : Optimiser =
        for name, limit in
            [ "Memory", settings.Memory
              "MaxIterations", settings.MaxIterations
              "MaxEvaluations", settings.MaxEvaluations
              "MaxLineSearch", settings.MaxLineSearch ] do
            Numbers.atLeast 1 "L-BFGS" name limit

        for name, tolerance in [ "OptTol", settings.OptTol; "ProgTol", settings.ProgTol ] do
            Numbers.notNegative "L-BFGS" name tolerance

        if not (0.0 < settings.Decrease && settings.Decrease < settings.Curvature && settings.Curvature < 1.0) then
            invalidArg
                (nameof settings)
                $"L-BFGS needs 0 < Decrease < Curvature < 1, got {settings.Decrease} and {settings.Curvature}."

        // Settings as `defaults` has them are not in it, so that those of the papers are told by their iterations alone.
        let numbers =
            [ "memory", float settings.Memory, float defaults.Memory
              "maxEvaluations", float settings.MaxEvaluations, float defaults.MaxEvaluations
              "decrease", settings.Decrease, defaults.Decrease
              "curvature", settings.Curvature, defaults.Curvature
              "maxLineSearch", float settings.MaxLineSearch, float defaults.MaxLineSearch
              "optTol", settings.OptTol, defaults.OptTol
              "progTol", settings.ProgTol, defaults.ProgTol ]
            |> List.filter (fun (_, value, ordinary) -> value <> ordinary)
            |> List.map (fun (name, value, _) -> name, value)

        { Id = Id.create "L-BFGS" (("maxIterations", float settings.MaxIterations) :: numbers) []
          Rate = None
          ComparesValues = true
          Init = fun _ -> OptimiserState.empty
          Step =
            fun _ objective state parameters ->
                Memory.scoped OptimiserStep.tensors (fun () -> stepOf settings objective state parameters)
          Answer = Optimiser.lastParameters }

    /// `create defaults` with a limit on the number of iterations.
    let minFunc (maxIterations: int) : Optimiser = create { defaults with MaxIterations = maxIterations }
