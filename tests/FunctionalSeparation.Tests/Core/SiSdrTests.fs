module FunctionalSeparation.Tests.SiSdrTests

open System
open Expecto
open FsCheck
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

let private noise seed number = Key.ofSeed seed |> Key.fold number |> Key.normals 300

let private score zeroMean (reference: float[]) (estimate: float[]) =
    Memory.plain (fun () -> (SiSdr.Compute(torch.tensor reference, torch.tensor estimate, zeroMean)).[0])

let private dot (x: float[]) (y: float[]) = Array.fold2 (fun sum a b -> sum + a * b) 0.0 x y

let private near (actual: float) (expected: float) message =
    Expect.isTrue (abs (actual - expected) < 1e-9) $"{message}: {actual} is not {expected}"

[<Tests>]
let tests =
    testList
        "SiSdr"
        [ testProperty "it is the ratio of its definition" (fun (seed: int) ->
              let s, e = noise seed 0, Array.map2 (+) (noise seed 0) (noise seed 1)
              let a = dot e s / dot s s
              let residual = Array.map2 (fun s e -> a * s - e) s e
              near (score false s e) (10.0 * log10 (a * a * dot s s / dot residual residual)) "it is the ratio as defined")

          testProperty "scale is nothing" (fun (seed: int) (NonZeroInt g) (NonZeroInt h) ->
              let s, e = noise seed 0, Array.map2 (+) (noise seed 0) (noise seed 1)
              let times gain = Array.map (fun v -> v * float gain * 0.01)
              near (score false (times g s) (times h e)) (score false s e) "scale does not change the score")

          testProperty "an offset is nothing where means are taken off" (fun (seed: int) (NormalFloat offset) ->
              let s, e = noise seed 0, Array.map2 (+) (noise seed 0) (noise seed 1)
              let shift by = Array.map (fun v -> v + by)
              let bounded = Math.Clamp(offset, -10.0, 10.0)
              near (score true (shift bounded s) (shift -2.0 e)) (score true s e) "offsets do not change the score")

          testCase "it is gain-only BSS Eval with one source" (fun () ->
              let s, e = noise 1 0, Array.map2 (+) (noise 1 0) (noise 1 1)
              let gainOnly = Memory.plain (fun () -> (BssEval.Version2GainOnly(torch.tensor s, torch.tensor e)).Item(0).Sdr[0])
              near (score false s e) gainOnly "the score is the SDR of gain-only BSS Eval")

          testCase "edges: silence, orthogonality, equality" (fun () ->
              let s = noise 1 0
              Expect.isTrue (Double.IsNaN(score false (Array.zeroCreate 300) s)) "a silent reference has no score"
              Expect.isTrue (Double.IsNaN(score false s (Array.zeroCreate 300))) "a silent estimate has no score"
              Expect.equal (score false [| 1.0; 0.0 |] [| 0.0; 1.0 |]) -infinity "an orthogonal estimate scores -infinity"
              Expect.isGreaterThan (score false s (Array.map (fun v -> -0.3 * v) s)) 280.0 "equal up to scale")

          testCase "a batch is scored row by row" (fun () ->
              let rows = [| for i in 0..5 -> noise i 0, noise i 1 |]
              let batch pick = torch.stack([| for r in rows -> torch.tensor (pick r: float[]) |]).reshape(2L, 3L, 300L)
              let scores = Memory.plain (fun () -> SiSdr.Compute(batch fst, batch snd))

              for actual, (s, e) in Array.zip scores rows do
                  near actual (score false s e) "each row scores as it does alone")

          testCase "wrong shapes are named" (fun () ->
              let act () = Memory.plain (fun () -> SiSdr.Compute(torch.zeros (2L, 5L), torch.zeros (2L, 4L))) |> ignore
              Expect.throwsT<ArgumentException> act "unequal shapes are refused")

          testCase "a reference must be numbers; an estimate that is none has no score" (fun () ->
              let broken = Array.append [| nan |] (noise 1 0).[1..]
              Scratch.refusesArgument [ "not finite" ] (fun () -> score false broken (noise 1 1) |> ignore)
              Expect.isTrue (Double.IsNaN(score false (noise 1 1) broken)) "a broken estimate has no score") ]
