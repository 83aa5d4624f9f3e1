namespace FunctionalSeparation.Synthesis

open FunctionalSeparation
open FunctionalSeparation.Learning

/// Draws of musical choices from keys.
[<RequireQualifiedAccess>]
module internal Chance =

    /// A number in [low, high).
    let between low high key = low + (high - low) * Key.uniform key

    /// One of the choices, each as likely as the next.
    let pick (choices: 'a list) key = choices[Key.integer 0 choices.Length key]

type internal Mode =
    | Major
    | Minor

type internal Vowel =
    | Ah
    | Eh
    | Ee
    | Oh
    | Oo

/// How a sung note begins.
type internal Onset =
    /// No consonant: the voice glides over from the note before.
    | Legato
    | Sibilant
    | Plosive
    | Nasal
    | Aspirate

/// A sung note: start and end in seconds, pitch in MIDI semitones.
type internal Note = { Start: float; End: float; Pitch: float; Vowel: Vowel; Onset: Onset }

/// A chord: start and length in seconds, pitches of the voicing in MIDI semitones, and the root for the bass.
type internal Chord = { At: float; Length: float; Pitches: float list; Root: float }

/// The score of a song, before its performance: tempo in beats (quarter notes) a minute, tonic as a pitch class (0 = C).
type internal Composition =
    { Tempo: float
      Tonic: int
      Mode: Mode
      Chords: Chord list
      Phrases: Note list list }

    /// Seconds of an eighth note.
    member this.Eighth = 30.0 / this.Tempo

/// Writes songs: a key, a progression of triads, and a melody in phrases that leans on the chord tones.
[<RequireQualifiedAccess>]
module internal Composition =

    let private scale mode =
        match mode with
        | Major -> [| 0; 2; 4; 5; 7; 9; 11 |]
        | Minor -> [| 0; 2; 3; 5; 7; 8; 10 |]

    /// Semitones above the tonic of a scale step; steps below 0 and above 6 lie in other octaves.
    let private semitones mode step =
        let octave = if step >= 0 then step / 7 else (step - 6) / 7
        12 * octave + (scale mode)[step - 7 * octave]

    /// Common progressions as scale steps of the roots (0 = the tonic chord).
    let private progressions mode =
        match mode with
        | Major -> [ [ 0; 4; 5; 3 ]; [ 0; 5; 3; 4 ]; [ 5; 3; 0; 4 ]; [ 0; 3; 4; 3 ]; [ 1; 4; 0; 5 ]; [ 0; 2; 3; 4 ] ]
        | Minor -> [ [ 0; 5; 2; 6 ]; [ 0; 3; 6; 2 ]; [ 0; 6; 5; 6 ]; [ 0; 3; 4; 0 ]; [ 5; 6; 0; 0 ]; [ 0; 2; 5; 4 ] ]

    /// The pitch of this class (0 = C) from `lowest` up to 11 semitones above it.
    let private placed lowest pitchClass = lowest + ((pitchClass - lowest) % 12 + 12) % 12

    let private triad tonic mode root = [ for step in [ root; root + 2; root + 4 ] -> (tonic + semitones mode step) % 12 ]

    /// A triad in close position between `lowest` and an octave above, with the lowest note doubled an octave up.
    let private voicing lowest classes =
        let close = classes |> List.map (placed lowest) |> List.sort
        close @ [ close.Head + 12 ] |> List.map float

    let private chords tonic mode (length: float) seconds key =
        let roots = Chance.pick (progressions mode) (Key.fold 0 key)
        let lowest = Key.integer 52 58 (Key.fold 1 key)

        [ for i in 0 .. int (ceil (seconds / length)) - 1 do
              let classes = triad tonic mode roots[i % roots.Length]

              { At = float i * length
                Length = length
                Pitches = voicing lowest classes
                Root = float (placed 31 classes.Head) } ]

    /// Note lengths in eighths that fill a phrase; the last one is held.
    let rec private rhythm eighths key =
        let wanted = Chance.pick [ 1; 1; 2; 2; 2; 3; 4 ] (Key.fold 0 key)
        let length = if eighths - wanted < 2 then eighths else wanted

        if length = eighths then
            [ length ]
        else
            length :: rhythm (eighths - length) (Key.fold 1 key)

    /// Phrases as (first eighth, length in eighths), with at least two eighths of rest between them.
    let rec private phrasing eighth first last key =
        let eighths low high key = int (round (Chance.between low high key / eighth))
        let length = min (last - first) (max 3 (eighths 1.4 2.6 (Key.fold 0 key)))
        let rest = max 2 (eighths 0.7 1.3 (Key.fold 1 key))

        if length < 3 then
            []
        else
            (first, length) :: phrasing eighth (first + length + rest) last (Key.fold 2 key)

    /// The next pitch: a small move, onto a chord tone where the beat is strong, within what the singer can reach.
    let private nextPitch reachable chordTones strong previous key =
        let moves = if strong then [ -4; -3; 0; 2; 3; 5 ] else [ -4; -2; -2; -1; 1; 2; 2; 3 ]
        let wanted = previous + Chance.pick moves key
        let fits pitch = not strong || List.contains (pitch % 12) chordTones
        reachable |> List.filter fits |> List.minBy (fun pitch -> abs (pitch - wanted))

    let private onset position key =
        if position = 0 then
            Chance.pick [ Sibilant; Plosive; Nasal; Aspirate ] key
        else
            Chance.pick [ Legato; Legato; Legato; Sibilant; Plosive; Nasal ] key

    let private phrase eighth reachable tonesAt previous (first, length) key =
        let lengths = rhythm length (Key.fold 0 key)
        let starts = List.scan (+) first lengths

        let sing (previous, position) (start, length) =
            let key = Key.fold (position + 1) key
            let strong = start % 4 = 0 || position = 0
            let pitch = nextPitch reachable (tonesAt (float start * eighth)) strong previous (Key.fold 0 key)

            { Start = float start * eighth
              End = float (start + length) * eighth
              Pitch = float pitch
              Vowel = Chance.pick [ Ah; Ah; Eh; Ee; Oh; Oo ] (Key.fold 1 key)
              Onset = onset position (Key.fold 2 key) },
            (pitch, position + 1)

        List.mapFold sing (previous, 0) (List.zip (List.take lengths.Length starts) lengths)

    let private melody eighth (lowest, highest) tonic mode chords seconds key =
        let inScale pitch = Array.contains ((pitch - tonic + 120) % 12) (scale mode)
        let reachable = [ lowest..highest ] |> List.filter inScale

        let tonesAt time =
            let chord = chords |> List.findBack (fun chord -> chord.At <= time + 1e-6)
            chord.Pitches |> List.map (fun pitch -> int pitch % 12)

        let last = int (seconds / eighth)
        let first = min (last / 5) (Key.integer 1 5 (Key.fold 0 key))
        let spans = phrasing eighth first last (Key.fold 1 key) |> List.indexed

        let sing previous (i, span) =
            let notes, (pitch, _) = phrase eighth reachable tonesAt previous span (Key.fold (i + 2) key)
            notes, pitch

        List.mapFold sing ((lowest + highest) / 2) spans |> fst

    /// Writes a song of the given length for a singer who reaches from the lowest to the highest pitch (MIDI semitones).
    let write seconds range key =
        let tempo = Chance.between 84.0 132.0 (Key.fold 0 key)
        let tonic = Key.integer 0 12 (Key.fold 1 key)
        let mode = Chance.pick [ Major; Minor ] (Key.fold 2 key)
        let beats = Chance.pick [ 2.0; 4.0; 4.0 ] (Key.fold 3 key)
        let chords = chords tonic mode (beats * 60.0 / tempo) seconds (Key.fold 4 key)

        { Tempo = tempo
          Tonic = tonic
          Mode = mode
          Chords = chords
          Phrases = melody (30.0 / tempo) range tonic mode chords seconds (Key.fold 5 key) }

    /// Names the key in words, such as "F# minor".
    let keyName composition =
        let names = [| "C"; "C#"; "D"; "Eb"; "E"; "F"; "F#"; "G"; "Ab"; "A"; "Bb"; "B" |]
        let mode = if composition.Mode = Major then "major" else "minor"
        $"{names[composition.Tonic]} {mode}"
