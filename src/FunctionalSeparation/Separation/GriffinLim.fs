namespace FunctionalSeparation

open System
open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// Settings of the search for phases that fit given magnitudes.
type GriffinLim =
    {
        /// Number of projections onto the consistent spectrograms; 0 leaves the phases unchanged.
        Iterations: int
        /// Momentum in the direction of the last iteration, at least 0 and below 1. 0: the classic algorithm.
        Momentum: float
    }

/// Phases for magnitudes. Overlapping frames tie the phases of a signal's spectrogram to its magnitudes. A spectrogram with such
/// phases is called consistent. The algorithm of Griffin and Lim ("Signal estimation from modified short-time Fourier transform",
/// IEEE TASSP 1984) alternates between the consistent spectrograms and those with the given magnitudes. The fast variant
/// (Perraudin, Balazs, Søndergaard, WASPAA 2013) adds momentum.
[<RequireQualifiedAccess>]
module GriffinLim =

    /// The algorithm of 1984: the inconsistency never rises.
    let classic (iterations: int) : GriffinLim = { Iterations = iterations; Momentum = 0.0 }

    /// The fast variant with the momentum of its authors, 0.99. It ends nearer to consistency; on the way the inconsistency may
    /// rise.
    let fast (iterations: int) : GriffinLim = { Iterations = iterations; Momentum = 0.99 }

    /// The orthogonal projection of spectrograms [..., frames, bins] onto the consistent ones: the least-squares inverse and its
    /// transform. Padding plays no part: the signal lives on all samples under the windows.
    let private projection (stft: Stft) (like: torch.Tensor) : torch.Tensor -> torch.Tensor =
        let unpadded = Stft(stft.FftSize, stft.HopLength, stft.Window, false)
        // Where the window is zero, the numerator is zero too.
        let gain = unpadded.OverlapGain(like.shape[like.shape.Length - 2], like.real.dtype, like.device).clamp_min(1e-30)
        fun spectrogram -> unpadded.Forward(unpadded.Inverse spectrogram / gain)

    /// Energy of spectrograms, of both sides of the spectrum: it is in this norm that the inverse is least squares.
    let private energy (spectrogram: torch.Tensor) =
        let bins = spectrogram.abs().squared().to_type torch.float64
        let ends = bins.select(-1, 0L).sum() .+ bins.select(-1, -1L).sum()
        (bins.sum().mul(2.0) - ends).item<float>()

    /// How far a spectrogram [..., frames, bins] is from being one of a signal: relative distance to the nearest, 0 to 1.
    let inconsistency (stft: Stft) (spectrogram: torch.Tensor) : float =
        Memory.plain (fun () ->
            let distance = energy (spectrogram - projection stft spectrogram spectrogram)
            if distance = 0.0 then 0.0 else sqrt (distance / energy spectrogram))

    /// Magnitudes [..., frames, bins] with the phases of a complex tensor of that shape, such as the mixture's spectrogram.
    /// Raises ArgumentException for another shape.
    let withPhases (phases: torch.Tensor) (magnitude: torch.Tensor) : torch.Tensor =
        Shapes.RequireSame("Griffin-Lim", "phases", phases, "magnitudes", magnitude)
        Memory.tensor (fun () -> torch.polar (magnitude, phases.angle ()))

    /// Magnitudes [..., frames, bins] with random phases.
    let withRandomPhases (key: Key) (magnitude: torch.Tensor) : torch.Tensor =
        Memory.tensor (fun () ->
            let angles = Key.uniformTensor -Math.PI Math.PI (List.ofArray magnitude.shape) key
            torch.polar (magnitude, angles.``to``(magnitude.dtype).``to`` magnitude.device))

    /// Keeps the magnitudes of a complex spectrogram [..., frames, bins] and moves its phases towards consistency. The inverse
    /// of the result is the signal. Raises ArgumentException for settings out of range.
    let refine (settings: GriffinLim) (stft: Stft) (spectrogram: torch.Tensor) : torch.Tensor =
        if settings.Iterations < 0 || not (settings.Momentum >= 0.0 && settings.Momentum < 1.0) then
            invalidArg (nameof settings) $"Griffin-Lim needs iterations from 0 and momentum in [0, 1), got {settings}."

        Memory.tensor (fun () ->
            use _ = torch.no_grad ()
            let project = projection stft spectrogram
            let magnitude = spectrogram.abs ()

            let step (momentum: float) (previous: torch.Tensor, ahead: torch.Tensor) =
                let fitting = project (withPhases ahead magnitude)
                fitting, fitting .+ (fitting - previous).mul momentum

            let mutable state = spectrogram.clone (), spectrogram.clone ()

            for iteration in 1 .. settings.Iterations do
                let previous, ahead = state
                // The first step has no last direction.
                let momentum = if iteration = 1 then 0.0 else settings.Momentum
                state <- Memory.scoped (fun (a, b) -> [ a; b ]) (fun () -> step momentum state)
                previous.Dispose()
                ahead.Dispose()

            withPhases (snd state) magnitude)
