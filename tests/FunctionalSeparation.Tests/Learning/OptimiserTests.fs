module FunctionalSeparation.Tests.OptimiserTests

open System
open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

let private values (tensor: torch.Tensor) = tensor.to_type(torch.float64).data<float>().ToArray()

let private vector (numbers: float seq) = torch.tensor (Array.ofSeq numbers, dtype = torch.float64)

/// 1/2 * sum of curvature * (x - target)^2.
let quadratic (curvature: torch.Tensor) (target: torch.Tensor) : Objective =
    fun x ->
        let distance = x.sub target
        let gradient = distance.mul curvature
        struct (0.5 * gradient.dot(distance).to_type(torch.float64).item<float>(), gradient)

/// The first steps of a run of some length from `start`, which stays the caller's; frees what each step leaves behind.
let runOf (length: int) (optimiser: Optimiser) (objective: Objective) (steps: int) (start: torch.Tensor) : OptimiserStep =
    let free (state, x: torch.Tensor) =
        OptimiserState.dispose state
        x.Dispose()

    let rec go (step: OptimiserStep) count =
        if count = 0 || step.Stopped.IsSome then
            step
        else
            let next = optimiser.Step length objective step.State step.Parameters
            free (step.State, step.Parameters)
            go next (count - 1)

    let state = optimiser.Init start
    let first = optimiser.Step length objective state start
    OptimiserState.dispose state
    go first (steps - 1)

/// A run of so many steps.
let run optimiser objective steps start = runOf steps optimiser objective steps start

/// Plain descent along what a transform makes of the gradient.
let private descent (transform: Transform) = Optimiser.descend (Schedule.constant 1.0) transform

let private updateOf (transform: Transform) (gradient: torch.Tensor) (parameters: torch.Tensor) =
    let struct (update, _) = transform.Update gradient (transform.Init parameters) parameters
    update

/// Adam by its definition, one scalar at a time.
let private scalarAdam (rate: int -> float) (gradientOf: float -> float) steps start =
    let folder (x, m, v) t =
        let g = gradientOf x
        let m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        let mHat, vHat = m / (1.0 - 0.9 ** float t), v / (1.0 - 0.999 ** float t)
        x - rate (t - 1) * mHat / (sqrt vHat + 1e-8), m, v

    let x, _, _ = List.fold folder (start, 0.0, 0.0) [ 1..steps ]
    x

let private close accuracy expected actual message =
    for e, a in Seq.zip expected actual do
        Expect.isLessThan (abs (e - a)) accuracy $"{message}: expected {e}, got {a}"

let private randomVector (seed: int) count = vector (Key.normals count (Key.ofSeed seed))

let private laws =
    [ testProperty "clipNorm bounds the norm and keeps the direction" (fun (seed: int) ->
          Memory.plain (fun () ->
              let gradient = randomVector seed 20
              let bound = 0.01 + 8.0 * Key.uniform (Key.fold 1 (Key.ofSeed seed))
              let clipped = updateOf (Transform.clipNorm bound) gradient gradient
              let before, after = gradient.norm().item<float>(), clipped.norm().item<float>()
              let cosine = gradient.dot(clipped).item<float>() / (before * after)
              let unchanged = before > bound || values clipped = values gradient
              after <= bound * (1.0 + 1e-12) && abs (cosine - 1.0) < 1e-12 && unchanged))

      testProperty "clipElements bounds every element and leaves the small ones" (fun (seed: int) ->
          Memory.plain (fun () ->
              let gradient = randomVector seed 20
              let clipped = updateOf (Transform.clipElements 0.5) gradient gradient
              Seq.forall2 (fun g c -> c = max -0.5 (min 0.5 g)) (values gradient) (values clipped)))

      testProperty "chain is associative and chain [] is its identity" (fun (seed: int) ->
          Memory.plain (fun () ->
              let a, b, c = Transform.clipNorm 1.0, Transform.adam 0.9 0.999 1e-8, Transform.momentum 0.5

              let start = randomVector seed 8
              let objective = quadratic (vector (Seq.init 8 (fun i -> 1.0 + float i))) (vector (Seq.replicate 8 3.0))
              let ends rule = (run (descent rule) objective 5 start).Parameters |> values
              let flat = ends (Transform.chain [ a; b; c ])

              [ Transform.chain [ Transform.chain [ a; b ]; c ]
                Transform.chain [ a; Transform.chain [ b; c ] ]
                Transform.chain [ Transform.chain []; a; b; Transform.chain []; c ] ]
              |> List.forall (fun rule -> ends rule = flat)))

      testProperty "Adam follows its scalar definition" (fun (seed: int) ->
          Memory.plain (fun () ->
              let start = values (randomVector seed 5)
              let schedule = Schedule.warmupCosine 5 0.1
              let objective = quadratic (vector (Seq.replicate 5 2.0)) (vector (Seq.replicate 5 1.0))
              let ours = (run (Optimiser.adam schedule) objective 40 (vector start)).Parameters |> values
              let theirs = start |> Array.map (scalarAdam (schedule.Rate 40) (fun x -> 2.0 * (x - 1.0)) 40)
              Seq.forall2 (fun a b -> abs (a - b) < 1e-12) ours theirs)) ]

let private rules =
    [ testCase "a schedule warms up, falls and ends" (fun () ->
          let cosine = (Schedule.warmupCosine 10 2.0).Rate 110
          close 1e-12 [ 0.2; 2.0; 1.0; 0.0; 0.0 ] [ cosine 0; cosine 10; cosine 60; cosine 110; cosine 500 ] "the cosine falls"
          let steps = (Schedule.stepwise 1.0 0.1 [ 3; 5 ]).Rate 9
          close 1e-12 [ 1.0; 1.0; 0.1; 0.1; 0.01 ] [ steps 0; steps 2; steps 3; steps 4; steps 5 ] "the rate falls at 3 and 5"

          Expect.throwsT<ArgumentException>
              (fun () -> (Schedule.warmupCosine 5 1.0).Rate 5 0 |> ignore)
              "no room after the warm-up")

      testCase "weight decay is an L2 penalty before the direction and decoupled after it" (fun () ->
          Memory.plain (fun () ->
              let flat: Objective = fun x -> struct (0.0, torch.zeros_like x)
              let decoupled = run (Optimiser.adamW 0.5 (Schedule.constant 0.1)) flat 1 (vector [ 2.0; -4.0 ])
              close 1e-12 [ 1.9; -3.8 ] (values decoupled.Parameters) "the decay is apart from the direction"

              let penalty =
                  Transform.chain [ Transform.weightDecay 0.5; Transform.adam 0.9 0.999 1e-8 ]
                  |> Optimiser.descend (Schedule.constant 0.1)

              close 1e-7 [ 1.9; -3.9 ] (values (run penalty flat 1 (vector [ 2.0; -4.0 ])).Parameters) "it is an L2 penalty"))

      testCase "momentum and Nesterov's form add up past gradients" (fun () ->
          Memory.plain (fun () ->
              let slope: Objective = fun x -> struct (0.0, torch.ones_like x)
              let ends rule = (run (descent rule) slope 2 (vector [ 0.0 ])).Parameters |> values
              close 1e-12 [ -2.5 ] (ends (Transform.momentum 0.5)) "1, then 1.5"
              close 1e-12 [ -3.25 ] (ends (Transform.nesterov 0.5)) "1.5, then 1.75"))

      testCase "first-order rules reach the minimum of a quadratic" (fun () ->
          Memory.plain (fun () ->
              let target = vector [ 1.0; -2.0; 3.0 ]
              let objective = quadratic (vector [ 1.0; 4.0; 10.0 ]) target

              for optimiser, accuracy in
                  [ Optimiser.sgd (Schedule.constant 0.1), 1e-6
                    Optimiser.descend (Schedule.constant 0.05) (Transform.momentum 0.5), 1e-6
                    Optimiser.adam (Schedule.warmupCosine 10 0.3), 1e-3 ] do
                  let reached = run optimiser objective 300 (vector [ 0.0; 0.0; 0.0 ])
                  close accuracy (values target) (values reached.Parameters) (Id.text optimiser.Id)))

      testCase "a state of another optimiser is refused by name" (fun () ->
          Memory.plain (fun () ->
              let x = vector [ 1.0 ]
              let foreign = (Optimiser.sgd (Schedule.constant 0.1)).Init x
              let step () = (Optimiser.adam (Schedule.constant 0.1)).Step 1 (quadratic x x) foreign x |> ignore
              Expect.throwsT<InputException> step "the sgd state has no moments"))

      testCase "a loss or gradient that is not finite is an InputException and harms nothing" (fun () ->
          Memory.plain (fun () ->
              let adam = Optimiser.adam (Schedule.constant 0.1)
              let x = vector [ 1.0; 2.0 ]
              let good = adam.Step 2 (quadratic x (vector [ 0.0; 0.0 ])) (adam.Init x) x
              let before = OptimiserState.tensors good.State |> List.map values

              for loss, slope in [ nan, 1.0; infinity, 1.0; 1.0, nan; 1.0, -infinity ] do
                  let bad: Objective = fun p -> struct (loss, vector [ 0.0; slope ] .+ p.mul 0.0)

                  try
                      adam.Step 2 bad good.State good.Parameters |> ignore
                      failtest "An InputException was expected."
                  with :? InputException as e ->
                      Expect.stringContains e.Message "step 2" "names the step"

              Expect.equal (OptimiserState.tensors good.State |> List.map values) before "the state is intact")) ]

/// Stepping twice from one state gives equal bits and leaves what was given alone.
let pureStep (optimiser: Optimiser) () =
    Memory.plain (fun () ->
        let objective = quadratic (vector [ 1.0; 30.0; 2.0 ]) (vector [ 1.0; 1.0; -1.0 ])
        let from = run optimiser objective 3 (vector [ 4.0; 5.0; 6.0 ])
        let all step = OptimiserStep.tensors step |> List.map values
        let before = all from

        let first, second =
            optimiser.Step 5 objective from.State from.Parameters, optimiser.Step 5 objective from.State from.Parameters

        Expect.equal (all second) (all first) "the second step has the same bits"
        Expect.equal second.State.Numbers first.State.Numbers "the second step has the same numbers"
        Expect.equal (all from) before "nothing given was changed"
        OptimiserStep.dispose first
        Expect.equal (all from) before "freeing a step leaves the one before"
        Expect.isTrue (all second |> List.forall (fun v -> v.Length = 3)) "and its twin")

/// 200 steps leave no tensor behind.
let leakFree (optimiser: Optimiser) (objective: Objective) (start: torch.Tensor) () =
    let before = Memory.liveTensors ()
    run optimiser objective 200 start |> OptimiserStep.dispose
    Expect.equal (Memory.liveTensors ()) before "no tensor is left behind"

let private everyRule =
    Transform.chain
        [ Transform.clipNorm 1.0
          Transform.clipElements 0.5
          Transform.weightDecay 0.01
          Transform.momentum 0.5
          Transform.nesterov 0.5
          Transform.adam 0.9 0.999 1e-8 ]
    |> Optimiser.descend (Schedule.constant 0.01)

[<Tests>]
let tests =
    testSequenced
    <| testList
        "optimisers"
        (laws
         @ rules
         @ [ testCase "a step is pure" (pureStep everyRule)
             testCase "200 steps leak nothing" (fun () ->
                 use curvature = vector [ 1.0; 3.0 ]
                 use target = vector [ 1.0; 1.0 ]
                 use start = vector [ 4.0; 5.0 ]
                 leakFree everyRule (quadratic curvature target) start ())

             test "averaged: the answer is the corrected exponential average of the points, which are as without" {
                 Memory.plain (fun () ->
                     let objective = quadratic (vector [ 1.0; 4.0 ]) (vector [ 3.0; -2.0 ])
                     let plain, decay = Optimiser.sgd (Schedule.constant 0.1), 0.8
                     let averaged, start = Optimiser.averaged decay plain, vector [ 0.0; 0.0 ]
                     let points = [ for steps in 1..5 -> values (run plain objective steps start).Parameters ]
                     let last = run averaged objective 5 start
                     Expect.equal (values last.Parameters) (List.last points) "the points are those without averages"
                     let weights = [ for t in 0..4 -> (1.0 - decay) * decay ** float (4 - t) / (1.0 - decay ** 5.0) ]
                     let average i = List.map2 (fun weight (point: float[]) -> weight * point[i]) weights points |> List.sum
                     let answer = values (averaged.Answer last.State last.Parameters)

                     for i in 0..1 do
                         Expect.floatClose Accuracy.high answer[i] (average i) "the answer is the corrected average"

                     Expect.equal (values (averaged.Answer (averaged.Init start) start)) (values start) "before the first step"
                     Expect.throwsT<ArgumentException> (fun () -> Optimiser.averaged 1.0 plain |> ignore) "a decay of 1")
             } ])
