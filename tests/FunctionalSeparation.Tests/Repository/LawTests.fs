/// Laws of the functional layer, as properties.
module FunctionalSeparation.Tests.LawTests

open System
open Expecto
open FsCheck
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning

let private noise seed (shape: int64 list) = Key.uniformTensor -1.0 1.0 shape (Key.ofSeed seed)
let private difference (a: torch.Tensor) (b: torch.Tensor) = (a - b).abs().max().to_type(torch.float64).item<float>()
let private isEqual a b = (difference a b = 0.0)

/// A small separation network and random excerpts of the embedded corpus.
let private small = { Drnn.huang2014 with InputScale = 30.0; Hidden = [ 12; 12 ] }

let private corpus = lazy (Corpus.embedded 3)

let private taskOn (batch: int -> int) optimiser =
    let feed =
        Feed.excerpts
            (Drnn.network small)
            Scratch.magnitudes
            { ExcerptSettings.ofSize 20 2 with OtherSong = 0.5; GainRange = 3.0; Speeds = [ 0.9; 1.0 ] }
            torch.CPU
            corpus.Value.Train

    { Layout = Network.layout (Drnn.network small)
      Loss = Batch.loss (Network.model (Drnn.network small)) (Loss.discriminative 0.05 Loss.squaredError)
      Optimiser = optimiser
      Steps = 6
      Feed = fun step -> [ feed.Batch (Key.ofSeed 5) (batch step) ]
      Key = Key.ofSeed 9 }

/// A fresh batch at each step.
let private task = taskOn id

/// The same batch at each step, as a line search needs it.
let private fullBatchTask = taskOn (fun _ -> 0)

let private start (task: TrainingTask<Batch>) =
    Train.start task (Params.init task.Layout torch.float32 torch.CPU (Key.ofSeed 1)).Vector

/// The parameters at the end of a run from a state.
let private after task first = [ for state in Train.states task first -> state.Parameters.data<float32>().ToArray() ] |> List.last

let private frames seed = Activations.ofFrames (noise seed [ 7L; 2L; 5L ])

let private layers =
    [ Layer.dense Relu 5 5 |> Model.prefixed "a"
      Layer.recurrent Tanh 5 5 |> Model.prefixed "b"
      Layer.linear 5 5 |> Model.prefixed "c" ]

[<Tests>]
let tests =
    testList
        "laws"
        [ testProperty "composition of models is associative: layout, start and output"
          <| fun (seed: int) ->
              Memory.plain (fun () ->
                  match layers with
                  | [ a; b; c ] ->
                      let left, right = (a --> b) --> c, a --> (b --> c)
                      let start model = Model.init torch.float64 torch.CPU (Key.ofSeed seed) model
                      Expect.equal left.Layout right.Layout "both models have the same layout"
                      Expect.isTrue (isEqual (start left).Vector (start right).Vector) "both models start the same"
                      let output model = (Model.apply model (start model) (frames seed)).Value
                      Expect.isTrue (isEqual (output left) (output right)) "both models have the same output"
                  | _ -> failwith "three layers")

          testProperty "a sequence cut in two, with the states carried on, gives the same frames"
          <| fun (seed: int) (PositiveInt cut) ->
              Memory.plain (fun () ->
                  let model = List.reduce (-->) layers
                  let parameters = Model.init torch.float64 torch.CPU (Key.ofSeed seed) model
                  let whole = (frames seed).Value
                  let cut = int64 (1 + cut % 6)
                  let first = Model.apply model parameters (Activations.ofFrames (whole.narrow (0L, 0L, cut)))

                  let second =
                      Model.apply
                          model
                          parameters
                          (Activations.continuing (Activations.finalStates first) (whole.narrow (0L, cut, 7L - cut)))

                  let joined = torch.cat ([| first.Value; second.Value |], 0L)

                  Expect.isLessThan
                      (difference joined (Model.apply model parameters (Activations.ofFrames whole)).Value)
                      1e-14
                      "both ways give the same frames")

          testProperty "masks lie in [0, 1] and sum to one"
          <| fun (seed: int) ->
              Memory.plain (fun () ->
                  let outputs = noise seed [ 4L; 3L; 2L; 9L ]

                  for mask in [ Mask.ratio outputs; Mask.wiener outputs; Mask.binary outputs ] do
                      Expect.isGreaterThanOrEqual (mask.min().item<float>()) 0.0 "at least 0"
                      Expect.isLessThanOrEqual (mask.max().item<float>()) 1.0 "at most 1"
                      Expect.isLessThan (difference (mask.sum -2L) (torch.ones (4L, 3L, 9L, dtype = torch.float64))) 1e-4 "sum")

          testProperty "estimates sum to the mixture"
          <| fun (seed: int) ->
              Memory.plain (fun () ->
                  let outputs, mixture = noise seed [ 4L; 3L; 2L; 9L ], (noise (seed + 1) [ 4L; 3L; 9L ]).abs()

                  for kind in [ Absolute; AbsoluteExact ] do
                      Expect.isLessThan (difference ((Mask.apply kind outputs mixture).sum -2L) mixture) 1e-7 $"{kind}")

          testProperty "the mask layer's gradient is that of its formula"
          <| fun (seed: int) ->
              Memory.plain (fun () ->
                  let mixture = (noise (seed + 1) [ 4L; 3L; 9L ]).abs().add 0.1
                  let weights = noise (seed + 2) [ 4L; 3L; 2L; 9L ]

                  let objective kind (point: torch.Tensor) =
                      (Mask.apply kind (point.view (4L, 3L, 2L, 9L)) mixture * weights).sum()

                  let point = noise seed [ 216L ]
                  let published, exact = Grad.grad (objective Absolute) point, Grad.grad (objective AbsoluteExact) point
                  let scale = exact.abs().max().item<float>()
                  Expect.isLessThan (difference published exact / scale) 1e-5 "relative to the largest element")

          testProperty "a rotation by the whole length, and there and back, changes nothing"
          <| fun (seed: int) (offset: int) ->
              Memory.plain (fun () ->
                  let x = noise seed [ 2L; 100L ]
                  Expect.isTrue (isEqual (Augment.rotate 100L x) x) "a whole turn changes nothing"

                  Expect.isTrue
                      (isEqual (x |> Augment.rotate (int64 offset) |> Augment.rotate (int64 -offset)) x)
                      "there and back")

          testProperty "a circular copy is a rotation"
          <| fun (seed: int) (offset: int) ->
              Memory.plain (fun () ->
                  let x = (noise seed [ 50L ]).to_type torch.float32
                  let target = Array.zeroCreate 50
                  Augment.copyCircular (x.data<float32>().ToArray()) (offset % 1000) (Span target)
                  Expect.equal target ((Augment.rotate (int64 (offset % 1000)) x).data<float32>().ToArray()) "as rotate does")

          testProperty "pieces cover a clip without gap or overlap"
          <| fun (PositiveInt frames) ->
              let pieces = Feed.chunks Feed.chunkLengths frames

              Expect.equal
                  (pieces |> List.collect (fun (start, length) -> [ start .. start + length - 1 ]))
                  [ 0 .. frames - 1 ]
                  "every frame is covered exactly once"

          test "context stacks oldest first and repeats the edges" {
              Memory.plain (fun () ->
                  let frames = torch.tensor([| 1.0; 2.0; 3.0 |]).view(3L, 1L, 1L)
                  let stacked = (Spectra.stackContext 3 frames).view(3L, 3L).data<float>().ToArray()
                  Expect.equal stacked [| 1.0; 1.0; 2.0; 1.0; 2.0; 3.0; 2.0; 3.0; 3.0 |] "rows hold neighbours, oldest first")
          }

          testProperty "the same key draws the same numbers, other keys others; permutations permute"
          <| fun (seed: int) (PositiveInt count) ->
              let key = Key.ofSeed seed
              let children = Key.split 2 key
              Expect.equal (Key.uniforms 5 key) (Key.uniforms 5 (Key.ofSeed seed)) "the same key draws the same numbers"
              Expect.notEqual (Key.uniforms 5 children[0]) (Key.uniforms 5 children[1]) "two children draw other numbers"
              Expect.equal (Key.permutation count key |> Array.sort) [| 0 .. count - 1 |] "no number is lost or drawn twice"

          testProperty "the discriminative loss is linear in gamma; gamma 0 is the loss itself"
          <| fun (seed: int) ->
              Memory.plain (fun () ->
                  let magnitudes seed = Views.ofMagnitude ((noise seed [ 3L; 2L; 4L ]).abs())
                  let y, s = magnitudes seed, magnitudes (seed + 1)

                  for loss in [ Loss.squaredError; Loss.kullbackLeibler ] do
                      let at gamma = ((Loss.discriminative gamma loss).Of y s).item<float>()
                      Expect.floatClose Accuracy.high (at 0.0) ((loss.Of y s).item<float>()) "gamma 0 gives the loss itself"
                      Expect.floatClose Accuracy.high (at 0.1 - at 0.0) (2.0 * (at 0.05 - at 0.0)) "it is linear in gamma")

          test "the NSDR of the mixture is 0" {
              let clip = List.head corpus.Value.Test
              let scores = Evaluate.clip Scoring.papers torch.float64 torch.CPU (Evaluate.mixture small.FrontEnd) clip
              Expect.isLessThan (abs scores["voice"].Nsdr) 1e-9 "the mixture gains nothing on the voice"
              Expect.isLessThan (abs scores["music"].Nsdr) 1e-9 "the mixture gains nothing on the music"
          }

          test "STOI of a clip: a perfect estimate has 1, the ideal mask more than the mixture" {
              let clip = List.head corpus.Value.Test
              let stoi separator = Evaluate.stoi Mixing.unitNorm torch.float32 torch.CPU separator "voice" clip
              let perfect = { Evaluate.mixture small.FrontEnd with Estimator = Oracle id }
              Expect.floatClose Accuracy.medium (stoi perfect) 1.0 "the voice itself"
              let mixture = stoi (Evaluate.mixture small.FrontEnd)
              Expect.isGreaterThan (stoi (Evaluate.idealRatioMask small.FrontEnd)) (mixture + 0.05) "the ideal mask has more"
          }

          test "swapping the sources swaps the scores" {
              let clip = List.head corpus.Value.Test

              let swapped =
                  { clip with
                      Read =
                          fun () ->
                              List.map2 (fun name stem -> { stem with Name = name }) clip.Sources (List.rev (Clip.read clip)) }

              let score clip = Evaluate.clip Scoring.papers torch.float64 torch.CPU (Evaluate.idealBinaryMask small.FrontEnd) clip
              let plain, other = score clip, score swapped
              Expect.floatClose Accuracy.high plain["voice"].Sdr other["music"].Sdr "the SDR goes with the source"
              Expect.floatClose Accuracy.high plain["music"].Sir other["voice"].Sir "the SIR goes with the source"
          }

          test "silent references give NaN scores that are counted and named" {
              let clip = List.head corpus.Value.Test

              let silent = { clip with Name = "silent"; Read = clip.Read >> Scratch.silenced "voice" }

              let rows =
                  Evaluate.clips
                      Scoring.papers
                      torch.float32
                      torch.CPU
                      ignore
                      (Evaluate.idealRatioMask small.FrontEnd)
                      [ clip; silent ]

              Expect.isTrue (Double.IsNaN rows[1].["voice"].Sdr && Double.IsNaN rows[1].["music"].Sir) "silence has no score"

              Expect.floatClose
                  Accuracy.high
                  (Evaluate.summary "music" rows).Gsir
                  rows[0].["music"].Sir
                  "nor does the other source count"

              let summary = Evaluate.summary "voice" rows
              Expect.equal (summary.Clips, summary.Unscored) (1, [ "silent" ]) "counted and named"
              Expect.floatClose Accuracy.high summary.Gnsdr rows[0].["voice"].Nsdr "the others count"
          }

          for name, task in [ "Adam", task (Optimiser.adam (Schedule.cosine 1e-3)); "L-BFGS", fullBatchTask (Lbfgs.minFunc 10) ] do
              test $"{name}: steps to 3 and then to 6 are steps to 6, bit for bit, also through a file" {
                  let whole = after task (start task)
                  let path = IO.Path.Combine(IO.Path.GetTempPath(), $"funcsep-{Guid.NewGuid()}.safetensors")

                  try
                      for state in Train.states task (start task) |> Seq.truncate 3 do
                          if state.Step = 3 then Safetensors.save path (TrainState.toFile state)

                      let resumed = TrainState.ofFile torch.CPU (Safetensors.load path)
                      Expect.equal resumed.Step 3 "the file holds step 3"
                      Expect.equal (after task resumed) whole "both runs end with the same parameters"
                  finally
                      IO.File.Delete path
              }

          test "a step leaves its state as it was" {
              Memory.plain (fun () ->
                  let task = task (Optimiser.adam (Schedule.constant 1e-3))
                  let first = start task
                  let before = first.Parameters.clone ()
                  let once, twice = Train.step task first, Train.step task first
                  Expect.isTrue (isEqual first.Parameters before) "the step leaves its state as it was"
                  Expect.isTrue (isEqual once.Parameters twice.Parameters) "two steps from a state are the same")
          } ]
