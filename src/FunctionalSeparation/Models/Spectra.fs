namespace FunctionalSeparation

open TorchSharp
open FunctionalSeparation.Core

/// How sound becomes the input of a network. Plain data: part of the configuration of a model.
[<NoComparison>]
type FrontEnd =
    {
        /// Hz; audio of another rate is resampled or refused, never reinterpreted.
        SampleRate: int
        Stft: Stft
        /// Frames that the network sees at once: odd; the frame itself and as many before as after it.
        Context: int
        /// Factor on the input magnitudes (not on those that the mask is applied to).
        InputScale: float
    }

/// Magnitudes of a batch of mixtures, with the neighbours that a context window needs on both sides.
[<NoEquality; NoComparison>]
type MixtureFrames =
    {
        /// [margin + time + margin, batch, bins].
        Magnitude: torch.Tensor
        /// Frames of margin on each side: (context - 1) / 2.
        Margin: int64
        /// States that recurrent layers start from; empty = zero.
        Start: torch.Tensor list
    }

[<RequireQualifiedAccess>]
module FrontEnd =

    /// The setting of Huang et al. (ISMIR 2014) at 16 kHz with the given context (1, 3 or 5) and magnitudes as they are.
    let huang2014 (context: int) : FrontEnd = { SampleRate = 16000; Stft = Stft.Huang2014; Context = context; InputScale = 1.0 }

    /// Frames of margin on each side. Raises ArgumentException for an even or non-positive context.
    let margin (frontEnd: FrontEnd) : int64 =
        if frontEnd.Context < 1 || frontEnd.Context % 2 = 0 then
            invalidArg (nameof frontEnd) $"A context window has an odd number of frames, got {frontEnd.Context}."

        int64 (frontEnd.Context / 2)

    /// Features of one input frame.
    let inputs (frontEnd: FrontEnd) = frontEnd.Context * frontEnd.Stft.Bins

[<RequireQualifiedAccess>]
module Spectra =

    /// Magnitudes of signals: [.., samples] -> [.., frames, bins].
    let magnitude (stft: Stft) (signal: torch.Tensor) : torch.Tensor = Memory.tensor (fun () -> (stft.Forward signal).abs())

    /// Repeats the first and last frame `margin` times: [time, ...] -> [margin + time + margin, ...].
    let withMargins (margin: int64) (frames: torch.Tensor) : torch.Tensor =
        if margin = 0L then
            frames
        else
            Memory.tensor (fun () ->
                let last = frames.shape[0] - 1L

                let index =
                    torch.arange(-margin, last + margin + 1L, device = frames.device).clamp((0L).ToScalar(), last.ToScalar())

                frames.index_select (0L, index))

    /// Stacks every frame with its neighbours, oldest first: [margin + time + margin, batch, bins] ->
    /// [time, batch, (2 margin + 1) bins] (Huang et al. 2014, section 3.2; the margins stand for the frames around).
    let stackMargins (margin: int64) (frames: torch.Tensor) : torch.Tensor =
        let time = frames.shape[0] - 2L * margin

        if margin = 0L then
            frames
        else
            torch.cat ([| for shift in 0L .. 2L * margin -> frames.narrow (0L, shift, time) |], -1L)

    /// Stacks a whole clip with a context window, its edge frames repeated: [time, batch, bins] -> [time, batch, context bins].
    let stackContext (context: int) (frames: torch.Tensor) : torch.Tensor =
        let margin = int64 (context / 2)
        frames |> withMargins margin |> stackMargins margin

    /// The frames without their margins: [time, batch, bins].
    let inner (mixture: MixtureFrames) : torch.Tensor =
        mixture.Magnitude.narrow (0L, mixture.Margin, mixture.Magnitude.shape[0] - 2L * mixture.Margin)

    /// The input of a network: [time, batch, context bins].
    let features (frontEnd: FrontEnd) (mixture: MixtureFrames) : torch.Tensor =
        let stacked = stackMargins mixture.Margin mixture.Magnitude
        if frontEnd.InputScale = 1.0 then stacked else stacked * frontEnd.InputScale
