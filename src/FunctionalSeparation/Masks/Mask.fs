namespace FunctionalSeparation

open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// How a mask layer computes estimates y_i from the raw outputs a_i of a network and a mixture magnitude x (Huang et al. 2014,
/// eq. 2).
type MaskKind =
    /// y_i = |a_i| / (sum |a| + 1e-10) x: the paper's soft time-frequency mask, with the gradient of the authors' code, which
    /// leaves the constant out of the quotient rule.
    | Absolute
    /// The same values with the exact gradient, as the authors' code has it beside its KL loss. The two gradients differ by
    /// about 1e-9, relative.
    | AbsoluteExact
    /// y_i = a_i^2 / (sum a^2 + 1e-10) x, with the gradient of the authors' code, which leaves the constant out of the quotient
    /// rule here too (see `RatioMask`).
    | Squared
    /// The same values with the exact gradient. The two gradients differ by about 1e-7, relative.
    | SquaredExact
    /// No mask inside the network: y_i = a_i. The mask comes at test time only (the two-stage variant).
    | NoMask

/// Masks: functions of magnitudes [..., sources, bins] that lie in [0, 1] and sum to one over the sources, but
/// where all outputs are zero.
[<RequireQualifiedAccess>]
module Mask =

    let private requireSources (magnitudes: torch.Tensor) =
        Shapes.Require("mask", "magnitudes", magnitudes, [| Axis.Leading; Axis.Any "sources"; Axis.Any "bins" |])

    /// The constant below the fraction, as in the authors' code.
    let epsilon = RatioMask.Epsilon

    let private sourceAxis = -2L

    let private shares (positive: torch.Tensor) = positive / positive.sum(sourceAxis, keepdim = true).add(epsilon)

    /// Ratio mask of magnitudes |a|: [..., sources, bins] in and out. Zero for all sources of a bin where all are zero.
    /// Raises ArgumentException for fewer than two axes.
    let ratio (magnitudes: torch.Tensor) : torch.Tensor =
        requireSources magnitudes
        shares (magnitudes.abs ())

    /// Ratio mask of powers (Wiener-like): [..., sources, bins] in and out. Zero for all sources of a bin where all are zero.
    /// Raises ArgumentException for fewer than two axes.
    let wiener (magnitudes: torch.Tensor) : torch.Tensor =
        requireSources magnitudes
        shares (magnitudes * magnitudes)

    /// Binary mask, [..., sources, bins] in and out: 1 for the largest source of each bin (the first of equals), else 0 (Huang et
    /// al. 2014, eq. 7). Raises ArgumentException for fewer than two axes.
    let binary (magnitudes: torch.Tensor) : torch.Tensor =
        requireSources magnitudes

        Memory.tensor (fun () ->
            let largest = magnitudes.abs().argmax(sourceAxis, keepdim = true)
            torch.zeros_like(magnitudes).scatter_(sourceAxis, largest, torch.ones_like magnitudes))

    /// The estimates [..., sources, bins] that raw outputs a [..., sources, bins] give on a mixture magnitude [..., bins]. Raises
    /// ArgumentException where the two do not fit each other, or the mixture of `Absolute` or `Squared` requires a gradient.
    let apply (kind: MaskKind) (outputs: torch.Tensor) (mixture: torch.Tensor) : torch.Tensor =
        RatioMask.Require(outputs, mixture)

        match kind with
        | Absolute -> RatioMask.Apply(outputs, mixture, MaskShare.Absolute)
        | AbsoluteExact -> ratio outputs * mixture.unsqueeze sourceAxis
        | Squared -> RatioMask.Apply(outputs, mixture, MaskShare.Squared)
        | SquaredExact -> wiener outputs * mixture.unsqueeze sourceAxis
        | NoMask -> outputs

    /// Masks [..., sources, channels, time, band] on complex spectrograms [..., channels, time, bins]:
    /// [..., sources, channels, time, bins]. `sharesAbove` divides the bins above the band of the masks among the sources (see
    /// `HighBand`).
    let extended sharesAbove (masks: torch.Tensor) (mixture: torch.Tensor) : torch.Tensor =
        let bins = mixture.shape[mixture.shape.Length - 1]
        let band = min bins masks.shape[masks.shape.Length - 1]
        let inside = mixture.narrow (-1L, 0L, band)
        let masked = masks.narrow (-1L, 0L, band) * inside.unsqueeze -4L

        if band = bins then
            masked
        else
            let above = mixture.narrow (-1L, band, bins - band)
            let shares: torch.Tensor = sharesAbove masked inside above
            torch.cat ([| masked; shares * above.unsqueeze -4L |], -1L)
