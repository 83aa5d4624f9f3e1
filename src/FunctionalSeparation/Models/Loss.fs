namespace FunctionalSeparation

open TorchSharp

/// What a network says: magnitudes [..., sources, bins].
[<NoEquality; NoComparison>]
type Estimate = Estimate of torch.Tensor

/// What is true: magnitudes [..., sources, bins].
[<NoEquality; NoComparison>]
type Reference = Reference of torch.Tensor

/// A loss: a scalar tensor, summed (not averaged) over frames, sources and bins, so that the loss of a data set is the sum
/// of the losses of its parts.
type Loss = Estimate -> Reference -> torch.Tensor

[<RequireQualifiedAccess>]
module Loss =

    /// 1/2 sum |y - s|^2 (Huang et al. 2014, eq. 3).
    let squaredError: Loss =
        fun (Estimate y) (Reference s) ->
            let difference = y - s
            (difference * difference).sum().mul(0.5)

    /// Mean of |y - s|^2 over all elements. It is not the sum of its parts: one batch a step.
    let meanSquaredError: Loss =
        fun (Estimate y) (Reference s) ->
            let difference = y - s
            (difference * difference).mean()

    /// The constant of the KL loss in the authors' code; at these magnitudes it is not a harmless epsilon.
    let klConstant = 1e-3

    /// Generalised Kullback-Leibler divergence sum [ s log(s/(y+c) + c) - s + y + c ], c = 1e-3 (Huang et al. 2014, eq. 4).
    /// The value is the authors' cost and the gradient their published one, 1 - s/(y+c), which leaves out the constant
    /// inside the logarithm; the two differ by about 3e-6, relative.
    let kullbackLeibler: Loss =
        fun (Estimate y) (Reference s) ->
            let c = klConstant
            let shifted = y.add c
            let differentiated = (shifted - s * shifted.log ()).sum()

            let offset =
                Memory.tensor (fun () ->
                    use _ = torch.no_grad ()
                    let value = (s * (s / shifted).add(c).log() - s .+ shifted).sum()
                    value - differentiated)

            differentiated .+ offset

    /// A loss times a factor.
    let scale (factor: float) (loss: Loss) : Loss = fun estimate reference -> (loss estimate reference).mul factor

    /// The sum of two losses.
    let add (first: Loss) (second: Loss) : Loss = fun estimate reference -> first estimate reference .+ second estimate reference

    /// |theta|^2, for weight decay as a term of the objective.
    let squaredNorm (vector: torch.Tensor) : torch.Tensor = (vector * vector).sum()

    /// Discriminative training: loss(y, s) - gamma loss(y, n), where n holds the other source for each estimate (Huang et al.
    /// 2014, eqs. 5 and 6). The result can be negative. Defined for two sources.
    let discriminative (gamma: float) (loss: Loss) : Loss =
        if gamma = 0.0 then
            loss
        else
            fun estimate (Reference s) -> loss estimate (Reference s) - (loss estimate (Reference(s.flip -2L))).mul gamma
