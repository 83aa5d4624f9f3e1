namespace FunctionalSeparation

open TorchSharp
open FunctionalSeparation.Core

/// Augmentation as pure functions of sound and explicit numbers.
[<RequireQualifiedAccess>]
module Augment =

    /// Rotates a signal to the left by `offset` samples, circularly: [.., samples] -> [.., samples].
    let rotate (offset: int64) (signal: torch.Tensor) : torch.Tensor = signal.roll (-offset, -1L)

    /// The music offsets of one clip (Huang et al. 2014, section 3.3; authors' code): 0, step, 2 step, ... up to
    /// samples - step - 1; a step of `None` or one that reaches the clip's length gives the unshifted mix alone.
    let shifts (step: int option) (samples: int) : int list =
        match step with
        | Some step when step < 1 -> invalidArg (nameof step) $"A shift step is at least 1 sample, got {step}."
        | Some step when step < samples - 1 -> [ 0..step .. samples - step - 1 ]
        | _ -> [ 0 ]

    /// Writes `target.Length` samples of a signal into `target`, from `start` on, as if the signal went round for ever. Raises
    /// ArgumentException for a signal without samples.
    let copyCircular (signal: float32[]) (start: int) (target: System.Span<float32>) =
        if signal.Length = 0 then
            invalidArg (nameof signal) "A signal without samples does not go round."

        let mutable written = 0
        let mutable position = ((start % signal.Length) + signal.Length) % signal.Length

        while written < target.Length do
            let count = min (signal.Length - position) (target.Length - written)
            System.ReadOnlySpan(signal, position, count).CopyTo(target.Slice written)
            written <- written + count
            position <- 0

    /// Plays a signal of the given rate (Hz) at another speed, as a tape does: pitch, formants and tempo change together. 1.1 is a
    /// tenth faster and shorter. Raises ArgumentException unless 0.5 <= speed <= 2.
    let playAt (speed: float) (sampleRate: int) (signal: float32[]) : float32[] =
        if not (speed >= 0.5 && speed <= 2.0) then
            invalidArg (nameof speed) $"A playing speed lies between 0.5 and 2, got {speed}."

        // Rates in steps of 100 Hz have short resampling filters.
        let target = 100 * int (round (float sampleRate / speed / 100.0))
        Resampler.Resample(signal, sampleRate, target)
