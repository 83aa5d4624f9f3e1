namespace FunctionalSeparation

open System
open TorchSharp
open FunctionalSeparation.Core

/// What an optimiser remembers between steps, as plain named values: saving all of them is a checkpoint, and a run resumed
/// from it continues bit for bit. Every state owns its tensor handles, so freeing one state never touches another.
[<NoEquality; NoComparison>]
type OptimiserState =
    { /// Vectors of the shape [n], dtype and device of the parameters.
      Tensors: Map<string, torch.Tensor>
      /// Counters and scalars; integers are kept exactly up to 2^53.
      Numbers: Map<string, float> }

/// The objective: value and gradient [n] at a point [n]. The gradient is a fresh tensor that belongs to the current dispose
/// scope (never one the objective hands out twice); the point must not be changed.
type Objective = torch.Tensor -> struct (float * torch.Tensor)

/// What one step of an optimiser gives back. Its tensors are the caller's to free.
[<NoEquality; NoComparison>]
type OptimiserStep =
    { /// The new point [n], a fresh handle even where the point did not move.
      Parameters: torch.Tensor
      /// What the next step needs.
      State: OptimiserState
      /// The objective: at the NEW point for L-BFGS, at the OLD point for first-order rules (they never evaluate the new one).
      Value: float
      /// How often this step called the objective.
      Evaluations: int
      /// The gradient's largest absolute element, at the point where `Value` was taken.
      MaxGradient: float
      /// Why the optimiser would not go on; None while it can.
      Stopped: string option }

/// A rule that moves parameters, as two pure functions: neither changes a tensor that it is given.
[<NoEquality; NoComparison>]
type Optimiser =
    { /// For logs and messages.
      Name: string
      /// The state before the first step, for parameters [n].
      Init: torch.Tensor -> OptimiserState
      /// One step from a state and the parameters that belong to it. Raises InputException where the objective is not
      /// finite; state and parameters are then as they were.
      Step: Objective -> OptimiserState -> torch.Tensor -> OptimiserStep }

/// A function of the gradient: gradient [n], state, parameters [n] to update [n] and new state. The parameters then become
/// parameters MINUS update, so the identity is plain gradient descent at rate 1. Pure: an update may share memory with the
/// gradient, a new state has handles of its own.
[<NoEquality; NoComparison>]
type Transform =
    { /// For logs and messages.
      Name: string
      /// The state before the first update, for parameters [n].
      Init: torch.Tensor -> OptimiserState
      /// Gradient, state, parameters.
      Update: torch.Tensor -> OptimiserState -> torch.Tensor -> struct (torch.Tensor * OptimiserState) }

/// Reading, joining and freeing optimiser states.
[<RequireQualifiedAccess>]
module OptimiserState =

    /// The state of a rule that remembers nothing.
    let empty: OptimiserState = { Tensors = Map.empty; Numbers = Map.empty }

    /// A state of named tensors and numbers.
    let create (tensors: (string * torch.Tensor) list) (numbers: (string * float) list) : OptimiserState =
        { Tensors = Map.ofList tensors; Numbers = Map.ofList numbers }

    /// Every tensor, to be named as survivors of a scope.
    let tensors (state: OptimiserState) : torch.Tensor list = state.Tensors |> Map.values |> List.ofSeq

    /// Frees the tensors. The state, and no other, is unusable afterwards.
    let dispose (state: OptimiserState) : unit = for tensor in tensors state do tensor.Dispose()

    /// The same values under handles of their own (no copy): freeing either state leaves the other.
    let keep (state: OptimiserState) : OptimiserState =
        { state with Tensors = state.Tensors |> Map.map (fun _ tensor -> tensor.alias()) }

    let private find kind name (values: Map<string, 'a>) =
        match Map.tryFind name values with
        | Some value -> value
        | None ->
            let known = values.Keys |> String.concat ", "
            raise (InputException $"The optimiser state has no {kind} '{name}' (it has: {known}); resume with the optimiser that made the state.")

    /// The tensor of that name. Raises InputException where the state was made by another optimiser.
    let tensor (name: string) (state: OptimiserState) : torch.Tensor = find "tensor" name state.Tensors

    /// The number of that name. Raises InputException where the state was made by another optimiser.
    let number (name: string) (state: OptimiserState) : float = find "number" name state.Numbers

    let private rename (change: string -> string option) (values: Map<string, 'a>) =
        values |> Map.toSeq |> Seq.choose (fun (name, value) -> change name |> Option.map (fun n -> n, value)) |> Map.ofSeq

    let private renameBoth change state =
        { Tensors = rename change state.Tensors; Numbers = rename change state.Numbers }

    /// The state with every name put behind `prefix/`.
    let nest (prefix: string) (state: OptimiserState) : OptimiserState = renameBoth (fun name -> Some $"{prefix}/{name}") state

    /// What `nest prefix` put into a larger state, under its first names and with the same handles.
    let inside (prefix: string) (state: OptimiserState) : OptimiserState =
        let start = prefix + "/"
        let strip (name: string) = if name.StartsWith(start, StringComparison.Ordinal) then Some(name.Substring start.Length) else None
        renameBoth strip state

    /// Both states in one; names must differ.
    let join (first: OptimiserState) (second: OptimiserState) : OptimiserState =
        let add values more = Map.fold (fun all name value -> Map.add name value all) values more
        { Tensors = add first.Tensors second.Tensors; Numbers = add first.Numbers second.Numbers }

/// Freeing steps and naming their survivors.
[<RequireQualifiedAccess>]
module OptimiserStep =

    /// Every tensor of the step: the parameters and the state's.
    let tensors (step: OptimiserStep) : torch.Tensor list = step.Parameters :: OptimiserState.tensors step.State

    /// Frees the parameters and the state.
    let dispose (step: OptimiserStep) : unit = for tensor in tensors step do tensor.Dispose()

/// A learning rate as a function of the step number, which counts from 0.
type Schedule = int -> float

/// Learning-rate schedules.
[<RequireQualifiedAccess>]
module Schedule =

    /// The same rate at every step.
    let constant (rate: float) : Schedule = fun _ -> rate

    /// A linear rise over `warmup` steps (step 0 already moves), then half a cosine from `rate` down to 0 at step `total`
    /// and 0 from there on (Loshchilov & Hutter 2017, eq. 5, one period). Raises ArgumentException unless 0 <= warmup < total.
    let cosine (rate: float) (total: int) (warmup: int) : Schedule =
        if warmup < 0 || total <= warmup then
            invalidArg (nameof total) $"Schedule.cosine needs 0 <= warmup < total, got warmup {warmup}, total {total}."

        fun step ->
            if step < warmup then
                rate * float (step + 1) / float warmup
            else
                let progress = float (step - warmup) / float (total - warmup) |> min 1.0
                rate * 0.5 * (1.0 + cos (Math.PI * progress))

    /// `rate`, multiplied by `factor` once for every milestone that the step number has reached.
    let stepwise (rate: float) (factor: float) (milestones: int list) : Schedule =
        fun step -> rate * (factor ** float (milestones |> List.filter (fun m -> step >= m) |> List.length))

/// First-order rules as gradient transforms that compose.
[<RequireQualifiedAccess>]
module Optim =

    let private scalar (value: float) : Scalar = value.ToScalar()

    let private stateless name (update: torch.Tensor -> torch.Tensor -> torch.Tensor) : Transform =
        { Name = name
          Init = fun _ -> OptimiserState.empty
          Update = fun gradient _ parameters -> struct (update gradient parameters, OptimiserState.empty) }

    let private positive name (value: float) =
        if not (value > 0.0 && Double.IsFinite value) then
            invalidArg name $"Optim needs a positive, finite {name}, got {value}."

    let private fraction name (value: float) =
        if not (value >= 0.0 && value < 1.0) then
            invalidArg name $"Optim needs {name} in [0, 1), got {value}."

    /// The transforms one after the other, each with a state of its own. Associative; `chain []` changes nothing.
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

        stateless $"clipNorm {maxNorm}" (fun gradient _ ->
            use norm = torch.linalg.vector_norm gradient
            use ratio = norm.reciprocal_().mul_(scalar maxNorm).clamp_max_(scalar 1.0)
            gradient.mul(ratio: torch.Tensor))

    /// Clamps every element of the gradient to [-bound, bound]. Raises ArgumentException unless bound > 0.
    let clipElement (bound: float) : Transform =
        positive (nameof bound) bound
        stateless $"clipElement {bound}" (fun gradient _ -> gradient.clamp(scalar -bound, scalar bound))

    /// Adds decay * parameters. Before `adamDirection` or `momentum` in a chain this is an L2 penalty of decay/2 * |p|^2;
    /// between the direction and the schedule it is decoupled weight decay (Loshchilov & Hutter 2019, algorithm 2).
    let weightDecay (decay: float) : Transform =
        stateless $"weightDecay {decay}" (fun gradient parameters -> gradient.add(parameters, scalar decay))

    /// Multiplies by schedule(number of updates made so far), which turns a direction into a step.
    let scaleBySchedule (schedule: Schedule) : Transform =
        { Name = "schedule"
          Init = fun _ -> OptimiserState.create [] [ "step", 0.0 ]
          Update =
            fun gradient state _ ->
                let step = OptimiserState.number "step" state
                struct (gradient.mul(scalar (schedule (int step))), OptimiserState.create [] [ "step", step + 1.0 ]) }

    let private accumulate name (decay: float) (look: torch.Tensor -> torch.Tensor -> torch.Tensor) : Transform =
        fraction (nameof decay) decay

        { Name = $"{name} {decay}"
          Init = fun parameters -> OptimiserState.create [ "velocity", torch.zeros_like parameters ] []
          Update =
            fun gradient state _ ->
                let velocity = gradient.add(OptimiserState.tensor "velocity" state, scalar decay)
                struct (look gradient velocity, OptimiserState.create [ "velocity", velocity ] []) }

    /// Heavy-ball momentum: v' = decay * v + gradient, the update is v' (Polyak 1964). Raises ArgumentException unless
    /// 0 <= decay < 1.
    let momentum (decay: float) : Transform = accumulate "momentum" decay (fun _ velocity -> velocity.alias())

    /// Nesterov's momentum in the form of Sutskever et al. 2013: v' as in `momentum`, the update is gradient + decay * v'.
    /// Raises ArgumentException unless 0 <= decay < 1.
    let nesterov (decay: float) : Transform =
        accumulate "nesterov" decay (fun gradient velocity -> gradient.add(velocity, scalar decay))

    /// Adam's direction m^ / (sqrt(v^) + epsilon), with both moments corrected for their start at zero (Kingma & Ba 2015,
    /// algorithm 1). Raises ArgumentException unless 0 <= beta < 1 and epsilon > 0.
    let adamDirection (beta1: float) (beta2: float) (epsilon: float) : Transform =
        fraction (nameof beta1) beta1
        fraction (nameof beta2) beta2
        positive (nameof epsilon) epsilon

        let update (gradient: torch.Tensor) state (_: torch.Tensor) =
            let step = OptimiserState.number "step" state + 1.0
            let first = (OptimiserState.tensor "first" state).mul(scalar beta1).add_(gradient, scalar (1.0 - beta1))
            let second = (OptimiserState.tensor "second" state).mul(scalar beta2).addcmul_(gradient, gradient, scalar (1.0 - beta2))
            // m^ / (sqrt(v^) + e) = m / (sqrt(v) * c1 / sqrt(c2) + e * c1): both corrections ride on the denominator.
            let correction1 = 1.0 - beta1 ** step
            let correction2 = 1.0 - beta2 ** step
            let denominator = second.sqrt().mul_(scalar (correction1 / sqrt correction2)).add_(scalar (epsilon * correction1))
            struct (first.div(denominator: torch.Tensor), OptimiserState.create [ "first", first; "second", second ] [ "step", step ])

        { Name = $"adam {beta1} {beta2}"
          Init =
            fun parameters ->
                OptimiserState.create
                    [ "first", torch.zeros_like parameters; "second", torch.zeros_like parameters ]
                    [ "step", 0.0 ]
          Update = update }

    let private refuse name step what (value: float) =
        let advice = "lower the learning rate, clip the gradient, or look for silent or broken clips in the batch"
        raise (InputException $"{name}, step {step}: the {what} is {value}; {advice}. The state before this step is unharmed.")

    let private stepOf (transform: Transform) (objective: Objective) (state: OptimiserState) (parameters: torch.Tensor) =
        let step = OptimiserState.number "step" state
        let parameters = parameters.detach()
        let struct (value, gradient) = objective parameters
        if not (Double.IsFinite value) then refuse transform.Name (step + 1.0) "loss" value
        let largest = torch.linalg.vector_norm(gradient, Double.PositiveInfinity).to_type(torch.float64).item<float>()
        if not (Double.IsFinite largest) then refuse transform.Name (step + 1.0) "largest gradient element" largest
        let struct (update, kept) = transform.Update gradient (OptimiserState.inside "rule" state) parameters

        { Parameters = parameters.sub(update: torch.Tensor)
          State = OptimiserState.join (OptimiserState.nest "rule" kept) (OptimiserState.create [] [ "step", step + 1.0 ])
          Value = value
          Evaluations = 1
          MaxGradient = largest
          Stopped = None }

    /// The optimiser parameters' = parameters - update: one evaluation a step, `Value` and `MaxGradient` (of the raw
    /// gradient) at the OLD point, never `Stopped`. A step reads two numbers from the device: the objective's own value and the
    /// gradient's largest element. Raises InputException where the loss or the gradient is not finite.
    let ofTransform (transform: Transform) : Optimiser =
        { Name = transform.Name
          Init =
            fun parameters ->
                let init () = OptimiserState.nest "rule" (transform.Init parameters)
                let rule = Memory.scoped OptimiserState.tensors init
                OptimiserState.join rule (OptimiserState.create [] [ "step", 0.0 ])
          Step =
            fun objective state parameters ->
                Memory.scoped OptimiserStep.tensors (fun () -> stepOf transform objective state parameters) }

    /// Plain gradient descent.
    let sgd (schedule: Schedule) : Optimiser = ofTransform { scaleBySchedule schedule with Name = "sgd" }

    /// Adam with its authors' settings, beta 0.9 and 0.999, epsilon 1e-8 (Kingma & Ba 2015).
    let adam (schedule: Schedule) : Optimiser =
        ofTransform { chain [ adamDirection 0.9 0.999 1e-8; scaleBySchedule schedule ] with Name = "adam" }

    /// Adam with decoupled weight decay (Loshchilov & Hutter 2019): the decay is multiplied by the schedule too.
    let adamW (decay: float) (schedule: Schedule) : Optimiser =
        let rule = chain [ adamDirection 0.9 0.999 1e-8; weightDecay decay; scaleBySchedule schedule ]
        ofTransform { rule with Name = "adamW" }
