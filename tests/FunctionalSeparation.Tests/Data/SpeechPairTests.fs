module FunctionalSeparation.Tests.SpeechPairTests

open System
open System.IO
open Expecto
open FunctionalSeparation
open FunctionalSeparation.Core

/// A folder of sentences whose samples count on, a thousandth a sample, over all of them.
let private speaker (root: string) (name: string) rate (lengths: int list) =
    let folder = Path.Combine(root, name)
    let starts = lengths |> List.scan (+) 0

    for index, (start, length) in List.indexed (List.zip (List.truncate lengths.Length starts) lengths) do
        let samples = Array.init length (fun i -> float32 (start + i) / 1000.0f)
        AudioFile.Write(Path.Combine(folder, $"s{index}.wav"), AudioBuffer([| samples |], rate)) |> ignore

    folder

let private counts (sound: AudioBuffer) = sound.Channels[0] |> Array.map (fun x -> int (Math.Round(1000.0 * float x)))

let private first = Stems.find "speaker 1"
let private second = Stems.find "speaker 2"

[<Tests>]
let tests =
    testList
        "SpeechPair"
        [ test "sentences are joined in order; 80, 10 and 10 %; each part cut to the shorter; speaker 1 is the voice" {
              Scratch.inFolder (fun root ->
                  let corpus = SpeechPair.ofFolders (speaker root "A" 16000 [ 40; 30; 30 ]) (speaker root "B" 16000 [ 50; 20 ])
                  Expect.equal corpus.Name "A-B" "the name is that of both folders"
                  let train, dev, test = Clip.read corpus.Train.Head, Clip.read corpus.Dev.Head, Clip.read corpus.Test.Head
                  // A: 100 samples, 80 + 10 + 10. B: 70 samples, 56 + 7 + 7.
                  Expect.equal (counts (first train)) [| 0..55 |] "the first part of A trains"
                  Expect.equal (counts (second train)) [| 0..55 |] "the first part of B trains"
                  Expect.equal (counts (first dev)) [| 80..86 |] "the next part of A is for development"
                  Expect.equal (counts (second dev)) [| 56..62 |] "the next part of B is for development"
                  Expect.equal (counts (first test)) [| 90..96 |] "the last part of A is for testing"
                  Expect.equal (counts (second test)) [| 63..69 |] "the last part of B is for testing")
          }

          test "48 kHz becomes 16 kHz, sentence by sentence" {
              Scratch.inFolder (fun root ->
                  let corpus = SpeechPair.ofFolders (speaker root "A" 48000 [ 3001; 2999 ]) (speaker root "B" 16000 [ 5000 ])
                  Expect.equal corpus.Train.Head.SampleRate 16000 "the rate becomes 16 kHz"
                  // ceil(3001 / 3) + ceil(2999 / 3) = 1001 + 1000 samples: 1600 of the first 1800 train.
                  Expect.equal (Stems.length (Clip.read corpus.Train.Head)) 1600 "80 % of the sound are for training"
                  Expect.equal (Stems.length (Clip.read corpus.Test.Head)) (2001 - 1800) "the last tenth is for testing")
          }

          test "noise at 8 kHz: one clip a noise, the noise repeated from its own part" {
              Scratch.inFolder (fun root ->
                  let speech = speaker root "A" 8000 [ 1000 ]
                  speaker root "noise" 8000 [ 50; 50 ] |> ignore
                  let corpus = SpeechPair.inNoise speech (Path.Combine(root, "noise"))
                  Expect.equal [ for clip in corpus.Train -> clip.Name ] [ "s0 train"; "s1 train" ] "each noise has a clip"
                  Expect.equal corpus.Test.Head.SampleRate 8000 "the rate stays at 8 kHz"
                  let test = Clip.read corpus.Test[1]
                  Expect.equal (counts (Stems.find "speech" test)) [| 900..999 |] "the speech is its last tenth"
                  // The second noise counts from 50: its last tenth is 95 to 99.
                  Expect.equal (counts (Stems.find "noise" test)) [| for i in 0..99 -> 95 + i % 5 |] "its own part repeats")
          }

          test "training in pieces: together they are the whole, and nothing else changes" {
              Scratch.inFolder (fun root ->
                  let whole = SpeechPair.ofFolders (speaker root "A" 16000 [ 4000 ]) (speaker root "B" 16000 [ 4000 ])
                  let pieces = SpeechPair.inPieces 0.05 whole

                  Expect.equal
                      [ for clip in pieces.Train -> Stems.length (Clip.read clip) ]
                      [ 800; 800; 800; 800 ]
                      "the pieces make up all 3200 samples"

                  let joined = pieces.Train |> List.map (fun clip -> (second (Clip.read clip)).Channels[0]) |> Array.concat
                  Expect.equal joined (second (Clip.read whole.Train.Head)).Channels[0] "the pieces joined are the whole"
                  Expect.equal (List.distinctBy _.Song pieces.Train).Length 4 "each is a song of its own"
                  let uneven = SpeechPair.inPieces 0.08 whole

                  Expect.equal
                      [ for clip in uneven.Train -> Stems.length (Clip.read clip) ]
                      [ 1280; 1920 ]
                      "the last takes the rest"

                  Expect.equal (SpeechPair.inPieces 10.0 whole).Train.Length 1 "longer than all"
                  Expect.throwsT<ArgumentException> (fun () -> SpeechPair.inPieces 0.0 whole |> ignore) "0 s are refused")
          }

          test "what is missing or has two channels is named" {
              Scratch.inFolder (fun root ->
                  let a = speaker root "A" 16000 [ 100 ]

                  Scratch.refuses [ "nowhere"; "no audio files" ] (fun () ->
                      SpeechPair.ofFolders a (Path.Combine(root, "nowhere")) |> ignore)

                  Scratch.refuses [ "female_train.wav" ] (fun () -> SpeechPair.timit a |> ignore)
                  let stereo = Path.Combine(root, "B", "two.wav")
                  AudioFile.Write(stereo, AudioBuffer([| Array.zeroCreate 9; Array.zeroCreate 9 |], 16000)) |> ignore
                  let load () = SpeechPair.ofFolders a (Path.Combine(root, "B"))
                  Scratch.refuses [ "two.wav"; "2 channels" ] (load >> ignore)
                  let good = speaker root "B" 16000 [ 100 ]
                  let cut = Path.Combine(good, "cut.wav")
                  File.WriteAllBytes(cut, (File.ReadAllBytes stereo)[..50])
                  let corpus = load ()
                  Expect.isGreaterThan (Stems.length (Clip.read corpus.Train.Head)) 0 "the good sentences are read"
                  let faults = corpus.LeftOut |> List.filter LeftOut.isUnusable |> List.map _.Path
                  Expect.equal faults [ cut; stereo ] "the others are named")
          }

          test "the TIMIT pair: parts of equal length, the female is speaker 1" {
              let corpus = SpeechPair.timit (Scratch.sharedData [ "TIMIT-pair" ])

              let lengths =
                  [ for clip in [ corpus.Train.Head; corpus.Dev.Head; corpus.Test.Head ] -> Stems.length (Clip.read clip) ]

              Expect.equal lengths [ 357994; 64820; 43520 ] "the shorter of each two"
              let female = AudioFile.Read(Scratch.sharedData [ "TIMIT-pair"; "female_test.wav" ])
              Expect.equal (first (Clip.read corpus.Test.Head)).Channels[0] (Array.truncate 43520 female.Channels[0]) "female"
          } ]
