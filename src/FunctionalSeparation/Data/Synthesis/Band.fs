namespace FunctionalSeparation.Synthesis

open System
open FunctionalSeparation
open FunctionalSeparation.Learning

type internal ChordInstrument =
    | Plucked
    | ElectricPiano
    | Organ
    | Pad

/// Sixteen steps a bar for each drum: `x` a hit, `o` an open hi-hat, `.` nothing.
type internal DrumPattern = { Kick: string; Snare: string; Hat: string }

/// The accompaniment by its instruments, each [samples] at `Tone.rate`.
type internal Tracks = { Chords: float[]; Bass: float[]; Drums: float[] }

/// Who plays what: chord and bass patterns have eight steps a bar, where `-` holds the note before.
type internal Band =
    {
        Chords: ChordInstrument
        ChordPattern: string
        BassPattern: string
        Drums: DrumPattern
        /// Delay of every second sixteenth, as a share of a sixteenth.
        Swing: float
    }

/// Plays the accompaniment: chords, bass and drums.
[<RequireQualifiedAccess>]
module internal Band =

    let private drumPatterns =
        [ { Kick = "x.......x.x....."; Snare = "....x.......x..."; Hat = "x.x.x.x.x.x.x.x." }
          { Kick = "x...x...x...x..."; Snare = "....x.......x..."; Hat = "..o...o...o...o." }
          { Kick = "x.....x........."; Snare = "........x......."; Hat = "x.xxx.x.x.xxx.o." }
          { Kick = "x..x....x..x...."; Snare = "....x..x....x..."; Hat = "xxxxxxxxxxxxxxxx" }
          { Kick = "x.........x....."; Snare = "....x........x.x"; Hat = "x...x.x.x...x.o." } ]

    /// `c` is the whole chord, digits are single chord tones from the lowest up.
    let private chordPatterns instrument =
        match instrument with
        | Plucked -> [ "01231232"; "c-cc-cc-"; "0213021c"; "c--c--c-" ]
        | ElectricPiano -> [ "c--c--c-"; ".c.c.c.c"; "c---0123" ]
        | Organ -> [ ".c.c.c.c"; "c-----c-"; "c--c----" ]
        | Pad -> [ "c-------"; "c---c---" ]

    /// `r` root, `f` fifth, `o` octave.
    let private bassPatterns = [ "r--rr-f-"; "r-r-r-r-"; "r---f---"; "r-o-r-o-"; "r--fo-f-"; "r------." ]

    /// A band for one song.
    let draw key =
        let instrument = Chance.pick [ Plucked; ElectricPiano; Organ; Pad ] (Key.fold 0 key)

        { Chords = instrument
          ChordPattern = Chance.pick (chordPatterns instrument) (Key.fold 1 key)
          BassPattern = Chance.pick bassPatterns (Key.fold 2 key)
          Drums = Chance.pick drumPatterns (Key.fold 3 key)
          Swing = Chance.pick [ 0.0; 0.0; 0.15; 0.3 ] (Key.fold 4 key) }

    /// Names the chord instrument in words.
    let instrumentName band =
        match band.Chords with
        | Plucked -> "plucked strings"
        | ElectricPiano -> "electric piano"
        | Organ -> "organ"
        | Pad -> "pad"

    /// The steps of a pattern on which something sounds, as (step, symbol, steps until the next symbol or the end).
    let private strokes (pattern: string) =
        let held step = pattern |> Seq.skip (step + 1) |> Seq.takeWhile (fun symbol -> symbol = '-') |> Seq.length

        [ for step, symbol in Seq.indexed pattern do
              if symbol <> '.' && symbol <> '-' then step, symbol, 1 + held step ]

    /// A plucked string (Karplus and Strong 1983): noise running round a delay line of one period that dulls it, tuned by an
    /// all-pass (Jaffe and Smith 1983).
    let private pluckedString frequency count key =
        let period = float Tone.rate / frequency - 0.5
        let line = Tone.noise (int (period - 0.2)) key |> Tone.smooth 0.7
        let fraction = period - float line.Length
        let tuning = (1.0 - fraction) / (1.0 + fraction)
        let keep = 10.0 ** (-3.0 / (frequency * 2.5))
        let mutable lastLine, lastLow, lastOut = 0.0, 0.0, 0.0

        Array.init count (fun i ->
            let at = i % line.Length
            let low = 0.5 * keep * (line[at] + lastLine)
            let out = tuning * (low - lastOut) + lastLow
            lastLine <- line[at]
            lastLow <- low
            lastOut <- out
            line[at] <- out
            out)

    /// A tine and its hammer by frequency modulation (Chowning 1973).
    let private electricPiano frequency count =
        let turn = 2.0 * Math.PI * frequency / float Tone.rate

        Array.map2
            (fun (i, fall) strike ->
                let angle = turn * float i
                fall * (sin (angle + 1.6 * fall * sin angle) + 0.25 * strike * sin (7.0 * angle)))
            (Array.indexed (Tone.decay 2.2 count))
            (Tone.decay 0.25 count)

    let private organ frequency count = Tone.steady [| 0.8; 1.0; 0.5; 0.45; 0.0; 0.25; 0.0; 0.2 |] frequency count

    /// Three slightly detuned tones of falling partials.
    let private pad frequency count =
        let weights = Tone.slopingPartials 9.0 10
        let voice cents = Tone.steady weights (frequency * 2.0 ** (cents / 1200.0)) count
        Array.map3 (fun a b c -> a + b + c) (voice -7.0) (voice 0.0) (voice 6.0)

    /// One note of a chord instrument: pitch in MIDI semitones, length in seconds.
    let private chordTone instrument pitch seconds key =
        let frequency = Tone.hertz pitch
        let ringing extra = Tone.samples (seconds + extra)

        match instrument with
        | Plucked -> pluckedString frequency (ringing 0.4) key |> Tone.shaped 0.001 0.3
        | ElectricPiano -> electricPiano frequency (ringing 0.1) |> Tone.shaped 0.004 0.1
        | Organ -> organ frequency (ringing 0.0) |> Tone.shaped 0.01 0.03
        | Pad -> pad frequency (ringing 0.25) |> Tone.shaped 0.25 0.3

    let private bassTone frequency seconds =
        let count = Tone.samples seconds
        let dull = Tone.steady (Tone.slopingPartials 7.0 3) frequency count
        let bright = Tone.steady (Tone.slopingPartials 5.0 14) frequency count
        let mix d b slow quick = slow * d + 0.6 * quick * b
        let slow, quick = Tone.decay 2.5 count, Tone.decay 0.4 count
        Array.init count (fun i -> mix dull[i] bright[i] slow[i] quick[i]) |> Tone.shaped 0.004 0.04

    /// A sine that falls from 160 to 48 Hz, and the click of the beater.
    let private kick key =
        let count = Tone.samples 0.32
        let frequency = Tone.decay 0.12 count |> Array.map (fun d -> 48.0 + 112.0 * d)
        let angles = Array.scan (fun angle f -> angle + 2.0 * Math.PI * f / float Tone.rate) 0.0 frequency
        let click = Array.map2 (*) (Tone.noise count key) (Tone.decay 0.02 count)
        Array.mapi2 (fun i d c -> d * sin angles[i] + 0.25 * c) (Tone.decay 0.35 count) click |> Tone.shaped 0.0 0.05

    /// Two modes of the skin and the rattle of the wires.
    let private snare key =
        let count = Tone.samples 0.25
        let skin = Tone.steady [| 1.0 |] 185.0 count
        let overtone = Tone.steady [| 1.0 |] 331.0 count
        let wires = Tone.noise count key |> Tone.highPass 1200.0
        let short, long = Tone.decay 0.14 count, Tone.decay 0.24 count
        Array.init count (fun i -> short[i] * (0.5 * skin[i] + 0.3 * overtone[i]) + 0.5 * long[i] * wires[i])

    let private hat seconds key =
        let count = Tone.samples 0.3
        let metal = Tone.noise count key |> Tone.highPass 6000.0 |> Tone.highPass 6000.0
        Array.map2 (*) metal (Tone.decay seconds count)

    /// A few milliseconds early or late, as people play.
    let private humanly (seconds: float) key = max 0.0 (seconds + 0.004 * (2.0 * Key.uniform key - 1.0))

    /// Seconds at which a step of a bar begins; `swing` delays the odd steps.
    let private stepTime (bar: float) (steps: int) swing index step =
        let length = bar / float steps
        float index * bar + length * (float step + if step % 2 = 1 then swing else 0.0)

    let private bars (composition: Composition) seconds =
        let bar = 8.0 * composition.Eighth
        bar, [ 0 .. int (ceil (seconds / bar)) - 1 ]

    let private chordAt (composition: Composition) time =
        composition.Chords |> List.findBack (fun chord -> chord.At <= time + 1e-6)

    /// Plays a pattern of eighths over all bars: `tones` says which pitches a symbol stands for in a chord, `voice` sounds one.
    let private pattern (composition: Composition) (steps: string) tones voice count key =
        let track = Array.zeroCreate count
        let seconds = float count / float Tone.rate
        let bar, indices = bars composition seconds

        for index in indices do
            for step, symbol, length in strokes steps do
                let time = stepTime bar 8 0.0 index step

                if time < seconds then
                    let key = Key.fold (8 * index + step) key

                    for n, pitch in List.indexed (tones symbol (chordAt composition time)) do
                        let tone = voice pitch (float length * composition.Eighth) (Key.fold n key)
                        let level = 0.85 + 0.15 * Key.uniform (Key.fold 99 key)
                        Tone.addAt track (humanly (time + 0.006 * float n) (Key.fold 98 key)) level tone

        track

    let private chords band composition count key =
        let tones symbol chord = if symbol = 'c' then chord.Pitches else [ chord.Pitches[int symbol - int '0'] ]

        pattern composition band.ChordPattern tones (chordTone band.Chords) count key

    let private bassLine band composition count key =
        let tones symbol chord =
            match symbol with
            | 'f' -> [ chord.Root + 7.0 ]
            | 'o' -> [ chord.Root + 12.0 ]
            | _ -> [ chord.Root ]

        let voice pitch seconds _ = bassTone (Tone.hertz pitch) seconds
        pattern composition band.BassPattern tones voice count key

    let private drum (composition: Composition) swing (steps: string) hit level count key =
        let track = Array.zeroCreate count
        let bar, indices = bars composition (float count / float Tone.rate)

        for index in indices do
            for step, symbol, _ in strokes steps do
                let key = Key.fold (16 * index + step) key
                let accent = if step % 4 = 0 then 1.0 else 0.7
                let time = humanly (stepTime bar 16 swing index step) (Key.fold 0 key)
                Tone.addAt track time (level * accent * (0.9 + 0.2 * Key.uniform (Key.fold 1 key))) (hit symbol (Key.fold 2 key))

        track

    let private drums band composition count key =
        let play number steps hit level = drum composition band.Swing steps hit level count (Key.fold number key)
        let kicks = play 0 band.Drums.Kick (fun _ -> kick) 1.0
        let snares = play 1 band.Drums.Snare (fun _ -> snare) 0.8
        let hats = play 2 band.Drums.Hat (fun symbol -> hat (if symbol = 'o' then 0.35 else 0.08)) 0.5
        Array.map3 (fun k s h -> k + s + h) kicks snares hats

    /// A small room: four feedback combs in parallel (Schroeder 1962), added 17 dB below the dry sound.
    let private room (dry: float[]) =
        let wet = Array.copy dry

        for delay in [ 0.0297; 0.0371; 0.0411; 0.0437 ] do
            let length = Tone.samples delay
            let comb = Array.copy dry

            for i in length .. comb.Length - 1 do
                comb[i] <- comb[i] + 0.72 * comb[i - length]
                wet[i] <- wet[i] + 0.035 * comb[i - length]

        wet

    /// Plays the song: `count` samples of each instrument, as loud as they are beside each other.
    let play band composition count key : Tracks =
        let balance number = Tone.gain (Chance.between -1.5 1.5 (Key.fold number key))
        let part number level track = Tone.atLoudness (level * balance number) track
        let chords = chords band composition count (Key.fold 0 key) |> part 3 1.0
        let bass = bassLine band composition count (Key.fold 1 key) |> part 4 0.7
        let drums = drums band composition count (Key.fold 2 key) |> part 5 0.75
        { Chords = room chords; Bass = bass; Drums = room drums }

    /// All instruments together.
    let together (tracks: Tracks) : float[] = Array.map3 (fun c b d -> c + b + d) tracks.Chords tracks.Bass tracks.Drums
