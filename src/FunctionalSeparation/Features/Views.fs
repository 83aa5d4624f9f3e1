namespace FunctionalSeparation

open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// A representation of a sound: magnitudes, complex spectrogram or samples.
[<RequireQualifiedAccess>]
type Domain =
    /// Magnitudes of its spectrogram, [..., time, bins].
    | Magnitude
    /// Its complex spectrogram, [..., time, bins].
    | Spectrum
    /// Its samples, [..., samples].
    | Waveform

/// Sounds as networks, losses and separation look at them: magnitudes, complex spectrograms and waveforms are views of one thing,
/// made when they are asked for. Leading axes are [batch, channels] of mixtures and [batch, sources, channels] of sources.
[<Sealed>]
type Views(view: Domain -> torch.Tensor) =

    /// Magnitudes, [..., time, bins].
    member _.Magnitude = view Domain.Magnitude

    /// Complex spectrograms, [..., time, bins].
    member _.Spectrum = view Domain.Spectrum

    /// Samples, [..., samples].
    member _.Waveform = view Domain.Waveform

    /// The view of this domain.
    member _.At(domain: Domain) = view domain

/// Views of spectrograms, of samples, or of magnitudes alone.
[<RequireQualifiedAccess>]
module Views =

    /// A view that is made at most once; for views that end with the scope in which they are used.
    let internal once (make: unit -> torch.Tensor) : unit -> torch.Tensor =
        let made = lazy (make ())
        made.Force

    /// Views whose waveform is the inverse transform of their spectrogram (whose ends stay tapered where the transform is not
    /// centred).
    let internal create (stft: Stft) (magnitude: unit -> torch.Tensor) (spectrum: unit -> torch.Tensor) : Views =
        let waveform = once (fun () -> stft.Inverse(spectrum ()))

        Views(fun domain ->
            match domain with
            | Domain.Magnitude -> magnitude ()
            | Domain.Spectrum -> spectrum ()
            | Domain.Waveform -> waveform ())

    /// Views of a complex spectrogram [..., time, bins].
    let ofSpectrum (stft: Stft) (spectrum: torch.Tensor) : Views =
        create stft (once (fun () -> spectrum.abs ())) (fun () -> spectrum)

    /// Views of samples [..., samples].
    let ofWaveform (stft: Stft) (waveform: torch.Tensor) : Views =
        let spectrum = once (fun () -> stft.Forward waveform)
        let magnitude = once (fun () -> (spectrum ()).abs())

        Views(fun domain ->
            match domain with
            | Domain.Magnitude -> magnitude ()
            | Domain.Spectrum -> spectrum ()
            | Domain.Waveform -> waveform)

    /// Magnitudes [..., time, bins] of which no more is known.
    let ofMagnitude (magnitude: torch.Tensor) : Views =
        Views(fun domain ->
            match domain with
            | Domain.Magnitude -> magnitude
            | Domain.Spectrum
            | Domain.Waveform ->
                invalidOp (
                    "Only magnitudes are known here: the feed gives no "
                    + "phases. Learn from excerpts, or with a loss on magnitudes."
                ))

    /// A complex spectrogram with the given magnitudes [..., time, bins] and the phases of `phases`, a complex tensor that
    /// broadcasts to their shape. Where that tensor is zero, so is the result.
    let ofMagnitudeAndPhases (stft: Stft) (phases: unit -> torch.Tensor) (magnitude: torch.Tensor) : Views =
        create stft (fun () -> magnitude) (once (fun () -> magnitude * (phases ()).sgn()))

    /// Every view passed through a function of tensors that acts on leading axes only, [batch, ...] of all of them.
    let map (change: torch.Tensor -> torch.Tensor) (views: Views) : Views = Views(views.At >> change)
