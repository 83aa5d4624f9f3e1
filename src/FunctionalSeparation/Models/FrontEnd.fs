namespace FunctionalSeparation

open FunctionalSeparation.Core

/// How sound becomes spectrograms, and at which rate.
[<NoComparison>]
type FrontEnd =
    {
        /// Hz; audio of another rate is resampled or refused, never reinterpreted.
        SampleRate: int
        Stft: Stft
    }

[<RequireQualifiedAccess>]
module FrontEnd =

    /// The setting of Huang et al. (ISMIR 2014) at 16 kHz: 64 ms windows every 32 ms.
    let huang2014: FrontEnd = { SampleRate = 16000; Stft = Stft.Huang2014 }

    /// Centred Hann windows of `fftSize` samples every `hop` samples, at a rate in Hz.
    let create (sampleRate: int) (fftSize: int) (hop: int) : FrontEnd =
        { SampleRate = sampleRate; Stft = Stft(fftSize, hop, StftWindow.Hann, true) }

    /// Raises ArgumentException for settings that make no spectrogram.
    let require (frontEnd: FrontEnd) : unit =
        Numbers.atLeast 1 "A front end" "SampleRate" frontEnd.SampleRate
        frontEnd.Stft.Validate()
