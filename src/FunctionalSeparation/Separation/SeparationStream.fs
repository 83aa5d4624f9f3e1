namespace FunctionalSeparation

open System
open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// The state of the separation of a sound that comes piece by piece. It owns its tensors. A network of one channel processes each
/// channel of the sound as an element of a batch. A network of several channels processes a group of channels as an element.
[<NoEquality; NoComparison>]
type SeparationState =
    {
        /// Sound that later frames need, [batch, channels, samples].
        Pending: torch.Tensor
        /// Frames of it that lie before the next one.
        Before: int64
        /// The recurrent states after the last frame, [batch, units] each.
        States: torch.Tensor list
        /// Overlap-add sums of samples to which later frames still contribute, [batch, sources, channels, n_fft - hop].
        Tail: torch.Tensor
        /// Samples that have come.
        Received: int64
        /// Samples of overlap-add that are done. The sound begins after the first n_fft - hop, or n_fft / 2 where its edges are
        /// reflected.
        Done: int64
    }

/// Separation in bounded memory, as a fold over the pieces of a sound. The output does not depend on how the sound is cut: every
/// frame is computed by the same products, whichever frames share them. Outputs agree to the last bit for the papers'
/// feed-forward networks on the CPU, otherwise within 1e-5 of the loudest sample. The ends are not tapered, and no sample is
/// dropped. Silence precedes and follows the sound. Networks that estimate magnitudes for a Wiener filter are the exception:
/// their edges and frames are those of their authors' centred transform.
[<RequireQualifiedAccess>]
module SeparationStream =

    /// The least number of frames that a network processes at once. More frames take more memory; with fewer, the context frames
    /// are computed more often.
    let private blockFrames = 320L

    /// The transform of the network, without the padding of a whole clip.
    let private stftOf (trained: TrainedModel) =
        let stft = trained.Network.Spec.FrontEnd.Stft
        Stft(stft.FftSize, stft.HopLength, stft.Window, false)

    /// Samples that a frame shares with others after it.
    let private overlap (stft: Stft) = int64 (stft.FftSize - stft.HopLength)

    /// Whether the edges of a sound are reflected, and nothing lies beyond: a centred transform.
    let private isCentred (network: Network) =
        match network.Output, network.ReceptiveField with
        | Output.Magnitudes _, ReceptiveField.Blocks _ -> network.Stride = 1L && network.Margin = 0L
        | _ -> false

    /// Samples that are reflected at each edge.
    let private reflected (network: Network) = if isCentred network then int64 network.Spec.FrontEnd.Stft.FftSize / 2L else 0L

    /// Samples from the start of the first frame to the sound. After silence the first sample of the sound is in the same number
    /// of frames as any other.
    let private lead (network: Network) =
        if isCentred network then
            reflected network
        else
            overlap network.Spec.FrontEnd.Stft

    let private roundedUp (step: int64) (count: int64) = (count + step - 1L) / step * step

    /// Frames on each side that are wrong where the samples are cut off.
    let private spoilt (network: Network) =
        let stft = network.Spec.FrontEnd.Stft

        match network.Output with
        | Output.Waveforms -> (stft.FftSize / 2 + stft.HopLength - 1) / stft.HopLength
        | Output.Mask _
        | Output.Magnitudes _
        | Output.ComplexMask -> 0

    /// Context frames that the network is given before and after the requested frames. Pieces begin and end at multiples of its
    /// stride.
    let private around (network: Network) : struct (int64 * int64) =
        let back, ahead =
            match network.ReceptiveField with
            | ReceptiveField.Frames(back, ahead) -> int64 back, int64 ahead
            | ReceptiveField.Blocks(_, around) -> int64 around, int64 around

        let more = network.Margin + int64 (spoilt network)
        struct (roundedUp network.Stride (back + more), roundedUp network.Stride (ahead + more))

    /// The largest number of frames of a block; it grows with the number of context frames.
    let private blockOf (network: Network) =
        match network.ReceptiveField with
        | ReceptiveField.Blocks(length, _) -> roundedUp network.Stride (int64 length)
        | ReceptiveField.Frames _ ->
            let struct (before, after) = around network
            roundedUp network.Stride (max blockFrames (before + after))

    /// Frames to wait for before the network runs. The output of a network that looks at its whole input depends on where the
    /// input begins. Such a network is therefore always given the same parts.
    let private step (network: Network) =
        match network.ReceptiveField with
        | ReceptiveField.Blocks _ -> blockOf network
        | ReceptiveField.Frames _ -> network.Stride

    let private hopOf (trained: TrainedModel) = int64 trained.Network.Spec.FrontEnd.Stft.HopLength

    let private tensors state = state.Pending :: state.Tail :: state.States

    /// Frees a state.
    let dispose (state: SeparationState) =
        for tensor in tensors state do
            tensor.Dispose()

    /// Latency of the estimates in samples: one window, the look-ahead of the network, and the frames that it waits for to fill
    /// its stride or a block.
    let latency (trained: TrainedModel) : int =
        let struct (_, after) = around trained.Network
        trained.Network.Spec.FrontEnd.Stft.FftSize + int ((after + step trained.Network - 1L) * hopOf trained)

    /// The size of the batch and the channels of each element, for a sound of `channels` channels. Raises InputException where
    /// these are no multiple of the network's channels.
    let private placesOf (network: Network) (channels: int) : struct (int64 * int64) =
        let together = network.Spec.Channels

        if channels % together <> 0 then
            raise (
                InputException
                    $"{network.Name} hears {together} channels together, the sound has {channels}. Give it such a sound."
            )

        struct (int64 (channels / together), int64 together)

    /// The state before the first sample of a sound of `channels` channels: silence. Raises InputException where these are no
    /// multiple of the network's channels.
    let start (trained: TrainedModel) (channels: int) : SeparationState =
        Numbers.atLeast 1 "A stream" (nameof channels) channels
        let network, sources = trained.Network, int64 trained.Network.Spec.Sources.Length
        let struct (batch, together) = placesOf network channels
        let struct (before, _) = around network
        let zeros (shape: int64[]) = trained.Parameters.Vector.new_zeros shape
        let silence = if isCentred network then 0L else lead network + before * hopOf trained

        { Pending = zeros [| batch; together; silence |]
          Before = if isCentred network then 0L else before
          States = []
          Tail = zeros [| batch; sources; together; overlap (stftOf trained) |]
          Received = 0L
          Done = 0L }

    /// The factors that overlap-add multiplies the signal by: the overlapped squared windows at each sample. They are given for
    /// `hops` hops from the one at `first` on, [hops, hop], or [hop] where all hops have the same. There are frames from 0 to
    /// `until` (exclusive).
    let private overlapGain (stft: Stft) (like: torch.Tensor) first hops until =
        let squares = (stft.Weights(like.dtype, like.device)).squared().view(-1L, int64 stft.HopLength)
        let whole = squares.sum 0L
        let last = squares.shape[0] - 1L

        let ofHop hop =
            if hop >= last && hop < until then
                whole
            else
                let from, upTo = max 0L (hop - until + 1L), min last hop
                squares.narrow(0L, from, max 0L (upTo - from + 1L)).sum 0L

        if first >= last && first + hops <= until then
            whole
        else
            torch.stack [| for hop in first .. first + hops - 1L -> ofHop hop |]

    /// State that passes from block to block.
    [<NoEquality; NoComparison>]
    type private Carry = { States: torch.Tensor list; Tail: torch.Tensor }

    /// Samples of overlap-add [batch, sources, channels, samples] from the hop at `first` on, divided by their overlap gain.
    let private scaledBack (stft: Stft) first until (sum: torch.Tensor) =
        let hops = sum.unflatten (3L, [| -1L; int64 stft.HopLength |])
        (hops / overlapGain stft hops first hops.shape[3] until).flatten(3L, 4L)

    /// Separates one block of frames from `first` on. `window` is its sound, with the context frames before and after. Gives the
    /// finished samples [batch, sources, channels, frames hop], and the state for the next block.
    let private block
        (trained: TrainedModel)
        (stft: Stft)
        (window: torch.Tensor)
        (struct (before, after))
        first
        frames
        (carry: Carry)
        =
        let estimates, states = Separation.spectra trained Soft before after carry.States (stft.Forward window)
        let sum = stft.Inverse estimates
        let finished = frames * int64 stft.HopLength
        let head = sum.narrow (-1L, 0L, overlap stft) .+ carry.Tail
        let whole = torch.cat ([| head; sum.narrow (-1L, overlap stft, finished) |], -1L)

        let states =
            match trained.Network.ReceptiveField with
            | ReceptiveField.Blocks _ -> []
            | ReceptiveField.Frames _ -> states

        scaledBack stft first Int64.MaxValue (whole.narrow (-1L, 0L, finished)),
        { States = states; Tail = whole.narrow(-1L, finished, overlap stft).clone() }

    let private blockByBlock (trained: TrainedModel) (stft: Stft) (pending: torch.Tensor) frames (state: SeparationState) =
        let hop, size = int64 stft.HopLength, blockOf trained.Network
        let struct (before, after) = around trained.Network
        let there = stft.Frames pending.shape[2]

        let next (carry: Carry) start =
            let count = min size (frames - start)
            // Before the first frame and after the last one of a centred transform there is none.
            let at = state.Before + start
            let before, after = min before at, min after (there - at - count)
            let window = pending.narrow (-1L, (at - before) * hop, stft.Samples(before + count + after))

            Memory.scoped (fun (output, carry: Carry) -> output :: carry.Tail :: carry.States) (fun () ->
                block trained stft window (struct (before, after)) (state.Done / hop + start) count carry)

        let outputs, last = List.mapFold next { States = state.States; Tail = state.Tail } [ 0L .. size .. frames - 1L ]
        torch.cat (Array.ofList (state.Tail.narrow (-1L, 0L, 0L) :: outputs), -1L), last

    /// The samples that belong to the sound, of those from `start` on.
    let private ofSound lead length start (finished: torch.Tensor) =
        let count = finished.shape[3]
        let first = max start lead
        let until = min (start + count) (lead + length)
        finished.narrow (-1L, min (first - start) count, max 0L (until - first))

    /// `count` samples from `start` on, beside the one at an edge, in reverse order.
    let private mirrored (pending: torch.Tensor) start count = pending.narrow(-1L, start, count).flip(-1L)

    /// The pending samples followed by the new ones. The first samples are reflected as soon as there are enough of them.
    let private withSamples (network: Network) (samples: torch.Tensor) (state: SeparationState) =
        let pending =
            torch.cat ([| state.Pending; samples.reshape (state.Pending.shape[0], state.Pending.shape[1], -1L) |], -1L)

        let edge = reflected network

        if edge > 0L && state.Received <= edge && state.Received + samples.shape[1] > edge then
            torch.cat ([| mirrored pending 1L edge; pending |], -1L)
        else
            pending

    /// Processes the pending frames whose `after` next frames are there, in a number that is a multiple of `step`.
    let private advance (trained: TrainedModel) (pending: torch.Tensor) after step length received (state: SeparationState) =
        Memory.scoped (fun (output, state) -> output :: tensors state) (fun () ->
            use _ = torch.no_grad ()
            let stft, network = stftOf trained, trained.Network
            let struct (before, _) = around network
            let ready = max 0L (stft.Frames pending.shape[2] - state.Before - after)
            let frames = ready / step * step
            let finished, last = blockByBlock trained stft pending frames state
            let kept = min before (state.Before + frames)
            let used = (state.Before + frames - kept) * int64 stft.HopLength

            (ofSound (lead network) length state.Done finished).clone(),
            { Pending = pending.narrow(-1L, used, pending.shape[2] - used).clone()
              Before = kept
              States = last.States |> List.map _.clone()
              Tail = last.Tail.clone ()
              Received = received
              Done = state.Done + frames * int64 stft.HopLength })

    /// [batch, sources, channels, samples] -> [channels, sources, samples], channels of all elements.
    let private byChannel (estimates: torch.Tensor) = estimates.transpose(1L, 2L).flatten(0L, 1L)

    let private channelsOf (state: SeparationState) = state.Pending.shape[0] * state.Pending.shape[1]

    /// Takes in a piece [channels, samples] at the model's rate and level, of the model's type and on its device. Gives the
    /// estimates that no later piece can change, [channels, sources, samples'], and the next state. The given state is not
    /// changed. Raises ArgumentException for a piece of another shape, type or device.
    let push (trained: TrainedModel) (samples: torch.Tensor) (state: SeparationState) : torch.Tensor * SeparationState =
        let wanted = [| Axis.Of(channelsOf state); Axis.Any "samples" |]
        Shapes.Require(trained.Network.Name, "a piece", samples, wanted, state.Pending)
        let struct (_, after) = around trained.Network

        let estimates, next =
            Memory.scoped (fun (output, next) -> output :: tensors next) (fun () ->
                let pending = withSamples trained.Network samples state
                let received = state.Received + samples.shape[1]
                advance trained pending after (step trained.Network) (Int64.MaxValue / 2L) received state)

        byChannel estimates, next

    /// Ends a sound that is followed by silence.
    let private finishInSilence (trained: TrainedModel) (state: SeparationState) =
        let stft, network = stftOf trained, trained.Network
        let hop = int64 stft.HopLength
        let struct (_, after) = around network
        let frames = (state.Received + lead network + hop - 1L) / hop |> roundedUp network.Stride
        let missing = frames * hop - state.Received + after * hop
        let pending = withSamples network (state.Pending.new_zeros [| channelsOf state; missing |]) state
        fst (advance trained pending after network.Stride state.Received state.Received state)

    /// Ends a sound whose edge is reflected; one too short for that is followed by silence.
    let private finishReflected (trained: TrainedModel) (state: SeparationState) =
        let stft, network = stftOf trained, trained.Network
        let edge = reflected network
        let missing = max 0L (edge + 1L - state.Received)
        let pending = withSamples network (state.Pending.new_zeros [| channelsOf state; missing |]) state
        let length = pending.shape[2]
        let whole = torch.cat ([| pending; mirrored pending (length - 1L - edge) edge |], -1L)
        let finished, last = advance trained whole 0L 1L state.Received state.Received state
        let tail = scaledBack stft (last.Done / int64 stft.HopLength) (last.Done / int64 stft.HopLength) last.Tail
        torch.cat ([| finished; ofSound (lead network) state.Received last.Done tail |], -1L)

    /// The remaining estimates when the sound has ended, [channels, sources, samples']. All estimates together are as long as the
    /// sound. The given state is not changed.
    let finish (trained: TrainedModel) (state: SeparationState) : torch.Tensor =
        Memory.tensor (fun () ->
            use _ = torch.no_grad ()
            byChannel ((if isCentred trained.Network then finishReflected else finishInSilence) trained state))
