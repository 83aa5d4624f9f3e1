/// The iKala loader on made-up clips in the data set's layout.
module FunctionalSeparation.Tests.IKalaTests

open System
open System.IO
open Expecto
open FunctionalSeparation
open FunctionalSeparation.Core

let private sine (frequency: float) rate count =
    Array.init count (fun n -> float32 (0.5 * sin (2.0 * Math.PI * frequency * float n / float rate)))

let private write folder name (channels: float32[] list) rate =
    AudioFile.Write(Path.Combine(folder, "Wavfile", name), AudioBuffer(Array.ofList channels, rate)) |> ignore

let private second frequency = sine frequency 44100 44100

/// Songs with chorus and verse, written in an order that is not that of their names.
let private madeUp folder songs =
    for song in List.rev songs do
        for part in [ "verse"; "chorus" ] do
            write folder $"{song}_{part}.wav" [ second 220.0; second 1000.0 ] 44100

let private energyOf (x: float32 seq) = x |> Seq.sumBy (fun value -> float value ** 2.0)

[<Tests>]
let tests =
    testList
        "iKala"
        [ test "left is music, right is voice, 44.1 kHz becomes 16 kHz" {
              Scratch.inFolder (fun folder ->
                  write folder "10161_chorus.wav" [ second 220.0; second 1000.0 ] 44100
                  let clip = (IKala.load folder).Test.Head
                  let stems = Clip.read clip
                  let music, voice = Stems.find "music" stems, Stems.find "voice" stems
                  Expect.equal (clip.Name, clip.Song, clip.SampleRate) ("10161_chorus", "10161", 16000) "its facts are right"
                  Expect.equal (music.Length, voice.Length) (16000, 16000) "both sources have a second of samples"

                  let isSine frequency (samples: float32[]) =
                      let error = Array.map2 (-) (sine frequency 16000 16000) samples
                      // The ends hear the silence around the clip.
                      energyOf error[2000..14000] < 1e-8 * energyOf samples[2000..14000]

                  Expect.isTrue (isSine 220.0 music.Channels[0]) "the left channel is the music"
                  Expect.isTrue (isSine 1000.0 voice.Channels[0]) "the right channel is the voice")
          }

          test "the first quarter in ordinal order trains" {
              Scratch.inFolder (fun folder ->
                  madeUp folder [ "10161"; "10164"; "2000"; "54194" ]
                  let corpus = IKala.load folder
                  Expect.equal (corpus.Train |> List.map _.Name) [ "10161_chorus"; "10161_verse" ] "the first song trains"

                  Expect.equal
                      (corpus.Test |> List.map _.Name)
                      [ "10164_chorus"; "10164_verse"; "2000_chorus"; "2000_verse"; "54194_chorus"; "54194_verse" ]
                      "the other songs are for testing"

                  Expect.isEmpty corpus.Dev "there are no development clips")
          }

          test "252 clips are 63 for training and 189 for testing" {
              Scratch.inFolder (fun folder ->
                  Directory.CreateDirectory(Path.Combine(folder, "Wavfile")) |> ignore

                  for song in 10000..10125 do
                      for part in [ "chorus"; "verse" ] do
                          File.WriteAllBytes(Path.Combine(folder, "Wavfile", $"{song}_{part}.wav"), [| 0uy |])

                  let corpus = IKala.load folder
                  Expect.equal (corpus.Train.Length, corpus.Test.Length) (63, 189) "the paper's counts")
          }

          test "a folder of iKala is told from others" {
              Scratch.inFolder (fun folder ->
                  Expect.isFalse (IKala.isIn (Path.Combine(folder, "nowhere"))) "a folder that is not there is not iKala"
                  Expect.isFalse (IKala.isIn folder) "an empty folder is not iKala"
                  write folder "abjones_5_08.wav" [ second 220.0; second 1000.0 ] 16000
                  Expect.isFalse (IKala.isIn folder) "clips of MIR-1K are not iKala"
                  madeUp folder [ "10161" ]
                  Expect.isTrue (IKala.isIn folder) "a song of iKala is recognised")
          }

          test "what is no iKala is refused by name" {
              Scratch.refuses [ "nowhere"; "Wavfile" ] (fun () -> IKala.load "nowhere" |> ignore)

              Scratch.inFolder (fun folder ->
                  Scratch.refuses [ folder; "no audio clips" ] (fun () -> IKala.load folder |> ignore)
                  madeUp folder [ "10161" ]
                  write folder "abjones_5_08.wav" [ second 220.0; second 1000.0 ] 44100
                  let others = [ for one in (IKala.load folder).LeftOut -> Path.GetFileName one.Path, one.Reason ]
                  Expect.equal others [ "abjones_5_08.wav", "not named SONG_chorus or SONG_verse" ] "left out by name")

              Scratch.inFolder (fun folder ->
                  write folder "10161_chorus.wav" [ second 220.0 ] 44100
                  let clip = (IKala.load folder).Test.Head
                  Scratch.refuses [ "10161_chorus.wav"; "2 channels"; "has 1" ] (fun () -> clip.Read() |> ignore))
          } ]
