namespace FunctionalSeparation

open System
open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// Feeds: the training batches of each step, as a function of clips, keys and step numbers.
[<RequireQualifiedAccess>]
module Feed =

    /// Lengths of the pieces into which Huang et al. (2014, authors' code) cut a clip, greedily.
    let internal chunkLengths = [ 100; 50; 25; 10; 1 ]

    /// Cuts `frames` frames greedily into pieces: (start, length), in order. A remainder shorter than the shortest length is
    /// dropped. Raises ArgumentException for a length below 1.
    let internal chunks (lengths: int list) (frames: int) : (int * int) list =
        for length in lengths do
            Numbers.atLeast 1 "A cut into pieces" (nameof length) length

        let rec cut start =
            match lengths |> List.tryFind (fun length -> length <= frames - start) with
            | Some length -> (start, length) :: cut (start + length)
            | None -> []

        cut 0

    let private mapped (change: torch.Tensor -> torch.Tensor) = Map.map (fun _ tensor -> change tensor)

    /// One piece of a clip: its length, its mixture with margins and its references, time first, by domain.
    [<NoEquality; NoComparison>]
    type private Piece = { Length: int; Mixed: Map<Domain, torch.Tensor>; Sources: Map<Domain, torch.Tensor> }

    let private tensorsOf (piece: Piece) = [ yield! Map.values piece.Mixed; yield! Map.values piece.Sources ]

    /// The sources of a clip that this network can learn from, in the network's order. None may be silent where each is scaled to
    /// unit norm.
    let private usable (network: Network) (mixing: Mixing) (clip: Clip) : Stems =
        let spec = network.Spec

        if clip.Channels <> spec.Channels then
            raise (
                InputException(
                    $"{clip.Name}: has {clip.Channels} channel(s), {network.Name} learns from "
                    + $"{spec.Channels}. Mix it down (Corpus.mono; "
                    + "train.fsx: --mono), or build the network for as many."
                )
            )

        Clip.requireRate spec.FrontEnd.SampleRate clip
        Clip.requireSources spec.Sources clip
        let stems = Clip.read clip

        (if mixing.NeedsSound then Clip.requireUsable else Clip.requireLength) spec.FrontEnd.Stft clip stems

        [ for name in spec.Sources -> { Name = name; Sound = Stems.find name stems } ]

    /// The pieces of sources [sources, channels, samples].
    let private piecesOf (network: Network) (spec: BatchSpec) (sources: torch.Tensor) =
        let stft, margin = network.Spec.FrontEnd.Stft, network.Margin
        let sources = Network.toHeardChannels network 1L sources
        let padded = Batch.spectrograms stft spec.Mixture (sources.sum 0L) |> mapped (Spectra.withMargins margin)
        let references = Batch.spectrograms stft spec.References sources

        [ for start, length in chunks chunkLengths (int (stft.Frames sources.shape[2])) ->
              let cut extra (frames: torch.Tensor) = frames.narrow(0L, int64 start, int64 length + extra).clone()
              { Length = length; Mixed = mapped (cut (2L * margin)) padded; Sources = mapped (cut 0L) references } ]

    let private sideBySide (all: Map<Domain, torch.Tensor> list) =
        all.Head |> Map.map (fun domain _ -> torch.stack (all |> List.map (Map.find domain), 1L))

    let private stackPieces (network: Network) (pieces: Piece list) : Batch =
        { Mixture = pieces |> List.map _.Mixed |> sideBySide
          References = pieces |> List.map _.Sources |> sideBySide
          Margin = network.Margin
          Stft = network.Spec.FrontEnd.Stft }

    /// Batches of pieces of equal length, about `framesPerBatch` frames each. Frees the pieces.
    let private batchesOf network framesPerBatch (pieces: Piece list) =
        [ for length, group in List.groupBy _.Length pieces do
              for part in List.chunkBySize (max 1 (framesPerBatch / length)) group do
                  Memory.scoped Batch.tensors (fun () -> stackPieces network part)

                  for tensor in List.collect tensorsOf part do
                      tensor.Dispose() ]

    /// The pieces of a clip whose other sources are rotated by each of the offsets against the last one. The caller owns the
    /// tensors.
    let private rotatedPieces network spec (offsets: int list) (sources: unit -> torch.Tensor) =
        Memory.scoped (List.collect tensorsOf) (fun () ->
            let sources = sources ()
            let last = sources.shape[0] - 1L

            [ for offset in offsets do
                  let others = Augment.rotate (int64 offset) (sources.narrow (0L, 0L, last))
                  yield! piecesOf network spec (torch.cat [| others; sources.narrow (0L, last, 1L) |]) ])

    /// The whole training set as in the paper: every clip with every rotation of its music. Context is stacked over the whole
    /// clip, which is then cut into pieces of 100, 50, 25, 10 and 1 frames. The states start at zero in each piece. Pieces of
    /// equal length from several clips form batches of about `framesPerBatch` frames. The caller owns the tensors. Raises
    /// ArgumentException for no frame in a batch.
    let wholeClips
        (network: Network)
        (spec: BatchSpec)
        (shiftStep: int option)
        (framesPerBatch: int)
        dtype
        device
        (clips: Clip list)
        : Batch list =
        Numbers.atLeast 1 "A feed of whole clips" (nameof framesPerBatch) framesPerBatch

        [ for clip in clips do
              let stems = usable network spec.Mixing clip
              let offsets = Augment.shifts shiftStep (Stems.length stems)
              let sources () = Clip.sources spec.Mixing (Clip.key clip) dtype device stems
              yield! rotatedPieces network spec offsets sources ]
        |> batchesOf network framesPerBatch

    /// The sources of a clip as they are mixed: [source][channel][samples].
    let private sound (network: Network) (mixing: Mixing) (clip: Clip) : float32[][][] =
        Memory.plain (fun () ->
            let sources = usable network mixing clip |> Clip.sources mixing (Clip.key clip) torch.float32 torch.CPU

            [| for source in sources.unbind 0 -> [| for channel in source.unbind 0 -> channel.data<float32>().ToArray() |] |])

    let private requireClips (clips: Clip list) =
        if clips.IsEmpty then
            invalidArg (nameof clips) "A feed needs at least one clip, got none."

    /// Random excerpts of the clips, which are read as they are drawn (see `Excerpts`). Raises ArgumentException for settings
    /// that make no excerpts, and where there is no clip; InputException, naming the clip, for one that the network cannot learn
    /// from.
    let excerpts
        (network: Network)
        (spec: BatchSpec)
        (settings: ExcerptSettings)
        (device: torch.Device)
        (clips: Clip list)
        : Excerpts =
        ExcerptSettings.require settings
        requireClips clips
        Excerpts(network, spec, settings, device, clips)

    /// One rotation of the music at a time: all clips whole and cut into pieces as in `wholeClips`. Clips stay in memory as
    /// sound. A clip with fewer rotations than the longest one begins again with its first.
    [<Sealed>]
    type Rotations
        internal
        (network: Network, spec: BatchSpec, shiftStep: int option, framesPerBatch: int, device: torch.Device, clips: Clip list) =
        let loaded =
            [ for clip in clips do
                  let sources = sound network spec.Mixing clip
                  sources, Augment.shifts shiftStep (sources[0].[0]).Length |> Array.ofList ]

        let tensor (sources: float32[][][]) () =
            torch.stack([| for source in sources -> torch.stack [| for channel in source -> torch.tensor channel |] |]).``to``
                device

        /// Rotations of the longest clip.
        member val Count = loaded |> List.map (fun (_, offsets) -> offsets.Length) |> List.max

        /// The whole set with rotation `index` (modulo `Count`). The caller owns the tensors.
        member rotations.Batches(index: int) : Batch list =
            let rotation = index % rotations.Count

            [ for sources, offsets in loaded do
                  yield! rotatedPieces network spec [ offsets[rotation % offsets.Length] ] (tensor sources) ]
            |> batchesOf network framesPerBatch

    /// Loads the clips and rotates their music by 0, step, 2 step, ... samples, one rotation a mini-batch (Huang et al. 2015,
    /// authors' code). Raises ArgumentException where there is no clip, or no frame in a batch.
    let rotations (network: Network) (spec: BatchSpec) (shiftStep: int option) (framesPerBatch: int) device (clips: Clip list) =
        requireClips clips
        Numbers.atLeast 1 "A feed of rotations" (nameof framesPerBatch) framesPerBatch
        Rotations(network, spec, shiftStep, framesPerBatch, device, clips)
