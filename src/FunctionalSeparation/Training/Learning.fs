namespace FunctionalSeparation

open TorchSharp

/// Inputs of a training run: a network, the specification of its batches, and clips.
[<NoEquality; NoComparison>]
type LearningSite =
    {
        /// The network to train.
        Network: Network
        /// Specification of the batches.
        Batches: BatchSpec
        /// Training clips.
        Clips: Clip list
        /// Where tensors live.
        Device: torch.Device
        /// Key of all random draws.
        Key: Key
    }

/// The optimiser, learning rate and batches of a run from its first step to its last.
[<NoEquality; NoComparison>]
type Course =
    {
        /// How the parameters move.
        Optimiser: Optimiser
        /// Steps of the run.
        Steps: int
        /// The learning rate, where the optimiser has one.
        Rate: Schedule option
        /// See `TrainingTask.Feed`.
        Feed: int -> Batch list
        /// The tensors that live as long as the run: those of its batches, [time, batch, ...] each.
        Owned: torch.Tensor list
    }

/// How the training data is walked through, and by which optimiser.
[<NoEquality; NoComparison>]
type Learning =
    {
        /// Part of the identity of a run.
        Words: string
        /// Whether it compares objectives more finely than products in bfloat16 are.
        NeedsFloat32: bool
        /// The course of a run on a network and clips. Raises InputException for clips that the network cannot learn from, and
        /// ArgumentException for settings that make no batches.
        Begin: LearningSite -> Course
    }

/// How long a run is.
type Length =
    /// So many steps.
    | Steps of int
    /// Passes over the training clips.
    | Epochs of int

/// The batches of each step of a run.
[<NoEquality; NoComparison>]
type OpenFeed =
    {
        /// Steps in which every clip is seen about once.
        StepsPerEpoch: int
        /// See `TrainingTask.Feed`.
        Batches: int -> Batch list
    }

/// A way to see the clips, and the words that tell it from others.
[<NoEquality; NoComparison>]
type Seeing =
    {
        /// Part of the identity of a run.
        Words: string
        /// The feed on a network and clips. Raises as `Learning.Begin`.
        Open: LearningSite -> OpenFeed
    }

/// Ways to see the clips, and to learn from what is seen.
[<RequireQualifiedAccess>]
module Learning =

    let private floats = torch.float32

    /// Frames of a batch of whole clips: enough sequences side by side for the products of a recurrent layer, few enough to
    /// stay in a cache between two passes (see the benchmark `objective`).
    let private framesPerBatch = 3200

    /// Random excerpts of the clips (see `Feed.excerpts`).
    let excerpts (settings: ExcerptSettings) : Seeing =
        let openFeed site =
            let feed = Feed.excerpts site.Network site.Batches settings site.Device site.Clips
            { StepsPerEpoch = feed.StepsPerEpoch; Batches = fun step -> [ feed.Batch site.Key step ] }

        { Words = ExcerptSettings.words settings; Open = openFeed }

    let private lengthWords =
        function
        | Steps count -> $"{count} steps"
        | Epochs count -> $"{count} epochs"

    /// <summary>
    /// A rule that moves the weights for so long, on what it sees. Raises ArgumentException for a length below 1.
    /// </summary>
    /// <example><code lang="fsharp">
    /// let learning =
    ///     Learning.excerpts (ExcerptSettings.ofSize 50 8) |> Learning.create (Rule.adam 1e-3) (Epochs 10)
    /// </code></example>
    let create (rule: Rule) (length: Length) (seeing: Seeing) : Learning =
        match length with
        | Steps count
        | Epochs count -> Numbers.atLeast 1 "A run" "Length" count

        let start site =
            let feed = seeing.Open site

            let steps =
                match length with
                | Steps count -> count
                | Epochs count -> count * feed.StepsPerEpoch

            { Optimiser = rule.Optimiser steps; Steps = steps; Rate = rule.Rate steps; Feed = feed.Batches; Owned = [] }

        { Words = $"{rule.Words}, {lengthWords length} of {seeing.Words}"; NeedsFloat32 = false; Begin = start }

    let private shiftWords (shiftStep: int option) = shiftStep |> Option.map string |> Option.defaultValue "none"

    /// The paper's: all clips with all rotations of their music at every step of L-BFGS (Huang et al. 2014).
    let fullBatch (shiftStep: int option) (iterations: int) : Learning =
        let start site =
            let batches = Feed.wholeClips site.Network site.Batches shiftStep framesPerBatch floats site.Device site.Clips

            { Optimiser = Lbfgs.minFunc iterations
              Steps = iterations
              Rate = None
              Feed = fun _ -> batches
              Owned = List.collect Batch.tensors batches }

        { Words = $"L-BFGS, {iterations} iterations, shift {shiftWords shiftStep}"
          NeedsFloat32 = true
          Begin = start }

    let private clippingWords =
        function
        | NoClipping -> "no clipping"
        | ClipNorm bound -> System.FormattableString.Invariant $"gradient norm at most {bound}"
        | ClipElements bound -> System.FormattableString.Invariant $"gradient elements at most {bound}"

    /// L-BFGS with a fresh memory on each rotation of the music, so many iterations on each, all of them gone through so many times
    /// (Huang et al. 2015).
    let miniBatches (shiftStep: int option) (passes: int) (iterations: int) (clipping: Clipping) : Learning =
        let start site =
            let feed = Feed.rotations site.Network site.Batches shiftStep framesPerBatch site.Device site.Clips

            { Optimiser = Lbfgs.minFunc iterations |> MiniBatch.clipped clipping |> MiniBatch.restarted iterations
              Steps = passes * feed.Count * iterations
              Rate = None
              Feed = fun step -> feed.Batches(step / iterations)
              Owned = [] }

        { Words =
            $"mini-batch L-BFGS, {passes} passes, {iterations} iterations a rotation, shift {shiftWords shiftStep}, {clippingWords clipping}"
          NeedsFloat32 = true
          Begin = start }
