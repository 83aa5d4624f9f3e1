namespace FunctionalSeparation

open TorchSharp
open FunctionalSeparation.Learning

/// The batches of each step of a run.
[<NoEquality; NoComparison>]
type Samples =
    {
        /// Steps in which every clip is used about once.
        StepsPerEpoch: int
        /// See `TrainingTask.Feed`.
        Batches: int -> Batch list
        /// The tensors that live as long as the run: those of its batches, [time, batch, ...] each.
        Owned: torch.Tensor list
    }

/// A way to draw the batches of a run from clips.
[<NoEquality; NoComparison>]
type Sampler =
    {
        /// Identity of the sampler.
        Id: Id
        /// The samples for a network, from the specification of its batches, a device, the key of all draws, and clips. Raises
        /// InputException for clips that the network cannot learn from, and ArgumentException for settings that make no batches.
        Open: Network -> BatchSpec -> torch.Device -> Key -> Clip list -> Samples
    }

/// How long a run is.
type Length =
    /// A number of steps.
    | Steps of int
    /// Passes over the training clips.
    | Epochs of int

/// The length of runs.
[<RequireQualifiedAccess; CompilationRepresentation(CompilationRepresentationFlags.ModuleSuffix)>]
module Length =

    /// Steps of a run on these samples.
    let steps (samples: Samples) (length: Length) : int =
        match length with
        | Steps count -> count
        | Epochs count -> count * samples.StepsPerEpoch

/// Usual ways to draw batches.
[<RequireQualifiedAccess>]
module Sampler =

    /// Frames of a batch of whole clips. They make enough parallel sequences for the matrix products of a recurrent layer. They
    /// are few enough to stay in a cache between two passes (see the benchmark `objective`).
    let private framesPerBatch = 3200

    /// Random excerpts of the clips (see `Feed.excerpts`).
    let excerpts (settings: ExcerptSettings) : Sampler =
        let start network spec device key clips =
            let feed = Feed.excerpts network spec settings device clips
            { StepsPerEpoch = feed.StepsPerEpoch; Batches = (fun step -> [ feed.Batch key step ]); Owned = [] }

        { Id = ExcerptSettings.id settings; Open = start }

    let private shift (step: int option) = [ for samples in Option.toList step -> "shift step", float samples ]

    /// All clips with all rotations of their music at every step, as for L-BFGS in Huang et al. (2014).
    let wholeClips (shiftStep: int option) : Sampler =
        let start network spec device _ clips =
            let batches = Feed.wholeClips network spec shiftStep framesPerBatch torch.float32 device clips
            { StepsPerEpoch = 1; Batches = (fun _ -> batches); Owned = List.collect Batch.tensors batches }

        { Id = Id.create "whole clips" (shift shiftStep) []; Open = start }

    /// All clips with one rotation of their music, which changes every `steps` steps (Huang et al. 2015). Raises
    /// ArgumentException for less than one step.
    let rotations (shiftStep: int option) (steps: int) : Sampler =
        Numbers.atLeast 1 "A sampler of rotations" (nameof steps) steps

        let start network spec device _ clips =
            let feed = Feed.rotations network spec shiftStep framesPerBatch device clips
            { StepsPerEpoch = feed.Count * steps; Batches = (fun step -> feed.Batches(step / steps)); Owned = [] }

        { Id = Id.create "rotations" (("steps", float steps) :: shift shiftStep) []; Open = start }
