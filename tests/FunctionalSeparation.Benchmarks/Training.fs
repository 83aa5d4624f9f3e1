/// Training: the objective with its gradient against the peak of matrix products, and what optimisers add.
module FunctionalSeparation.Benchmarks.Training

open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core
open FunctionalSeparation.Benchmarks.Paired

let private cube = 4096L

let private factors = lazy (Sounds.noise 1 [ cube; cube ], Sounds.noise 2 [ cube; cube ])

/// Matrix products of the size at which libtorch is at its peak.
let products (dtype: torch.ScalarType) : Work =
    let a, b = factors.Value
    let a, b = a.``to`` dtype, b.``to`` dtype

    { Name = $"matrix products of {cube}, {dtype}"
      Amount = 2.0 * float cube ** 3.0 / 1e9
      Run = fun () -> torch.mm (a, b) |> ignore }

let private frames = List.sumBy (Batch.frames >> float)

/// 6 operations a weight and frame: a product forward, two backward.
let private operations (model: Model<Mixture, Estimates>) batches = 6.0 * float (Layout.total model.Layout) * frames batches / 1e9

let private loss = Loss.squaredError |> Loss.discriminative 0.05
let private spec = BatchSpec.create Sounds.network.Value.Network loss Mixing.unitNorm

let private evaluate (model: Model<Mixture, Estimates>) (vector: torch.Tensor) batches () =
    let struct (_, _) = Train.objective model.Layout (Batch.loss model loss) (Key.ofSeed 0) batches vector
    ()

let private freed batches =
    for tensor in List.collect Batch.tensors batches do
        tensor.Dispose()

/// Value and gradient over all training clips of MIR-1K, unshifted, DRNN-2 with 3 x 1000 units on context 3.
let objective () : Figure list =
    let network = Sounds.network.Value
    let model = Network.model network.Network

    let figureOf framesPerBatch remark =
        let batches =
            Feed.wholeClips network.Network spec None framesPerBatch torch.float32 torch.CPU Sounds.trainingClips.Value

        let own =
            { Name = $"objective and gradient, {frames batches} frames, {framesPerBatch} at once"
              Amount = operations model batches
              Run = evaluate model network.Parameters.Vector batches }

        let figure = compare 5 "GFLOP/s" remark own (products torch.float32)
        freed batches
        { figure with Remark = $"{figure.Remark}; peak memory so far {peakMemory ():F0} MB" }

    [ for framesPerBatch in [ 3200; 1600 ] ->
          figureOf framesPerBatch (if framesPerBatch = 3200 then "what training uses; aim: 0.9" else "other sizes") ]

/// The batches of a feed, one after another, as training asks for them.
let inTurn (feed: Excerpts) : unit -> Batch =
    let step = ref -1

    fun () ->
        step.Value <- step.Value + 1
        feed.Batch (Key.ofSeed 0) step.Value

/// One batch of random excerpts, the step of `desk`, in both precisions.
let step () : Figure list =
    // As `Train.states` does.
    HostMemory.Keep() |> ignore
    let network = Sounds.network.Value

    let feed = Feed.excerpts network.Network spec (ExcerptSettings.ofSize 50 16) torch.CPU Sounds.trainingClips.Value

    let next = inTurn feed
    let batch = next ()
    let optimiser = Optimiser.adam (Schedule.constant 1e-9)
    let start = network.Parameters.Vector
    let state = optimiser.Init start

    [ for precision in [ Precision.Float32; Precision.Bfloat16 ] do
          let model = Network.modelIn precision network.Network

          let train batch () =
              optimiser.Step 1000 (Train.objective model.Layout (Batch.loss model loss) (Key.ofSeed 0) [ batch () ]) state start
              |> ignore

          for name, run in
              [ "objective and gradient of 16 x 50 frames", evaluate model start [ batch ]
                "the same with Adam", train (fun () -> batch)
                "the same with Adam and the making of the batch", train next ] do
              let work = { Name = $"{precision}: {name}"; Amount = operations model [ batch ]; Run = run }
              compare 7 "GFLOP/s" "" work (products torch.float32) ]

/// An iteration of L-BFGS with a full memory, beside the evaluation it needs.
let lbfgs () : Figure list =
    let network = Sounds.network.Value
    let model = Network.model network.Network

    let batches = Feed.wholeClips network.Network spec None 3200 torch.float32 torch.CPU Sounds.trainingClips.Value

    let optimiser = Lbfgs.minFunc 1000

    // A bowl whose curvature differs by direction: cheap, and never at its end before the memory is full.
    let scales = Memory.tensor (fun () -> torch.linspace(1.0, 500.0, Layout.total model.Layout).``to`` torch.float32)

    let bowl: Objective =
        fun point ->
            use scaled = point * scales
            use product = scaled.dot point
            struct (0.5 * product.to_type(torch.float64).item<float>(), scaled.alias ())

    let rec full (step: OptimiserStep) =
        if OptimiserState.number "pairs" step.State >= 50.0 || step.Stopped.IsSome then
            step
        else
            let next = optimiser.Step 1000 bowl step.State step.Parameters

            // The next state holds its tensors through its own handles.
            for tensor in OptimiserStep.tensors step do
                tensor.Dispose()

            full next

    let start = network.Parameters.Vector
    let ready = full (optimiser.Step 1000 bowl (optimiser.Init start) start)
    let pairs = OptimiserState.number "pairs" ready.State
    let evaluations = (optimiser.Step 1000 bowl ready.State ready.Parameters).Evaluations

    let own =
        { Name = $"L-BFGS alone, {pairs} pairs, {evaluations} evaluation(s) of a bowl"
          Amount = 1.0
          Run = fun () -> optimiser.Step 1000 bowl ready.State ready.Parameters |> ignore }

    let evaluation =
        { Name = "objective and gradient of all clips"; Amount = 1.0; Run = evaluate model start batches }

    let figure = compare 5 "runs/s" "" own evaluation
    freed batches
    [ { figure with Remark = $"share of an iteration: {1.0 / (1.0 + figure.Share):F3}; aim: below 0.05" } ]

/// bfloat16 beside float32: products alone.
let bfloat16 () : Figure list =
    [ compare 7 "GFLOP/s" "above 1: bfloat16 is faster" (products torch.bfloat16) (products torch.float32) ]
