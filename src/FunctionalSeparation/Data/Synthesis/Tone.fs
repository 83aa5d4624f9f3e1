namespace FunctionalSeparation.Synthesis

open System
open FunctionalSeparation
open FunctionalSeparation.Learning

/// The signals that the singer and the band are made of: float arrays at `Tone.rate`, written by plain loops.
[<RequireQualifiedAccess>]
module internal Tone =

    /// Sample rate in Hz of everything in this namespace.
    let rate = 16000

    /// Seconds to samples, rounded.
    let samples (seconds: float) = int (Math.Round(seconds * float rate))

    /// Pitch (MIDI semitones, fractions allowed; A4 = 69 = 440 Hz) to frequency in Hz.
    let hertz (pitch: float) = 440.0 * 2.0 ** ((pitch - 69.0) / 12.0)

    /// A level in dB to a gain.
    let gain (decibels: float) = 10.0 ** (decibels / 20.0)

    /// White noise, uniform in [-1, 1).
    let noise count key = Key.uniforms count key |> Array.map (fun u -> 2.0 * u - 1.0)

    /// A smooth random walk in about [-1, 1] that turns every `every` points: the unsteadiness of living players.
    let wander every count key =
        let corners = noise (count / every + 2) key

        Array.init count (fun i ->
            let turn = 0.5 - 0.5 * cos (Math.PI * float (i % every) / float every)
            corners[i / every] * (1.0 - turn) + corners[i / every + 1] * turn)

    /// Sum over k = 1, 2, .. below `limit` of weights[k-1] sin(k angle), by the Chebyshev recurrence. Partials fade out
    /// towards `limit` (Nyquist frequency / fundamental), so that a gliding tone neither aliases nor clicks.
    let partials (weights: float[]) (limit: float) (angle: float) =
        let twice = 2.0 * cos angle
        let mutable before = 0.0
        let mutable now = sin angle
        let mutable sum = 0.0

        for k in 1 .. min weights.Length (int limit) do
            let nearness = float k / limit
            sum <- sum + weights[k - 1] * (1.0 - nearness * nearness) * now
            let next = twice * now - before
            before <- now
            now <- next

        sum

    /// Weights of `count` partials that fall by `slope` dB an octave.
    let slopingPartials slope count = Array.init count (fun k -> float (k + 1) ** (-slope / 6.0206))

    /// A steady tone of the given partials: frequency in Hz, length in samples.
    let steady weights frequency count =
        let limit = 0.5 * float rate / frequency
        Array.init count (fun i -> partials weights limit (2.0 * Math.PI * frequency * float i / float rate))

    /// Klatt's (1980) second-order resonator y[n] = a x[n] + b y[n-1] + c y[n-2] with unit gain at 0 Hz, as (a, b, c).
    /// Frequency and bandwidth in Hz.
    let resonator (frequency: float) (bandwidth: float) =
        let c = -exp(-2.0 * Math.PI * bandwidth / float rate)
        let b = 2.0 * exp (-Math.PI * bandwidth / float rate) * cos (2.0 * Math.PI * frequency / float rate)
        struct (1.0 - b - c, b, c)

    /// The signal through a resonator, scaled to unit gain near its frequency and without its constant part: a band-pass.
    let band frequency bandwidth (signal: float[]) =
        let struct (_, b, c) = resonator frequency bandwidth
        let scale = 0.5 * (1.0 + c)
        let result = Array.zeroCreate signal.Length
        let past (xs: float[]) i = if i < 0 then 0.0 else xs[i]

        for i in 0 .. signal.Length - 1 do
            result[i] <- scale * (signal[i] - past signal (i - 2)) + b * past result (i - 1) + c * past result (i - 2)

        result

    /// One-pole smoothing with time constant `tau` in points, started at the first value: glides, attacks and releases.
    let smooth (tau: float) (values: float[]) =
        let keep = exp (-1.0 / tau)
        let result = Array.copy values

        for i in 1 .. values.Length - 1 do
            result[i] <- keep * result[i - 1] + (1.0 - keep) * values[i]

        result

    /// A gentle high-pass: the signal minus its smoothed copy, with a corner at `frequency` Hz.
    let highPass frequency (signal: float[]) =
        let low = smooth (float rate / (2.0 * Math.PI * frequency)) signal
        Array.map2 (-) signal low

    /// Exponential decay by 60 dB in `seconds`.
    let decay (seconds: float) count = Array.init count (fun i -> exp (-6.9078 * float i / (seconds * float rate)))

    /// Raised edges at both ends: `attack` and `release` in seconds, no longer than the signal.
    let shaped (attack: float) (release: float) (signal: float[]) =
        let edge (seconds: float) (i: int) =
            let x = float i / max 1.0 (seconds * float rate)
            if x >= 1.0 then 1.0 else 0.5 - 0.5 * cos (Math.PI * x)

        signal |> Array.mapi (fun i x -> x * edge attack i * edge release (signal.Length - 1 - i))

    /// Adds `signal` times `level` to `track` from the given second on; what would fall outside the track is left out.
    let addAt (track: float[]) (seconds: float) (level: float) (signal: float[]) =
        let start = samples seconds

        for i in max 0 -start .. min signal.Length (track.Length - start) - 1 do
            track[start + i] <- track[start + i] + level * signal[i]

    /// Root mean square of the points whose magnitude exceeds a thousandth of the peak; 0 for silence.
    let loudness (signal: float[]) =
        let peak = signal |> Array.fold (fun most x -> max most (abs x)) 0.0
        let heard = signal |> Array.filter (fun x -> abs x > 1e-3 * peak)
        if heard.Length = 0 then 0.0 else sqrt (Array.averageBy (fun x -> x * x) heard)

    /// The signal at the given loudness (root mean square); silence stays silence.
    let atLoudness level (signal: float[]) =
        let now = loudness signal
        if now > 0.0 then Array.map (fun x -> x * level / now) signal else signal
