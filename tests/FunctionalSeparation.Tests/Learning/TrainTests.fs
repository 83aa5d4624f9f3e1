/// The sequence of training states: which of them hold tensors, and what the others say.
module FunctionalSeparation.Tests.TrainTests

open System
open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning

let private small = { Drnn.huang2014 with Context = 1; Hidden = [ 6 ]; Recurrence = RecurrentAt 1 }

let private corpus = lazy (Corpus.embedded 3)

let private taskWith optimiser =
    let feed =
        Feed.excerpts (Drnn.network small) Scratch.magnitudes (ExcerptSettings.ofSize 5 2) torch.CPU corpus.Value.Train

    { Layout = Network.layout (Drnn.network small)
      Loss = Batch.loss (Network.model (Drnn.network small)) Loss.squaredError
      Optimiser = optimiser
      Steps = 6
      Feed = fun _ -> [ feed.Batch (Key.ofSeed 5) 0 ]
      Key = Key.ofSeed 9 }

let private task = lazy (taskWith (Optimiser.adam (Schedule.constant 1e-3)))

let private start (task: TrainingTask<Batch>) =
    Train.start task (Params.init task.Layout torch.float32 torch.CPU (Key.ofSeed 1)).Vector

let private numbers (state: TrainState) = state.Parameters.data<float32>().ToArray()

/// The parameters after so many steps, taken inside the loop.
let private after steps =
    let mutable last = [||]

    for state in Train.states { task.Value with Steps = steps } (start task.Value) do
        last <- numbers state

    last

let private isRefused step (act: unit -> unit) =
    let wrong = Expect.throwsT<ObjectDisposedException>
    wrong act $"the state after step {step}"

    try
        act ()
    with :? ObjectDisposedException as freed ->
        Expect.stringContains freed.Message $"The state after step {step} was freed" "names the step"
        Expect.stringContains freed.Message "clone" "says what to do"

[<Tests>]
let tests =
    testList
        "training states"
        [ test "the last state is whole after the loop: Seq.last, List.last, Seq.skip, Seq.take, Seq.item" {
              let states () = Train.states { task.Value with Steps = 4 } (start task.Value)

              for name, last in
                  [ "Seq.last", states () |> Seq.last
                    "List.ofSeq", states () |> List.ofSeq |> List.last
                    "Seq.skip", states () |> Seq.skip 3 |> Seq.head
                    "Seq.item", states () |> Seq.item 3
                    "Seq.fold", states () |> Seq.fold (fun _ state -> state) (start task.Value) ] do
                  Expect.equal (last.Step, numbers last) (4, after 4) name
                  TrainState.dispose last

              let second = states () |> Seq.take 2 |> Seq.last
              Expect.equal (numbers second) (after 2) "an early stop leaves the state of that step"
              TrainState.dispose second
          }

          test "earlier states tell their numbers and refuse their tensors with a sentence" {
              let states = Train.states { task.Value with Steps = 3 } (start task.Value) |> List.ofSeq
              Expect.equal (states |> List.map _.Step) [ 1; 2; 3 ] "each step has one state"
              Expect.all states (fun state -> Double.IsFinite state.Value && state.Evaluations = state.Step) "numbers are told"

              for state in List.take 2 states do
                  isRefused state.Step (fun () -> ignore state.Parameters)
                  isRefused state.Step (fun () -> ignore state.Optimiser)
                  isRefused state.Step (fun () -> TrainState.toFile state |> ignore)
                  isRefused state.Step (fun () -> Train.step task.Value state |> ignore)
                  TrainState.dispose state

              Expect.equal (numbers states[2]) (after 3) "the last one"
              TrainState.dispose states[2]
              isRefused 3 (fun () -> ignore states[2].Parameters)
          }

          test "the first state is freed by the first step, and stays the caller's where none is made" {
              let first = start task.Value
              Expect.isEmpty (Train.states { task.Value with Steps = 0 } first) "without a step there is no state"
              Expect.hasLength (numbers first) (int (Layout.total task.Value.Layout)) "the first state is whole"
              let states = Train.states { task.Value with Steps = 1 } first
              Seq.last states |> TrainState.dispose
              isRefused 0 (fun () -> Seq.last states |> ignore)
          }

          test "a state whose step failed is as it was" {
              let failing = { task.Value with Loss = fun _ _ _ -> failwith "no loss" }
              let first = start failing
              Expect.throws (fun () -> Train.states { failing with Steps = 3 } first |> Seq.last |> ignore) "the failure shows"
              Expect.isTrue (numbers first |> Array.forall Single.IsFinite) "the state before the failure is whole"
              TrainState.dispose first
          }

          test "a batch may be anything: a line through numbers, from draws of the key of its step" {
              let line: TrainingTask<float list> =
                  { Layout = [ { Name = "slope"; Shape = [ 1L ]; Init = Zeros } ]
                    Loss =
                      fun key numbers parameters ->
                          let draw = Key.uniform key
                          let at (x: float) = (parameters.Vector.mul(x).sub(3.0 * x)).squared().sum().mul(1.0 + draw)
                          numbers |> List.map at |> List.reduce (.+)
                    Optimiser = Optimiser.sgd (Schedule.constant 0.02)
                    Steps = 6
                    Feed = fun step -> [ [ float step; 1.0 ]; [ 2.0 ] ]
                    Key = Key.ofSeed 4 }

              let slopes () = [ for state in Train.states line (Train.start line (torch.zeros 1L)) -> (numbers state)[0] ]

              let once = slopes ()
              Expect.equal (slopes ()) once "the same key, the same steps"
              Expect.isTrue (abs (List.last once - 3.0f) < 0.2f) $"it finds the slope: {once}"
          }

          test "parameters of another model and a feed without batches are refused" {
              Scratch.refusesArgument [ "fit" ] (fun () -> Train.start task.Value (torch.zeros 5L) |> ignore)
              let first = start task.Value
              let hungry = { task.Value with Feed = fun _ -> [] }
              Scratch.refusesArgument [ "at least one batch" ] (fun () -> Train.step hungry first |> ignore)
              TrainState.dispose first
          }

          test "a schedule whose rate is no number is refused before it spoils the parameters" {
              let schedule = { Id = Id.named "broken"; Rate = fun _ step -> if step = 1 then nan else 1e-3 }
              let broken = taskWith (Optimiser.adam schedule)
              let mutable last = start broken

              Scratch.refusesArgument [ "learning rate of step 1"; "NaN" ] (fun () ->
                  for state in Train.states { broken with Steps = 3 } last do
                      last <- state)

              Expect.isTrue (numbers last |> Array.forall Single.IsFinite) "the state before is whole"
              TrainState.dispose last
          } ]

[<Tests>]
let memory =
    testSequenced (
        test "a long run holds the tensors of one state at a time" {
            let held = ResizeArray()
            let task = task.Value

            for state in Train.states { task with Steps = 6 } (start task) do
                held.Add(Memory.liveTensors ())
                if state.Step = 6 then TrainState.dispose state

            Expect.allEqual held held[0] "live tensors after each step"
        }
    )
