namespace FunctionalSeparation

open TorchSharp
open FunctionalSeparation.Learning

/// Divides the bins above the band of a network's masks among the sources, by their spectrograms in the band. The functions take
/// masked spectrograms [..., sources, channels, time, band], and the mixture in the band [..., channels, time, band] and above it
/// [..., channels, time, above]. They return shares that broadcast to [..., sources, channels, time, above]. Shares lie between
/// 0 and 1, and their sum over the sources is at most 1.
[<RequireQualifiedAccess>]
module HighBand =

    let private energies (spectrum: torch.Tensor) = spectrum.abs().squared().sum(-1L, keepdim = true)

    let private upperHalf (spectrum: torch.Tensor) =
        let bins = spectrum.shape[spectrum.shape.Length - 1]
        spectrum.narrow (-1L, bins / 2L, bins - bins / 2L)

    /// Shares in proportion to each source's part of the mixture's energy in the highest octave of the same frame. Needs no other
    /// frame.
    let byHighestOctave (masked: torch.Tensor) (inside: torch.Tensor) (_: torch.Tensor) : torch.Tensor =
        let mixture = (upperHalf inside).unsqueeze(-4L)
        let common = ((upperHalf masked) * mixture.conj ()).real.sum(-1L, keepdim = true)
        let shares = (common / (energies mixture).add 1e-20).clamp(0.0, 1.0)
        shares / shares.sum(-4L, keepdim = true).clamp_min(1.0)

    /// Below any magnitude that counts.
    let private faintest = 1e-7

    /// Magnitudes (root of energy) of parts of a spectrum, given by their first and last bin: [..., bins] -> [..., parts].
    let private magnitudes (parts: (int64 * int64) list) (spectrum: torch.Tensor) =
        let part (first, behind) = energies (spectrum.narrow (-1L, first, behind - first))
        torch.cat([| for bounds in parts -> part bounds |], -1L).sqrt().add(faintest)

    /// The four quarters of the band: what a source does in each is an activation.
    let private quarters (band: int64) = [ for quarter in 0L .. 3L -> band * quarter / 4L, band * (quarter + 1L) / 4L ]

    /// Thirds of octaves from the end of the band on: bounds that count from there.
    let private thirds (band: int64) (above: int64) =
        let bound third = min above (int64 (float band * (2.0 ** (float third / 3.0) - 1.0)))
        let rec from third = (bound third, bound (third + 1)) :: (if bound (third + 1) = above then [] else from (third + 1))
        from 0 |> List.filter (fun (first, behind) -> behind > first)

    let private iterations = 40

    /// Weights [..., activations, parts], not negative, whose products with activations [..., time, activations] are nearest to
    /// magnitudes [..., time, parts]. The distance is the generalised Kullback-Leibler divergence. The updates are the
    /// multiplicative ones of Lee and Seung 2001, theorem 2, from ones.
    let private weights (activations: torch.Tensor) (magnitudes: torch.Tensor) =
        let across = activations.transpose (-1L, -2L)
        let total = across.sum (-1L, keepdim = true)
        let refined (weights: torch.Tensor) _ = weights * across.matmul (magnitudes / activations.matmul weights) / total
        List.fold refined (torch.ones_like (across.matmul magnitudes)) [ 1..iterations ]

    /// Shares that best explain how the magnitudes above come and go, by non-negative matrix factorisation with given
    /// activations. Each third of an octave is a weighted sum of the sources' magnitudes in the quarters of the band. The weights
    /// are not negative, and the same for all frames. The sources share as their parts of that sum. A hiss that comes and goes
    /// with the voice is the voice's, whatever sounds in the octave below. Needs seconds of sound: the result depends on all
    /// frames. No gradient goes through it.
    let byActivations (masked: torch.Tensor) (inside: torch.Tensor) (above: torch.Tensor) : torch.Tensor =
        use _ = torch.no_grad ()
        let band, bins = inside.shape[inside.shape.Length - 1], above.shape[above.shape.Length - 1]
        let sources, parts = masked.shape[masked.shape.Length - 4], thirds band bins
        // [..., channels, time, sources, quarters], each of mean 1 over time.
        let own = (magnitudes (quarters band) masked).movedim([| -4L |], [| -2L |])
        let scaled = own / own.mean ([| -3L |], keepdim = true)
        let activations = scaled.flatten (-2L, -1L)
        let weights = weights activations (magnitudes parts above)
        let ofSource source = activations.narrow(-1L, 4L * source, 4L).matmul(weights.narrow (-2L, 4L * source, 4L))
        let explained = torch.stack ([| for source in 0L .. sources - 1L -> ofSource source |], -4L)
        let shares = explained / explained.sum (-4L, keepdim = true)

        let partOf =
            [| for index, (first, behind) in List.indexed parts do
                   yield! Array.replicate (int (behind - first)) (int64 index) |]

        shares.index_select (-1L, torch.tensor (partOf, device = shares.device))
