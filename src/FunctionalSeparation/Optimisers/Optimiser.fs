namespace FunctionalSeparation

open System
open TorchSharp
open FunctionalSeparation.Core

/// The state of an optimiser between steps, as plain named values. All of them together are a checkpoint, from which a resumed
/// run continues bit for bit. Every state owns its tensor handles, so freeing one state never affects another.
[<NoEquality; NoComparison>]
type OptimiserState =
    {
        /// Vectors of the shape [n], dtype and device of the parameters.
        Tensors: Map<string, torch.Tensor>
        /// Counters and scalars; integers are kept exactly up to 2^53.
        Numbers: Map<string, float>
    }

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
        /// The objective: at the NEW point for L-BFGS, at the OLD point for first-order rules (they never evaluate the new one).
        Value: float
        /// Number of calls of the objective in this step.
        Evaluations: int
        /// The gradient's largest absolute element, at the point where `Value` was taken.
        MaxGradient: float
        /// Why the optimiser cannot continue; None while it can.
        Stopped: string option
    }

/// A rule that moves parameters, as two pure functions: neither changes a tensor that it is given.
[<NoEquality; NoComparison>]
type Optimiser =
    {
        /// For logs and messages.
        Name: string
        /// The state before the first step, for parameters [n].
        Init: torch.Tensor -> OptimiserState
        /// One step from a state and the parameters [n] that belong to it. Raises InputException where the objective is not
        /// finite; state and parameters are then as they were.
        Step: Objective -> OptimiserState -> torch.Tensor -> OptimiserStep
        /// The parameters [n] that a run which ended with this state and these parameters gives: the parameters themselves, unless
        /// the rule averages them. The handle is one of those given.
        Answer: OptimiserState -> torch.Tensor -> torch.Tensor
    }

/// A function of the gradient: gradient [n], state, parameters [n] to update [n] and new state. The parameters then become
/// parameters MINUS update, so the identity is plain gradient descent at rate 1. Pure: an update may share memory with the
/// gradient, a new state has handles of its own.
[<NoEquality; NoComparison>]
type Transform =
    {
        /// For logs and messages.
        Name: string
        /// The state before the first update, for parameters [n].
        Init: torch.Tensor -> OptimiserState
        /// Gradient, state, parameters.
        Update: torch.Tensor -> OptimiserState -> torch.Tensor -> struct (torch.Tensor * OptimiserState)
    }

/// Functions that optimisers share.
[<RequireQualifiedAccess>]
module Optimiser =

    /// The answer of a rule that does not average: the parameters [n].
    let lastParameters: OptimiserState -> torch.Tensor -> torch.Tensor = fun _ parameters -> parameters

/// Reading, joining and freeing optimiser states.
[<RequireQualifiedAccess>]
module OptimiserState =

    /// The state of a rule that remembers nothing.
    let empty: OptimiserState = { Tensors = Map.empty; Numbers = Map.empty }

    /// A state of named tensors [n] and numbers.
    let create (tensors: (string * torch.Tensor) list) (numbers: (string * float) list) : OptimiserState =
        { Tensors = Map.ofList tensors; Numbers = Map.ofList numbers }

    /// Every tensor, [n] each, to be named as survivors of a scope.
    let tensors (state: OptimiserState) : torch.Tensor list = state.Tensors |> Map.values |> List.ofSeq

    /// Frees the tensors. The state, and no other, is unusable afterwards.
    let dispose (state: OptimiserState) : unit =
        for tensor in tensors state do
            tensor.Dispose()

    /// The same values under handles of their own (no copy): freeing either state leaves the other.
    let keep (state: OptimiserState) : OptimiserState =
        { state with Tensors = state.Tensors |> Map.map (fun _ tensor -> tensor.alias ()) }

    let private find kind name (values: Map<string, 'a>) =
        match Map.tryFind name values with
        | Some value -> value
        | None ->
            let known = values.Keys |> String.concat ", "

            raise (
                InputException
                    $"The optimiser state has no {kind} '{name}' (it has: {known}); resume with the optimiser that made the state."
            )

    /// The tensor [n] of that name. Raises InputException where the state was made by another optimiser.
    let tensor (name: string) (state: OptimiserState) : torch.Tensor = find "tensor" name state.Tensors

    /// The number of that name. Raises InputException where the state was made by another optimiser.
    let number (name: string) (state: OptimiserState) : float = find "number" name state.Numbers

    let private rename (change: string -> string option) (values: Map<string, 'a>) =
        values
        |> Map.toSeq
        |> Seq.choose (fun (name, value) -> change name |> Option.map (fun n -> n, value))
        |> Map.ofSeq

    let private renameBoth change state = { Tensors = rename change state.Tensors; Numbers = rename change state.Numbers }

    /// The state with every name put behind `prefix/`.
    let nest (prefix: string) (state: OptimiserState) : OptimiserState = renameBoth (fun name -> Some $"{prefix}/{name}") state

    /// The state that `nest prefix` added to a larger state, under its original names and with the same handles.
    let inside (prefix: string) (state: OptimiserState) : OptimiserState =
        let start = prefix + "/"

        let strip (name: string) =
            if name.StartsWith(start, StringComparison.Ordinal) then
                Some(name.Substring start.Length)
            else
                None

        renameBoth strip state

    /// Both states in one; names must differ.
    let join (first: OptimiserState) (second: OptimiserState) : OptimiserState =
        let add values more = Map.fold (fun all name value -> Map.add name value all) values more
        { Tensors = add first.Tensors second.Tensors; Numbers = add first.Numbers second.Numbers }

/// Freeing steps and naming their survivors.
[<RequireQualifiedAccess>]
module OptimiserStep =

    /// Every tensor of the step, [n] each: the parameters and the state's.
    let tensors (step: OptimiserStep) : torch.Tensor list = step.Parameters :: OptimiserState.tensors step.State

    /// Frees the parameters and the state.
    let dispose (step: OptimiserStep) : unit =
        for tensor in tensors step do
            tensor.Dispose()
