namespace FunctionalSeparation

open System
open NWaves.Filters.Fda
open NWaves.Transforms
open NWaves.Utils
open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// Mel filters and cosines of NWaves as matrices, for batches on any device, and deltas, as pure functions of tensors. The
/// conventions are those of HTK (Young et al., "The HTK Book", version 3.4, chapter 5), but for four differences. The filters
/// weigh powers where HTK weighs magnitudes, logarithms are decimal (`Spectra`), cosines are orthonormal, and there is no
/// liftering. The matrices are exact to float32, in which NWaves computes.
[<RequireQualifiedAccess>]
module Mel =

    let private owner = "Mel"

    /// The matrix with the given rows.
    let private matrix dtype (device: torch.Device) (rows: float32[][]) : torch.Tensor =
        Memory.tensor (fun () ->
            (torch.tensor (Array.concat rows)).view(int64 rows.Length, -1L).``to``(dtype: torch.ScalarType).``to`` device)

    /// Triangular filters on the mel axis, 2595 log10(1 + f / 700) (The HTK Book, eq. 5.13): [bins, count], for bins from 0 Hz to
    /// half the sample rate (Hz). They are equally spaced from 0 to half the sample rate. Each is 1 at its centre and 0 at the
    /// centres of its neighbours, so that they sum to 1 from the first centre to the last. Raises ArgumentException for no
    /// filter, fewer bins than 2, or a rate below 1.
    let filters (sampleRate: int) (bins: int) (count: int) dtype device : torch.Tensor =
        Numbers.atLeast 1 owner (nameof sampleRate) sampleRate
        Numbers.atLeast 2 owner (nameof bins) bins
        Numbers.atLeast 1 owner (nameof count) count
        let bands, toMel = FilterBanks.MelBands(count, sampleRate), Func<float, float> Scale.HerzToMel

        FilterBanks.Triangular(2 * (bins - 1), sampleRate, bands, null, toMel)
        |> Array.transpose
        |> matrix dtype device

    /// The first `count` of the orthonormal cosines (DCT-II) of length `length`, one a column: [length, count]. Raises
    /// ArgumentException unless 1 <= count <= length.
    let cosines (length: int) (count: int) dtype device : torch.Tensor =
        if count < 1 || count > length then
            invalidArg (nameof count) $"Mel: of {length} cosines of length {length} none are the first {count}."

        let transform = Dct2 length

        let rowOf index =
            let impulse = Array.init length (fun n -> if n = index then 1.0f else 0.0f)
            let row = Array.zeroCreate count
            transform.DirectNorm(impulse, row)
            row

        Array.init length rowOf |> matrix dtype device

    /// Frames on each side that a delta looks at.
    let deltaReach = 2L

    let private requireFrames reach (frames: torch.Tensor) =
        if frames.dim () < 1L || frames.shape[0] <= 2L * reach then
            invalidArg (nameof frames) $"Mel: deltas look {reach} frames to each side, got {Shapes.Describe frames}."

    /// The slope of the regression line through five frames: d(t) = sum_k k (c(t+k) - c(t-k)) / 10 over k = 1, 2 (The HTK Book,
    /// eq. 5.16), as in NWaves. Only where all five exist: [time + 4, ...] -> [time, ...]. Raises ArgumentException for fewer
    /// frames.
    let internal delta (frames: torch.Tensor) : torch.Tensor =
        requireFrames deltaReach frames

        Memory.tensor (fun () ->
            let time = frames.shape[0] - 2L * deltaReach
            let at shift = frames.narrow (0L, deltaReach + shift, time)
            (at 1L - at -1L).add(at 2L - at -2L, 2.0).div(10.0))

    /// Frames on each side that `withDeltas` takes off.
    let deltasReach = 2L * deltaReach

    /// Static features, their deltas and the deltas of these, side by side: [time + 8, ..., n] -> [time, ..., 3 n].
    /// Raises ArgumentException where there is no frame between the margins.
    let withDeltas (frames: torch.Tensor) : torch.Tensor =
        requireFrames deltasReach frames

        Memory.tensor (fun () ->
            let time = frames.shape[0] - 2L * deltasReach
            let first = delta frames
            torch.cat ([| frames.narrow (0L, deltasReach, time); first.narrow (0L, deltaReach, time); delta first |], -1L))
