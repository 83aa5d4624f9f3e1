namespace FunctionalSeparation.Learning

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

/// Reading, joining and freeing optimiser states.
[<RequireQualifiedAccess>]
module OptimiserState =

    /// The state of an optimiser without memory.
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

    let private find kind name (values: Map<string, 'a>) =
        match Map.tryFind name values with
        | Some value -> value
        | None ->
            let known = values.Keys |> String.concat ", "

            raise (
                InputException(
                    $"The optimiser state has no {kind} '{name}' (it has: "
                    + $"{known}); resume with the optimiser that made the state."
                )
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
