/// Masks of decompositions, and separators made of them.
module FunctionalSeparation.Tests.DecompositionTests

open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

let private noise seed (shape: int64 list) = Key.uniformTensor -1.0 1.0 shape (Key.ofSeed seed)
let private difference (a: torch.Tensor) (b: torch.Tensor) = (a - b).abs().max().item<float>()
let private rules = [ MaskRule.Binary 1.0; MaskRule.Binary 1.5; MaskRule.Ratio 1.0; MaskRule.Ratio 2.0 ]

let private rendering rule = { SampleRate = 16000; Stft = Stft(1024, 256, StftWindow.Hann, true); Rule = rule; VoiceFrom = 0.0 }

let private row (values: float list) = torch.tensor(Array.ofList values).view(1L, -1L)
let private values (x: torch.Tensor) = x.contiguous().data<float>().ToArray() |> List.ofArray

/// [sources, samples'] of a mono mixture.
let private estimates (separator: Separator) (mixture: torch.Tensor) =
    match separator.Estimator with
    | Blind separate -> (separate (mixture.unsqueeze 0L)).squeeze 1L
    | Oracle _ -> failtest "a system, not a ceiling"

[<Tests>]
let tests =
    testList
        "decomposition"
        [ testProperty "masks lie in [0, 1] and sum to one, whatever the signs and the level"
          <| fun (seed: int) ->
              Memory.plain (fun () ->
                  for rule in rules do
                      for level in [ 0.0; 1e-20; 1.0; 1e10 ] do
                          let parts =
                              { MusicPart = (noise seed [ 5L; 9L ]).mul level
                                VoicePart = (noise (seed + 1) [ 5L; 9L ]).mul level }

                          let masks = Decomposition.masks (rendering rule) parts
                          Expect.isGreaterThanOrEqual (masks.min().item<float>()) 0.0 "at least 0"
                          Expect.isLessThanOrEqual (masks.max().item<float>()) 1.0 "at most 1"
                          Expect.isLessThan (difference (masks.sum 0L) (torch.ones (5L, 9L, dtype = torch.float64))) 1e-12 "sum")

          test "the voice's share is that of the rule" {
              Memory.plain (fun () ->
                  let parts = { MusicPart = row [ 1.0; 1.0; 3.0; 0.0 ]; VoicePart = row [ 1.0; -2.0; 1.0; 0.0 ] }
                  let voice rule = (Decomposition.masks (rendering rule) parts).select(0L, 1L) |> values
                  Expect.equal (voice (MaskRule.Binary 1.0)) [ 0.0; 1.0; 0.0; 0.0 ] "louder than the music"
                  Expect.equal (voice (MaskRule.Binary 2.5)) [ 0.0; 0.0; 0.0; 0.0 ] "2.5 times louder"

                  for expected, found in List.zip [ 0.5; 0.8; 0.1; 0.0 ] (voice (MaskRule.Ratio 2.0)) do
                      Expect.floatClose Accuracy.high found expected "the share of the voice is one of powers")
          }

          test "bins below the voice's band belong to the music" {
              Memory.plain (fun () ->
                  let parts = { MusicPart = torch.zeros (3L, 513L); VoicePart = torch.ones (3L, 513L) }
                  let limited = { rendering (MaskRule.Ratio 1.0) with VoiceFrom = 100.0 }
                  let voice = (Decomposition.masks limited parts)[1L]
                  // A bin is 15.625 Hz: 100 Hz lies between bins 6 and 7.
                  Expect.equal (voice.narrow(1L, 0L, 7L).max().item<float32>()) 0.0f "bins below 100 Hz hold no voice"
                  Expect.equal (voice.narrow(1L, 7L, 506L).min().item<float32>()) 1.0f "bins from 100 Hz on are all voice")
          }

          test "estimates sum to the mixture and are as long" {
              Memory.plain (fun () ->
                  let mixture = noise 3 [ 20001L ]

                  let halves (x: torch.Tensor) =
                      Memory.scoped Decomposition.tensors (fun () -> { MusicPart = x * x; VoicePart = x })

                  for rule in rules do
                      let found = estimates (Decomposition.separator "halves" (rendering rule) halves) mixture
                      Expect.equal found.shape [| 2L; 20001L |] "sources x samples"
                      Expect.isLessThan (difference (found.sum 0L) mixture) 1e-9 "the estimates sum to the mixture")
          }

          test "on the front end of the paper, estimates are cut to whole frames" {
              Memory.plain (fun () ->
                  let paper = { rendering (MaskRule.Ratio 1.0) with Stft = Stft.Huang2014 }
                  let copy (x: torch.Tensor) = { MusicPart = x.clone (); VoicePart = x.clone () }
                  let found = estimates (Decomposition.separator "copies" paper copy) (noise 3 [ 20001L ])
                  Expect.equal found.shape [| 2L; 19968L |] "the estimates are as long as 38 whole frames")
          } ]
