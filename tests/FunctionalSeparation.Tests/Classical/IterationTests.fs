/// Iterations over states that hold tensors.
module FunctionalSeparation.Tests.IterationTests

open System
open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning

let private one () = torch.ones (1L, dtype = torch.float64)
let private value (x: torch.Tensor) = x.item<float>()

[<Tests>]
let tests =
    testSequenced
    <| testList
        "iteration"
        [ test "applies the step so many times, or until it is finished" {
              Memory.plain (fun () ->
                  let double (x: torch.Tensor) = x.mul 2.0
                  Expect.equal (one () |> Iteration.times List.singleton 5 double |> value) 32.0 "five doublings give 32"
                  Expect.equal (one () |> Iteration.times List.singleton 0 double |> value) 1.0 "without a step one stays"

                  Expect.equal
                      (one () |> Iteration.run List.singleton 100 (fun x -> value x >= 8.0) double |> value)
                      8.0
                      "until it is finished")
          }

          test "keeps the last state alone" {
              GC.Collect()
              GC.WaitForPendingFinalizers()
              let before = Memory.liveTensors ()
              use last = one () |> Iteration.times List.singleton 10 (fun x -> x.add (1.0) * x.add 2.0 / x.add 3.0)
              Expect.equal (Memory.liveTensors ()) (before + 1L) "one tensor more"
              Expect.isTrue (Double.IsFinite(value last)) "the last state is still alive"
          } ]
