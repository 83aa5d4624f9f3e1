namespace FunctionalSeparation

open TorchSharp
open FunctionalSeparation.Core

/// Reverse-mode derivatives of scalar functions of one vector.
[<RequireQualifiedAccess>]
module Grad =

    let private accumulate (leaf: torch.Tensor) (part: torch.Tensor -> torch.Tensor) =
        Memory.tensor (fun () ->
            let value = part leaf

            if value.numel () <> 1L then
                invalidArg (nameof part) $"An objective is one number, got {Shapes.Describe value}: sum it."

            value.backward ()
            value.detach().``to`` torch.float64)

    /// Value and gradient, at `point` [n], of the sum of scalar functions. Each part is evaluated, differentiated and freed
    /// before the next, so memory is that of the largest part. The gradient is a fresh tensor [n]; zero where nothing depends
    /// on the point.
    let valueAndGradOfSum (parts: (torch.Tensor -> torch.Tensor) seq) (point: torch.Tensor) : struct (float * torch.Tensor) =
        let total = ref 0.0

        let gradient =
            Memory.tensor (fun () ->
                let leaf = point.detach().requires_grad_ true
                // Zeroed rather than absent: every part adds in place.
                leaf.grad <- torch.zeros_like point
                let values = [ for part in parts -> accumulate leaf part ]

                total.Value <-
                    if values.IsEmpty then
                        0.0
                    else
                        (torch.stack (List.toArray values)).sum().Number()

                leaf.grad)

        struct (total.Value, gradient)

    /// Value and gradient of a scalar function at `point`.
    let valueAndGrad (f: torch.Tensor -> torch.Tensor) (point: torch.Tensor) : struct (float * torch.Tensor) =
        valueAndGradOfSum [ f ] point

    /// The gradient alone.
    let grad (f: torch.Tensor -> torch.Tensor) (point: torch.Tensor) : torch.Tensor =
        let struct (_, gradient) = valueAndGrad f point
        gradient
