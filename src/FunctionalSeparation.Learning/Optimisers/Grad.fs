namespace FunctionalSeparation.Learning

open TorchSharp
open FunctionalSeparation.Core

/// Exact derivatives of functions of one vector, by reverse mode, under DiffSharp's names.
[<RequireQualifiedAccess>]
module Grad =

    let private requireNumber (value: torch.Tensor) =
        if value.numel () <> 1L then
            invalidArg "f" $"An objective is one number, got {Shapes.Describe value}: sum it."

    let private accumulate (leaf: torch.Tensor) (part: torch.Tensor -> torch.Tensor) =
        Memory.tensor (fun () ->
            let value = part leaf
            requireNumber value
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

    /// <summary>
    /// Value and gradient [n] of a scalar function at `point` [n]. Raises ArgumentException where f gives more than one number.
    /// </summary>
    /// <example><code lang="fsharp">
    /// let struct (value, gradient) = Grad.valueAndGrad (fun x -> x.squared().sum()) (torch.ones 3L) // 3 and [2, 2, 2]
    /// </code></example>
    let valueAndGrad (f: torch.Tensor -> torch.Tensor) (point: torch.Tensor) : struct (float * torch.Tensor) =
        valueAndGradOfSum [ f ] point

    /// The gradient [n] alone. Raises ArgumentException as `valueAndGrad`.
    let grad (f: torch.Tensor -> torch.Tensor) (point: torch.Tensor) : torch.Tensor =
        let struct (_, gradient) = valueAndGrad f point
        gradient

    let private leafAt (point: torch.Tensor) = point.detach().requires_grad_ true

    /// Takes the gradient of a backward pass out of a leaf; zeros where nothing depended on the leaf. Otherwise a leaf and a
    /// gradient with its own graph keep each other alive (libtorch warns about it, once).
    let private take (leaf: torch.Tensor) =
        let gradient = leaf.grad
        leaf.grad <- null
        if isNull gradient then torch.zeros_like leaf else gradient

    let private backward (isTwice: bool) (seed: torch.Tensor) (value: torch.Tensor) =
        if value.requires_grad then
            value.backward ([| seed |], retain_graph = isTwice, create_graph = isTwice)

    /// The derivative of <gradient, vector> by a leaf, for a gradient that has a graph.
    let private along (vector: torch.Tensor) (leaf: torch.Tensor) (gradient: torch.Tensor) =
        let product = (gradient * vector).sum()
        product |> backward false (torch.ones_like product)
        take leaf

    /// The product J' v [n] of the transposed Jacobian of f at `point` [n] with a vector of the shape of f's result: one backward
    /// pass. Raises ArgumentException for another shape.
    let vjp (f: torch.Tensor -> torch.Tensor) (point: torch.Tensor) (vector: torch.Tensor) : torch.Tensor =
        Memory.tensor (fun () ->
            let leaf = leafAt point
            let value = f leaf
            Shapes.RequireSame("vjp", "a vector", vector, "the function's value", value)
            value |> backward false vector
            take leaf)

    /// The product J v of the Jacobian of f at `point` [n] with a vector [n], of the shape of f's result. J' u is linear in u,
    /// and its derivative by u along v is J v: two backward passes and no approximation. Raises ArgumentException for a
    /// vector of another shape, and where f holds an operation that has a first derivative only.
    let jvp (f: torch.Tensor -> torch.Tensor) (point: torch.Tensor) (vector: torch.Tensor) : torch.Tensor =
        Shapes.RequireSame("jvp", "a vector", vector, "a point", point)

        Memory.tensor (fun () ->
            let leaf = leafAt point
            let value = SecondDerivatives.Of(fun () -> f leaf)
            let dual = leafAt (torch.zeros_like value)
            value |> backward true dual
            take leaf |> along vector dual)

    /// The product H v [n] of the Hessian of a scalar function at `point` [n] with a vector [n]: the derivative of <gradient, v>
    /// (Pearlmutter 1994), by two backward passes. Raises ArgumentException as `jvp`, and where f gives more than one number.
    let hvp (f: torch.Tensor -> torch.Tensor) (point: torch.Tensor) (vector: torch.Tensor) : torch.Tensor =
        Shapes.RequireSame("hvp", "a vector", vector, "a point", point)

        Memory.tensor (fun () ->
            let leaf = leafAt point
            let value = SecondDerivatives.Of(fun () -> f leaf)
            requireNumber value
            value |> backward true (torch.ones_like value)
            take leaf |> along vector leaf)
