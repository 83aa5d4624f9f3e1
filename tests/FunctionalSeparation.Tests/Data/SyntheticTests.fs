module FunctionalSeparation.Tests.SyntheticTests

open System
open Expecto
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

let private few = { FsCheckConfig.defaultConfig with maxTest = 8 }
let private property name check = testPropertyWithConfig few name check

/// Hz, of songs of voice and music.
let private rate = 16000

let private source name (song: SyntheticSong) = (Stems.find name song.Stems).Channels[0]
let private voice = source "voice"
let private music = source "music"
let private both song = music song, voice song

let private short seed = Synthetic.song 2.0 "short" (Key.ofSeed seed)

let private corpus = lazy Synthetic.corpus 7
let private allSongs (corpus: SyntheticCorpus) = corpus.Train @ corpus.Dev @ corpus.Test

let private rms (signal: float32[]) = sqrt (Array.averageBy (fun x -> float x * float x) signal)

/// Levels (root mean square) of consecutive 20 ms.
let private levels signal = Array.chunkBySize (rate / 50) signal |> Array.map rms

/// Fundamental in Hz of the 40 ms from `start` on, by the highest peak of the normalised autocorrelation between 80 and 700 Hz
/// that is not a multiple of an earlier one; None where nothing periodic sounds.
let private fundamental (samples: float32[]) start =
    let length, shortest, longest = rate / 25, rate / 700, rate / 80
    let at i = float samples[start + i]

    /// Sum of the products of the 40 ms from `a` on with those from `b` on.
    let product a b =
        let mutable sum = 0.0

        for i in 0 .. length - 1 do
            sum <- sum + at (i + a) * at (i + b)

        sum

    let first = product 0 0
    let correlation lag = product 0 lag / (sqrt (first * product lag lag) + 1e-9)

    if first / float length < 1e-4 then
        None
    else
        let values = Array.init (longest + 2) (fun lag -> if lag < shortest - 1 then 0.0 else correlation lag)
        let isPeak lag = values[lag] > 0.85 && values[lag] >= values[lag - 1] && values[lag] >= values[lag + 1]
        let peaks = [ shortest..longest ] |> List.filter isPeak

        match peaks with
        | [] -> None
        | _ ->
            let best = peaks |> List.map (fun lag -> values[lag]) |> List.max
            let lag = peaks |> List.find (fun lag -> values[lag] > 0.97 * best)
            let before, now, after = values[lag - 1], values[lag], values[lag + 1]
            let shift = 0.5 * (before - after) / (before - 2.0 * now + after - 1e-12)
            Some(float rate / (float lag + shift))

/// Pitch in semitones every 10 ms, None where the voice is silent or unvoiced.
let private pitchTrack (samples: float32[]) =
    let room = rate / 25 + rate / 80 + 2

    [| for start in 0 .. rate / 100 .. samples.Length - room ->
           fundamental samples start |> Option.map (fun f -> 12.0 * Math.Log2(f / 440.0)) |]

/// Stretches of the track in which the pitch never leaps by more than 0.6 semitones.
let private held (track: float option[]) =
    let extend (finished, current) pitch =
        match current, pitch with
        | last :: _, Some p when abs (p - last) < 0.6 -> finished, p :: current
        | _, Some p -> current :: finished, [ p ]
        | _, None -> current :: finished, []

    let finished, current = Array.fold extend ([], []) track
    current :: finished |> List.map (List.rev >> List.toArray)

/// The frequency (Hz) between 2 and 12 Hz that is strongest in a pitch track of 100 points a second, and its depth (semitones).
let private modulation (track: float[]) =
    let n = float track.Length
    let mean = Array.average track

    let strength frequency =
        let turn i = 2.0 * Math.PI * frequency * float i / 100.0
        let hann i = 0.5 - 0.5 * cos (2.0 * Math.PI * (float i + 0.5) / n)
        let sum wave = track |> Array.mapi (fun i p -> hann i * (p - mean) * wave (turn i)) |> Array.sum
        4.0 / n * sqrt (sum cos ** 2.0 + sum sin ** 2.0)

    [ 2.0..0.25..12.0 ] |> List.map (fun f -> f, strength f) |> List.maxBy snd

[<Tests>]
let tests =
    testList
        "Synthetic"
        [ property "the same key gives the same song to the last bit" (fun seed -> both (short seed) = both (short seed))

          property "different seeds give different songs" (fun seed ->
              let one, other = short seed, short (seed + 1)
              voice one <> voice other && music one <> music other)

          property "every sample is a number, and no track nor the mixture reaches full scale" (fun seed ->
              let song = short seed
              let below (x: float32) = Single.IsFinite x && abs x < 1.0f
              let mixture = (Stems.sum song.Stems).Channels[0]
              Seq.forall (Array.forall below) [ voice song; music song; mixture ])

          property "a song has the length that was asked for" (fun (tenths: uint8) ->
              let seconds = 2.0 + float (tenths % 40uy) / 10.0
              let song = Synthetic.song seconds "x" (Key.ofSeed 1)
              let expected = int (Math.Round(seconds * float rate))
              song.Stems |> List.forall (fun stem -> stem.Sound.SampleRate = rate && stem.Sound.Length = expected))

          test "the name does not change the song" {
              let one = Synthetic.song 2.0 "one" (Key.ofSeed 3)
              let other = Synthetic.song 2.0 "other" (Key.ofSeed 3)
              Expect.equal (both other, other.Description) (both one, one.Description) "one key, one song"
          }

          test "a song too short for a phrase is refused" {
              for seconds in [ 1.9; 0.0; -1.0; nan ] do
                  Expect.throwsT<ArgumentException> (fun () -> Synthetic.song seconds "x" (Key.ofSeed 1) |> ignore) $"{seconds} s"
          }

          test "a corpus has the songs that were asked for, all different, made within seconds" {
              let clock = Diagnostics.Stopwatch.StartNew()
              let songs = allSongs corpus.Value
              Expect.isLessThan clock.Elapsed.TotalSeconds 20.0 "generation is quick"
              Expect.equal (songs.Length, corpus.Value.Train.Length, corpus.Value.Test.Length) (18, 12, 4) "it has those sizes"
              Expect.equal (List.distinctBy voice songs).Length 18 "the voices of all songs differ"
              Expect.equal (List.distinctBy music songs).Length 18 "the accompaniments of all songs differ"
              Expect.equal (List.distinctBy (fun (s: SyntheticSong) -> s.Name) songs).Length 18 "the names of all songs differ"

              Expect.isGreaterThan
                  (List.distinctBy (fun (s: SyntheticSong) -> s.Description) songs).Length
                  15
                  "musically different, too"
          }

          test "a smaller corpus is a part of a larger one" {
              let one = Synthetic.corpusOf { Train = 1; Dev = 0; Test = 1; Seconds = 2.0 } 5
              let two = Synthetic.corpusOf { Train = 2; Dev = 1; Test = 1; Seconds = 2.0 } 5
              Expect.equal (both one.Train.Head, both one.Test.Head) (both two.Train.Head, both two.Test.Head) "the same songs"
              Expect.notEqual (voice one.Train.Head) (voice one.Test.Head) "train is not test"
          }

          test "voice and music are both heard, comparably loud, and the voice rests between phrases" {
              for song in allSongs corpus.Value do
                  let voice, music = levels (voice song), levels (music song)
                  let share test values = float (Array.length (Array.filter test values)) / float (Array.length values)
                  Expect.isGreaterThan (share (fun level -> level > 0.02) voice) 0.4 $"{song.Name}: the voice sings"
                  Expect.isGreaterThan (share (fun level -> level > 0.01) music) 0.8 $"{song.Name}: the music plays"
                  Expect.isGreaterThan (share (fun level -> level < 1e-3) voice) 0.08 $"{song.Name}: the voice rests"
                  let difference = 20.0 * log10 (rms (source "voice" song) / rms (source "music" song))
                  Expect.isLessThan (abs difference) 6.0 $"{song.Name}: dB between the two"
          }

          test "held notes have a vibrato of 4 to 8 Hz, and melodies move" {
              for song in corpus.Value.Test do
                  let track = pitchTrack (voice song)
                  let pitches = Array.choose id track |> Array.sort
                  let quantile share = pitches[int (share * float (pitches.Length - 1))]
                  Expect.isGreaterThan (quantile 0.95 - quantile 0.05) 1.5 $"{song.Name}: range in semitones"

                  let tails = held track |> List.filter (fun s -> s.Length >= 55) |> List.map (Array.skip 15)
                  let shaken = tails |> List.map modulation
                  let isVibrato (rate, depth) = rate > 4.0 && rate < 8.0 && depth > 0.15
                  Expect.isTrue (List.exists isVibrato shaken) $"{song.Name}: vibrato among {shaken}"
          }

          property "by its parts: four sources in stereo at 44.1 kHz that stay below full scale, the same for a key" (fun seed ->
              let parts = (Synthetic.bandSong 2.0 "parts" (Key.ofSeed seed)).Stems
              let again = (Synthetic.bandSong 2.0 "again" (Key.ofSeed seed)).Stems
              let samples (stems: Stems) = [ for stem in stems -> List.ofSeq stem.Sound.Channels ]
              Expect.equal (Stems.names parts) [ "drums"; "bass"; "other"; "vocals" ] "the four sources are in order"
              Expect.equal (samples again) (samples parts) "the same key gives the same sound"

              for sound in Stems.sum parts :: List.map _.Sound parts do
                  Expect.equal (sound.SampleRate, sound.Channels.Count, sound.Length) (44100, 2, 88200) "two seconds in stereo"
                  Expect.isGreaterThan (rms sound.Channels[0]) 1e-3 "each sound can be heard"
                  Expect.all (Seq.concat sound.Channels) (fun x -> abs x < 1.0f) "below full scale"

              let vocals, other = Stems.find "vocals" parts, Stems.find "other" parts
              let apart (sound: AudioBuffer) = Array.map2 (-) sound.Channels[0] sound.Channels[1] |> rms
              Expect.isLessThan (apart vocals) 1e-3 "vocals in the middle, but for the hiss"
              Expect.isGreaterThan (apart other) (0.2 * rms other.Channels[0]) "the chords aside")

          test "by its parts it is the same song" {
              let whole = Synthetic.song 2.0 "x" (Key.ofSeed 5)
              let vocals = (Synthetic.bandSong 2.0 "x" (Key.ofSeed 5)).Stems |> Stems.find "vocals"
              let found = (Resampler.Resample(vocals, rate)).Channels[0]
              let dot (a: float32[]) b = Array.map2 (fun x y -> float x * float y) a b |> Array.sum
              let expected = voice whole
              let likeness = dot found expected / sqrt (dot found found * dot expected expected)
              Expect.isGreaterThan likeness 0.999 "the voice, but for its level"
          } ]
