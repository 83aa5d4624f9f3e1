namespace FunctionalSeparation

open FunctionalSeparation.Synthesis

/// A generated song: the voice and the music that it was mixed from, mono, of equal length, full scale = ±1.
/// The mixture is their sum, which also stays below full scale.
type SyntheticSong =
    {
        /// What a table calls the song, such as `test-02`.
        Name: string
        /// The song in words: singer, key, tempo (beats a minute) and chord instrument.
        Description: string
        /// The singing voice, silent between phrases.
        Voice: float32[]
        /// The accompaniment: chords, bass and drums.
        Music: float32[]
        /// Sample rate in Hz of both.
        SampleRate: int
    }

/// Songs to train on, to choose a model by, and to test it on. No song is in two of them.
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

    /// Both tracks by one gain, so that neither they nor their sum exceed 0.8 of full scale.
    let private levelled (voice: float[]) (music: float[]) =
        let peak = Array.fold2 (fun most v m -> max most (max (abs v) (max (abs m) (abs (v + m))))) 1e-9 voice music
        let finish = Tone.shaped 0.005 0.05 >> Array.map (fun x -> float32 (0.8 * x / peak))
        finish voice, finish music

    /// A song of the given length in seconds, sampled at 16 kHz: a pure function of the key, whatever the name.
    /// Where it sings, the voice is 1 dB below to 3 dB above the music (root mean square).
    /// Raises ArgumentException where `seconds` is below 2, too short for a phrase.
    let song (seconds: float) (name: string) (key: Key) : SyntheticSong =
        if not (seconds >= 2.0) then
            invalidArg (nameof seconds) $"A synthetic song needs at least 2 seconds, got {seconds}."

        let count = Tone.samples seconds
        let singer = Singer.draw (Key.fold 0 key)
        let band = Band.draw (Key.fold 1 key)
        let composition = Composition.write seconds singer.Range (Key.fold 2 key)
        let balance = Tone.gain (Chance.between -1.0 3.0 (Key.fold 3 key))
        let voice = Singer.sing singer composition.Phrases count (Key.fold 4 key) |> Tone.atLoudness balance
        let music = Band.play band composition count (Key.fold 5 key) |> Tone.atLoudness 1.0
        let voice, music = levelled voice music

        { Name = name
          Description =
            System.FormattableString.Invariant
                $"{singer.Kind}, {Composition.keyName composition}, {composition.Tempo:F0} beats/min, {Band.instrumentName band}"
          Voice = voice
          Music = music
          SampleRate = Tone.rate }

    /// The corpus of a seed at the given size. Song number i of a part is the same at every size of equal length.
    /// Raises ArgumentException where a count is negative or the songs are too short for `song`.
    let corpusOf (size: SyntheticSize) (seed: int) : SyntheticCorpus =
        let part number name count =
            if count < 0 then invalidArg (nameof size) $"A corpus cannot have {count} {name} songs."
            let key = Key.fold number (Key.ofSeed seed)

            Array.init count id
            |> Array.Parallel.map (fun i -> song size.Seconds $"{name}-{i + 1:D2}" (Key.fold i key))
            |> Array.toList

        { Train = part 0 "train" size.Train; Dev = part 1 "dev" size.Dev; Test = part 2 "test" size.Test }

    /// The small corpus of a seed.
    let corpus (seed: int) : SyntheticCorpus = corpusOf small seed
