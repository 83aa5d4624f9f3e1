module FunctionalSeparation.Tests.SpectraTests

open System.Text.Json
open System.Text.Json.Nodes
open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

let private noise seed (shape: int64 list) = Key.uniformTensor -1.0 1.0 shape (Key.ofSeed seed)
let private difference (a: torch.Tensor) (b: torch.Tensor) = (a - b).abs().max().item<float>()
let private frontEnd = FrontEnd.huang2014
let private showing features : FrameFeatures = { Features = features; Context = 3; InputScale = 1.0 }

let private sizes = [ Magnitude, 513; LogPower, 513; LogMel, 123; Mfcc, 39 ]

/// The features of a whole clip, its edges repeated.
let private ofWhole shown (magnitude: torch.Tensor) =
    Spectra.withMargins (FrameFeatures.margin shown) magnitude |> Spectra.features frontEnd shown

[<Tests>]
let tests =
    testList
        "Spectra"
        [ for features, size in sizes do
              test $"{features}: {size} numbers for each of 3 frames, one input for each frame of the mixture" {
                  Memory.plain (fun () ->
                      let shown = showing features
                      Expect.equal (FrameFeatures.inputs frontEnd.Stft shown) (3 * size) "the network has so many inputs"
                      let input = ofWhole shown ((noise 1 [ 20L; 2L; 513L ]).abs())
                      Expect.equal input.shape [| 20L; 2L; int64 (3 * size) |] "there is an input for each frame"
                      // Oldest first: the middle third is the frame itself, the first third the frame before.
                      let part index = input.narrow (2L, int64 (index * size), int64 size)
                      let earlier, own = part 0, part 1
                      Expect.equal (difference (earlier.narrow (0L, 1L, 19L)) (own.narrow (0L, 0L, 19L))) 0.0 "oldest first")
              }

              test $"{features}: an excerpt has the features that the whole clip has there" {
                  Memory.plain (fun () ->
                      let shown = showing features
                      let margin = FrameFeatures.margin shown
                      let clip = (noise 2 [ 40L; 1L; 513L ]).abs()
                      let excerpt = clip.narrow (0L, 11L - margin, 9L + 2L * margin)
                      let alone = Spectra.features frontEnd shown excerpt
                      let there = (ofWhole shown clip).narrow(0L, 11L, 9L)
                      Expect.isLessThan (difference alone there) 1e-12 "the features are those of the whole clip")
              }

              test $"{features}: separated block by block or at once, the estimates are the same" {
                  Memory.plain (fun () ->
                      let architecture = { Drnn.huang2014 with Features = features; InputScale = 10.0; Hidden = [ 10; 10 ] }

                      let trained =
                          { Network = Drnn.network architecture
                            Parameters =
                              Params.init (Network.layout (Drnn.network architecture)) torch.float64 torch.CPU (Key.ofSeed 2)
                            Level = Some 0.01 }

                      let mixture = noise 3 [ 1L; 40000L ]
                      let atOnce = Scratch.separatedInPieces 100000 trained mixture

                      for frames in [ 3; 17 ] do
                          let inBlocks = Scratch.separatedInPieces (512 * frames) trained mixture
                          Expect.isLessThan (difference inBlocks atOnce) 1e-10 $"blocks of {frames}")
              }

              test $"{features}: the description of a model keeps them" {
                  let words (drnn: Drnn) = (Drnn.network drnn).Architecture
                  let read (json: JsonObject) = string (Drnn.read (JsonElement.Parse(json.ToJsonString()))).Architecture
                  let json = words { Drnn.huang2014 with Features = features }
                  Expect.equal (read json) (string json) "there and back"
                  json.Remove "features" |> ignore
                  Expect.equal (read json) (string (words Drnn.huang2014)) "without the entry: magnitudes"
              }

          test "silence is zero, whatever the features, and a louder mixture has larger logarithms" {
              Memory.plain (fun () ->
                  for features, _ in sizes do
                      let silence = torch.zeros (10L, 1L, 513L, dtype = torch.float64)
                      Expect.equal ((ofWhole (showing features) silence).abs().max().item<float>()) 0.0 "silence gives zeros"

                  let shown = { showing LogPower with Context = 1 }

                  let level (x: float) =
                      let steady = torch.zeros(10L, 1L, 513L, dtype = torch.float64).fill_(x: float)
                      (ofWhole shown steady).mean().item<float>()

                  // log10(1 + (1000 x)^2): 1 above the floor by 30 dB is 3 Bel and 0.0004 more.
                  Expect.floatClose Accuracy.high (level 0.001) (log10 2.0) "at the floor"
                  Expect.floatClose Accuracy.high (level (sqrt 1e-3)) (log10 1001.0) "30 dB above the floor")
          }

          test "the scale is one of magnitudes: 10 times the scale is 10 times the mixture" {
              Memory.plain (fun () ->
                  let magnitude = (noise 4 [ 12L; 1L; 513L ]).abs()

                  for features, _ in sizes do
                      let plain, scaled = showing features, { showing features with InputScale = 10.0 }
                      let louder = ofWhole plain (magnitude.mul 10.0)
                      Expect.isLessThan (difference (ofWhole scaled magnitude) louder) 1e-9 $"{features}")
          }

          test "a steady mixture has constant log mel powers and no deltas" {
              Memory.plain (fun () ->
                  let shown = { showing LogMel with Context = 1 }
                  let steady = (noise 5 [ 1L; 1L; 513L ]).abs().expand(15L, 1L, 513L)
                  let input = ofWhole shown steady
                  Expect.isLessThan ((input.narrow (2L, 41L, 82L)).abs().max().item<float>()) 1e-12 "there are no deltas"
                  Expect.isGreaterThan ((input.narrow (2L, 0L, 41L)).min().item<float>()) 0.0 "the log powers are positive")
          } ]
