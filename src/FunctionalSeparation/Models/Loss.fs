namespace FunctionalSeparation

open TorchSharp
open FunctionalSeparation.Core

/// What a network says: magnitudes [..., sources, bins].
[<NoEquality; NoComparison>]
type Estimate = Estimate of torch.Tensor

/// What is true: magnitudes [..., sources, bins].
[<NoEquality; NoComparison>]
type Reference = Reference of torch.Tensor

/// A loss: a scalar tensor, summed (not averaged) over frames, sources and bins, so that the loss of a data set is the sum
/// of the losses of its parts.
type Loss = Estimate -> Reference -> torch.Tensor

/// Losses. Estimates and references have one shape: each raises ArgumentException, naming itself and both shapes, where they
/// have not, since libtorch would broadcast.
[<RequireQualifiedAccess>]
module Loss =

    /// A loss of one's own, from a function of estimates and references, which it is given only where they have one shape.
    let define (name: string) (loss: torch.Tensor -> torch.Tensor -> torch.Tensor) : Loss =
        fun (Estimate y) (Reference s) ->
            Shapes.RequireSame(name, "estimates", y, "references", s)
            loss y s

    /// A loss made of others.
    let private combine name (loss: Loss) : Loss = define name (fun y s -> loss (Estimate y) (Reference s))

    /// 1/2 sum |y - s|^2 (Huang et al. 2014, eq. 3).
    let squaredError: Loss =
        define "squared error" (fun y s ->
            let difference = y - s
            (difference * difference).sum().mul(0.5))

    /// Mean of |y - s|^2 over all elements. It is not the sum of its parts: one batch a step.
    let meanSquaredError: Loss =
        define "mean squared error" (fun y s ->
            let difference = y - s
            (difference * difference).mean())

    /// The constant of the KL loss in the authors' code; at these magnitudes it is not a harmless epsilon.
    let klConstant = 1e-3

    /// Generalised Kullback-Leibler divergence sum [ s log(s/(y+c) + c) - s + y + c ], c = 1e-3 (Huang et al. 2014, eq. 4).
    /// The value is the authors' cost and the gradient their published one, 1 - s/(y+c), which leaves out the constant
    /// inside the logarithm; the two differ by about 3e-6, relative.
    let kullbackLeibler: Loss =
        define "Kullback-Leibler divergence" (fun y s ->
            let c = klConstant
            let shifted = y.add c
            let differentiated = (shifted - s * shifted.log ()).sum()

            let offset =
                Memory.tensor (fun () ->
                    use _ = torch.no_grad ()
                    let value = (s * (s / shifted).add(c).log() - s .+ shifted).sum()
                    value - differentiated)

            differentiated .+ offset)

    /// A loss times a factor. Raises ArgumentException for a factor that is not finite.
    let scale (factor: float) (loss: Loss) : Loss =
        if not (System.Double.IsFinite factor) then
            invalidArg (nameof factor) $"A loss is scaled by a finite factor, got {factor}."

        combine "scaled loss" (fun estimate reference -> (loss estimate reference).mul factor)

    /// The sum of two losses.
    let add (first: Loss) (second: Loss) : Loss =
        combine "sum of losses" (fun estimate reference -> first estimate reference .+ second estimate reference)

    /// |theta|^2, for weight decay as a term of the objective.
    let squaredNorm (vector: torch.Tensor) : torch.Tensor = (vector * vector).sum()

    let private requireTwoSources (s: torch.Tensor) =
        if s.dim () < 2L || s.shape[s.shape.Length - 2] <> 2L then
            let sources =
                if s.dim () < 2L then
                    "no axis of sources"
                else
                    $"{s.shape[s.shape.Length - 2]} sources"

            invalidArg
                "reference"
                $"discriminative loss: is defined for two sources, [..., 2, bins], got {sources} in {Shapes.Describe s}. Train more sources with gamma 0, or write the term as a loss of your own (Loss.define, Loss.add)."

    /// Discriminative training: loss(y, s) - gamma loss(y, n), where n holds the other source for each estimate (Huang et al.
    /// 2014, eqs. 5 and 6). The result can be negative. Defined for two sources: raises ArgumentException for another number,
    /// unless gamma is 0, and for a gamma that is negative or not finite.
    let discriminative (gamma: float) (loss: Loss) : Loss =
        Numbers.notNegative "A discriminative loss" (nameof gamma) gamma

        if gamma = 0.0 then
            loss
        else
            combine "discriminative loss" (fun estimate (Reference s) ->
                requireTwoSources s
                loss estimate (Reference s) - (loss estimate (Reference(s.flip -2L))).mul gamma)
