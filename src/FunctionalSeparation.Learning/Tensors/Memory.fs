namespace FunctionalSeparation.Learning

open TorchSharp
open FunctionalSeparation.Core

/// The one place that opens dispose scopes. The garbage collector does not see native memory, so every step and every chunk of
/// data runs in a scope of its own. At its end, the scope frees all tensors that the work allocated, except those that it returns
/// by name. Tensors may have any shape [...], type and device.
[<RequireQualifiedAccess>]
module Memory =

    /// <summary>
    /// Runs `work` in a fresh scope and frees every tensor that it made, except those that `survivors` lists from its result. The
    /// survivors move to the enclosing scope, or to the caller where there is none. `work` must be eager: a sequence or closure
    /// that is evaluated later, or on another thread, is not covered.
    /// </summary>
    /// <example><code lang="fsharp">
    /// let norm (vector: torch.Tensor) =
    ///     Memory.tensor (fun () -> (vector * vector).sum().sqrt()) // the square and the sum are freed
    ///
    /// let largest (vector: torch.Tensor) = Memory.plain (fun () -> vector.abs().max().ToDouble())
    /// </code></example>
    let scoped (survivors: 'a -> torch.Tensor list) (work: unit -> 'a) : 'a =
        TorchRuntime.Initialize()
        use scope = torch.NewDisposeScope()
        let result = work ()

        for tensor in survivors result do
            scope.MoveToOuter(tensor) |> ignore

        result

    /// A scope out of which one tensor survives.
    let tensor (work: unit -> torch.Tensor) : torch.Tensor = scoped List.singleton work

    /// A scope out of which no tensor survives: `work` returns plain .NET values.
    let plain (work: unit -> 'a) : 'a = scoped (fun _ -> []) work

    /// The tensor on `device`; the given handle is freed, so that the result is the only one.
    let moveTo (device: torch.Device) (tensor: torch.Tensor) : torch.Tensor =
        let moved = tensor.``to`` device
        tensor.Dispose()
        moved

    /// Tensors alive in this process. Meaningful only where nothing else runs beside the caller.
    let liveTensors () : int64 = torch.Tensor.TotalCount
