namespace FunctionalSeparation

open System
open TorchSharp
open FunctionalSeparation.Core

/// Mel filters, cepstra and deltas, as pure functions of tensors. The conventions are those of HTK (Young et al., "The HTK
/// Book", version 3.4, chapter 5), but for the powers under the filters and the orthonormal cosines.
[<RequireQualifiedAccess>]
module Mel =

    /// Mel of a frequency in Hz: 2595 log10(1 + f / 700) (The HTK Book, eq. 5.13).
    let ofHertz (frequency: float) = 2595.0 * log10 (1.0 + frequency / 700.0)

    let private owner = "Mel"

    /// A matrix from its elements, computed in float64.
    let private matrix rows columns dtype (device: torch.Device) (element: int -> int -> float) : torch.Tensor =
        Memory.tensor (fun () ->
            let elements = Array.init (rows * columns) (fun index -> element (index / columns) (index % columns))
            (torch.tensor elements).view(int64 rows, int64 columns).``to``(dtype: torch.ScalarType).``to`` device)

    /// Triangles on the mel axis from 0 to half the sample rate, equally spaced, each 1 at its centre and 0 at the centres of
    /// its neighbours, so that they sum to 1 from the first centre to the last: [bins, count], for bins from 0 Hz to half the
    /// sample rate (Hz). Raises ArgumentException for no filter, fewer bins than 2, or a rate below 1.
    let filters (sampleRate: int) (bins: int) (count: int) dtype device : torch.Tensor =
        Numbers.atLeast 1 owner (nameof sampleRate) sampleRate
        Numbers.atLeast 2 owner (nameof bins) bins
        Numbers.atLeast 1 owner (nameof count) count
        let nyquist = float sampleRate / 2.0
        let spacing = ofHertz nyquist / float (count + 1)
        let positions = Array.init bins (fun bin -> ofHertz (nyquist * float bin / float (bins - 1)) / spacing)
        matrix bins count dtype device (fun bin index -> max 0.0 (1.0 - abs (positions[bin] - float (index + 1))))

    /// The first `count` of the orthonormal cosines (DCT-II) of length `length`, one a column: [length, count]. Raises
    /// ArgumentException unless 1 <= count <= length.
    let cosines (length: int) (count: int) dtype device : torch.Tensor =
        if count < 1 || count > length then
            invalidArg (nameof count) $"Mel: of {length} cosines of length {length} none are the first {count}."

        let scale k = sqrt ((if k = 0 then 1.0 else 2.0) / float length)
        matrix length count dtype device (fun n k -> scale k * cos (Math.PI / float length * (float n + 0.5) * float k))

    /// Frames on each side that a delta looks at.
    let deltaReach = 2L

    let private requireFrames reach (frames: torch.Tensor) =
        if frames.dim () < 1L || frames.shape[0] <= 2L * reach then
            invalidArg (nameof frames) $"Mel: deltas look {reach} frames to each side, got {Shapes.Describe frames}."

    /// The slope of the regression line through five frames: d(t) = sum_k k (c(t+k) - c(t-k)) / 10 over k = 1, 2 (The HTK Book,
    /// eq. 5.16). Only where all five exist: [time + 4, ...] -> [time, ...]. Raises ArgumentException for fewer frames.
    let delta (frames: torch.Tensor) : torch.Tensor =
        requireFrames deltaReach frames

        Memory.tensor (fun () ->
            let time = frames.shape[0] - 2L * deltaReach
            let at shift = frames.narrow (0L, deltaReach + shift, time)
            (at 1L - at -1L).add(at 2L - at -2L, 2.0).div(10.0))

    /// Frames on each side that `withDeltas` takes off.
    let deltasReach = 2L * deltaReach

    /// Static features, their deltas and the deltas of these, side by side: [time + 8, ..., n] -> [time, ..., 3 n].
    let withDeltas (frames: torch.Tensor) : torch.Tensor =
        requireFrames deltasReach frames

        Memory.tensor (fun () ->
            let time = frames.shape[0] - 2L * deltasReach
            let first = delta frames
            torch.cat ([| frames.narrow (0L, deltasReach, time); first.narrow (0L, deltaReach, time); delta first |], -1L))
