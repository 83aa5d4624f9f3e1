module FunctionalSeparation.Tests.LbfgsTests

open System
open System.Globalization
open System.IO
open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core
open FunctionalSeparation.Tests.OptimiserTests

let private values (tensor: torch.Tensor) = tensor.data<float>().ToArray()

let private vector (numbers: float seq) = torch.tensor (Array.ofSeq numbers, dtype = torch.float64)

let private golden name =
    let rec root (folder: DirectoryInfo) =
        if File.Exists(Path.Combine(folder.FullName, "FunctionalSeparation.sln")) then
            folder.FullName
        else
            root folder.Parent

    Path.Combine(root (DirectoryInfo AppContext.BaseDirectory), "tests", "FunctionalSeparation.Tests", "golden", "lbfgs", name)
    |> File.ReadAllLines

let private number (text: string) = Double.Parse(text, CultureInfo.InvariantCulture)

/// iteration, evaluations, value, max|gradient|.
let private curve name = golden name |> Array.skip 1 |> Array.map (fun line -> line.Split ',' |> Array.map number)

/// Value and gradient of a differentiable scalar function by back-propagation.
let private byAutograd (f: torch.Tensor -> torch.Tensor) : Objective =
    fun point ->
        use leaf = point.clone().requires_grad_(true)
        use loss = f leaf
        loss.backward ()
        struct (loss.item<float>(), leaf.grad)

let private rosenbrock: Objective =
    byAutograd (fun x ->
        let head, tail = x.narrow (0L, 0L, x.shape[0] - 1L), x.narrow (0L, 1L, x.shape[0] - 1L)
        let valley = (tail - head.squared ()).squared()
        (valley.mul (100.0) .+ head.rsub(1.0).squared()).sum())

let private rosenbrockStart () = vector (Seq.init 10 (fun i -> if i % 2 = 0 then -1.2 else 1.0))

/// The tiny network: 9 bins, context 3, hidden 5 and 5 (the second recurrent), ReLU, mask inside, discriminative weight 0.05,
/// two clips of 9 frames cut into chunks of 4, 4 and 1 frames. Everything counts from 1, as in the recipe of the golden run.
module private TinyNet =

    let private bins, frames, hidden = 9, 9, 5

    let private grid f =
        vector
            [ for t in 1..frames do
                  for k in 1..bins -> f (float k) (float t) ]
        |> _.reshape(int64 frames, int64 bins)

    let private mixture c = grid (fun k t -> 0.6 + 0.5 * sin (0.5 * k + 0.9 * t + 1.1 * c))
    let private voice c = grid (fun k t -> 0.4 + 0.35 * cos (0.3 * k + 0.7 * t + 0.5 * c))
    let private music c = grid (fun k t -> 0.4 + 0.35 * sin (0.8 * k - 0.4 * t + 0.3 * c))

    /// W1 b1 W2 b2 Wout bout U, matrices column-major with rows = output units.
    let start () =
        let layer l rows columns =
            [ for j in 1..columns do
                  for i in 1..rows -> 0.4 * sin (float i + 2.0 * float j + 0.5 * float l) ]
            @ [ for i in 1..rows -> 0.1 * cos (float i + float l) ]

        let recurrent =
            [ for j in 1..hidden do
                  for i in 1..hidden -> 0.25 * cos (float i - 2.0 * float j) ]

        vector (layer 1 hidden (3 * bins) @ layer 2 hidden hidden @ layer 3 (2 * bins) hidden @ recurrent)

    let private sizes = [| 135L; 5L; 25L; 5L; 90L; 18L; 25L |]

    /// The frame before, the frame, the frame after; edge frames repeated: [frames, 27].
    let private context (x: torch.Tensor) =
        let at shift =
            x.index_select (0L, torch.tensor ([| for t in 0 .. frames - 1 -> int64 (min (frames - 1) (max 0 (t + shift))) |]))

        torch.cat ([| at -1; at 0; at 1 |], 1L)

    /// The outputs [frames, 18] of one chunk of inputs [frames, 27]; the state starts at zero.
    let private forward (w: torch.Tensor[]) (inputs: torch.Tensor) =
        let first = (inputs.matmul (w[0].view(27L, 5L)) .+ w[1]).relu()
        let drive = first.matmul (w[2].view(5L, 5L)) .+ w[3]

        let states =
            [ 0L .. inputs.shape[0] - 1L ]
            |> List.scan
                (fun (h: torch.Tensor) t -> (drive[t] .+ h.matmul (w[6].view(5L, 5L))).relu())
                (torch.zeros (5L, dtype = torch.float64))
            |> List.tail

        torch.stack(states).matmul(w[4].view(5L, 18L)) .+ w[5]

    /// 1/2 * (|y - s|^2 - 0.05 |y - n|^2) with y the masked outputs, s the targets and n the targets exchanged. The gradient is
    /// the published one, dJ/da1 = (d1 - d2) y2 / (|a1| + |a2| + 1e-10) sign(a1): it leaves the constant out of the quotient
    /// rule, 2e-9 away from the exact one, which the curve to follow shows.
    let private chunkLoss (w: torch.Tensor[]) (x: torch.Tensor) (inputs: torch.Tensor) (v: torch.Tensor) (m: torch.Tensor) =
        let outputs = forward w inputs
        let a = outputs.detach().split([| 9L; 9L |], 1L)
        let total = (a[0].abs() .+ a[1].abs()).add 1e-10
        let y = Array.map (fun (part: torch.Tensor) -> part.abs () / total * x.abs ()) a
        let error (p: torch.Tensor) (q: torch.Tensor) = ((y[0] - p).squared() .+ (y[1] - q).squared()).sum()
        let d = (y[0] - m - (y[0] - v).mul 0.05) - (y[1] - v - (y[1] - m).mul 0.05)
        let slope = torch.cat ([| d * y[1] / total * a[0].sign(); -d * y[0] / total * a[1].sign() |], 1L)
        let carrier = (outputs * slope).sum()
        (error m v - (error v m).mul 0.05).mul(0.5) .+ (carrier - carrier.detach ())

    let private loss (theta: torch.Tensor) =
        let w = theta.split (sizes)

        [ for c in [ 1.0; 2.0 ] do
              let x, v, m = mixture c, voice c, music c
              let inputs = context x

              for first, length in [ 0L, 4L; 4L, 4L; 8L, 1L ] do
                  let part (a: torch.Tensor) = a.narrow (0L, first, length)
                  chunkLoss w (part x) (part inputs) (part v) (part m) ]
        |> List.reduce (fun (a: torch.Tensor) (b: torch.Tensor) -> a .+ b)

    let objective = byAutograd loss

/// Follows a golden curve: the evaluations exactly and values and gradients to `accuracy` (relative) over the first
/// `exact` iterations; returns the last step.
let private follow objective start (expected: float[][]) exact accuracy limit =
    let optimiser = Lbfgs.minFunc limit

    let check (step: OptimiserStep) =
        let row = expected[int (OptimiserState.number "iteration" step.State)]

        if row[0] <= float exact then
            Expect.equal (OptimiserState.number "evaluations" step.State) row[1] $"evaluations at iteration {row[0]}"
            Expect.isLessThan (abs (step.Value / row[2] - 1.0)) accuracy $"value at iteration {row[0]}"
            Expect.isLessThan (abs (step.MaxGradient / row[3] - 1.0)) accuracy $"gradient at iteration {row[0]}"

    let rec go (step: OptimiserStep) =
        check step

        if step.Stopped.IsSome then
            step
        else
            go (optimiser.Step 1000 objective step.State step.Parameters)

    go (optimiser.Step 1000 objective (optimiser.Init start) start)

let private largestDifference (a: float seq) (b: float seq) = Seq.map2 (fun x y -> abs (x - y)) a b |> Seq.max

let private goldenCurves =
    [ testCase "Rosenbrock: the golden curve, then the optimum" (fun () ->
          Memory.plain (fun () ->
              let last = follow rosenbrock (rosenbrockStart ()) (curve "rosenbrock10.csv") 30 1e-8 400
              Expect.isLessThan last.Value 1e-8 "the optimum is 0"
              let distance = largestDifference (golden "rosenbrock10_x.txt" |> Seq.map number) (values last.Parameters)
              Expect.isLessThan distance 1e-4 "the same point"))

      testCase "tiny network: the golden curve" (fun () ->
          Memory.plain (fun () ->
              let expected = curve "tinynet_softabs_r0.05_rnn2_relu.csv"
              let struct (value, gradient) = TinyNet.objective (TinyNet.start ())
              Expect.isLessThan (abs (value - expected[0][2])) 1e-11 "the start's value"
              Expect.isLessThan (abs (gradient.abs().max().item<float>() - expected[0][3])) 1e-11 "the start's gradient"
              let last = follow TinyNet.objective (TinyNet.start ()) expected 15 1e-8 30
              Expect.isLessThan (abs (last.Value - 13.3981225037701)) 1e-5 "the last value"

              let distance =
                  largestDifference (golden "tinynet_softabs_r0.05_rnn2_relu_x.txt" |> Seq.map number) (values last.Parameters)

              Expect.isLessThan distance 1e-3 "the same point")) ]

let private behaviour =
    [ testCase "a quadratic in float32 converges" (fun () ->
          Memory.plain (fun () ->
              let curvature, target = torch.linspace (1.0, 50.0, 40L), torch.linspace (-1.0, 1.0, 40L)
              let last = run (Lbfgs.minFunc 100) (quadratic curvature target) 100 (torch.zeros (40L))
              Expect.isSome last.Stopped "it stops by itself"
              Expect.isLessThan ((last.Parameters - target).abs().max().to_type(torch.float64).item<float>()) 1e-4 "the minimum"))

      testCase "at the minimum the first step stops without moving" (fun () ->
          Memory.plain (fun () ->
              let target = vector [ 1.0; 2.0 ]
              let step = run (Lbfgs.minFunc 10) (quadratic target target) 1 target
              Expect.isSome step.Stopped "the gradient is 0"
              Expect.equal (values step.Parameters) [| 1.0; 2.0 |] "the same point"
              Expect.equal step.Evaluations 1 "one evaluation is enough"))

      testCase "the iteration limit stops it and more iterations go on from its state" (fun () ->
          Memory.plain (fun () ->
              let start = rosenbrockStart ()
              let half = run (Lbfgs.minFunc 7) rosenbrock 100 start
              Expect.equal half.Stopped (Some "the maximum number of iterations is reached") "the reason is the limit"
              let resumed = (Lbfgs.minFunc 8).Step 8 rosenbrock half.State half.Parameters
              let whole = run (Lbfgs.minFunc 8) rosenbrock 100 start
              Expect.equal (values resumed.Parameters) (values whole.Parameters) "the resumed run ends at the same bits"))

      testCase "the memory keeps the newest pairs only" (fun () ->
          Memory.plain (fun () ->
              let narrow = Lbfgs.create { Lbfgs.defaults with Memory = 3 }
              let last = run narrow rosenbrock 10 (rosenbrockStart ())
              Expect.equal last.State.Tensors.Count 7 "gradient and three pairs"
              let final = run narrow rosenbrock 400 (rosenbrockStart ())
              Expect.isLessThan final.Value 1e-6 "and still reaches the optimum"))

      testCase "the search backs away from a region where the objective is not finite" (fun () ->
          Memory.plain (fun () ->
              // -log(x) + 10 x + 5 x^2 has no value for x <= 0; its minimum solves 10 x^2 + 10 x = 1.
              let barrier = byAutograd (fun x -> (x.mul 10.0 .+ x.squared().mul 5.0 - x.log ()).sum())
              let last = run (Lbfgs.minFunc 50) barrier 50 (vector [ 0.5 ])
              Expect.isLessThan (abs ((values last.Parameters)[0] - (sqrt 0.35 - 0.5))) 1e-5 "the search finds the minimum"))

      testCase "an objective that is not finite at the start is an InputException" (fun () ->
          Memory.plain (fun () ->
              let start = vector [ 1.0; 2.0 ]

              for loss, slope in [ nan, 1.0; -infinity, 1.0; 1.0, nan ] do
                  let bad: Objective = fun x -> struct (loss, x.mul (slope: float))
                  let step () = (Lbfgs.minFunc 10).Step 10 bad OptimiserState.empty start |> ignore
                  Expect.throwsT<InputException> step "a start that is not finite is refused"))

      testCase "settings that cannot work are refused" (fun () ->
          for wrong in [ { Lbfgs.defaults with Memory = 0 }; { Lbfgs.defaults with Curvature = 1e-5 } ] do
              Expect.throwsT<ArgumentException> (fun () -> Lbfgs.create wrong |> ignore) "such settings are refused")

      testCase "a step is pure" (pureStep (Lbfgs.minFunc 100))
      testCase "200 steps leak nothing" (fun () ->
          use start = rosenbrockStart ()
          let objective: Objective = fun x -> Memory.scoped (fun (struct (_, g)) -> [ g ]) (fun () -> rosenbrock x)

          leakFree
              (Lbfgs.create { Lbfgs.defaults with ProgTol = 1e-300; OptTol = 1e-300; MaxIterations = 1000 })
              objective
              start
              ()) ]

/// The search on numbers alone.
let private probeOf (f: float -> float) (slope: float -> float) t = { At = t; Value = f t; Slope = slope t; Gradient = () }

let private lineSearch =
    [ testProperty "a step from the search meets the strong Wolfe conditions" (fun (seed: int) ->
          let draws = Key.uniforms 3 (Key.ofSeed seed)
          let centre, bend, first = 0.1 + 5.0 * draws[0], 0.1 + draws[1], 10.0 ** (3.0 * draws[2] - 2.0)
          let f t = bend * (t - centre) ** 2.0 + 0.1 * (t - centre) ** 4.0
          let slope t = 2.0 * bend * (t - centre) + 0.4 * (t - centre) ** 3.0
          let settings = { Decrease = 1e-4; Curvature = 0.9; MaxTrials = 25; Resolution = 1e-9 }
          let start = probeOf f slope 0.0
          let struct (found, evaluations) = LineSearch.strongWolfe settings (probeOf f slope) 1.0 start first
          let decrease = found.Value <= start.Value + 1e-4 * found.At * start.Slope
          decrease && abs found.Slope <= 0.9 * abs start.Slope && evaluations <= 26)

      testCase "the cubic's minimum is exact for a cubic and bounded" (fun () ->
          let f t = t ** 3.0 - 3.0 * t
          let slope t = 3.0 * t * t - 3.0
          let low, high = probeOf f slope 0.0, probeOf f slope 3.0
          Expect.floatClose Accuracy.high (LineSearch.cubicMinimum 0.0 3.0 low high) 1.0 "the minimum of the cubic is at 1"
          Expect.floatClose Accuracy.high (LineSearch.cubicMinimum 0.0 3.0 high low) 1.0 "in either order"
          Expect.equal (LineSearch.cubicMinimum 1.5 3.0 low high) 1.5 "not below the bound") ]

[<Tests>]
let tests = testSequenced <| testList "Lbfgs" (goldenCurves @ behaviour @ lineSearch)
