/// Native memory: what is alive before a public entry is alive after it, and nothing else.
module FunctionalSeparation.Tests.LeakTests

open System
open System.IO
open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

let private small = { Drnn.huang2014 with Hidden = [ 16; 16 ] }
let private corpus = lazy (Corpus.embedded 3)

/// Runs the work twice, so that what is made once and kept is there, then expects the count of live tensors unchanged.
let private leaksNothing work =
    work ()
    // Collect the garbage of earlier tests first, so that it does not count as freed by this one.
    GC.Collect()
    GC.WaitForPendingFinalizers()
    let before = Memory.liveTensors ()
    work ()
    Expect.equal (Memory.liveTensors ()) before "no tensor stays alive"

let private trainNet architecture optimiser steps () =
    let feed =
        Feed.excerpts
            (Drnn.network architecture)
            Scratch.magnitudes
            { ExcerptSettings.ofSize 10 2 with OtherSong = 0.5 }
            torch.CPU
            corpus.Value.Train

    let task =
        { Layout = Network.layout (Drnn.network architecture)
          Loss = Batch.loss (Network.model (Drnn.network architecture)) (Loss.discriminative 0.05 Loss.squaredError)
          Optimiser = optimiser
          Steps = steps
          Feed = fun step -> [ feed.Batch (Key.ofSeed 5) step ]
          Key = Key.ofSeed 9 }

    let start = Params.init task.Layout torch.float32 torch.CPU (Key.ofSeed 1)

    Train.states task (Train.start task start.Vector) |> Seq.last |> TrainState.dispose

let private train = trainNet small

let private otherNets =
    [ { small with Recurrence = FeedForward; Neuron = VectorProduct Window }
      { small with Context = 1; Recurrence = FeedForward; Neuron = VectorProduct Colour }
      { small with Recurrence = Stacked; Neuron = Gated; Output = ReluOutput } ]

/// Operations with a backward pass of ours: name, sizes of what has a gradient, call.
let private ownOperations: (string * int64[] list * (torch.Tensor list -> torch.Tensor)) list =
    [ "RatioMask",
      [ [| 3L; 2L; 8L |] ],
      fun inputs ->
          use mixture = torch.ones (3L, 8L)
          RatioMask.Apply(inputs.Head, mixture)
      "RecurrentStates",
      [ [| 5L; 2L; 4L |]; [| 2L; 4L |]; [| 4L; 4L |] ],
      fun inputs -> RecurrentStates.Apply(inputs[0], inputs[1], inputs[2], RecurrentActivation.Relu)
      "LstmStates",
      [ [| 5L; 2L; 16L |]; [| 2L; 8L |]; [| 4L; 16L |] ],
      fun inputs -> LstmStates.Apply(inputs[0], inputs[1], inputs[2])
      "GruStates",
      [ [| 5L; 2L; 12L |]; [| 2L; 4L |]; [| 4L; 12L |]; [| 12L |] ],
      fun inputs -> GruStates.Apply(inputs[0], inputs[1], inputs[2], inputs[3]) ]

let private trained () =
    { Network = Drnn.network small
      Parameters = Params.init (Network.layout (Drnn.network small)) torch.float32 torch.CPU (Key.ofSeed 1)
      Level = Some 0.004 }

[<Tests>]
let tests =
    testSequenced
    <| testList
        "leaks"
        [ test "200 training steps of Adam" { leaksNothing (train (Optimiser.adam (Schedule.constant 1e-3)) 200) }
          test "200 training steps of L-BFGS" {
              leaksNothing (train (Lbfgs.create { Lbfgs.defaults with Memory = 5; MaxIterations = 200 }) 200)
          }

          for architecture in otherNets do
              test $"training steps of {Drnn.name architecture}" {
                  leaksNothing (trainNet architecture (Optimiser.adam (Schedule.constant 1e-3)) 10)
              }

          test "50 separations" {
              let audio = AudioBuffer([| Array.init 20000 (fun i -> float32 (sin (0.05 * float i))) |], 16000)

              leaksNothing (fun () ->
                  use separator = new NetworkSeparator("test", trained ()) :> ISeparator

                  for _ in 1..50 do
                      separator.Separate audio |> ignore)
          }

          test "a separation of several blocks" {
              let audio = AudioBuffer([| Array.init (16000 * 70) (fun i -> float32 (sin (0.05 * float i))) |], 16000)

              leaksNothing (fun () ->
                  use separator = new NetworkSeparator("test", trained ()) :> ISeparator
                  separator.Separate audio |> ignore)
          }

          test "a stream of many pieces holds no more after the last than after the first" {
              let piece = AudioBuffer([| Array.init 3000 (fun i -> float32 (sin (0.05 * float i))) |], 16000)

              leaksNothing (fun () ->
                  use separator = new NetworkSeparator("test", trained ()) :> ISeparator
                  use stream = separator.Open(16000, 1, SoundLevel.WithoutOffset 0.5)
                  stream.Push piece |> ignore
                  let held = Memory.liveTensors ()

                  for _ in 1..50 do
                      stream.Push piece |> ignore

                  Expect.equal (Memory.liveTensors ()) held "the stream holds no more tensors"
                  stream.Finish() |> ignore)
          }

          test "a training run in a folder, stopped and resumed, and its model" {
              leaksNothing (fun () ->
                  let folder = Directory.CreateTempSubdirectory("funcsep-leak-").FullName

                  let recipe =
                      let network = Drnn.network { small with Hidden = [ 8; 8 ] }

                      { Recipe.create network Huang2014.loss (Lbfgs.minFunc 4) (Sampler.wholeClips None) (Steps 4) with
                          Selection = Selection.bestOnDev 2 }

                  let run resume =
                      Run.train
                          { Recipe = recipe
                            Train = List.truncate 2 corpus.Value.Train
                            Dev = List.truncate 1 corpus.Value.Dev
                            Device = torch.CPU
                            Folder = folder
                            Resume = resume
                            CheckpointEvery = 1
                            TensorBoard = true
                            Report = fun report -> if not resume && report.Step = 2 then failwith "stopped" }

                  try
                      Expect.throws (fun () -> run false |> ignore) "the run stops with an error"
                      let finished = run true
                      ModelFolder.save folder finished.Trained (System.Text.Json.Nodes.JsonObject())
                      finished.Trained.Parameters.Vector.Dispose()
                      use separator = ModelFolder.openSeparator "cpu" folder
                      Expect.equal (List.ofSeq separator.Stems) [ "music"; "voice" ] "the saved model has both stems"
                  finally
                      Directory.Delete(folder, true))
          }

          test "every kind of layer, its gradient and its statistics" {
              let model =
                  Conv.layer 3 2 4
                  --> Norm.batch 4
                  --> Model.skip (
                      Conv.down 2 4 4 --> Norm.group 2 4 --> Layer.activation Relu --> Dropout.layer 0.5 --> Conv.up 2 4 4
                  )
                  --> Image.overBands (Gru.bidirectional 8 2)
                  --> Image.overTime (Norm.layer 4 --> Gru.layer 4 4)
                  --> Image.linear 6 6
                  --> Image.toFrames
                  --> Model.concat [ Lstm.bidirectional 24 4; Layer.linear 24 4 ]

              let parameters = Model.init torch.float32 torch.CPU (Key.ofSeed 1) model

              let outputs mode vector =
                  let flow = Activations.ofImages (torch.ones (2L, 2L, 4L, 6L)) |> Activations.inMode mode
                  (Model.apply model { parameters with Vector = vector } flow).Value.sum()

              leaksNothing (fun () ->
                  use gradient = Grad.grad (outputs (Mode.Training(Key.ofSeed 2))) parameters.Vector
                  Memory.plain (fun () -> outputs Mode.Inference parameters.Vector |> ignore)
                  use statistics = Statistics.observe model parameters (Seq.init 3 (fun _ -> torch.ones (2L, 2L, 4L, 6L)))
                  Params.dispose (Model.init torch.float32 torch.CPU (Key.ofSeed 1) model)
                  ignore (gradient.shape, statistics.shape))

              Params.dispose parameters
          }

          for name, sizes, apply in ownOperations do
              test $"the backward pass of {name} where no scope is open, as on libtorch's thread for a GPU" {
                  let fixed' = [ for size in sizes -> torch.rand size ]

                  /// The energy of two results, one of which is made of the other's inputs halved, and the inputs. (The sum of a
                  /// mask's outputs is the mixture, whatever its inputs.)
                  let forward () =
                      let inputs = [ for input in fixed' -> input.clone().requires_grad_ true ]
                      let half = [ for input in inputs -> input.mul 0.5 ]
                      (apply inputs).squared().sum() .+ (apply half).squared().sum(), inputs

                  let gradients (inputs: torch.Tensor list) =
                      Memory.plain (fun () -> [ for input in inputs -> input.grad.data<float32>().ToArray() ])

                  let inScope () =
                      Memory.plain (fun () ->
                          let sum, inputs = forward ()
                          sum.backward ()
                          gradients inputs)

                  let outside () =
                      let sum, inputs = Memory.scoped (fun (sum, inputs) -> sum :: inputs) forward
                      sum.backward ()
                      let found = gradients inputs
                      sum :: inputs |> List.iter _.Dispose()
                      found

                  let expected = inScope ()
                  // Tensors that a backward pass hands over stay alive until the next pass.
                  leaksNothing (fun () ->
                      for _ in 1..10 do
                          Expect.equal (outside ()) expected "the gradients of a pass inside a scope")

                  List.iter (fun (input: torch.Tensor) -> input.Dispose()) fixed'
              }

          test "mel filters, cosines and deltas" {
              leaksNothing (fun () ->
                  use filters = Mel.filters 16000 513 41 torch.float32 torch.CPU
                  use cosines = Mel.cosines 41 13 torch.float32 torch.CPU
                  use deltas = Mel.withDeltas filters
                  ignore (filters.shape, cosines.shape, deltas.shape))
          }

          test "products with Jacobian and Hessian" {
              leaksNothing (fun () ->
                  use point = torch.ones (5L)
                  let cubes (x: torch.Tensor) = x * x * x
                  use forward = Grad.jvp cubes point point
                  use backward = Grad.vjp cubes point point
                  use curvature = Grad.hvp (fun x -> (cubes x).sum()) point point
                  ignore (forward.shape, backward.shape, curvature.shape))
          }

          test "an evaluation" {
              leaksNothing (fun () ->
                  let trained = trained ()

                  Evaluate.clip
                      Scoring.papers
                      torch.float32
                      torch.CPU
                      (Separation.separator trained Soft)
                      (List.head corpus.Value.Test)
                  |> ignore

                  trained.Parameters.Vector.Dispose())
          }

          test "phases by Griffin-Lim, and an evaluation with them" {
              leaksNothing (fun () ->
                  let trained = trained ()
                  let stft = small.FrontEnd.Stft

                  use magnitude = torch.ones (20L, int64 stft.Bins)
                  use spectrogram = GriffinLim.withRandomPhases (Key.ofSeed 1) magnitude
                  use refined = GriffinLim.refine (GriffinLim.fast 3) stft spectrogram
                  GriffinLim.inconsistency stft refined |> ignore
                  let separator = Separation.refinedSeparator (GriffinLim.classic 2) trained Soft
                  Evaluate.clip Scoring.papers torch.float32 torch.CPU separator (List.head corpus.Value.Test) |> ignore
                  trained.Parameters.Vector.Dispose())
          }

          test "four stems in stereo, mixed and scored" {
              let clip = (Corpus.embeddedBand 3).Train.Head
              let short = { clip with Read = clip.Read >> Scratch.beginning 22050 }
              let mixing = Mixing.unitNorm |> Mixing.andThen (Mixing.gains 3.0)
              let frontEnd = { small.FrontEnd with SampleRate = 44100 }

              leaksNothing (fun () ->
                  use sources = Clip.sources mixing (Key.ofSeed 1) torch.float32 torch.CPU (Clip.read short)
                  use recorded = Mixing.apply Mixing.plain (Key.ofSeed 1) sources
                  ignore recorded.shape
                  let scoring = { Scoring.papers with Mixing = mixing }
                  Evaluate.clip scoring torch.float32 torch.CPU (Evaluate.wienerMask frontEnd) short |> ignore)
          }

          test "a feed of whole clips, freed" {
              leaksNothing (fun () ->
                  for batch in
                      Feed.wholeClips
                          (Drnn.network small)
                          Scratch.magnitudes
                          (Some 40000)
                          800
                          torch.float32
                          torch.CPU
                          (List.truncate 2 corpus.Value.Train) do
                      for tensor in Batch.tensors batch do
                          tensor.Dispose())
          }

          test "one clip separated by each of the earlier systems" {
              let stft = Stft(1024, 512, StftWindow.Hann, true)
              let rpca = { Rpca.huang2012 with Iterations = 3 }
              let rnmf = { Sparsity = 1.0; Ridge = 1.0; Iterations = 3 }
              let mlrr = { VoiceRank = 1.0; Sparsity = 1.0; Tolerance = 1e-3; Iterations = 3 }
              let rendering = { SampleRate = 16000; Stft = stft; Rule = MaskRule.Ratio 2.0; VoiceFrom = 100.0 }

              let plan = { MusicAtoms = 4; VoiceAtoms = 4; Frames = 50; Iterations = 3; Divergence = Divergence.Euclidean }

              leaksNothing (fun () ->
                  let learnt = Dictionaries.learn torch.CPU stft plan (Key.ofSeed 1) (List.truncate 2 corpus.Value.Train)

                  for decompose in
                      [ Rpca.decompose rpca
                        HarmonicPrior.decompose rpca HarmonicPrior.standard 16000 stft
                        Rnmf.decompose rnmf 4 (Key.ofSeed 1)
                        Rnmf.decomposeWith rnmf learnt.OfMusic
                        Mlrr.decompose mlrr learnt
                        Dictionaries.decompose Divergence.KullbackLeibler 3 learnt ] do
                      let separator = Decomposition.separator "earlier" rendering decompose
                      Evaluate.clip Scoring.papers torch.float32 torch.CPU separator (List.head corpus.Value.Test) |> ignore

                  let hann size = Stft(size, size / 4, StftWindow.Hann, true)

                  let hpss =
                      { SampleRate = 16000
                        Long = hann 2048
                        Short = hann 512
                        Frames = 2
                        Bins = 2
                        Rule = MaskRule.Ratio 2.0
                        VoiceFrom = 100.0 }

                  Evaluate.clip Scoring.papers torch.float32 torch.CPU (Hpss.separator "HPSS" hpss) (List.head corpus.Value.Test)
                  |> ignore

                  learnt.OfMusic.Dispose()
                  learnt.OfVoice.Dispose())
          }

          test "the ceiling of true magnitudes" {
              leaksNothing (fun () ->
                  Evaluate.clip
                      Scoring.papers
                      torch.float32
                      torch.CPU
                      (Evaluate.trueMagnitude FrontEnd.huang2014)
                      (List.head corpus.Value.Test)
                  |> ignore)
          } ]
