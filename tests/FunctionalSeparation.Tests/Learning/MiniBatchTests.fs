module FunctionalSeparation.Tests.MiniBatchTests

open System.IO
open Expecto
open FsCheck
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core
open FunctionalSeparation.Tests.OptimiserTests

let private values (tensor: torch.Tensor) = tensor.data<float>().ToArray()
let private vector (numbers: float seq) = torch.tensor (Array.ofSeq numbers, dtype = torch.float64)

/// A bowl of ten very different curvatures: far from done after a few steps.
let private bowl () = quadratic (vector [ for i in 0..9 -> 3.0 ** float i ]) (vector [ for i in 0..9 -> float i - 4.5 ])

let private start () = vector [ for i in 0..9 -> sin (float i) ]

/// The points after each of `steps` steps.
let private path (optimiser: Optimiser) objective steps point =
    let follow (state, x: torch.Tensor) _ =
        let step = optimiser.Step 1000 objective state x
        values step.Parameters, (step.State, step.Parameters)

    List.mapFold follow (optimiser.Init point, point) [ 1..steps ] |> fst

/// The gradient that an optimiser sees behind a clipping, by the step that it then makes from 0.
let private clippedGradient clipping (gradient: float[]) =
    Memory.plain (fun () ->
        let objective: Objective = fun _ -> struct (3.0, vector gradient)
        let descent = Optimiser.sgd (Schedule.constant 1.0) |> Optimiser.clipped clipping
        let start = vector (Array.zeroCreate gradient.Length)
        let step = descent.Step 1 objective (descent.Init start) start
        Expect.equal step.Value 3.0 "the value is untouched"
        values step.Parameters |> Array.map (fun x -> 0.0 - x))

let private norm (x: float[]) = x |> Array.sumBy (fun v -> v * v) |> sqrt
let private corpus = lazy (Corpus.embedded 4)

let private recipe =
    let network = Drnn.network { Drnn.huang2014 with Hidden = [ 12; 12 ] }
    let optimiser = Lbfgs.minFunc 3 |> Optimiser.clipped (Transform.clipNorm 10.0) |> Optimiser.restarted 3
    Recipe.create network Huang2014.loss optimiser (Sampler.rotations (Some 60000) 3) (Epochs 2)

exception private Cut

let private train folder resume cutAt =
    let finished =
        Run.train
            { Recipe = recipe
              Train = List.truncate 1 corpus.Value.Train
              Dev = []
              Device = torch.CPU
              Folder = folder
              Resume = resume
              CheckpointEvery = 1
              TensorBoard = false
              Report = fun report -> if Some report.Step = cutAt then raise Cut }

    finished.StepsMade, finished.Trained.Parameters.Vector.data<float32>().ToArray()

[<Tests>]
let tests =
    testList
        "mini-batches"
        [ test "a restart is a fresh start from the point that was reached" {
              Memory.plain (fun () ->
                  let inner = Lbfgs.minFunc 1000
                  let restarted = path (Optimiser.restarted 4 inner) (bowl ()) 8 (start ())
                  let first = path inner (bowl ()) 4 (start ())
                  let second = path inner (bowl ()) 4 (vector (List.last first))
                  Expect.equal restarted (first @ second) "a restart goes on as a fresh start does"
                  Expect.notEqual restarted (path inner (bowl ()) 8 (start ())) "the memory does matter here")
          }

          test "each stretch moves by its own objective, and one that is solved does not end the run" {
              Memory.plain (fun () ->
                  let optimiser = Optimiser.restarted 30 (Lbfgs.minFunc 30)
                  let toward (target: float) = quadratic (vector [ 1.0; 2.0 ]) (vector [ target; target ])
                  let mutable state, point = optimiser.Init(vector [ 5.0; -5.0 ]), vector [ 5.0; -5.0 ]

                  for target in [ 1.0; -2.0 ] do
                      for _ in 1..30 do
                          let step = optimiser.Step 60 (toward target) state point
                          Expect.isNone step.Stopped "a solved stretch does not end the run"
                          state <- step.State
                          point <- step.Parameters

                      Expect.all (values point) (fun x -> abs (x - target) < 1e-4) $"target {target}")
          }

          testProperty "a gradient is shortened to the norm and keeps its direction; a short one stays as it is"
          <| fun (seed: int) ->
              let gradient = Key.ofSeed seed |> Key.normals 6
              let bound = 0.5 * norm gradient
              let clipped = clippedGradient (Transform.clipNorm bound) gradient
              Expect.floatClose Accuracy.high (norm clipped) bound "the norm is shortened to the bound"
              Expect.isTrue (Array.forall2 (fun a b -> abs (a - 0.5 * b) < 1e-9) clipped gradient) "the direction is kept"
              Expect.equal (clippedGradient (Transform.clipNorm (2.0 * norm gradient)) gradient) gradient "a short one is kept"

          testProperty "elements are clamped one by one"
          <| fun (seed: int) ->
              let gradient = Key.ofSeed seed |> Key.normals 6
              let expected = gradient |> Array.map (fun x -> max -0.7 (min 0.7 x))
              Expect.equal (clippedGradient (Transform.clipElements 0.7) gradient) expected "each element is clamped by itself"

          test "a period below 1 and bounds that are not positive are refused" {
              Expect.throwsT<System.ArgumentException> (fun () -> Optimiser.restarted 0 (Lbfgs.minFunc 5) |> ignore) "period"

              Expect.throwsT<System.ArgumentException> (fun () -> Transform.clipNorm 0.0 |> ignore) "a norm of 0 is refused"

              Expect.throwsT<System.ArgumentException> (fun () -> Transform.clipElements -1.0 |> ignore) "a bound of -1 fails"
          }

          test "rotations: each as the whole-clip feed makes it, and round again" {
              Memory.plain (fun () ->
                  let clips = List.truncate 1 corpus.Value.Train
                  let network = recipe.Network
                  let feed = Feed.rotations network Scratch.magnitudes (Some 60000) 100000 torch.CPU clips
                  let offsets = Augment.shifts (Some 60000) (Stems.length (Clip.read clips.Head))
                  Expect.equal feed.Count offsets.Length "there is one rotation for each offset"
                  Expect.isGreaterThan feed.Count 1 "more than one"

                  let energy (batches: Batch list) =
                      batches
                      |> List.sumBy (fun b -> (Scratch.references b).squared().sum().to_type(torch.float64).item<float>())

                  let whole = Feed.wholeClips network Scratch.magnitudes (Some 60000) 100000 torch.float32 torch.CPU clips
                  let each = [ for index in 0 .. feed.Count - 1 -> energy (feed.Batches index) ]
                  Expect.floatClose Accuracy.medium (List.sum each) (energy whole) "all of them"

                  Expect.equal
                      ((Scratch.mixtures (feed.Batches feed.Count).Head).data<float32>().ToArray())
                      ((Scratch.mixtures (feed.Batches 0).Head).data<float32>().ToArray())
                      "behind the last rotation the first comes again"

                  Expect.notEqual
                      ((Scratch.mixtures (feed.Batches 1).Head).data<float32>().ToArray())
                      ((Scratch.mixtures (feed.Batches 0).Head).data<float32>().ToArray())
                      "the next is another")
          }

          test "a run stopped inside a mini-batch or between two, and resumed, ends bit-identical" {
              Scratch.inFolder (fun folder ->
                  let made, whole = train (Path.Combine(folder, "whole")) false None
                  let cut = Path.Combine(folder, "cut")
                  Expect.isGreaterThan made 11 "two passes, two rotations at least, three iterations"

                  for step, resume in [ 2, false; 3, true; 7, true ] do
                      Expect.throwsT<Cut> (fun () -> train cut resume (Some step) |> ignore) $"stopped at {step}"

                  Expect.equal (snd (train cut true None)) whole "the resumed run ends with the same parameters")
          } ]
