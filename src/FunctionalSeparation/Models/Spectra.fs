namespace FunctionalSeparation

open TorchSharp
open FunctionalSeparation.Core

/// What of a mixture's magnitudes a network is shown; the mask is applied to the magnitudes themselves in any case. The
/// logarithms are log10(1 + (1000 x)^2) of a magnitude x (or of mel-filtered powers x^2): 0 for silence, and 60 dB below
/// x = 1 they begin to flatten.
type Features =
    /// The magnitudes.
    | Magnitude
    /// Log powers of the bins.
    | LogPower
    /// Log powers of 41 mel filters with deltas and delta-deltas: 123 numbers a frame.
    | LogMel
    /// Cepstral coefficients 0 to 12 of those 41 log powers, with deltas and delta-deltas: 39 numbers a frame.
    | Mfcc

/// How sound becomes the input of a network. Plain data: part of the configuration of a model.
[<NoComparison>]
type FrontEnd =
    {
        /// Hz; audio of another rate is resampled or refused, never reinterpreted.
        SampleRate: int
        Stft: Stft
        /// What the network is shown of a frame.
        Features: Features
        /// Frames that the network sees at once: odd; the frame itself and as many before as after it.
        Context: int
        /// Factor on the magnitudes that features are made of (not on those that the mask is applied to).
        InputScale: float
    }

/// Magnitudes of a batch of mixtures, with the neighbours that context window and deltas need on both sides.
[<NoEquality; NoComparison>]
type MixtureFrames =
    {
        /// [margin + time + margin, batch, bins].
        Magnitude: torch.Tensor
        /// Frames of margin on each side: `FrontEnd.margin`.
        Margin: int64
        /// States that recurrent layers start from; empty = zero.
        Start: torch.Tensor list
    }

[<RequireQualifiedAccess>]
module FrontEnd =

    /// The setting of Huang et al. (ISMIR 2014) at 16 kHz with the given context (1, 3 or 5) and magnitudes as they are.
    let huang2014 (context: int) : FrontEnd =
        { SampleRate = 16000; Stft = Stft.Huang2014; Features = Magnitude; Context = context; InputScale = 1.0 }

    let internal contextMarginOf (context: int) : int64 =
        if context < 1 || context % 2 = 0 then
            invalidArg (nameof context) $"A context window has an odd number of frames, got {context}."

        int64 (context / 2)

    /// Frames on each side that the context window looks at. Raises ArgumentException for an even or non-positive context.
    let contextMargin (frontEnd: FrontEnd) : int64 = contextMarginOf frontEnd.Context

    /// Frames of margin on each side: what the context window looks at, and what the deltas of its outermost frames look at.
    /// Raises ArgumentException for an even or non-positive context.
    let margin (frontEnd: FrontEnd) : int64 =
        match frontEnd.Features with
        | Magnitude
        | LogPower -> contextMargin frontEnd
        | LogMel
        | Mfcc -> contextMargin frontEnd + Mel.deltasReach

    /// Mel filters of `LogMel` and `Mfcc`.
    let melFilters = 41

    /// Cepstral coefficients of `Mfcc`, the constant one included.
    let cepstra = 13

    /// Numbers that the network is shown of one frame.
    let featuresOfFrame (frontEnd: FrontEnd) =
        match frontEnd.Features with
        | Magnitude
        | LogPower -> frontEnd.Stft.Bins
        | LogMel -> 3 * melFilters
        | Mfcc -> 3 * cepstra

    /// Features of one input: those of all frames in its context window.
    let inputs (frontEnd: FrontEnd) = frontEnd.Context * featuresOfFrame frontEnd

[<RequireQualifiedAccess>]
module Spectra =

    /// Magnitudes of signals: [.., samples] -> [.., frames, bins].
    let magnitude (stft: Stft) (signal: torch.Tensor) : torch.Tensor = Memory.tensor (fun () -> (stft.Forward signal).abs())

    /// Repeats the first and last frame `margin` times: [time, ...] -> [margin + time + margin, ...].
    let withMargins (margin: int64) (frames: torch.Tensor) : torch.Tensor =
        if margin < 0L || frames.dim () < 1L || frames.shape[0] < 1L then
            invalidArg (nameof frames) $"Margins of {margin} frames cannot be put around {Shapes.Describe frames}."

        if margin = 0L then
            frames
        else
            Memory.tensor (fun () ->
                let last = frames.shape[0] - 1L

                let index = [| for frame in -margin .. last + margin -> frame |> max 0L |> min last |]
                frames.index_select (0L, torch.tensor (index, device = frames.device)))

    /// Stacks every frame with its neighbours, oldest first: [margin + time + margin, batch, bins] ->
    /// [time, batch, (2 margin + 1) bins] (Huang et al. 2014, section 3.2; the margins stand for the frames around).
    let stackMargins (margin: int64) (frames: torch.Tensor) : torch.Tensor =
        if margin < 0L || frames.dim () < 1L || frames.shape[0] <= 2L * margin then
            invalidArg (nameof frames) $"{Shapes.Describe frames} are no frames between margins of {margin} frames."

        let time = frames.shape[0] - 2L * margin

        if margin = 0L then
            frames
        else
            torch.cat ([| for shift in 0L .. 2L * margin -> frames.narrow (0L, shift, time) |], -1L)

    /// Stacks a whole clip with a context window, its edge frames repeated: [time, batch, bins] -> [time, batch, context bins].
    /// Raises ArgumentException for an even or non-positive context.
    let stackContext (context: int) (frames: torch.Tensor) : torch.Tensor =
        let margin = FrontEnd.contextMarginOf context
        frames |> withMargins margin |> stackMargins margin

    /// The frames without their margins: [time, batch, bins].
    let inner (mixture: MixtureFrames) : torch.Tensor =
        mixture.Magnitude.narrow (0L, mixture.Margin, mixture.Magnitude.shape[0] - 2L * mixture.Margin)

    /// Bels above the floor, which lies at a power of 1e-6: 0 for silence.
    let private bels (power: torch.Tensor) = power.mul(1e6).log1p().div(log 10.0)

    let private melBels (frontEnd: FrontEnd) (magnitude: torch.Tensor) =
        let filters =
            Mel.filters frontEnd.SampleRate frontEnd.Stft.Bins FrontEnd.melFilters magnitude.dtype magnitude.device

        Layer.onRows _.matmul(filters) (magnitude.squared ()) |> bels

    let private cepstra (melBels: torch.Tensor) =
        let cosines = Mel.cosines FrontEnd.melFilters FrontEnd.cepstra melBels.dtype melBels.device
        Layer.onRows _.matmul(cosines) melBels

    /// Features of single frames: [margin + time + margin, batch, bins] -> [context margin + time + context margin, batch,
    /// features]; the deltas take up the difference of the margins.
    let private ofFrames (frontEnd: FrontEnd) (magnitude: torch.Tensor) =
        match frontEnd.Features with
        | Magnitude -> magnitude
        | LogPower -> bels (magnitude.squared ())
        | LogMel -> magnitude |> melBels frontEnd |> Mel.withDeltas
        | Mfcc -> magnitude |> melBels frontEnd |> cepstra |> Mel.withDeltas

    let private requireFrames (frontEnd: FrontEnd) (mixture: MixtureFrames) =
        Shapes.Require(
            "features",
            "mixture magnitudes",
            mixture.Magnitude,
            [| Axis.Any "margin + time + margin"; Axis.Any "batch"; Axis.Of(int64 frontEnd.Stft.Bins) |]
        )

        let margin, frames = FrontEnd.margin frontEnd, mixture.Magnitude.shape[0]

        if mixture.Margin <> margin || frames <= 2L * margin then
            invalidArg
                (nameof mixture)
                $"features: wants frames between margins of {margin}, got {frames} frames with margins of {mixture.Margin}."

    /// The input of a network: [time, batch, context features]. Deltas are taken from the margins, so an excerpt, a whole clip
    /// and a block of a long one have the same features; beyond the two ends of a clip its edge frames are repeated, for the
    /// deltas as for the context. Raises ArgumentException where the mixture is not [margin + time + margin, batch, bins], or its
    /// margin is not the front end's.
    let features (frontEnd: FrontEnd) (mixture: MixtureFrames) : torch.Tensor =
        requireFrames frontEnd mixture

        let scaled =
            if frontEnd.InputScale = 1.0 then
                mixture.Magnitude
            else
                mixture.Magnitude.mul frontEnd.InputScale

        scaled |> ofFrames frontEnd |> stackMargins (FrontEnd.contextMargin frontEnd)
