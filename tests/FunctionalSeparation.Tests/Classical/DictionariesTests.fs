/// Dictionaries learnt from clips, and supervised separation with them.
module FunctionalSeparation.Tests.DictionariesTests

open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

let private corpus = lazy (Corpus.embedded 3)
let private stft = Stft(1024, 256, StftWindow.Hann, true)

let private plan =
    { MusicAtoms = 6; VoiceAtoms = 4; Frames = 100; Iterations = 15; Divergence = Divergence.KullbackLeibler }

let private clips () = List.truncate 3 corpus.Value.Train
let private learn seed = Dictionaries.learn torch.CPU stft plan (Key.ofSeed seed) (clips ())
let private isSame (a: torch.Tensor) (b: torch.Tensor) = (a - b).abs().max().item<float32>() = 0.0f
let private relative (a: torch.Tensor) (b: torch.Tensor) = (a - b).norm().item<float>() / b.norm().item<float>()

[<Tests>]
let tests =
    testList
        "dictionaries"
        [ test "frames come equally from all clips, and are magnitudes of their sources" {
              Memory.plain (fun () ->
                  let frames = Dictionaries.frames torch.CPU stft 30 (Key.ofSeed 1) (clips ())
                  Expect.equal frames.OfMusic.shape [| 30L; 513L |] "the music gives 30 frames of 513 bins"
                  Expect.equal frames.OfVoice.shape [| 30L; 513L |] "the voice gives 30 frames of 513 bins"
                  let first = List.head (clips ())
                  let sources = Clip.sources Mixing.unitNorm (Clip.key first) torch.float32 torch.CPU (Clip.read first)
                  let spectra = Spectra.magnitude stft (sources.squeeze 1L)

                  for drawn, source in [ frames.OfMusic, 0L; frames.OfVoice, 1L ] do
                      for row in 0L .. 9L do
                          let nearest = (spectra[source] - drawn[row]).abs().sum(1L).min().item<float32>()
                          Expect.equal nearest 0.0f "a frame of the first clip")
          }

          test "the same key, the same atoms; another key, others" {
              Memory.plain (fun () ->
                  let first, again, other = learn 1, learn 1, learn 2
                  Expect.equal first.OfMusic.shape [| 6L; 513L |] "atoms of music"
                  Expect.equal first.OfVoice.shape [| 4L; 513L |] "atoms of voice"
                  Expect.isTrue (isSame first.OfVoice again.OfVoice && isSame first.OfMusic again.OfMusic) "one key, one set"
                  Expect.isFalse (isSame first.OfVoice other.OfVoice) "another key learns other atoms of voice")
          }

          test "sources made of their own atoms are told apart" {
              Memory.plain (fun () ->
                  let random seed shape = Key.uniformTensor 0.0 1.0 shape (Key.ofSeed seed)
                  let sparse seed shape = (random seed shape).pow(4.0)
                  let ofMusic, ofVoice = sparse 1 [ 3L; 40L ], sparse 2 [ 3L; 40L ]
                  let music, voice = (random 3 [ 30L; 3L ]).mm ofMusic, (random 4 [ 30L; 3L ]).mm ofVoice

                  for kind in [ Divergence.Euclidean; Divergence.KullbackLeibler ] do
                      let found = Dictionaries.decompose kind 3000 { OfMusic = ofMusic; OfVoice = ofVoice } (music .+ voice)

                      Expect.isLessThan (relative found.MusicPart music) 0.02 $"{kind}: the music is found within 2 %%"
                      Expect.isLessThan (relative found.VoicePart voice) 0.02 $"{kind}: the voice is found within 2 %%")
          }

          test "a silent source is refused, with the name of its clip" {
              let silent =
                  { List.head (clips ()) with
                      Name = "hush"
                      Read = fun () -> Stems.ofMono 16000 [ "music", Array.create 4000 0.1f; "voice", Array.zeroCreate 4000 ] }

              Scratch.refuses [ "hush"; "voice" ] (fun () ->
                  Dictionaries.frames torch.CPU stft 10 (Key.ofSeed 1) [ silent ] |> ignore)
          }

          test "four sources are refused, not taken for two" {
              let band = Clip.create "band" 16000 1 [ "a"; "b"; "c"; "d" ] (fun () -> failtest "it is not read")

              Scratch.refuses [ "band"; "a, b, c, d"; "Corpus.grouped" ] (fun () ->
                  Dictionaries.frames torch.CPU stft 10 (Key.ofSeed 1) [ band ] |> ignore)
          } ]
