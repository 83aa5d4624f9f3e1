namespace FunctionalSeparation.Learning

open System
open TorchSharp
open FunctionalSeparation.Core

/// A function of the gradient: gradient [n], state, parameters [n] to update [n] and new state. The parameters then become
/// parameters MINUS update, so the identity is plain gradient descent at rate 1. Pure: an update may share memory with the
/// gradient, a new state has handles of its own.
[<NoEquality; NoComparison>]
type Transform =
    {
        /// The identity of the transform.
        Id: Id
        /// The state before the first update, for parameters [n].
        Init: torch.Tensor -> OptimiserState
        /// Gradient, state, parameters.
        Update: torch.Tensor -> OptimiserState -> torch.Tensor -> struct (torch.Tensor * OptimiserState)
    }

/// Gradient transforms that compose.
[<RequireQualifiedAccess>]
module Transform =

    /// A number as a tensor without dimensions, beside `tensor` and of its dtype.
    let private like (tensor: torch.Tensor) (value: float) =
        Arithmetic.Full(ReadOnlySpan<int64>.Empty, value, tensor.dtype, tensor.device)

    let private stateless id (update: torch.Tensor -> torch.Tensor -> torch.Tensor) : Transform =
        { Id = id
          Init = fun _ -> OptimiserState.empty
          Update = fun gradient _ parameters -> struct (update gradient parameters, OptimiserState.empty) }

    let private owner = "A transform"
    let private positive = Numbers.positive owner
    let private fraction = Numbers.fraction owner

    /// <summary>
    /// The transforms one after the other, each with a state of its own. Associative; `chain []` changes nothing.
    /// </summary>
    /// <example><code lang="fsharp">
    /// let optimiser =
    ///     Transform.chain [ Transform.clipNorm 5.0; Transform.momentum 0.9 ]
    ///     |> Optimiser.descend (Schedule.warmupCosine 50 0.01)
    /// </code></example>
    let chain (transforms: Transform list) : Transform =
        let numbered = transforms |> List.indexed |> List.map (fun (i, transform) -> string i, transform)
        let joined states = List.fold OptimiserState.join OptimiserState.empty states

        { Id = Id.create "chain" [] (List.map _.Id transforms)
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

        stateless (Id.create "clip norm" [ "bound", maxNorm ] []) (fun gradient _ ->
            use norm = gradient.norm ()
            use ratio = norm.reciprocal_().mul_(maxNorm).clamp_max_(1.0)
            gradient.mul (ratio: torch.Tensor))

    /// Clamps every element of the gradient to [-bound, bound]. Raises ArgumentException unless bound > 0.
    let clipElements (bound: float) : Transform =
        positive (nameof bound) bound
        stateless (Id.create "clip elements" [ "bound", bound ] []) (fun gradient _ -> gradient.clamp (-bound, bound))

    /// Adds decay * parameters. Before `adam` or `momentum` in a chain, this is an L2 penalty of decay/2 * |p|^2. Between the
    /// direction and the schedule, it is decoupled weight decay (Loshchilov & Hutter 2019, algorithm 2). Raises ArgumentException
    /// for a decay that is negative or not finite.
    let weightDecay (decay: float) : Transform =
        Numbers.notNegative owner (nameof decay) decay

        stateless (Id.create "weight decay" [ "decay", decay ] []) (fun gradient parameters -> gradient.add (parameters, decay))

    /// <summary>
    /// A transform of one's own that remembers one vector [n], called `memory` in its state and zero at first. `update` takes
    /// gradient and memory, and gives the update and the next memory, a fresh tensor.
    /// </summary>
    /// <example><code lang="fsharp">
    /// let signs =
    ///     Transform.remembering (Id.named "signs") "average" (fun gradient average ->
    ///         let next = average.mul(0.9).add(gradient, 0.1)
    ///         struct (next.sign (), next))
    /// </code></example>
    let remembering
        (id: Id)
        (memory: string)
        (update: torch.Tensor -> torch.Tensor -> struct (torch.Tensor * torch.Tensor))
        : Transform =
        let state (vector: torch.Tensor) = OptimiserState.create [ memory, vector ] []

        { Id = id
          Init = fun parameters -> state (torch.zeros_like parameters)
          Update =
            fun gradient before _ ->
                let struct (step, next) = update gradient (OptimiserState.tensor memory before)
                struct (step, state next) }

    let private accumulate name (decay: float) (look: torch.Tensor -> torch.Tensor -> torch.Tensor) : Transform =
        fraction (nameof decay) decay

        remembering (Id.create name [ "decay", decay ] []) "velocity" (fun gradient before ->
            let velocity = gradient.add (before, decay)
            struct (look gradient velocity, velocity))

    /// Heavy-ball momentum: v' = decay * v + gradient, the update is v' (Polyak 1964). Raises ArgumentException unless
    /// 0 <= decay < 1.
    let momentum (decay: float) : Transform = accumulate "momentum" decay (fun _ velocity -> velocity.alias ())

    /// Nesterov's momentum in the form of Sutskever et al. 2013: v' as in `momentum`, the update is gradient + decay * v'.
    /// Raises ArgumentException unless 0 <= decay < 1.
    let nesterov (decay: float) : Transform =
        accumulate "nesterov" decay (fun gradient velocity -> gradient.add (velocity, decay))

    /// Number of elements that a CPU processes at a time, small enough for its cache from one operation to the next. The README
    /// of the benchmarks says what this gains.
    let private segment = 1L <<< 16

    /// Runs elementwise operations on a vector segment by segment: `work` is given what cuts its segment out of a tensor.
    let private inSegments (vector: torch.Tensor) (work: (torch.Tensor -> torch.Tensor) -> unit) =
        let total = vector.numel ()
        let length = if vector.device_type = DeviceType.CPU then segment else max 1L total

        for start in 0L .. length .. total - 1L do
            Memory.plain (fun () -> work (fun tensor -> tensor.narrow (0L, start, min length (total - start))))

    /// Adam's direction m^ / (sqrt(v^) + epsilon), with both moments corrected for their start at zero (Kingma & Ba 2015,
    /// algorithm 1). Raises ArgumentException unless 0 <= beta < 1 and epsilon > 0.
    let adam (beta1: float) (beta2: float) (epsilon: float) : Transform =
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

        { Id = Id.create "adam" [ "beta1", beta1; "beta2", beta2; "epsilon", epsilon ] []
          Init =
            fun parameters ->
                OptimiserState.create
                    [ "first", torch.zeros_like parameters; "second", torch.zeros_like parameters ]
                    [ "step", 0.0 ]
          Update = update }
