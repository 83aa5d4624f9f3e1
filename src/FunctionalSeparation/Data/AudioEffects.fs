namespace FunctionalSeparation

open System
open NWaves.Features
open NWaves.Filters.BiQuad
open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// Audio effects of music production on the channels of a sound, as pure functions of explicit numbers: [channels][samples] in
/// and out, as many channels and samples. Rates are in Hz, times in seconds. After Zölzer (ed.), DAFX, 2nd edition, 2011.
[<RequireQualifiedAccess>]
module AudioEffects =

    let private require (channels: float32[][]) =
        if channels.Length = 0 || channels |> Array.exists (fun channel -> channel.Length <> channels[0].Length) then
            invalidArg (nameof channels) "An effect needs channels of one length, at least one of them."

    let private amplitude decibels = float32 (10.0 ** (decibels / 20.0))

    let private energy (channels: float32[][]) = channels |> Array.sumBy (Array.sumBy (fun x -> float x * float x))

    /// The same energy as before, so that an effect changes no level.
    let private levelled (before: float32[][]) (after: float32[][]) =
        let factor = float32 (sqrt (energy before / max 1e-20 (energy after)))
        after |> Array.map (Array.map (fun x -> factor * x))

    /// The mean of the channels.
    let private middle (channels: float32[][]) =
        let share = 1.0f / float32 channels.Length
        Array.init channels[0].Length (fun n -> share * (channels |> Array.sumBy (fun channel -> channel[n])))

    /// Adds a signal to a channel, times a factor, `delay` samples later.
    let private addDelayed (target: float32[]) factor delay (signal: float32[]) =
        for n in delay .. target.Length - 1 do
            target[n] <- target[n] + factor * signal[n - delay]

    /// Gains of constant power for each of `channels` channels, at a place from -1 (left) to 1 (right). Other than two channels
    /// all have the gain 1.
    let private panGains place channels =
        if channels = 2 then
            let angle = (place + 1.0) * Math.PI / 4.0
            [| float32 (sqrt 2.0 * cos angle); float32 (sqrt 2.0 * sin angle) |]
        else
            Array.create channels 1.0f

    /// Moves a sound to a place from -1 (left) to 1 (right), at constant power. Of one channel, or more than two, nothing
    /// changes. Raises ArgumentException unless there are channels of one length.
    let pan (place: float) (channels: float32[][]) : float32[][] =
        require channels
        Array.map2 (fun gain channel -> Array.map (fun x -> gain * x) channel) (panGains place channels.Length) channels

    /// Widens (above 1) or narrows (below 1; 0: mono) two channels: their difference times a factor. Others stay as they are.
    /// Raises ArgumentException unless there are channels of one length.
    let width (factor: float) (channels: float32[][]) : float32[][] =
        require channels

        if channels.Length <> 2 then
            channels
        else
            let own, other = float32 (0.5 + factor / 2.0), float32 (0.5 - factor / 2.0)
            let mixed (a: float32[]) (b: float32[]) = Array.map2 (fun x y -> own * x + other * y) a b
            [| mixed channels[0] channels[1]; mixed channels[1] channels[0] |]

    /// A signal read a little later, by a delay that swings around its mean: seconds, depth in seconds, Hz, phase.
    let private modulated (rate: int) delay depth hertz phase (signal: float32[]) =
        let at n =
            let later = delay + depth * (1.0 + sin (2.0 * Math.PI * hertz * float n / float rate + phase))
            let place = float n - later * float rate
            let first = int (floor place)
            let share = float32 (place - float first)

            if first < 0 then
                0.0f
            else
                (1.0f - share) * signal[first] + share * signal[min (first + 1) (signal.Length - 1)]

        Array.init signal.Length at

    /// Doubles a sound: two softer copies, 10 to 40 ms late, whose pitch swings by up to about 20 cents, one to each side.
    /// `decibels`: their level against the sound. Raises ArgumentException unless there are channels of one length.
    let doubled (decibels: float) (rate: int) (key: Key) (channels: float32[][]) : float32[][] =
        require channels
        let draws, signal = Key.uniforms 8 key, middle channels

        let copy side =
            let at number = draws[4 * side + number]
            let swing = modulated rate (0.01 + 0.025 * at 0) (0.0005 + 0.002 * at 1) (0.2 + 0.8 * at 2) (6.28 * at 3) signal
            panGains (if side = 0 then -0.9 else 0.9) channels.Length, swing

        let copies = [ copy 0; copy 1 ]
        let target = channels |> Array.map Array.copy

        for gains, copy in copies do
            for channel in 0 .. channels.Length - 1 do
                addDelayed target[channel] (amplitude decibels * gains[channel]) 0 copy

        target

    /// Adds a copy `semitones` away (see `Augment.transpose`) at a place from -1 to 1. `decibels`: its level. Raises
    /// ArgumentException unless there are channels of one length.
    let harmony (semitones: float) (decibels: float) (place: float) (rate: int) (channels: float32[][]) : float32[][] =
        require channels
        let copy = Augment.transpose semitones rate (middle channels)
        let gains, target = panGains place channels.Length, channels |> Array.map Array.copy

        for channel in 0 .. channels.Length - 1 do
            addDelayed target[channel] (amplitude decibels * gains[channel]) 0 copy

        target

    let private mostEchoes = 6

    /// Echoes, `delay` seconds apart, each softer by `feedback`, from side to side where there are two channels. `decibels`: the
    /// level of the first. Raises ArgumentException unless there are channels of one length.
    let echo (delay: float) (feedback: float) (decibels: float) (rate: int) (channels: float32[][]) : float32[][] =
        require channels
        let signal, target = middle channels, channels |> Array.map Array.copy

        for number in 1..mostEchoes do
            let gains = panGains (if number % 2 = 1 then -0.7 else 0.7) channels.Length
            let factor = amplitude decibels * float32 (feedback ** float (number - 1))
            let late = int (float number * delay * float rate)

            for channel in 0 .. channels.Length - 1 do
                addDelayed target[channel] (factor * gains[channel]) late signal

        target

    /// An impulse response of unit energy: noise that falls by 60 dB in `seconds`, and sooner above `hertz`.
    let private impulseResponse (seconds: float) (hertz: float) (rate: int) key =
        let length = max 1 (int (seconds * float rate))
        let noise = Key.normals length key
        let smoothing = exp (-2.0 * Math.PI * hertz / float rate)
        let mutable low = 0.0

        let response =
            Array.init length (fun n ->
                let time = float n / float rate
                low <- smoothing * low + (1.0 - smoothing) * noise[n]
                let bright = exp (-4.0 * time / seconds)
                (bright * noise[n] + (1.0 - bright) * low) * exp (-6.9 * time / seconds))

        let norm = response |> Array.sumBy (fun x -> x * x) |> sqrt
        response |> Array.map (fun x -> float32 (x / norm))

    /// The convolution of a signal and responses of equal length, cut to the length of the signal: [signal], [channels][n].
    let private convolved (signal: float32[]) (responses: float32[][]) : float32[][] =
        Memory.plain (fun () ->
            let size = int64 (signal.Length + responses[0].Length)
            let size = int64 (Numerics.BitOperations.RoundUpToPowerOf2(uint64 size))
            let spectrum = torch.fft.rfft (torch.tensor signal, size)

            [| for response in responses ->
                   let product = spectrum * torch.fft.rfft (torch.tensor response, size)
                   (torch.fft.irfft (product, size)).narrow(0L, 0L, int64 signal.Length).data<float32>().ToArray() |])

    /// Adds the reverberation of a room: decaying noise, another for each channel, `delay` seconds late. `seconds`: the time in
    /// which it falls by 60 dB; `hertz`: above this it falls sooner; `decibels`: its level against the sound. Raises
    /// ArgumentException unless there are channels of one length.
    let room
        (seconds: float)
        (delay: float)
        (hertz: float)
        (decibels: float)
        (rate: int)
        (key: Key)
        (channels: float32[][])
        : float32[][] =
        require channels
        let signal = middle channels

        let responses =
            Array.init channels.Length (fun channel -> impulseResponse seconds hertz rate (Key.fold channel key))

        let wet, target = convolved signal responses, channels |> Array.map Array.copy
        let late = int (delay * float rate)

        for channel in 0 .. channels.Length - 1 do
            addDelayed target[channel] (amplitude decibels) late wet[channel]

        target

    /// Compresses by a ratio all that is louder than a threshold, which is in dB against the mean level of the sound. Attack 5
    /// ms, release 100 ms; the energy stays. Raises ArgumentException unless there are channels of one length.
    let compress (threshold: float) (ratio: float) (rate: int) (channels: float32[][]) : float32[][] =
        require channels
        let count = float (channels.Length * channels[0].Length)
        let level = sqrt (energy channels / count) * 10.0 ** (threshold / 20.0) |> max 1e-9
        let rise, fall = exp (-1.0 / (0.005 * float rate)), exp (-1.0 / (0.1 * float rate))
        let slope = 1.0 / ratio - 1.0
        let mutable envelope = 0.0

        let gains =
            Array.init channels[0].Length (fun n ->
                let loudest = channels |> Array.fold (fun most channel -> max most (abs (float channel[n]))) 0.0
                let smoothing = if loudest > envelope then rise else fall
                envelope <- smoothing * envelope + (1.0 - smoothing) * loudest
                if envelope > level then float32 ((envelope / level) ** slope) else 1.0f)

        channels |> Array.map (Array.map2 (*) gains) |> levelled channels

    /// Saturates a sound as an overdriven stage does, x -> tanh(drive x), `decibels` above where its mean level begins to bend;
    /// the energy stays. Raises ArgumentException unless there are channels of one length.
    let saturate (decibels: float) (channels: float32[][]) : float32[][] =
        require channels
        let count = float (channels.Length * channels[0].Length)
        let level = sqrt (energy channels / count) |> max 1e-9
        let drive = float32 (10.0 ** (decibels / 20.0) / (3.0 * level))
        channels |> Array.map (Array.map (fun x -> MathF.Tanh(drive * x))) |> levelled channels

    /// Leaves what lies between two frequencies (Hz), 24 dB an octave beyond them: a telephone, a small loudspeaker.
    /// Raises ArgumentException unless there are channels of one length.
    let bandPass (lowest: float) (highest: float) (rate: int) (channels: float32[][]) : float32[][] =
        require channels

        let through (channel: float32[]) =
            let high = [ for _ in 1..2 -> HighPassFilter(lowest / float rate, 0.7) ]
            let low = [ for _ in 1..2 -> LowPassFilter((min highest (0.45 * float rate)) / float rate, 0.7) ]

            channel
            |> Array.map (fun sample ->
                let above = high |> List.fold (fun passed filter -> filter.Process passed) sample
                low |> List.fold (fun passed filter -> filter.Process passed) above)

        channels |> Array.map through |> levelled channels

    /// Cuts a sound into slices of `seconds` and repeats some: at random, a slice takes the place of one or more that follow it.
    /// Raises ArgumentException unless there are channels of one length.
    let stutter (seconds: float) (rate: int) (key: Key) (channels: float32[][]) : float32[][] =
        require channels
        let slice = max 1 (int (seconds * float rate))
        let count = channels[0].Length / slice
        let repeated = Array.init count id

        for place in 1 .. count - 1 do
            if Key.uniform (Key.fold place key) < 0.5 then repeated[place] <- repeated[place - 1]

        channels
        |> Array.map (fun channel ->
            Array.init channel.Length (fun n ->
                let place = n / slice

                if place < count then
                    channel[repeated[place] * slice + n % slice]
                else
                    channel[n]))

    /// A voice of constant pitch (Hz): the phases of short spectra are zero, one in each period (robotisation). The energy stays.
    /// Raises ArgumentException unless there are channels of one length.
    let robotise (hertz: float) (rate: int) (channels: float32[][]) : float32[][] =
        require channels
        let period, size = max 8 (int (float rate / hertz)), 1024

        let ofSignal (signal: float32[]) =
            Memory.plain (fun () ->
                let window = torch.hann_window (int64 size)
                let padded = torch.nn.functional.pad (torch.tensor signal, [| int64 (size / 2); int64 (size / 2 + period) |])
                let frames = padded.unfold (0L, int64 size, int64 period) * window
                let pulses = torch.fft.fftshift (torch.fft.irfft ((torch.fft.rfft frames).abs(), int64 size), [| 1L |])
                let target = Array.zeroCreate<float32>(signal.Length + size)
                let shaped = (pulses * window).contiguous().data<float32>().ToArray()

                for frame in 0 .. int pulses.shape[0] - 1 do
                    for n in 0 .. min size (target.Length - frame * period) - 1 do
                        target[frame * period + n] <- target[frame * period + n] + shaped[frame * size + n]

                target[size / 2 .. size / 2 + signal.Length - 1])

        channels |> Array.map ofSignal |> levelled channels

    let private vocoderSize, private vocoderHop = 1024, 256

    /// Magnitudes [frames, bins], each the mean of those within `bins` bins on each side.
    let private envelope (bins: int) (magnitudes: torch.Tensor) =
        torch.nn.functional.avg_pool1d(magnitudes.unsqueeze 1L, int64 (2 * bins + 1), 1L, int64 bins).squeeze 1L

    /// Sawtooth waves of the frequencies (Hz) that a time step has, all notes together, each note as a pair 8 cents apart; `key`:
    /// phases.
    let private sawtooths (notes: float[][]) (hop: int) (rate: int) length key =
        let wave = Array.zeroCreate<float32> length
        let detuned = [| 2.0 ** (-4.0 / 1200.0); 2.0 ** (4.0 / 1200.0) |]

        for note in 0 .. notes[0].Length - 1 do
            for side in 0..1 do
                let mutable phase = Key.uniform (Key.fold (2 * note + side) key)

                for n in 0 .. length - 1 do
                    phase <- phase + detuned[side] * notes[n / hop][note] / float rate
                    phase <- phase - floor phase
                    wave[n] <- wave[n] + float32 (2.0 * phase - 1.0)

        wave

    /// A channel vocoder: the spectral envelope of the sound shapes sawtooth waves, with a little noise for the consonants.
    /// `notes` holds the frequencies (Hz) that sound in each `hop` samples, the same number in each. The waves of each channel
    /// have their own phases, so that two channels sound wide. The energy stays. Raises ArgumentException unless there are
    /// channels of one length, and notes for all of it.
    let vocode (notes: float[][]) (hop: int) (rate: int) (key: Key) (channels: float32[][]) : float32[][] =
        require channels
        let length = channels[0].Length

        if hop < 1 || notes.Length * hop < length || notes |> Array.exists (fun chord -> chord.Length <> notes[0].Length) then
            invalidArg (nameof notes) $"{length} samples need as many notes every {hop} samples, got {notes.Length} times."

        let shape index (signal: float32[]) =
            Memory.plain (fun () ->
                let stft = Stft(vocoderSize, vocoderHop, StftWindow.Hann, true)
                let bins = max 1 (int (90.0 * float vocoderSize / float rate))
                let wave = sawtooths notes hop rate length (Key.fold (2 * index) key)
                let noise = Key.normals length (Key.fold (2 * index + 1) key)
                let carrier = Array.map2 (fun saw hiss -> saw + 0.05f * float32 hiss) wave noise
                let voice = stft.Forward(torch.tensor signal)
                let spectrum = stft.Forward(torch.tensor carrier)
                let gains = envelope bins (voice.abs ()) / (envelope bins (spectrum.abs ())).clamp_min(1e-6)
                stft.Inverse(spectrum * gains, int64 length).data<float32>().ToArray())

        channels |> Array.mapi shape |> levelled channels

    /// Hz: pitches of voices.
    let private lowestPitch, private highestPitch = 80.0f, 800.0f

    /// The period of a signal from one sample to another, in samples and fractions of a sample. It is the vertex of the parabola
    /// around the smallest squared difference, at lags near the rough estimate `lag`.
    let private refined (signal: float32[]) start until (lag: int) (off: int) =
        let difference lag =
            let mutable sum = 0.0

            for n in start .. until - 1 - lag do
                let x = float signal[n] - float signal[n + lag]
                sum <- sum + x * x

            sum / float (until - lag - start)

        let lags = [| max 1 (lag - off - 1) .. lag + off + 1 |]
        let differences = lags |> Array.map difference
        let best = [ 1 .. lags.Length - 2 ] |> List.minBy (fun place -> differences[place])
        let before, at, behind = differences[best - 1], differences[best], differences[best + 1]
        let bend = before - 2.0 * at + behind

        float lags[best]
        + (if bend > 0.0 then
               (before - behind) / (2.0 * bend) |> max -1.0 |> min 1.0
           else
               0.0)

    /// The pitch is searched in means of four samples, which takes a sixteenth of the products.
    let private thinning = 4

    let private thinned (signal: float32[]) =
        Array.init (signal.Length / thinning) (fun n -> Array.average signal[thinning * n .. thinning * n + thinning - 1])

    /// The speed of the signal at each hop that brings its pitch (YIN, de Cheveigné and Kawahara 2002) to the nearest semitone
    /// of equal temperament. It is 1 where there is no pitch.
    let private tuning (hop: int) (rate: int) (signal: float32[]) =
        let thin = thinned signal

        let at start =
            let until = min signal.Length (start + 4 * hop)
            let pitch = Pitch.FromYin(thin, rate / thinning, start / thinning, until / thinning, lowestPitch, highestPitch)
            let lag = if pitch > 0.0f then int (round (float rate / float pitch)) else 0

            if lag < 2 || 2 * lag > until - start then
                1.0
            else
                let semitones = 12.0 * Math.Log2(float rate / refined signal start until lag thinning / 440.0)
                2.0 ** ((round semitones - semitones) / 12.0)

        [| for start in 0..hop .. signal.Length - 1 -> if start + 2 * hop < signal.Length then at start else 1.0 |]

    /// Tunes a voice to the nearest semitones without a glide, like pitch correction at its hardest setting. The voice is played
    /// faster or slower by up to half a semitone, depending on its pitch. Silence fills the end where the samples run out. Raises
    /// ArgumentException unless there are channels of one length.
    let tuned (rate: int) (channels: float32[][]) : float32[][] =
        require channels
        let hop = max 1 (rate / 64)
        let speeds, length = tuning hop rate (middle channels), channels[0].Length
        let places = Array.init length (fun n -> speeds[n / hop]) |> Array.scan (+) 0.0

        let read (channel: float32[]) n =
            let first = int places[n]
            let share = float32 (places[n] - float first)

            if first + 1 < length then
                (1.0f - share) * channel[first] + share * channel[first + 1]
            else
                0.0f

        channels |> Array.map (fun channel -> Array.init length (read channel))
