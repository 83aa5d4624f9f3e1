/// A busy application: four threads separate, score and train while one allocates and one forces collections. Nothing fails,
/// and every result is that of a quiet process, bit for bit. `FUNCSEP_STRESS` scales the number of jobs (`build.fsx stress`).
module FunctionalSeparation.Tests.StressTests

open System
open System.Collections.Concurrent
open System.Threading
open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core
open FunctionalSeparation.Tests.Scripts

let private factor =
    match Environment.GetEnvironmentVariable "FUNCSEP_STRESS" with
    | null
    | "" -> 1
    | text -> int text

let private architecture recurrence = { Drnn.huang2014 with Hidden = [ 24; 24 ]; Recurrence = recurrence; Mask = Squared }

let private trained recurrence =
    let architecture = architecture recurrence

    { Network = Drnn.network architecture
      Parameters = Params.init (Network.layout (Drnn.network architecture)) torch.float32 torch.CPU (Key.ofSeed 2)
      Level = Some 0.01 }

let private corpus = lazy (Corpus.embedded 3)

let private song =
    let channel seed = Key.uniforms (22050 * 10) (Key.ofSeed seed) |> Array.map (fun u -> float32 (0.2 * u - 0.1))
    lazy (AudioBuffer([| channel 1; channel 2 |], 22050))

/// Ten seconds of two channels that are resampled, by a recurrent network: all samples of both stems.
let private separate () =
    use separator = new NetworkSeparator("stress", trained (RecurrentAt 2)) :> ISeparator
    let stems = separator.Separate song.Value

    [| for stem in separator.Stems do
           yield! stems[stem].Channels |]
    |> Array.concat
    |> Array.map float

let private numbers (scores: SourceScores) = [| scores.Sdr; scores.Sir; scores.Sar; scores.Nsdr |]

/// The scores of a clip and of its ceiling.
let private score () =
    let model = trained FeedForward

    [| for separator in [ Separation.separator model Soft; Evaluate.idealRatioMask model.Network.Spec.FrontEnd ] do
           let scores = Evaluate.clip Scoring.papers torch.float32 torch.CPU separator corpus.Value.Test.Head
           yield! numbers (scores["music"])
           yield! numbers (scores["voice"]) |]

/// Parameters after so many steps.
let private train optimiser steps () =
    let architecture = architecture (RecurrentAt 1)
    let excerpts = { ExcerptSettings.ofSize 10 2 with OtherSong = 0.5 }
    let feed = Feed.excerpts (Drnn.network architecture) Scratch.magnitudes excerpts torch.CPU corpus.Value.Train

    let task =
        { Layout = Network.layout (Drnn.network architecture)
          Loss = Batch.loss (Network.model (Drnn.network architecture)) (Loss.discriminative 0.05 Loss.squaredError)
          Optimiser = optimiser
          Steps = steps
          Feed = fun step -> [ feed.Batch (Key.ofSeed 5) step ]
          Key = Key.ofSeed 9 }

    let start = Params.init task.Layout torch.float32 torch.CPU (Key.ofSeed 1)
    let mutable last = [||]

    for state in Train.states task (Train.start task start.Vector) do
        if state.Step = steps then
            last <- Memory.plain (fun () -> (state.Parameters.``to`` torch.float64).data<float>().ToArray())

    last

let private kinds =
    [ "separation", 40, separate
      "scores", 4, score
      "10 steps of clipped AdamW",
      2,
      train
          (Optimiser.descend
              (Schedule.constant 1e-3)
              (Transform.chain [ Transform.clipNorm 1.0; Transform.adam 0.9 0.999 1e-8; Transform.weightDecay 0.01 ]))
          10
      "10 steps of L-BFGS", 2, train (Lbfgs.create { Lbfgs.defaults with Memory = 3; MaxIterations = 10 }) 10 ]

/// Runs work beside a thread that allocates and one that forces collections.
let private besideCollections (work: unit -> unit) =
    use stop = new CancellationTokenSource()

    let until (act: unit -> unit) =
        Thread(fun () ->
            while not stop.IsCancellationRequested do
                act ())

    let others =
        [ until (fun () -> Array.zeroCreate<byte> 100_000 |> GC.KeepAlive)
          until (fun () ->
              // Young objects alone: temporary ones are young, and this is done a thousand times a second.
              GC.Collect 0
              GC.WaitForPendingFinalizers()) ]

    for other in others do
        other.Start()

    try
        work ()
    finally
        stop.Cancel()

        for other in others do
            other.Join()

/// Runs all jobs on four threads: a line for each that failed or gave another result than the quiet one.
let private runAll (jobs: (string * (unit -> float[]) * float[]) list) =
    let waiting, wrong = ConcurrentQueue jobs, ConcurrentQueue<string>()

    let rec work () =
        match waiting.TryDequeue() with
        | true, (name, job, expected) ->
            try
                if job () <> expected then wrong.Enqueue $"{name}: another result"
            with failure ->
                wrong.Enqueue $"{name}: {failure.Message.Split('\n')[0]}"

            work ()
        | _ -> ()

    let threads = [ for _ in 1..4 -> Thread(work) ]

    for thread in threads do
        thread.Start()

    for thread in threads do
        thread.Join()

    List.ofSeq wrong

[<Tests>]
let tests =
    testSequenced
    <| testList
        "stress"
        [ Scratch.long
              "four threads beside allocation and forced collections: nothing fails, every result is the quiet one"
              (fun () ->
                  let quiet = [ for name, count, job in kinds -> name, count * factor, job, job () ]

                  let jobs =
                      [ for name, count, job, expected in quiet do
                            for i in 1..count -> float i / float count, (name, job, expected) ]
                      |> List.sortBy fst
                      |> List.map snd

                  besideCollections (fun () ->
                      let wrong = runAll jobs
                      let first = wrong |> List.truncate 5 |> String.concat "; "
                      Expect.isEmpty wrong $"{wrong.Length} of {jobs.Length} jobs went wrong: {first}")) ]
