namespace FunctionalSeparation

open System
open TorchSharp
open FunctionalSeparation.Core

/// The separation of a sound that comes piece by piece, at a moment. Its tensors belong to it. A network that hears channels by
/// themselves has each of them as an element of a batch; one that hears several together has a batch of one.
[<NoEquality; NoComparison>]
type SeparationState =
    {
        /// Sound that frames to come look at, [batch, channels, samples].
        Pending: torch.Tensor
        /// The recurrent states after the last frame, [batch, units] each.
        States: torch.Tensor list
        /// What the frames so far add to samples that later frames add to as well, [batch, sources, channels, n_fft - hop].
        Tail: torch.Tensor
        /// Samples that have come.
        Received: int64
        /// Samples of overlap-add that are done; the sound begins behind the first n_fft - hop.
        Done: int64
    }

/// Separation in bounded memory, as a fold over the pieces of a sound. What comes out does not depend on how the sound was
/// cut: every frame is computed by the same products, whichever frames it shares them with (on the CPU to the last bit for the papers'
/// feed-forward networks; otherwise within 1e-5 of the loudest sample). The ends are not tapered, nothing is dropped.
[<RequireQualifiedAccess>]
module SeparationStream =

    /// Frames that run through a network at once, at least: more cost memory, fewer cost those around them again and again.
    let private blockFrames = 320L

    /// The transform of the network, without the padding of a whole clip.
    let private stftOf (trained: TrainedModel) =
        let stft = trained.Network.Setting.FrontEnd.Stft
        Stft(stft.FftSize, stft.HopLength, stft.Window, false)

    /// How far the first frame begins before the sound, so that its first sample is in as many frames as any other.
    let private lead (stft: Stft) = int64 (stft.FftSize - stft.HopLength)

    let private roundedUp (step: int64) (count: int64) = (count + step - 1L) / step * step

    /// Frames on each side that a transform of samples cut off there would spoil.
    let private spoilt (network: Network) =
        let stft = network.Setting.FrontEnd.Stft

        match network.Means with
        | Means.Waveforms -> (stft.FftSize / 2 + stft.HopLength - 1) / stft.HopLength
        | Means.Mask _
        | Means.Magnitudes _
        | Means.ComplexMask -> 0

    /// Frames that the network is given before and after those of which it is asked. Pieces begin and end at multiples of its stride.
    let private around (network: Network) : struct (int64 * int64) =
        let back, ahead =
            match network.Outlook with
            | Outlook.Frames(back, ahead) -> int64 back, int64 ahead
            | Outlook.Blocks(_, around) -> int64 around, int64 around

        let more = network.Margin + int64 (spoilt network)
        struct (roundedUp network.Stride (back + more), roundedUp network.Stride (ahead + more))

    /// The most frames of a block: more where a network is given many around them.
    let private blockOf (network: Network) =
        match network.Outlook with
        | Outlook.Blocks(length, _) -> roundedUp network.Stride (int64 length)
        | Outlook.Frames _ ->
            let struct (before, after) = around network
            roundedUp network.Stride (max blockFrames (before + after))

    /// Frames that are waited for. Where a network looks at all that it is given, what comes out depends on where a part begins; so it
    /// is always given the same parts.
    let private step (network: Network) =
        match network.Outlook with
        | Outlook.Blocks _ -> blockOf network
        | Outlook.Frames _ -> network.Stride

    let private hopOf (trained: TrainedModel) = int64 trained.Network.Setting.FrontEnd.Stft.HopLength

    let private tensors state = state.Pending :: state.Tail :: state.States

    /// Frees a state.
    let dispose (state: SeparationState) =
        for tensor in tensors state do
            tensor.Dispose()

    /// Samples that estimates stay behind: one window, what the network looks ahead, and what it waits for: until its stride is full,
    /// or a block.
    let latency (trained: TrainedModel) : int =
        let struct (_, after) = around trained.Network
        trained.Network.Setting.FrontEnd.Stft.FftSize + int ((after + step trained.Network - 1L) * hopOf trained)

    /// How many elements a batch has, and how many channels each, for a sound of so many channels. Raises InputException where the
    /// network hears several channels together and these are no multiple of them.
    let private placesOf (network: Network) (channels: int) : struct (int64 * int64) =
        let together = network.Setting.Channels

        if channels % together <> 0 then
            raise (
                InputException
                    $"{network.Name} hears {together} channels together, the sound has {channels}. Give it such a sound."
            )

        struct (int64 (channels / together), int64 together)

    /// Before the first sample of a sound of so many channels: silence. Raises InputException where the network hears several channels
    /// together and these are others.
    let start (trained: TrainedModel) (channels: int) : SeparationState =
        Numbers.atLeast 1 "A stream" (nameof channels) channels
        let lead, sources = lead (stftOf trained), int64 trained.Network.Setting.Sources.Length
        let struct (batch, together) = placesOf trained.Network channels
        let struct (before, _) = around trained.Network
        let zeros (shape: int64[]) = trained.Parameters.Vector.new_zeros shape

        { Pending = zeros [| batch; together; lead + before * hopOf trained |]
          States = []
          Tail = zeros [| batch; sources; together; lead |]
          Received = 0L
          Done = 0L }

    /// The overlapped squared windows at each sample of a hop, [hop]: what overlap-add multiplies the signal by.
    let private overlapGain (stft: Stft) (like: torch.Tensor) =
        (stft.Weights(like.dtype, like.device)).squared().view(-1L, int64 stft.HopLength).sum(0L)

    /// What is carried from block to block.
    [<NoEquality; NoComparison>]
    type private Carry = { States: torch.Tensor list; Tail: torch.Tensor }

    /// One block of frames, whose sound with all that they look at is `window`: its finished samples [batch, sources, channels,
    /// frames hop], and what to carry on.
    let private block (trained: TrainedModel) (stft: Stft) (window: torch.Tensor) frames (carry: Carry) =
        let struct (before, after) = around trained.Network
        let estimates, states = Separation.spectra trained Soft before after carry.States (stft.Forward window)
        let sum = stft.Inverse estimates
        let finished = frames * int64 stft.HopLength
        let head = sum.narrow (-1L, 0L, lead stft) .+ carry.Tail
        let whole = torch.cat ([| head; sum.narrow (-1L, lead stft, finished) |], -1L)
        let hops = whole.narrow(-1L, 0L, finished).unflatten(3L, [| frames; int64 stft.HopLength |])

        let states =
            match trained.Network.Outlook with
            | Outlook.Blocks _ -> []
            | Outlook.Frames _ -> states

        (hops / overlapGain stft hops).flatten(3L, 4L), { States = states; Tail = whole.narrow(-1L, finished, lead stft).clone() }

    let private blockByBlock (trained: TrainedModel) (stft: Stft) (pending: torch.Tensor) frames (first: Carry) =
        let hop, size = int64 stft.HopLength, blockOf trained.Network
        let struct (before, after) = around trained.Network

        let next (carry: Carry) start =
            let count = min size (frames - start)
            let window = pending.narrow (-1L, start * hop, stft.Samples(before + count + after))

            Memory.scoped (fun (output, carry: Carry) -> output :: carry.Tail :: carry.States) (fun () ->
                block trained stft window count carry)

        let outputs, last = List.mapFold next first [ 0L .. size .. frames - 1L ]
        torch.cat (Array.ofList (first.Tail.narrow (-1L, 0L, 0L) :: outputs), -1L), last

    /// The samples that belong to the sound, of those from `start` on.
    let private ofSound lead length start (finished: torch.Tensor) =
        let count = finished.shape[3]
        let first = max start lead
        let until = min (start + count) (lead + length)
        finished.narrow (-1L, min (first - start) count, max 0L (until - first))

    /// As many frames, a multiple of `step`, as have all that they look at.
    let private advance (trained: TrainedModel) (samples: torch.Tensor) step length (state: SeparationState) =
        Memory.scoped (fun (output, state) -> output :: tensors state) (fun () ->
            use _ = torch.no_grad ()
            let stft, network = stftOf trained, trained.Network
            let struct (before, after) = around network

            let pending =
                torch.cat ([| state.Pending; samples.reshape (state.Pending.shape[0], state.Pending.shape[1], -1L) |], -1L)

            let ready = max 0L (stft.Frames pending.shape[2] - before - after)
            let frames = ready / step * step
            let finished, last = blockByBlock trained stft pending frames { States = state.States; Tail = state.Tail }
            let used = frames * int64 stft.HopLength

            (ofSound (lead stft) length state.Done finished).clone(),
            { Pending = pending.narrow(-1L, used, pending.shape[2] - used).clone()
              States = last.States |> List.map _.clone()
              Tail = last.Tail.clone ()
              Received = state.Received + samples.shape[1]
              Done = state.Done + used })

    /// [batch, sources, channels, samples] -> [channels, sources, samples], channels of all elements.
    let private byChannel (estimates: torch.Tensor) = estimates.transpose(1L, 2L).flatten(0L, 1L)

    let private channelsOf (state: SeparationState) = state.Pending.shape[0] * state.Pending.shape[1]

    /// Takes a piece in, [channels, samples] at the model's rate and level, of the model's type and on its device: the
    /// estimates that have become certain, [channels, sources, samples'], and the next state. The given state stays as it is. Raises
    /// ArgumentException for a piece of another shape, type or device.
    let push (trained: TrainedModel) (samples: torch.Tensor) (state: SeparationState) : torch.Tensor * SeparationState =
        let wanted = [| Axis.Of(channelsOf state); Axis.Any "samples" |]
        Shapes.Require(trained.Network.Name, "a piece", samples, wanted, state.Pending)
        let estimates, next = advance trained samples (step trained.Network) (Int64.MaxValue / 2L) state
        byChannel estimates, next

    /// The estimates still missing when the sound has ended, [channels, sources, samples']: all together are as long as it.
    /// The given state stays as it is.
    let finish (trained: TrainedModel) (state: SeparationState) : torch.Tensor =
        let stft, network = stftOf trained, trained.Network
        let hop = int64 stft.HopLength
        let struct (_, after) = around network
        let frames = (state.Received + lead stft + hop - 1L) / hop |> roundedUp network.Stride

        Memory.tensor (fun () ->
            let missing = frames * hop - state.Received + after * hop
            let silence = state.Pending.new_zeros [| channelsOf state; missing |]
            byChannel (fst (advance trained silence network.Stride state.Received state)))
