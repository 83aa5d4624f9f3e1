namespace FunctionalSeparation

open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// The features of a mixture's magnitudes that a network takes as input. The mask is always applied to the magnitudes themselves.
/// The logarithms are log10(1 + (1000 x)^2) of a magnitude x, or of mel-filtered powers x^2. They are 0 for silence and begin to
/// flatten 60 dB below x = 1.
type Features =
    /// The magnitudes.
    | Magnitude
    /// Log powers of the bins.
    | LogPower
    /// Log powers of 41 mel filters with deltas and delta-deltas: 123 numbers a frame.
    | LogMel
    /// Cepstral coefficients 0 to 12 of those 41 log powers, with deltas and delta-deltas: 39 numbers a frame.
    | Mfcc

/// The input of a network of frames: features of a mixture within a context window.
[<NoComparison>]
type FrameFeatures =
    {
        /// The features of each frame.
        Features: Features
        /// Frames in the context window, an odd number: the frame itself and as many before as after it.
        Context: int
        /// Factor on the magnitudes from which the features are computed, but not on those that the mask is applied to.
        InputScale: float
    }

/// Sizes of the input of a network of frames.
[<RequireQualifiedAccess>]
module FrameFeatures =

    let internal contextMarginOf (context: int) : int64 =
        if context < 1 || context % 2 = 0 then
            invalidArg (nameof context) $"A context window has an odd number of frames, got {context}."

        int64 (context / 2)

    /// Frames in the context window on each side. Raises ArgumentException for an even or non-positive context.
    let contextMargin (shown: FrameFeatures) : int64 = contextMarginOf shown.Context

    /// Frames of margin on each side: those in the context window, and those that the deltas of its outermost frames need.
    /// Raises ArgumentException for an even or non-positive context.
    let margin (shown: FrameFeatures) : int64 =
        match shown.Features with
        | Magnitude
        | LogPower -> contextMargin shown
        | LogMel
        | Mfcc -> contextMargin shown + Mel.deltasReach

    /// Mel filters of `LogMel` and `Mfcc`.
    let melFilters = 41

    /// Cepstral coefficients of `Mfcc`, the constant one included.
    let cepstra = 13

    /// Number of features of one frame.
    let featuresOfFrame (stft: Stft) (shown: FrameFeatures) =
        match shown.Features with
        | Magnitude
        | LogPower -> stft.Bins
        | LogMel -> 3 * melFilters
        | Mfcc -> 3 * cepstra

    /// Features of one input: those of all frames in its context window.
    let inputs (stft: Stft) (shown: FrameFeatures) = shown.Context * featuresOfFrame stft shown

/// Magnitudes of signals, and the features that a network of frames takes as input.
[<RequireQualifiedAccess>]
module Spectra =

    /// Magnitudes of signals: [.., samples] -> [.., frames, bins].
    let magnitude (stft: Stft) (signal: torch.Tensor) : torch.Tensor = Memory.tensor (fun () -> (stft.Forward signal).abs())

    /// Repeats the first frame `before` times and the last one `after` times: [time, ...] -> [before + time + after, ...].
    /// Raises ArgumentException for a negative number, and where there is no frame.
    let between (before: int64) (after: int64) (frames: torch.Tensor) : torch.Tensor =
        if before < 0L || after < 0L || frames.dim () < 1L || frames.shape[0] < 1L then
            invalidArg (nameof frames) $"Margins of {before} and {after} frames cannot be put around {Shapes.Describe frames}."

        if before = 0L && after = 0L then
            frames
        else
            Memory.tensor (fun () ->
                let last = frames.shape[0] - 1L

                let index = [| for frame in -before .. last + after -> frame |> max 0L |> min last |]
                frames.index_select (0L, torch.tensor (index, device = frames.device)))

    /// Repeats the first and last frame `margin` times: [time, ...] -> [margin + time + margin, ...].
    let withMargins (margin: int64) (frames: torch.Tensor) : torch.Tensor = between margin margin frames

    /// Stacks every frame with its neighbours, oldest first: [margin + time + margin, batch, bins] ->
    /// [time, batch, (2 margin + 1) bins] (Huang et al. 2014, section 3.2; the margins stand for the frames around). Raises
    /// ArgumentException where there is no frame between the margins.
    let internal stackMargins (margin: int64) (frames: torch.Tensor) : torch.Tensor =
        if margin < 0L || frames.dim () < 1L || frames.shape[0] <= 2L * margin then
            invalidArg (nameof frames) $"{Shapes.Describe frames} are no frames between margins of {margin} frames."

        let time = frames.shape[0] - 2L * margin

        if margin = 0L then
            frames
        else
            torch.cat ([| for shift in 0L .. 2L * margin -> frames.narrow (0L, shift, time) |], -1L)

    /// Stacks a whole clip with a context window, its edge frames repeated: [time, batch, bins] -> [time, batch, context bins].
    /// Raises ArgumentException for an even or non-positive context.
    let internal stackContext (context: int) (frames: torch.Tensor) : torch.Tensor =
        let margin = FrameFeatures.contextMarginOf context
        frames |> withMargins margin |> stackMargins margin

    /// Bels above the floor, which lies at a power of 1e-6: 0 for silence.
    let private bels (power: torch.Tensor) = power.mul(1e6).log1p().div(log 10.0)

    let private melBels (frontEnd: FrontEnd) (magnitude: torch.Tensor) =
        let filters =
            Mel.filters frontEnd.SampleRate frontEnd.Stft.Bins FrameFeatures.melFilters magnitude.dtype magnitude.device

        Layer.onRows _.matmul(filters) (magnitude.squared ()) |> bels

    let private cepstra (melBels: torch.Tensor) =
        let cosines = Mel.cosines FrameFeatures.melFilters FrameFeatures.cepstra melBels.dtype melBels.device
        Layer.onRows _.matmul(cosines) melBels

    /// Features of single frames: [margin + time + margin, batch, bins] -> [context margin + time + context margin, batch,
    /// features]; the deltas take up the difference of the margins.
    let private ofFrames (frontEnd: FrontEnd) (shown: FrameFeatures) (magnitude: torch.Tensor) =
        match shown.Features with
        | Magnitude -> magnitude
        | LogPower -> bels (magnitude.squared ())
        | LogMel -> magnitude |> melBels frontEnd |> Mel.withDeltas
        | Mfcc -> magnitude |> melBels frontEnd |> cepstra |> Mel.withDeltas

    let private requireFrames (frontEnd: FrontEnd) (shown: FrameFeatures) (magnitude: torch.Tensor) =
        Shapes.Require(
            "features",
            "mixture magnitudes",
            magnitude,
            [| Axis.Any "margin + time + margin"; Axis.Any "batch"; Axis.Of(int64 frontEnd.Stft.Bins) |]
        )

        let margin, frames = FrameFeatures.margin shown, magnitude.shape[0]

        if frames <= 2L * margin then
            invalidArg (nameof magnitude) $"features: wants frames between margins of {margin}, got {frames} frames in all."

    /// The input of a network of frames, [time, batch, context features], from magnitudes [margin + time + margin, batch, bins]
    /// with the margins that `FrameFeatures.margin` tells. Deltas are taken from the margins, so an excerpt, a whole clip and a
    /// block of a long one have the same features. Beyond the two ends of a clip its edge frames are repeated, for the deltas as
    /// for the context. Raises ArgumentException for magnitudes of another shape.
    let features (frontEnd: FrontEnd) (shown: FrameFeatures) (magnitude: torch.Tensor) : torch.Tensor =
        requireFrames frontEnd shown magnitude

        let scaled = if shown.InputScale = 1.0 then magnitude else magnitude.mul shown.InputScale

        scaled |> ofFrames frontEnd shown |> stackMargins (FrameFeatures.contextMargin shown)
