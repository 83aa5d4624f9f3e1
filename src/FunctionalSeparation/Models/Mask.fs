namespace FunctionalSeparation

open TorchSharp
open FunctionalSeparation.Core

/// What a mask layer makes of the raw outputs a_i of a network, for a mixture magnitude x (Huang et al. 2014, eq. 2).
type MaskKind =
    /// y_i = |a_i| / (sum |a| + 1e-10) x: the paper's soft time-frequency mask, with the gradient of the authors' code, which
    /// leaves the constant out of the quotient rule.
    | Absolute
    /// The same values with the exact gradient, as the authors' code has it beside its KL loss. The two gradients differ by
    /// about 1e-9, relative.
    | AbsoluteExact
    /// y_i = a_i^2 / (sum a^2 + 1e-10) x.
    | Squared
    /// No mask inside the network: y_i = a_i. The mask comes at test time only (the two-stage variant).
    | NoMask

/// Masks: functions of magnitudes [..., sources, bins] that lie in [0, 1] and sum to one over the sources, but
/// where all outputs are zero.
[<RequireQualifiedAccess>]
module Mask =

    /// The constant below the fraction, as in the authors' code.
    let epsilon = RatioMask.Epsilon

    let private sourceAxis = -2L

    let private normalise (positive: torch.Tensor) = positive / positive.sum(sourceAxis, keepdim = true).add(epsilon)

    /// Ratio mask of magnitudes |a|: [..., sources, bins] in and out. Zero for all sources of a bin where all are zero.
    let ratio (magnitudes: torch.Tensor) : torch.Tensor = normalise (magnitudes.abs ())

    /// Ratio mask of powers (Wiener-like): [..., sources, bins] in and out. Zero for all sources of a bin where all are zero.
    let wiener (magnitudes: torch.Tensor) : torch.Tensor = normalise (magnitudes * magnitudes)

    /// Binary mask: 1 for the largest source of each bin (the first of equals), else 0 (Huang et al. 2014, eq. 7).
    let binary (magnitudes: torch.Tensor) : torch.Tensor =
        Memory.tensor (fun () ->
            let largest = magnitudes.abs().argmax(sourceAxis, keepdim = true)
            torch.zeros_like(magnitudes).scatter_(sourceAxis, largest, torch.ones_like magnitudes))

    /// The estimates [..., sources, bins] that raw outputs a [..., sources, bins] give on a mixture magnitude [..., bins].
    let apply (kind: MaskKind) (outputs: torch.Tensor) (mixture: torch.Tensor) : torch.Tensor =
        match kind with
        | Absolute -> RatioMask.Apply(outputs, mixture)
        | AbsoluteExact -> ratio outputs * mixture.unsqueeze sourceAxis
        | Squared -> wiener outputs * mixture.unsqueeze sourceAxis
        | NoMask -> outputs
