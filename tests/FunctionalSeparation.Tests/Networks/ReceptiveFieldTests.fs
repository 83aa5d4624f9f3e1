/// Networks look as far as they declare, or are not trained.
module FunctionalSeparation.Tests.ReceptiveFieldTests

open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

let private spec: SourceSpec =
    { FrontEnd = FrontEnd.create 16000 64 16; Channels = 1; Sources = Stems.musicAndVoice }

let private bins = 33

let private along (kernel: int) = Conv.create { Conv.settings 1 2 4 with Kernel = kernel, 1 }

/// Masks of a network that declares to look so far.
let private declaring (back, ahead) model =
    (Family.define "own" (fun (_: {| Version: int |}) _ -> NetworkPlan.complexMask (back, ahead) model)).Network
        {| Version = 1 |}
        spec

let private recurrent layer = Image.toFrames --> layer (2 * bins) (4 * bins) --> Image.ofFrames 4

let private twice (image: torch.Tensor) = torch.cat ([| image; image |], 1L)

/// A frame of the future alone.
let private later count = Model.pureFunction "later" (Activations.map (fun image -> (twice image).roll(int64 -count, 2L)))

let private zeros = Model.pureFunction "zeros" (Activations.map (fun image -> torch.zeros_like (twice image)))

let private clips = lazy (Corpus.embedded 3).Train

let private train folder network =
    Run.train
        { Recipe =
            Recipe.create
                network
                Loss.siSdr
                (Optimiser.adam (Schedule.cosine 1e-3))
                (Sampler.excerpts (ExcerptSettings.ofSize 20 2))
                (Steps 1)
          Train = clips.Value
          Dev = []
          Device = torch.CPU
          Folder = folder
          Resume = false
          CheckpointEvery = 1
          TensorBoard = false
          Report = ignore }

[<Tests>]
let tests =
    testList
        "receptive fields"
        [ for name, model, expected in
              [ "one frame", along 1, (0, 0)
                "a convolution of 17 frames", along 17, (8, 8)
                "the frame after the next", later 2, (0, 2)
                "nothing", zeros, (0, 0)
                "a recurrent layer, whose past is its state", recurrent Lstm.layer, (0, 0) ] do
              test $"measured: {name}" {
                  Expect.equal (ReceptiveField.measure (0, 0) (declaring (0, 0) model)) expected "frames back and ahead"
              }

          test "measured: one that starts at zero hides nothing" {
              let silent = { along 5 with Layout = (along 5).Layout |> List.map (fun weight -> { weight with Init = Zeros }) }
              Expect.equal (ReceptiveField.measure (0, 0) (declaring (0, 0) silent)) (2, 2) "frames back and ahead"
          }

          test "measured: no further than 64 frames beyond what is asked for" {
              let back, ahead = ReceptiveField.measure (0, 3) (declaring (0, 3) (recurrent Lstm.bidirectional))
              Expect.equal back 0 "the past is in the states"
              Expect.isGreaterThanOrEqual ahead 67 "all that follows"
          }

          test "a network that declares too little is not trained, and told what it looks at" {
              Scratch.inFolder (fun folder ->
                  Scratch.refusesArgument
                      [ "own"
                        "8 frames back and 8 ahead"
                        "ReceptiveField.Frames(0, 0)"
                        "Declare ReceptiveField.Frames(8, 8)" ]
                      (fun () -> train (folder + "/run") (declaring (0, 0) (along 17)) |> ignore)

                  Expect.isFalse (System.IO.Directory.Exists(folder + "/run")) "nothing was begun"

                  Scratch.refusesArgument [ "at least"; "ReceptiveField.Blocks" ] (fun () ->
                      train (folder + "/run") (declaring (0, 0) (recurrent Lstm.bidirectional)) |> ignore))
          }

          for name, network in
              [ "that declares what it looks at", declaring (8, 8) (along 17)
                "that declares more", declaring (9, 30) (along 17) ] do
              test $"a network {name} is trained" {
                  Scratch.inFolder (fun folder -> Expect.equal (train folder network).StepsMade 1 "the one step is made")
              }

          for name, network in
              [ "drnn", Drnn.network { Drnn.huang2014 with Hidden = [ 8; 8 ] }
                "drnn with deltas and context",
                Drnn.network { Drnn.huang2014 with Hidden = [ 8; 8 ]; Features = LogMel; Context = 5 }
                "unet", UNet.family.Network { Channels = [ 4; 8 ]; Blocks = [ 1; 1 ]; Bins = 24; InputScale = 1.0 } spec ] do
              test $"{name}: looks no further than it declares" { ReceptiveField.require network } ]
