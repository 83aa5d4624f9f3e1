/// The U-Net: its blocks, its step and its batches against the peak of bfloat16 products.
module FunctionalSeparation.Benchmarks.Convolutions

open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core
open FunctionalSeparation.Benchmarks.Paired

let private frames, excerpts = 64, 4

/// Forward and backward, in 1e9, of so many products and sums a point.
let private trained (operations: float) = 3.0 * 2.0 * operations / 1e9

/// Points of an image at a scale, over a whole batch.
let private points scale bins = float (excerpts * (frames >>> scale) * (bins >>> scale))

/// Floating-point operations of a training step, in 1e9, computed from the settings.
let private operations (settings: UNetSettings) =
    let last = settings.Channels.Length - 1

    let ofScale scale (channels: int, blocks: int) =
        let bins = settings.Bins >>> scale
        let convolutions = 2.0 * 9.0 * float (channels * channels) * points scale settings.Bins
        let narrow = float (max 16 (bins / 8))

        let dense =
            if scale = 0 then
                0.0
            else
                2.0 * narrow * float channels * points scale settings.Bins

        (if scale = last then 1.0 else 2.0) * float blocks * (convolutions + dense)

    let between (scale, (here: int, deeper: int)) = 2.0 * 4.0 * float (here * deeper) * points (scale + 1) settings.Bins
    let ends = float (settings.Channels.Head * (9 * 4 + 2)) * points 0 settings.Bins
    let scales = List.zip settings.Channels settings.Blocks |> List.mapi ofScale |> List.sum
    let steps = List.pairwise settings.Channels |> List.indexed |> List.sumBy between
    trained (ends + scales + steps)

let private relu = Layer.activation Relu

/// Two convolutions with their normalisation, as at the first scale of the network; deeper ones have dense layers besides.
let private block channels =
    let conv = Conv.create { Conv.settings 3 channels channels with HasBias = false }
    Model.residual (conv --> Norm.batch channels --> relu --> conv --> Norm.batch channels) --> relu

/// A block of a scale by itself, forward and backward: of its two convolutions all but the gradient of its input.
let private blockAlone (settings: UNetSettings) scale : Work =
    let channels = settings.Channels[scale]
    let model = Precision.network Precision.Bfloat16 (block channels)
    let parameters = Model.init torch.float32 torch.CPU (Key.ofSeed 1) model

    let image =
        Sounds.noise 1 [ int64 excerpts; int64 channels; int64 (frames >>> scale); int64 (settings.Bins >>> scale) ]

    let flow = Activations.ofImages image |> Activations.inMode (Mode.Training(Key.ofSeed 2))

    let value (vector: torch.Tensor) = (Model.apply model (Params.create model.Layout vector) flow).Value.squared().sum()

    let run () =
        let struct (_, _) = Grad.valueAndGrad value parameters.Vector
        ()

    { Name = $"a block of {channels} channels on {excerpts} x {image.shape[2]} x {image.shape[3]} points, bfloat16"
      Amount = 5.0 / 6.0 * trained (18.0 * float (channels * channels) * points scale settings.Bins)
      Run = run }

/// All blocks of a network, each by itself: what a step cannot be much slower than.
let private blocksAlone (settings: UNetSettings) : Work =
    let last = settings.Channels.Length - 1

    let blocks =
        [ for scale, count in List.indexed settings.Blocks do
              yield! List.replicate (if scale = last then count else 2 * count) (blockAlone settings scale) ]

    { Name = "its blocks, each alone"
      Amount = blocks |> List.sumBy _.Amount
      Run =
        fun () ->
            for block in blocks do
                Memory.plain block.Run }

let private steps name (settings: UNetSettings) : Figure list =
    let network =
        UNet.family.Network settings { FrontEnd = UNet.frontEnd; Channels = 1; Sources = Stems.musicAndVoice }

    let model = Network.modelIn Precision.Bfloat16 network
    let spec = BatchSpec.create network Loss.logErrorShare Mixing.unitNorm

    let seeing =
        { ExcerptSettings.ofSize frames excerpts with
            OtherSong = 0.8
            Effects = [ Effect.polarity; Effect.equalise 3.0 ] }

    let feed = Feed.excerpts network spec seeing torch.CPU (List.truncate 20 Sounds.trainingClips.Value)
    let start = (Model.init torch.float32 torch.CPU (Key.ofSeed 1) model).Vector
    let optimiser = Optimiser.adamW 0.01 (Schedule.constant 1e-9)
    let state = optimiser.Init start
    let next = Training.inTurn feed
    let batch = next ()
    let objective batch = Train.objective model.Layout (Batch.loss model Loss.logErrorShare) (Key.ofSeed 0) [ batch ]

    let evaluate () =
        let struct (_, _) = objective batch start
        ()

    let runs =
        [ "objective and gradient", evaluate
          "the same with AdamW", (fun () -> optimiser.Step 1 (objective batch) state start |> ignore)
          "the same with AdamW and the making of the batch",
          (fun () -> optimiser.Step 1 (objective (next ())) state start |> ignore) ]

    let own what run = { Name = $"U-Net {name}: {what}"; Amount = operations settings; Run = run }

    [ yield
          compare
              5
              "GFLOP/s"
              $"{excerpts} x {frames} frames; aim: 0.9"
              (own "objective and gradient, beside its blocks" evaluate)
              (blocksAlone settings)

      for what, run in runs do
          yield compare 5 "GFLOP/s" $"{excerpts} x {frames} frames" (own what run) (Training.products torch.bfloat16) ]

/// Blocks of the medium size at its scales, and steps of the small and the medium one.
let unet () : Figure list =
    // As `Train.states` does.
    HostMemory.Keep() |> ignore

    let alone scale =
        compare
            7
            "GFLOP/s"
            "forward and backward, casts included"
            (blockAlone UNet.medium scale)
            (Training.products torch.bfloat16)

    [ for scale in 0 .. UNet.medium.Channels.Length - 1 do
          alone scale
      yield! steps "S" UNet.small
      yield! steps "M" UNet.medium ]
