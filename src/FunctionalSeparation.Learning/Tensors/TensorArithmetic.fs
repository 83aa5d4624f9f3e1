namespace FunctionalSeparation.Learning

open TorchSharp
open FunctionalSeparation.Core

/// Safe arithmetic of tensors and numbers, as soon as `FunctionalSeparation.Learning` is open (see `Core.Arithmetic`). It
/// consists of libtorch's own names, which here take plain numbers, and of `.+` for the sum of two tensors. `a - b`, `a * b` and
/// `a / b` of two tensors are safe as they are. `a + b`, `2.0 * a` and `a.square ()` are not: TorchSharp frees a number that it
/// makes on the way while libtorch may still read it. Shapes broadcast as in libtorch: [3, 1] beside [5] gives [3, 5].
[<AutoOpen>]
module TensorArithmetic =

    /// The sum of two tensors.
    let (.+) (a: torch.Tensor) (b: torch.Tensor) : torch.Tensor = Arithmetic.Add(a, b)

    type torch.Tensor with

        /// The tensor plus a number.
        member x.add(number: float) : torch.Tensor = Arithmetic.Add(x, number)

        /// The tensor plus `factor` times another.
        member x.add(y: torch.Tensor, factor: float) : torch.Tensor = Arithmetic.Add(x, y, factor)

        /// The tensor minus a number.
        member x.sub(number: float) : torch.Tensor = Arithmetic.Sub(x, number)

        /// A number minus the tensor: the reversed difference.
        member x.rsub(number: float) : torch.Tensor = Arithmetic.SubtractedFrom(x, number)

        /// The tensor times a number.
        member x.mul(number: float) : torch.Tensor = Arithmetic.Mul(x, number)

        /// The tensor divided by a number.
        member x.div(number: float) : torch.Tensor = Arithmetic.Div(x, number)

        /// The square of each element.
        member x.squared() : torch.Tensor = Arithmetic.Square x

        /// Each element to a power.
        member x.pow(exponent: float) : torch.Tensor = Arithmetic.Pow(x, exponent)

        /// Each element, at least `least`.
        member x.clamp_min(least: float) : torch.Tensor = Arithmetic.ClampMin(x, least)

        /// Each element, at most `most`.
        member x.clamp_max(most: float) : torch.Tensor = Arithmetic.ClampMax(x, most)

        /// Each element, brought into [least, most].
        member x.clamp(least: float, most: float) : torch.Tensor = Arithmetic.Clamp(x, least, most)

        /// Each element where it is positive, else times a slope.
        member x.leaky_relu(slope: float) : torch.Tensor = Arithmetic.LeakyRelu(x, slope)

        /// Each element where it is positive, else exp x - 1.
        member x.elu() : torch.Tensor = Arithmetic.Elu x

        /// Whether each element equals a number.
        member x.eq(number: float) : torch.Tensor = Arithmetic.Eq(x, number)

        /// Whether each element differs from a number.
        member x.ne(number: float) : torch.Tensor = Arithmetic.Ne(x, number)

        /// Whether each element is below a number.
        member x.lt(number: float) : torch.Tensor = Arithmetic.Lt(x, number)

        /// Whether each element is at most a number.
        member x.le(number: float) : torch.Tensor = Arithmetic.Le(x, number)

        /// Whether each element is above a number.
        member x.gt(number: float) : torch.Tensor = Arithmetic.Gt(x, number)

        /// Whether each element is at least a number.
        member x.ge(number: float) : torch.Tensor = Arithmetic.Ge(x, number)

        /// The tensor, with a number wherever the boolean mask is true.
        member x.masked_fill(mask: torch.Tensor, number: float) : torch.Tensor = Arithmetic.MaskedFill(x, mask, number)

        /// Adds a number in place.
        member x.add_(number: float) : torch.Tensor = Arithmetic.AddInPlace(x, number)

        /// Adds `factor` times another tensor in place.
        member x.add_(y: torch.Tensor, factor: float) : torch.Tensor = Arithmetic.AddInPlace(x, y, factor)

        /// Takes a number off in place.
        member x.sub_(number: float) : torch.Tensor = Arithmetic.SubInPlace(x, number)

        /// Multiplies by a number in place.
        member x.mul_(number: float) : torch.Tensor = Arithmetic.MulInPlace(x, number)

        /// Divides by a number in place.
        member x.div_(number: float) : torch.Tensor = Arithmetic.DivInPlace(x, number)

        /// Adds `factor` times the product of two tensors in place.
        member x.addcmul_(y: torch.Tensor, z: torch.Tensor, factor: float) : torch.Tensor =
            Arithmetic.AddProductInPlace(x, y, z, factor)

        /// Adds `factor` times the quotient of two tensors in place.
        member x.addcdiv_(y: torch.Tensor, z: torch.Tensor, factor: float) : torch.Tensor =
            Arithmetic.AddQuotientInPlace(x, y, z, factor)

        /// Brings every element up to `least` in place where it is smaller.
        member x.clamp_min_(least: float) : torch.Tensor = Arithmetic.ClampMinInPlace(x, least)

        /// Brings every element down to `most` in place where it is larger.
        member x.clamp_max_(most: float) : torch.Tensor = Arithmetic.ClampMaxInPlace(x, most)

        /// Sets every element to a number.
        member x.fill_(number: float) : torch.Tensor = Arithmetic.FillInPlace(x, number)
