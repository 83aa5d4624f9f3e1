namespace FunctionalSeparation

open System.Numerics
open NWaves.Filters.Base
open NWaves.Filters.BiQuad
open NWaves.Operations.Tsm
open NWaves.Signals
open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// Augmentation as pure functions of sound and explicit numbers.
[<RequireQualifiedAccess>]
module Augment =

    /// Rotates a signal to the left by `offset` samples, circularly: [.., samples] -> [.., samples].
    let rotate (offset: int64) (signal: torch.Tensor) : torch.Tensor = signal.roll (-offset, -1L)

    /// The music offsets of one clip (Huang et al. 2014, section 3.3; authors' code): 0, step, 2 step, ... up to
    /// samples - step - 1; a step of `None` or one that reaches the clip's length gives the unshifted mix alone.
    /// Raises ArgumentException for a step below 1.
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

    /// The rate (Hz) that a signal is resampled to, to be played at its old rate with about that speed. Rates in steps of 100 Hz
    /// have short resampling filters.
    let internal rateOfSpeed (speed: float) (sampleRate: int) = 100 * int (round (float sampleRate / speed / 100.0))

    /// Hz: what is below is no rate of sound.
    let private lowestRate = 1000

    /// Hops of analysis and synthesis, in samples, whose quotient is nearest to the factor. Both are an eighth of the window
    /// at least and a quarter at most, but for factors that do not allow it.
    let private hops (window: int) (factor: float) =
        let longest = int (float (window / 4) / max 1.0 factor)

        [ for analysis in longest / 2 .. longest -> analysis, int (round (float analysis * factor)) ]
        |> List.minBy (fun (analysis, synthesis) -> abs (float synthesis / float analysis - factor))

    /// Makes a signal of the given rate (Hz) `factor` times as long; its pitch stays: NWaves' phase vocoder with locked phases,
    /// 64 ms windows. The result has round(factor * samples) samples, and what was at time t is at factor * t within 1 / 250 of
    /// it. Raises ArgumentException unless 0.5 <= factor <= 2, and for rates below 1000 Hz.
    let internal stretch (factor: float) (sampleRate: int) (signal: float32[]) : float32[] =
        Numbers.atLeast lowestRate "A stretch" (nameof sampleRate) sampleRate

        if not (factor >= 0.5 && factor <= 2.0) then
            invalidArg (nameof factor) $"A signal is stretched by a factor between 0.5 and 2, got {factor}."

        if factor = 1.0 then
            signal
        else
            let window = int (BitOperations.RoundUpToPowerOf2(uint32 (64 * sampleRate / 1000)))
            let analysis, synthesis = hops window factor
            // Whole windows of silence on both sides, so that every sample lies under all of its windows.
            let silence = Array.zeroCreate<float32> window
            let padded = Array.concat [ silence; signal; silence ]
            // The vocoder cuts analysis * stretch down to a whole number; the half keeps it from becoming one less.
            let vocoder = PhaseLockingVocoder((float synthesis + 0.5) / float analysis, analysis, window)
            let stretched = vocoder.ApplyTo(DiscreteSignal(sampleRate, padded)).Samples
            let start = window / 2 * (analysis + synthesis) / analysis
            stretched[start .. start + int (round (factor * float signal.Length)) - 1]

    /// <summary>
    /// Moves the pitch of a signal of the given rate (Hz) by `semitones`, and its formants with it; its length stays. The signal
    /// is stretched, then played faster by as much, or the other way round. The pitch is off by 50 Hz in the new rate at most, 11
    /// cents for 12 semitones up at 16 kHz. Raises ArgumentException unless -12 &lt;= semitones &lt;= 12, and for rates below
    /// 1000 Hz.
    /// </summary>
    /// <example><code lang="fsharp">
    /// let tone = [| for n in 0..15999 -> float32 (sin (0.1 * float n)) |]
    /// let higher = Augment.transpose 2.0 16000 tone
    /// </code></example>
    let transpose (semitones: float) (sampleRate: int) (signal: float32[]) : float32[] =
        Numbers.atLeast lowestRate "A transposition" (nameof sampleRate) sampleRate

        if not (abs semitones <= 12.0) then
            invalidArg (nameof semitones) $"A signal is transposed by at most 12 semitones, got {semitones}."

        let rate = rateOfSpeed (2.0 ** (semitones / 12.0)) sampleRate
        let moved = Resampler.Resample(stretch (float sampleRate / float rate) sampleRate signal, sampleRate, rate)
        // Rounding of two lengths: one sample at most.
        Array.init signal.Length (fun n -> if n < moved.Length then moved[n] else 0.0f)

    /// A signal that is louder by `decibels`. Raises ArgumentException for a gain that is not finite.
    let gain (decibels: float) (signal: float32[]) : float32[] =
        if not (System.Double.IsFinite decibels) then
            invalidArg (nameof decibels) $"A gain is a finite number of decibels, got {decibels}."

        let factor = 10.0 ** (decibels / 20.0)
        signal |> Array.map (fun x -> float32 (factor * float x))

    /// A signal with the other polarity.
    let invert (signal: float32[]) : float32[] = Array.map (~-) signal

    /// Five filters from 80 Hz to four fifths of half the sample rate. Each lies somewhere in its own fifth of that range of
    /// octaves. The outer ones are shelves, the inner ones peaks an octave or two wide.
    let private equaliser (range: float) (sampleRate: int) key : IOnlineFilter array =
        let lowest, highest = 80.0, 0.4 * float sampleRate
        let places, gains = Key.uniforms 5 (Key.fold 0 key), Key.uniforms 5 (Key.fold 1 key)

        [| for band in 0..4 do
               let hertz = lowest * (highest / lowest) ** ((float band + places[band]) / 5.0)
               let frequency, decibels = hertz / float sampleRate, range * (2.0 * gains[band] - 1.0)

               match band with
               | 0 -> LowShelfFilter(frequency, 1.0, decibels)
               | 4 -> HighShelfFilter(frequency, 1.0, decibels)
               | _ -> PeakFilter(frequency, 1.0, decibels) |]

    /// A smooth random equalisation of a signal of the given rate (Hz): two shelves and three peaks, NWaves' biquad filters, each
    /// of a gain drawn from ± `range` dB. The same key gives the same filters. Raises ArgumentException for a range that is
    /// negative or not finite, and for rates below 1000 Hz.
    let equalise (range: float) (sampleRate: int) (key: Key) (signal: float32[]) : float32[] =
        Numbers.notNegative "An equalisation" (nameof range) range
        Numbers.atLeast lowestRate "An equalisation" (nameof sampleRate) sampleRate
        let filters = equaliser range sampleRate key
        // Sample by sample through all of them: a whole signal after each takes four times as long, and six times the memory.
        signal |> Array.map (fun sample -> filters |> Array.fold (fun passed filter -> filter.Process passed) sample)

    /// Cepstral coefficients that are the envelope of a spectrum: times up to 1.5 ms, below the periods of voices.
    let private envelopeSeconds = 0.0015

    /// The envelope of log magnitudes [frames, bins]: cepstrally smoothed.
    let private envelope (sampleRate: int) (logs: torch.Tensor) =
        let cepstrum = torch.fft.irfft logs
        let length = cepstrum.shape[1]
        let last = int64 (envelopeSeconds * float sampleRate)
        let kept = Array.init (int length) (fun n -> if min (int64 n) (length - int64 n) <= last then 1.0f else 0.0f)
        (torch.fft.rfft (cepstrum * torch.tensor kept)).real

    /// Rows [frames, bins] whose value at bin `factor` k was at bin k, with linear interpolation; the last value is repeated
    /// above.
    let private warped (factor: float) (rows: torch.Tensor) =
        let last = int rows.shape[1] - 1
        let places = [| for bin in 0..last -> min (float last) (float bin / factor) |]
        let from extra = torch.tensor [| for place in places -> min (int64 place) (int64 last - 1L) + extra |]
        let weight = torch.tensor [| for place in places -> float32 (place - min (floor place) (float last - 1.0)) |]
        let left = rows.index_select (1L, from 0L)
        left .+ weight * (rows.index_select (1L, from 1L) - left)

    /// The most that formants raise or lower a bin: 30 dB, in nepers.
    let private mostShift = 3.5

    /// Moves the formants of a signal of the given rate (Hz) by a factor; its pitch and tempo stay. The cepstrally smoothed
    /// envelope of its spectra (64 ms windows) is stretched over frequency, as a shorter (factor above 1) or longer vocal tract
    /// does. The signal keeps its energy. Raises ArgumentException unless 0.5 <= factor <= 2, and for rates below 1000 Hz.
    let formants (factor: float) (sampleRate: int) (signal: float32[]) : float32[] =
        Numbers.atLeast lowestRate "Formants" (nameof sampleRate) sampleRate

        if not (factor >= 0.5 && factor <= 2.0) then
            invalidArg (nameof factor) $"Formants move by a factor between 0.5 and 2, got {factor}."

        let window = int (BitOperations.RoundUpToPowerOf2(uint32 (64 * sampleRate / 1000)))
        let stft = Stft(window, window / 4, StftWindow.Hann, true)

        if stft.Frames(int64 signal.Length) < 1L then
            signal
        else
            Memory.plain (fun () ->
                let sound = torch.tensor signal
                let spectrum = stft.Forward sound
                let logs = spectrum.abs().add(1e-8).log()
                let smooth = envelope sampleRate logs
                let change = (warped factor smooth - smooth).clamp(-mostShift, mostShift).exp()
                let moved = stft.Inverse(spectrum * change, signal.LongLength)
                (moved * (sound.norm () / moved.norm().add(1e-12))).data<float32>().ToArray())
