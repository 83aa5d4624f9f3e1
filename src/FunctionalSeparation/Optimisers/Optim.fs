namespace FunctionalSeparation

open System
open TorchSharp
open FunctionalSeparation.Core

/// A learning rate as a function of the step number, which counts from 0.
type Schedule = int -> float

/// Learning-rate schedules.
[<RequireQualifiedAccess>]
module Schedule =

    let private owner = "A schedule"

    /// The same rate at every step. Raises ArgumentException, as all here, for a rate that is negative or not finite.
    let constant (rate: float) : Schedule =
        Numbers.notNegative owner (nameof rate) rate
        fun _ -> rate

    /// A linear rise over `warmup` steps (step 0 already moves), then half a cosine from `rate` down to 0 at step `total`
    /// and 0 from there on (Loshchilov & Hutter 2017, eq. 5, one period). Raises ArgumentException unless 0 <= warmup < total.
    let cosine (rate: float) (total: int) (warmup: int) : Schedule =
        Numbers.notNegative owner (nameof rate) rate

        if warmup < 0 || total <= warmup then
            invalidArg (nameof total) $"Schedule.cosine needs 0 <= warmup < total, got warmup {warmup}, total {total}."

        fun step ->
            if step < warmup then
                rate * float (step + 1) / float warmup
            else
                let progress = float (step - warmup) / float (total - warmup) |> min 1.0
                rate * 0.5 * (1.0 + cos (Math.PI * progress))

    /// `rate`, multiplied by `factor` once for every milestone that the step number has reached. Raises
    /// ArgumentException for a rate or factor that is negative or not finite.
    let stepwise (rate: float) (factor: float) (milestones: int list) : Schedule =
        Numbers.notNegative owner (nameof rate) rate
        Numbers.notNegative owner (nameof factor) factor
        fun step -> rate * (factor ** float (milestones |> List.filter (fun m -> step >= m) |> List.length))

/// First-order rules as gradient transforms that compose.
[<RequireQualifiedAccess>]
module Optim =

    /// A number as a tensor without dimensions, beside `tensor` and of its dtype.
    let private like (tensor: torch.Tensor) (value: float) =
        Arithmetic.Full(ReadOnlySpan<int64>.Empty, value, tensor.dtype, tensor.device)

    let private stateless name (update: torch.Tensor -> torch.Tensor -> torch.Tensor) : Transform =
        { Name = name
          Init = fun _ -> OptimiserState.empty
          Update = fun gradient _ parameters -> struct (update gradient parameters, OptimiserState.empty) }

    let private owner = "Optim"
    let private positive = Numbers.positive owner
    let private fraction = Numbers.fraction owner

    /// The rate of a schedule at a step; one that is no number would make all parameters none.
    let private rateAt (schedule: Schedule) (step: float) =
        let rate = schedule (int step)

        if not (Double.IsFinite rate) then
            invalidArg (nameof schedule) $"The learning rate of step {step} (counted from 0) is {rate}: mend the schedule."

        rate

    /// <summary>
    /// The transforms one after the other, each with a state of its own. Associative; `chain []` changes nothing.
    /// </summary>
    /// <example><code lang="fsharp">
    /// let optimiser =
    ///     Optim.chain [ Optim.clipNorm 5.0; Optim.momentum 0.9 ] |> Optim.descend (Schedule.cosine 0.01 1000 50)
    /// </code></example>
    let chain (transforms: Transform list) : Transform =
        let numbered = transforms |> List.indexed |> List.map (fun (i, transform) -> string i, transform)
        let joined states = List.fold OptimiserState.join OptimiserState.empty states

        { Name = transforms |> List.map _.Name |> String.concat " > "
          Init = fun parameters -> numbered |> List.map (fun (i, t) -> OptimiserState.nest i (t.Init parameters)) |> joined
          Update =
            fun gradient state parameters ->
                let apply (struct (update, states)) (i, transform: Transform) =
                    let struct (next, kept) = transform.Update update (OptimiserState.inside i state) parameters
                    struct (next, OptimiserState.nest i kept :: states)

                let struct (update, states) = List.fold apply (struct (gradient, [])) numbered
                struct (update, joined states) }

    /// Shortens the gradient to Euclidean norm `maxNorm` where it is longer, keeping its direction; leaves it bit-equal
    /// where it is not (Pascanu, Mikolov & Bengio 2013, algorithm 1). Raises ArgumentException unless maxNorm > 0.
    let clipNorm (maxNorm: float) : Transform =
        positive (nameof maxNorm) maxNorm

        stateless (FormattableString.Invariant $"clipNorm {maxNorm}") (fun gradient _ ->
            use norm = gradient.norm ()
            use ratio = norm.reciprocal_().mul_(maxNorm).clamp_max_(1.0)
            gradient.mul (ratio: torch.Tensor))

    /// Clamps every element of the gradient to [-bound, bound]. Raises ArgumentException unless bound > 0.
    let clipElement (bound: float) : Transform =
        positive (nameof bound) bound
        stateless (FormattableString.Invariant $"clipElement {bound}") (fun gradient _ -> gradient.clamp (-bound, bound))

    /// Adds decay * parameters. Before `adamDirection` or `momentum` in a chain this is an L2 penalty of decay/2 * |p|^2;
    /// between the direction and the schedule it is decoupled weight decay (Loshchilov & Hutter 2019, algorithm 2).
    /// Raises ArgumentException for a decay that is negative or not finite.
    let weightDecay (decay: float) : Transform =
        Numbers.notNegative owner (nameof decay) decay

        stateless (FormattableString.Invariant $"weightDecay {decay}") (fun gradient parameters ->
            gradient.add (parameters, decay))

    /// Multiplies by schedule(number of updates made so far), which turns a direction into a step.
    let scaleBySchedule (schedule: Schedule) : Transform =
        { Name = "schedule"
          Init = fun _ -> OptimiserState.create [] [ "step", 0.0 ]
          Update =
            fun gradient state _ ->
                let step = OptimiserState.number "step" state
                struct (gradient.mul (rateAt schedule step), OptimiserState.create [] [ "step", step + 1.0 ]) }

    /// <summary>
    /// A transform of one's own that remembers one vector [n], called `memory` in its state, zero at first: from gradient and
    /// memory to update and next memory, a fresh tensor.
    /// </summary>
    /// <example><code lang="fsharp">
    /// let signs =
    ///     Optim.remembering "signs" "average" (fun gradient average ->
    ///         let next = average.mul(0.9).add(gradient, 0.1)
    ///         struct (next.sign (), next))
    /// </code></example>
    let remembering
        (name: string)
        (memory: string)
        (update: torch.Tensor -> torch.Tensor -> struct (torch.Tensor * torch.Tensor))
        : Transform =
        let state (vector: torch.Tensor) = OptimiserState.create [ memory, vector ] []

        { Name = name
          Init = fun parameters -> state (torch.zeros_like parameters)
          Update =
            fun gradient before _ ->
                let struct (step, next) = update gradient (OptimiserState.tensor memory before)
                struct (step, state next) }

    let private accumulate name (decay: float) (look: torch.Tensor -> torch.Tensor -> torch.Tensor) : Transform =
        fraction (nameof decay) decay

        remembering (FormattableString.Invariant $"{name} {decay}") "velocity" (fun gradient before ->
            let velocity = gradient.add (before, decay)
            struct (look gradient velocity, velocity))

    /// Heavy-ball momentum: v' = decay * v + gradient, the update is v' (Polyak 1964). Raises ArgumentException unless
    /// 0 <= decay < 1.
    let momentum (decay: float) : Transform = accumulate "momentum" decay (fun _ velocity -> velocity.alias ())

    /// Nesterov's momentum in the form of Sutskever et al. 2013: v' as in `momentum`, the update is gradient + decay * v'.
    /// Raises ArgumentException unless 0 <= decay < 1.
    let nesterov (decay: float) : Transform =
        accumulate "nesterov" decay (fun gradient velocity -> gradient.add (velocity, decay))

    /// Elements that a CPU works on at a time: few enough to stay in its cache from one operation to the next (what that gives is in
    /// the README of the benchmarks).
    let private segment = 1L <<< 16

    /// Runs elementwise operations on a vector segment by segment: `work` is given what cuts its segment out of a tensor.
    let private inSegments (vector: torch.Tensor) (work: (torch.Tensor -> torch.Tensor) -> unit) =
        let total = vector.numel ()
        let length = if vector.device_type = DeviceType.CPU then segment else max 1L total

        for start in 0L .. length .. total - 1L do
            Memory.plain (fun () -> work (fun tensor -> tensor.narrow (0L, start, min length (total - start))))

    /// Adam's direction m^ / (sqrt(v^) + epsilon), with both moments corrected for their start at zero (Kingma & Ba 2015,
    /// algorithm 1). Raises ArgumentException unless 0 <= beta < 1 and epsilon > 0.
    let adamDirection (beta1: float) (beta2: float) (epsilon: float) : Transform =
        fraction (nameof beta1) beta1
        fraction (nameof beta2) beta2
        positive (nameof epsilon) epsilon

        let update (gradient: torch.Tensor) state (_: torch.Tensor) =
            let step = OptimiserState.number "step" state + 1.0
            let first = torch.empty_like gradient
            let second = torch.empty_like gradient
            let direction = torch.empty_like gradient
            let rate = like gradient (1.0 - beta1)
            // m^ / (sqrt(v^) + e) = (root / c1) * m / (sqrt(v) + e * root) with root = sqrt(c2).
            let root = sqrt (1.0 - beta2 ** step)
            let factor = root / (1.0 - beta1 ** step)

            inSegments gradient (fun part ->
                let g, m, v = part gradient, part first, part second
                m.copy_(part (OptimiserState.tensor "first" state)).lerp_(g, rate) |> ignore

                v.copy_(part (OptimiserState.tensor "second" state)).mul_(beta2).addcmul_(g, g, 1.0 - beta2) |> ignore

                (part direction).copy_(v).sqrt_().add_(epsilon * root).reciprocal_().mul_(m).mul_ factor |> ignore)

            struct (direction, OptimiserState.create [ "first", first; "second", second ] [ "step", step ])

        { Name = FormattableString.Invariant $"adam {beta1} {beta2}"
          Init =
            fun parameters ->
                OptimiserState.create
                    [ "first", torch.zeros_like parameters; "second", torch.zeros_like parameters ]
                    [ "step", 0.0 ]
          Update = update }

    let private refuse name step what (value: float) =
        let advice = "lower the learning rate, clip the gradient, or look for silent or broken clips in the batch"
        raise (InputException $"{name}, step {step}: the {what} is {value}; {advice}. The state before this step is unharmed.")

    /// The largest absolute element, without a copy of the vector; not a number where any element is not.
    let private largest (vector: torch.Tensor) =
        torch.maximum(vector.max (), vector.min().neg_()).to_type(torch.float64).item<float>()

    let private stepOf (schedule: Schedule) (rule: Transform) (objective: Objective) state (given: torch.Tensor) =
        let step = OptimiserState.number "step" state
        let parameters = given.detach ()
        let struct (value, gradient) = objective parameters
        if not (Double.IsFinite value) then refuse rule.Name (step + 1.0) "loss" value
        let maxGradient = largest gradient

        if not (Double.IsFinite maxGradient) then
            refuse rule.Name (step + 1.0) "largest gradient element" maxGradient

        let struct (update, kept) = rule.Update gradient (OptimiserState.inside "rule" state) parameters

        { Parameters = parameters.add (update, -(rateAt schedule step))
          State = OptimiserState.join (OptimiserState.nest "rule" kept) (OptimiserState.create [] [ "step", step + 1.0 ])
          Value = value
          Evaluations = 1
          MaxGradient = maxGradient
          Stopped = None }

    /// The optimiser parameters' = parameters - schedule(step) * update, one pass cheaper than `scaleBySchedule` at the end
    /// of a chain. One evaluation a step, `Value` and `MaxGradient` (of the raw gradient) at the OLD point, never `Stopped`. A
    /// step reads two numbers from the device: the objective's own value and the gradient's largest element. Raises
    /// InputException where the loss or the gradient is not finite, and ArgumentException where the schedule's rate is not.
    let descend (schedule: Schedule) (transform: Transform) : Optimiser =
        { Name = transform.Name
          Init =
            fun parameters ->
                let init () = OptimiserState.nest "rule" (transform.Init parameters)
                let rule = Memory.scoped OptimiserState.tensors init
                OptimiserState.join rule (OptimiserState.create [] [ "step", 0.0 ])
          Step =
            fun objective state parameters ->
                Memory.scoped OptimiserStep.tensors (fun () -> stepOf schedule transform objective state parameters)
          Answer = Optimiser.lastParameters }

    /// `descend` at rate 1: parameters' = parameters - update.
    let ofTransform (transform: Transform) : Optimiser = descend (Schedule.constant 1.0) transform

    /// Plain gradient descent.
    let sgd (schedule: Schedule) : Optimiser = descend schedule { chain [] with Name = "sgd" }

    /// Adam with its authors' settings, beta 0.9 and 0.999, epsilon 1e-8 (Kingma & Ba 2015).
    let adam (schedule: Schedule) : Optimiser = descend schedule { adamDirection 0.9 0.999 1e-8 with Name = "adam" }

    /// Adam with decoupled weight decay (Loshchilov & Hutter 2019): the schedule multiplies the decay too.
    let adamW (decay: float) (schedule: Schedule) : Optimiser =
        descend schedule { chain [ adamDirection 0.9 0.999 1e-8; weightDecay decay ] with Name = "adamW" }

    /// The optimiser, whose answer is the exponential moving average decay * a + (1 - decay) * p of its parameters, corrected for its
    /// start (a is zero before the first step). Raises ArgumentException unless 0 <= decay < 1.
    let averaged (decay: float) (optimiser: Optimiser) : Optimiser =
        fraction (nameof decay) decay

        let wrap steps (average: torch.Tensor) inner =
            OptimiserState.join
                (OptimiserState.nest "inner" inner)
                (OptimiserState.create [ "average", average ] [ "steps", steps ])

        let step objective state parameters =
            let result = optimiser.Step objective (OptimiserState.inside "inner" state) parameters
            let steps = OptimiserState.number "steps" state + 1.0
            // a' = a + w (p - a), with w such that a' is the corrected average.
            let weight = (1.0 - decay) / (1.0 - decay ** steps)
            let before = OptimiserState.tensor "average" state
            { result with State = wrap steps (before.lerp (result.Parameters, like before weight)) result.State }

        { Name = FormattableString.Invariant $"{optimiser.Name}, averaged {decay}"
          Init = fun parameters -> wrap 0.0 (torch.zeros_like parameters) (optimiser.Init parameters)
          Step = fun objective state parameters -> Memory.scoped OptimiserStep.tensors (fun () -> step objective state parameters)
          Answer =
            fun state parameters ->
                if OptimiserState.number "steps" state = 0.0 then
                    parameters
                else
                    OptimiserState.tensor "average" state }
