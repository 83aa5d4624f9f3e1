namespace FunctionalSeparation

open System
open FunctionalSeparation.Core
open FunctionalSeparation.Learning
open FunctionalSeparation.Synthesis

/// A generated song: the sources that it was mixed from, full scale = ±1. The mixture is their sum, which also stays below full
/// scale.
[<NoEquality; NoComparison>]
type SyntheticSong =
    {
        /// Name of the song in tables, such as `test-02`.
        Name: string
        /// Description of the song: singer, key, tempo (beats a minute) and chord instrument.
        Description: string
        /// The sources, of one rate, channel count and length.
        Stems: Stems
    }

/// Songs to train on, to choose a model by, and to test it on. No song is in two of them.
[<NoEquality; NoComparison>]
type SyntheticCorpus =
    {
        /// Songs to train on.
        Train: SyntheticSong list
        /// Songs to choose a model or a number of epochs by.
        Dev: SyntheticSong list
        /// Songs to report scores on.
        Test: SyntheticSong list
    }

/// How many songs a generated corpus has, and how long they are.
type SyntheticSize =
    {
        /// Number of songs to train on.
        Train: int
        /// Number of development songs.
        Dev: int
        /// Number of test songs.
        Test: int
        /// Length of every song in seconds, at least 2.
        Seconds: float
    }

/// A small corpus of generated songs for demonstrations and tests: no download, no licence, the same on every run.
/// A singer (vowels with vibrato, portamento, consonants, breaths, rests between phrases) performs a melody of their own
/// over chords, bass and drums. It is no substitute for recordings: scores on it say that a method works, not how well.
[<RequireQualifiedAccess>]
module Synthetic =

    /// Twelve training, two development and four test songs of eight seconds.
    let small = { Train = 12; Dev = 2; Test = 4; Seconds = 8.0 }

    /// Six training, one development and two test songs of four seconds: by their parts they take ten times the memory.
    let smallBand = { Train = 6; Dev = 1; Test = 2; Seconds = 4.0 }

    /// Hz, of songs by their parts: the rate of music as it is published.
    let bandRate = 44100

    /// A song as it was played: voice and instruments, [samples] at `Tone.rate`, as loud as they are beside each other.
    [<NoEquality; NoComparison>]
    type private Performance = { Words: string; Vocals: float[]; Tracks: Tracks }

    let private perform (seconds: float) (key: Key) : Performance =
        if not (seconds >= 2.0) then
            invalidArg (nameof seconds) $"A synthetic song needs at least 2 seconds, got {seconds}."

        let count = Tone.samples seconds
        let singer = Singer.draw (Key.fold 0 key)
        let band = Band.draw (Key.fold 1 key)
        let composition = Composition.write seconds singer.Range (Key.fold 2 key)
        let balance = Tone.gain (Chance.between -1.0 3.0 (Key.fold 3 key))

        { Words =
            FormattableString.Invariant
                $"{singer.Kind}, {Composition.keyName composition}, {composition.Tempo:F0} beats/min, {Band.instrumentName band}"
          Vocals = Singer.sing singer composition.Phrases count (Key.fold 4 key) |> Tone.atLoudness balance
          Tracks = Band.play band composition count (Key.fold 5 key) }

    let private peak (track: float[]) = Array.fold (fun most x -> max most (abs x)) 1e-9 track

    /// All sources, [channels][samples] each, by one gain, so that neither they nor their sum exceed 0.8 of full scale.
    let private levelled (sources: (string * float[][]) list) : Stems =
        let sum = sources |> List.map snd |> List.reduce (Array.map2 (Array.map2 (+)))
        let most = Array.concat (sum :: List.map snd sources) |> Array.map peak |> Array.max
        let finish = Tone.shaped 0.005 0.05 >> Array.map (fun x -> float32 (0.8 * x / most))
        [ for name, channels in sources -> { Name = name; Sound = AudioBuffer(Array.map finish channels, Tone.rate) } ]

    /// A song of music and voice of the given length in seconds, mono at 16 kHz: a pure function of the key, whatever the name.
    /// Where it sings, the voice is 1 dB below to 3 dB above the music (root mean square).
    /// Raises ArgumentException where `seconds` is below 2, too short for a phrase.
    let song (seconds: float) (name: string) (key: Key) : SyntheticSong =
        let played = perform seconds key
        let music = Band.together played.Tracks |> Tone.atLoudness 1.0

        { Name = name
          Description = played.Words
          Stems = levelled (List.zip Stems.musicAndVoice [ [| music |]; [| played.Vocals |] ]) }

    /// A mono track at a place from left (-1) to right (1), as loud anywhere.
    let private placed (place: float) (track: float[]) =
        let angle = (place + 1.0) * Math.PI / 4.0
        [| for gain in [ cos angle; sin angle ] -> Array.map (fun x -> gain * x) track |]

    /// Adds the hiss of a recording to the sound, 80 dB below full scale. The instruments end at 8 kHz. Signals without anything
    /// above that are nearly dependent once delayed, which makes BSS Eval ten times slower.
    let private withHiss (key: Key) (sound: AudioBuffer) =
        let hiss number (samples: float32[]) =
            Array.map2 (fun x noise -> x + float32 (1e-4 * noise)) samples (Tone.noise samples.Length (Key.fold number key))

        AudioBuffer(sound.Channels |> Array.ofSeq |> Array.mapi hiss, sound.SampleRate)

    /// The same song by its parts, in stereo at `bandRate`: drums, bass, other (the chords) and vocals. Each is at its place, the
    /// vocals in the middle and the chords aside, and each has a little hiss of its own. Raises ArgumentException as `song`.
    let bandSong (seconds: float) (name: string) (key: Key) : SyntheticSong =
        let played = perform seconds key
        let level = Tone.loudness (Band.together played.Tracks)
        let beside = Array.map (fun x -> x / max 1e-9 level)
        let draw number = Key.fold number (Key.fold 6 key)
        let near width number = Chance.between -width width (draw number)
        let aside = Chance.pick [ -1.0; 1.0 ] (draw 2) * Chance.between 0.3 0.8 (draw 3)

        let sources =
            [ "drums", placed (near 0.3 0) (beside played.Tracks.Drums)
              "bass", placed (near 0.2 1) (beside played.Tracks.Bass)
              "other", placed aside (beside played.Tracks.Chords)
              "vocals", placed 0.0 played.Vocals ]

        { Name = name
          Description = played.Words
          Stems =
            [ for number, stem in List.indexed (levelled sources) ->
                  let sound = Resampler.Resample(stem.Sound, bandRate)
                  { stem with Sound = withHiss (Key.fold number (Key.fold 7 key)) sound } ] }

    let private corpusWith (make: float -> string -> Key -> SyntheticSong) (size: SyntheticSize) (seed: int) : SyntheticCorpus =
        let part number name count =
            if count < 0 then invalidArg (nameof size) $"A corpus cannot have {count} {name} songs."
            let key = Key.fold number (Key.ofSeed seed)

            Array.init count id
            |> Array.Parallel.map (fun i -> make size.Seconds $"{name}-{i + 1:D2}" (Key.fold i key))
            |> Array.toList

        { Train = part 0 "train" size.Train; Dev = part 1 "dev" size.Dev; Test = part 2 "test" size.Test }

    /// The corpus of a seed at the given size. Song number i of a part is the same at every size of equal length.
    /// Raises ArgumentException where a count is negative or the songs are too short for `song`.
    let corpusOf (size: SyntheticSize) (seed: int) : SyntheticCorpus = corpusWith song size seed

    /// The same, of songs by their parts (`bandSong`). Raises ArgumentException as `corpusOf`.
    let bandCorpusOf (size: SyntheticSize) (seed: int) : SyntheticCorpus = corpusWith bandSong size seed

    /// The small corpus of a seed.
    let corpus (seed: int) : SyntheticCorpus = corpusOf small seed
