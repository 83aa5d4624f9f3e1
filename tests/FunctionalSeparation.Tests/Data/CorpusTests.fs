/// Sources by name, how they are mixed, and corpora made of others.
module FunctionalSeparation.Tests.CorpusTests

open System
open Expecto
open FsCheck
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

let private noise length seed = Key.uniforms length (Key.ofSeed seed) |> Array.map (fun u -> float32 (2.0 * u - 1.0))

let private sound channels length seed =
    AudioBuffer([| for channel in 0 .. channels - 1 -> noise length (10 * seed + channel) |], 8000)

/// A clip of noise with these sources.
let private clip (names: string list) channels seed =
    Clip.create $"clip {seed}" 8000 channels names (fun () ->
        [ for index, name in List.indexed names -> { Name = name; Sound = sound channels 200 (100 * seed + index) } ])

let private corpus names channels =
    { Name = "noise"
      Place = "nowhere"
      Mixing = Mixing.plain
      Train = [ clip names channels 1; clip names channels 2 ]
      Dev = []
      Test = [ clip names channels 3 ]
      LeftOut = []
      Notes = [] }

let private band = [ "drums"; "bass"; "other"; "vocals" ]
let private samples (sound: AudioBuffer) = sound.Channels |> Seq.concat |> Array.ofSeq
let private difference (a: float32[]) (b: float32[]) = Array.map2 (fun x y -> abs (x - y)) a b |> Array.max
let private numbers (x: torch.Tensor) = x.to_type(torch.float64).contiguous().data<float>().ToArray()

let private mixed (mixing: Mixing) seed (recorded: torch.Tensor) = Mixing.apply mixing (Key.ofSeed seed) recorded

let private mixingTests =
    testList
        "mixing"
        [ testProperty "unit norm: each source has energy 1 over all its channels, and a silent one stays silent"
          <| fun (seed: int) ->
              Memory.plain (fun () ->
                  let recorded = (Key.uniformTensor -1.0 1.0 [ 3L; 2L; 50L ] (Key.ofSeed seed)).mul 0.01
                  recorded.select(0L, 1L).zero_() |> ignore
                  let energies = (mixed Mixing.unitNorm seed recorded).squared().sum([| 1L; 2L |]) |> numbers

                  for found, expected in Array.zip energies [| 1.0; 0.0; 1.0 |] do
                      Expect.floatClose Accuracy.high found expected "each source that sounds has energy 1")

          testProperty "gains stay in their range, differ from source to source, and come back with the key"
          <| fun (seed: int) ->
              Memory.plain (fun () ->
                  let ones = torch.ones (4L, 2L, 3L, dtype = torch.float64)

                  let gains key =
                      (mixed (Mixing.gains 6.0) key ones).select(2L, 0L) |> numbers |> Array.map (fun x -> 20.0 * log10 x)

                  let found = gains seed
                  Expect.all found (fun gain -> abs gain <= 6.0 + 1e-9) "at most 6 dB"
                  Expect.equal (Array.distinct found).Length 4 "one for all channels of a source, another for each source"
                  Expect.equal (gains seed) found "the same key"
                  Expect.notEqual (gains (seed + 1)) found "another key draws other gains")

          test "as recorded, and one after the other" {
              Memory.plain (fun () ->
                  let recorded = Key.uniformTensor -1.0 1.0 [ 2L; 1L; 9L ] (Key.ofSeed 1)
                  Expect.equal (numbers (mixed Mixing.plain 0 recorded)) (numbers recorded) "plain mixing changes nothing"
                  let both = Mixing.unitNorm |> Mixing.andThen (Mixing.gains 3.0)
                  Expect.equal (IdText.text both.Id) "each source at unit norm, gains of up to 3 dB" "it says both in words"
                  let levels = (mixed both 4 recorded).squared().sum([| 1L; 2L |]).log10().mul 10.0 |> numbers
                  Expect.all levels (fun level -> abs level <= 3.0) "gains of unit norm"
                  Expect.notEqual levels[0] levels[1] "each source has a gain of its own")
          }

          test "what is no [sources, channels, samples], and a range below 0, are refused" {
              Memory.plain (fun () ->
                  Scratch.refusesArgument [ "mixing"; "sources"; "[2, 9]" ] (fun () ->
                      mixed Mixing.unitNorm 0 (torch.ones (2L, 9L)) |> ignore)

                  Scratch.refusesArgument [ "range"; "-1" ] (fun () -> Mixing.gains -1.0 |> ignore))
          } ]

let private corpusTests =
    testList
        "corpora"
        [ test "the fingerprint is that of the songs before sources had names" {
              if not (OperatingSystem.IsLinux()) then
                  skiptest "sines are rounded otherwise on other systems"

              let songs = Corpus.embedded 0
              Expect.equal (Corpus.fingerprint songs.Train) "32835fc6cca74e56" "the training songs are the same as ever"
              Expect.equal (Corpus.fingerprint (songs.Train @ songs.Dev @ songs.Test)) "da264f7b8644ff7f" "all are as ever"
              Expect.equal (Corpus.fingerprint (Corpus.named [ "a"; "b" ] songs).Train) "32835fc6cca74e56" "whatever their names"
          }

          testProperty "grouped sources sum to what the sources sum to, and keep the order given"
          <| fun (PositiveInt seed) ->
              let groups = [ "vocals", [ "vocals" ]; "accompaniment", [ "other"; "drums"; "bass" ] ]
              let whole = { corpus band 2 with Train = [ clip band 2 seed ] }
              let grouped = Corpus.grouped groups whole
              let before, after = Clip.read whole.Train.Head, Clip.read grouped.Train.Head
              Expect.equal (Stems.names after) [ "vocals"; "accompaniment" ] "the sources keep the order given"
              Expect.equal grouped.Train.Head.Sources (Stems.names after) "the clip says so"
              Expect.equal (samples (Stems.find "vocals" after)) (samples (Stems.find "vocals" before)) "one alone is as it was"
              Expect.isLessThan (difference (samples (Stems.sum after)) (samples (Stems.sum before))) 1e-6f "the sum is kept"

          test "a group tells of itself; a source in none or two of them, or unknown, is refused by the clip's name" {
              let words = (Corpus.grouped [ "rest", [ "drums"; "bass"; "other" ]; "vocals", [ "vocals" ] ] (corpus band 1)).Name
              Expect.equal words "noise as rest (drums + bass + other), vocals" "the name tells of the groups"

              for groups in
                  [ [ "rest", [ "drums"; "bass" ]; "vocals", [ "vocals" ] ]
                    [ "rest", [ "drums"; "bass"; "other"; "vocals" ]; "vocals", [ "vocals" ] ]
                    [ "rest", [ "drums"; "bass"; "piano" ]; "vocals", [ "vocals" ] ]
                    [ "rest", band; "nothing", [] ]
                    [ "same", [ "drums"; "bass"; "other" ]; "same", [ "vocals" ] ] ] do
                  Scratch.refusesArgument [ "clip 1"; "drums, bass, other, vocals" ] (fun () ->
                      Corpus.grouped groups (corpus band 1) |> ignore)
          }

          test "other names, the same sound" {
              let named = Corpus.named [ "a"; "b" ] (corpus [ "music"; "voice" ] 1)
              let found, expected = Clip.read named.Train.Head, Clip.read (corpus [ "music"; "voice" ] 1).Train.Head
              Expect.equal (Stems.names found) [ "a"; "b" ] "the sources have the new names"
              Expect.equal (samples (Stems.find "b" found)) (samples (Stems.find "voice" expected)) "the sound is the same"

              for names in [ [ "a" ]; [ "a"; "a" ]; [ "a"; "b"; "c" ] ] do
                  Scratch.refusesArgument [ "clip 1"; "music, voice" ] (fun () ->
                      Corpus.named names (corpus [ "music"; "voice" ] 1) |> ignore)
          }

          test "another rate and one channel are made where they are asked for, and said" {
              let stereo = corpus band 2
              let slow, mono = Corpus.resampled 4000 stereo, Corpus.mono stereo
              Expect.equal (slow.Name, mono.Name) ("noise at 4000 Hz", "noise, mono") "the names say what was made"
              let clip = slow.Train.Head
              Expect.equal (clip.SampleRate, clip.Channels) (4000, 2) "the rate is new and the channels stay"
              Expect.equal (Stems.length (Clip.read clip)) 100 "half as many samples"
              let recorded = Stems.find "bass" (Clip.read stereo.Test.Head)
              let mean = Array.map2 (fun left right -> (left + right) / 2.0f) recorded.Channels[0] recorded.Channels[1]
              Expect.equal (samples (Stems.find "bass" (Clip.read mono.Test.Head))) mean "the mean of the channels"
              Expect.equal mono.Test.Head.Channels 1 "the mono clip has one channel"
          }

          test "several corpora are one, their clips told apart by their places" {
              let at place sources = { corpus sources 1 with Place = place }
              let one, two = at "one" [ "a"; "b" ], at "two" [ "a"; "b" ]
              let joined = Corpus.joined [ one; two ]
              let names = [ for clip in joined.Train -> clip.Name ]

              Expect.equal
                  names
                  [ for place in [ one; two ] do
                        for clip in place.Train -> $"{place.Place}/{clip.Name}" ]
                  "the clips of both are there in order"

              Expect.hasLength (joined.Test @ joined.Dev) (2 * (one.Test @ one.Dev).Length) "the other parts are joined too"
              Expect.equal (Corpus.joined [ one ]).Place "one" "one is itself"

              Scratch.refuses [ "other: has a, c"; "one has a, b" ] (fun () ->
                  Corpus.joined [ one; at "other" [ "a"; "c" ] ] |> ignore)

              Scratch.refusesArgument [ "No corpora" ] (fun () -> Corpus.joined [] |> ignore)
          }

          test "sound that is not what its clip says is refused by the clip's name" {
              let right = clip [ "a"; "b" ] 2 1
              let refuses words changed = Scratch.refuses ("clip 1" :: words) (fun () -> Clip.read changed |> ignore)
              refuses [ "a, c"; "a, b" ] { right with Sources = [ "a"; "c" ] }
              refuses [ "'a'"; "1 of" ] { right with Channels = 1 }
              refuses [ "'a'"; "16000 Hz" ] { right with SampleRate = 16000 }

              refuses
                  [ "'b'"; "150 samples" ]
                  { right with
                      Read = fun () -> [ { Name = "a"; Sound = sound 2 200 1 }; { Name = "b"; Sound = sound 2 150 2 } ] }
          }

          test "a name that is not there is refused with those that are" {
              Scratch.refusesArgument [ "'piano'"; "drums, bass, other, vocals" ] (fun () ->
                  Clip.read (corpus band 1).Test.Head |> Stems.find "piano" |> ignore)
          } ]

[<Tests>]
let tests = testList "corpus" [ mixingTests; corpusTests ]
