namespace FunctionalSeparation.Synthesis

open System
open FunctionalSeparation
open FunctionalSeparation.Learning

/// A singer: the range in MIDI semitones, the vowel formants F1-F3 and F4, F5 in Hz, and the vibrato rate in Hz and depth in
/// semitones. Also the portamento time in seconds, the share of breath in the tone, and the fall of the glottal spectrum in dB an
/// octave.
[<NoEquality; NoComparison>]
type internal Singer =
    { Kind: string
      Range: int * int
      Formants: Vowel -> float list
      HighFormants: float list
      VibratoRate: float
      VibratoDepth: float
      Portamento: float
      Breath: float
      Tilt: float }

/// Sings: a glottal source of gliding pitch through a cascade of formant resonators (Klatt 1980), with consonants between
/// the vowels and a breath before every phrase.
[<RequireQualifiedAccess>]
module internal Singer =

    /// Average formants F1, F2, F3 (Hz) of men and of women: Peterson and Barney (1952), Table II.
    let private lowFormants vowel =
        match vowel with
        | Ah -> [ 730.0; 1090.0; 2440.0 ]
        | Eh -> [ 530.0; 1840.0; 2480.0 ]
        | Ee -> [ 270.0; 2290.0; 3010.0 ]
        | Oh -> [ 570.0; 840.0; 2410.0 ]
        | Oo -> [ 300.0; 870.0; 2240.0 ]

    let private highFormants vowel =
        match vowel with
        | Ah -> [ 850.0; 1220.0; 2810.0 ]
        | Eh -> [ 610.0; 2330.0; 2990.0 ]
        | Ee -> [ 310.0; 2790.0; 3310.0 ]
        | Oh -> [ 590.0; 920.0; 2710.0 ]
        | Oo -> [ 370.0; 950.0; 2670.0 ]

    let private nasalFormants = [ 250.0; 1150.0; 2300.0 ]
    let private bandwidths = [| 80.0; 100.0; 130.0; 220.0; 280.0 |]

    /// A singer of one of two kinds, high or low, with a vocal tract, vibrato and glide of their own.
    let draw key =
        let tract = Chance.between 0.94 1.06 (Key.fold 1 key)
        let longer formants = List.map (fun f -> f * tract) formants
        let high = Key.uniform (Key.fold 0 key) < 0.5

        { Kind = if high then "high voice" else "low voice"
          Range = if high then 58, 75 else 47, 64
          Formants = (if high then highFormants else lowFormants) >> longer
          HighFormants = longer (if high then [ 3900.0; 4900.0 ] else [ 3350.0; 4200.0 ])
          VibratoRate = Chance.between 5.0 6.4 (Key.fold 2 key)
          VibratoDepth = Chance.between 0.35 0.8 (Key.fold 3 key)
          Portamento = Chance.between 0.05 0.11 (Key.fold 4 key)
          Breath = Chance.between 0.02 0.08 (Key.fold 5 key)
          Tilt = Chance.between 5.0 7.5 (Key.fold 6 key) }

    /// Samples between two points of a control curve: 4 ms.
    let private hop = 64

    let private points (seconds: float) = int (round (seconds * float Tone.rate / float hop))
    let private tau seconds = max 0.01 (seconds * float Tone.rate / float hop)

    /// Overwrites a control curve between two times in seconds.
    let private hold (curve: float[]) from until value =
        for i in max 0 (points from) .. min curve.Length (points until) - 1 do
            curve[i] <- value

    /// Seconds that the consonant takes from the end of the note before.
    let private onsetLength onset =
        match onset with
        | Legato -> 0.0
        | Sibilant -> 0.11
        | Plosive -> 0.07
        | Nasal -> 0.075
        | Aspirate -> 0.07

    /// Pitch in semitones: notes joined by portamento, a scoop up to the first of a phrase, vibrato that grows on held notes
    /// and a slow drift of a few cents.
    let private pitchContour singer (phrases: Note list list) count key =
        let pitch = Array.create count 60.0
        let depth = Array.zeroCreate count
        let forever = float count

        for phrase in phrases do
            hold pitch (phrase.Head.Start - 0.2) forever (phrase.Head.Pitch - 1.0)

            for note in phrase do
                hold pitch (note.Start - 0.4 * singer.Portamento) forever note.Pitch

                if note.End - note.Start > 0.35 then
                    hold depth (note.Start + 0.15) note.End singer.VibratoDepth

        let glide = Tone.smooth (tau (singer.Portamento / 3.0))
        let depth = Tone.smooth (tau 0.08) depth
        let rate = Tone.wander 60 count (Key.fold 0 key) |> Array.map (fun w -> singer.VibratoRate * (1.0 + 0.06 * w))
        let cycles = Array.scan (fun cycle r -> cycle + r * float hop / float Tone.rate) 0.0 rate
        let drift = Tone.wander 25 count (Key.fold 1 key)

        glide (glide pitch)
        |> Array.mapi (fun i p -> p + depth[i] * sin (2.0 * Math.PI * cycles[i]) + 0.12 * drift[i])

    /// Strength of the voice, 0 to about 1: open on vowels, shut on unvoiced consonants, arched over the phrase.
    let private voicing (phrases: Note list list) count key =
        let curve = Array.zeroCreate count

        for phrase in phrases do
            let first, last = phrase.Head.Start, (List.last phrase).End

            for note in phrase do
                let arch = 0.75 + 0.25 * sin (Math.PI * (0.5 * (note.Start + note.End) - first) / (last - first))
                hold curve note.Start note.End arch
                let consonant = if note.Onset = Nasal then 0.3 else 0.0

                if note.Onset <> Legato then
                    hold curve (note.Start - onsetLength note.Onset) note.Start consonant

            hold curve (last - 0.1) last 0.4
            hold curve (last - 0.04) last 0.0

        let shimmer = Tone.wander 6 count key

        Tone.smooth (tau 0.012) (Tone.smooth (tau 0.012) curve)
        |> Array.mapi (fun i v -> v * (1.0 + 0.08 * shimmer[i]))

    /// The five formant frequencies (Hz) over time; F1 follows a fundamental that rises above it, as trained singers do
    /// (Sundberg 1987).
    let private formantTracks singer (phrases: Note list list) (pitch: float[]) count =
        let rest = singer.Formants Ah @ singer.HighFormants
        let tracks = rest |> List.map (Array.create count) |> List.toArray
        let moveTo from until formants = List.iteri (fun f value -> hold tracks[f] from until value) formants

        for note in List.concat phrases do
            moveTo (note.Start - 0.03) (float count) (singer.Formants note.Vowel)

            if note.Onset = Nasal then
                moveTo (note.Start - onsetLength Nasal) note.Start nasalFormants

        let smoothed = tracks |> Array.map (Tone.smooth (tau 0.022))
        smoothed[0] <- Array.map2 (fun f1 p -> max f1 (1.05 * Tone.hertz p)) smoothed[0] pitch
        smoothed

    /// The glottal source with lip radiation: band-limited partials falling by the singer's tilt, and breath noise that
    /// comes in puffs, once each period. Pitch in semitones and strength on control points; `count` samples.
    let private glottalSource singer (pitch: float[]) (strength: float[]) count key =
        let weights = Tone.slopingPartials singer.Tilt 100
        let breath = Tone.noise count key |> Tone.highPass 1500.0
        let mutable angle = 0.0

        Array.init count (fun i ->
            let frame, part = i / hop, float (i % hop) / float hop
            let between (curve: float[]) = curve[frame] + part * (curve[frame + 1] - curve[frame])
            let frequency = Tone.hertz (between pitch)
            angle <- (angle + 2.0 * Math.PI * frequency / float Tone.rate) % (2.0 * Math.PI)
            let tone = Tone.partials weights (0.5 * float Tone.rate / frequency) angle
            between strength * (tone + singer.Breath * (1.0 + cos angle) * 4.0 * breath[i]))

    /// The source through one formant after the other; resonators move on every control point.
    let private formantFilter (tracks: float[][]) (source: float[]) =
        let mutable signal = source

        for f in 0 .. tracks.Length - 1 do
            let output = Array.zeroCreate signal.Length
            let mutable y1, y2 = 0.0, 0.0

            for frame in 0 .. (signal.Length - 1) / hop do
                let struct (a, b, c) = Tone.resonator (tracks[f][frame]) (bandwidths[f])

                for i in frame * hop .. min signal.Length ((frame + 1) * hop) - 1 do
                    let y = a * signal[i] + b * y1 + c * y2
                    output[i] <- y
                    y2 <- y1
                    y1 <- y

            signal <- output

        signal

    /// Halves, in dB, how far the vowels differ in loudness, as singers do by ear: smoothed over 0.1 s to both sides.
    let private evened (signal: float[]) =
        let level = max 1e-12 (Tone.loudness signal ** 2.0)
        let slow = Tone.smooth (0.1 * float Tone.rate)
        let power = signal |> Array.map (fun x -> x * x) |> slow |> Array.rev |> slow |> Array.rev
        Array.map2 (fun x p -> x / sqrt (sqrt (0.1 + p / level))) signal power

    /// The noise of a consonant, from the moment its sound begins to somewhat into the vowel.
    let private consonantNoise onset key =
        let length seconds = Tone.noise (Tone.samples seconds) (Key.fold 0 key)

        match onset with
        | Sibilant -> length 0.13 |> Tone.band (Chance.between 4200.0 6200.0 (Key.fold 1 key)) 1800.0 |> Tone.shaped 0.03 0.03
        | Plosive ->
            let burst = length 0.06 |> Tone.band (Chance.between 1800.0 4500.0 (Key.fold 1 key)) 1500.0
            Array.map2 (*) burst (Tone.decay 0.06 burst.Length) |> Tone.shaped 0.001 0.01
        | Aspirate -> length 0.11 |> Tone.band 1700.0 1600.0 |> Tone.shaped 0.03 0.05
        | Legato
        | Nasal -> [||]

    let private noiseStart note =
        if note.Onset = Plosive then
            note.Start - 0.02
        else
            note.Start - onsetLength note.Onset

    /// A breath drawn in through the open mouth.
    let private inhalation seconds key =
        let air = Tone.noise (Tone.samples seconds) key

        let mouth =
            Array.map2 (fun low high -> low + 0.7 * high) (Tone.band 1300.0 700.0 air) (Tone.band 3000.0 1800.0 air)

        mouth |> Tone.shaped (0.6 * seconds) (0.3 * seconds)

    let private addNoises (phrases: Note list list) loudness (track: float[]) key =
        for i, phrase in List.indexed phrases do
            let length = Chance.between 0.2 0.35 (Key.fold (2 * i) key)
            let breath = inhalation length (Key.fold (2 * i) key)
            Tone.addAt track (phrase.Head.Start - length - 0.12) 1.0 (Tone.atLoudness (0.05 * loudness) breath)

            for j, note in List.indexed phrase do
                let noise = consonantNoise note.Onset (Key.fold j (Key.fold (2 * i + 1) key))
                Tone.addAt track (noiseStart note) 1.0 (Tone.atLoudness (0.3 * loudness) noise)

    /// Sings the phrases: `count` samples at `Tone.rate`, of any level.
    let sing singer (phrases: Note list list) count key =
        let frames = count / hop + 2
        let pitch = pitchContour singer phrases frames (Key.fold 0 key)
        let strength = voicing phrases frames (Key.fold 1 key)
        let tracks = formantTracks singer phrases pitch frames
        let vowels = glottalSource singer pitch strength count (Key.fold 2 key) |> formantFilter tracks |> evened
        addNoises phrases (Tone.loudness vowels) vowels (Key.fold 3 key)
        vowels
