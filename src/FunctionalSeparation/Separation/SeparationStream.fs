namespace FunctionalSeparation

open System
open TorchSharp
open FunctionalSeparation.Core

/// The separation of a sound that comes piece by piece, at a moment. Its tensors belong to it.
[<NoEquality; NoComparison>]
type SeparationState =
    {
        /// Sound that frames to come look at, [channels, samples].
        Pending: torch.Tensor
        /// The recurrent states after the last frame, [channels, units] each.
        States: torch.Tensor list
        /// What the frames so far add to samples that later frames add to as well, [channels, sources, n_fft - hop].
        Tail: torch.Tensor
        /// Samples that have come.
        Received: int64
        /// Samples of overlap-add that are done; the sound begins behind the first n_fft - hop.
        Done: int64
    }

/// Separation in bounded memory, as a fold over the pieces of a sound. What comes out does not depend on how the sound was
/// cut: every frame is computed by the same products, whichever frames it shares them with (on the CPU to the last bit for feed-forward
/// networks; otherwise within 1e-5 of the loudest sample). The ends are not tapered, nothing
/// is dropped.
[<RequireQualifiedAccess>]
module SeparationStream =

    /// The most frames that run through the network at once.
    let private blockFrames = 1024L

    /// The transform of the network, without the padding of a whole clip.
    let private stftOf (trained: TrainedModel) =
        let stft = trained.Architecture.FrontEnd.Stft
        Stft(stft.FftSize, stft.HopLength, stft.Window, false)

    /// How far the first frame begins before the sound, so that its first sample is in as many frames as any other.
    let private lead (stft: Stft) = int64 (stft.FftSize - stft.HopLength)

    /// Samples that the network looks ahead of a frame, and back.
    let private outlook (trained: TrainedModel) =
        FrontEnd.margin trained.Architecture.FrontEnd * int64 trained.Architecture.FrontEnd.Stft.HopLength

    let private tensors state = state.Pending :: state.Tail :: state.States

    /// Frees a state.
    let dispose (state: SeparationState) =
        for tensor in tensors state do
            tensor.Dispose()

    /// Samples that estimates stay behind: one window and what the network looks ahead.
    let latency (trained: TrainedModel) : int = trained.Architecture.FrontEnd.Stft.FftSize + int (outlook trained)

    /// Before the first sample of a sound of so many channels: silence.
    let start (trained: TrainedModel) (channels: int) : SeparationState =
        Numbers.atLeast 1 "A stream" (nameof channels) channels
        let lead, sources = lead (stftOf trained), int64 trained.Architecture.Sources.Length
        let zeros (shape: int64[]) = trained.Parameters.Vector.new_zeros shape

        { Pending = zeros [| int64 channels; lead + outlook trained |]
          States = []
          Tail = zeros [| int64 channels; sources; lead |]
          Received = 0L
          Done = 0L }

    /// The overlapped squared windows at each sample of a hop, [hop]: what overlap-add multiplies the signal by.
    let private overlapGain (stft: Stft) (like: torch.Tensor) =
        (stft.Weights(like.dtype, like.device)).squared().view(-1L, int64 stft.HopLength).sum(0L)

    /// What is carried from block to block.
    [<NoEquality; NoComparison>]
    type private Carry = { States: torch.Tensor list; Tail: torch.Tensor }

    /// One block of frames, whose sound with all that they look at is `window`: its finished samples [channels, sources,
    /// frames hop], and what to carry on.
    let private block trained (stft: Stft) (window: torch.Tensor) frames (carry: Carry) =
        let margin = FrontEnd.margin trained.Architecture.FrontEnd
        let spectrogram = stft.Forward window
        let masks, states = Separation.masks trained Soft margin carry.States spectrogram
        let sum = stft.Inverse(masks * spectrogram.narrow(1L, margin, frames).unsqueeze 1L)
        let finished = frames * int64 stft.HopLength
        let head = sum.narrow (-1L, 0L, lead stft) .+ carry.Tail
        let whole = torch.cat ([| head; sum.narrow (-1L, lead stft, finished) |], -1L)
        let hops = whole.narrow(-1L, 0L, finished).view(whole.shape[0], whole.shape[1], frames, int64 stft.HopLength)

        (hops / overlapGain stft hops).flatten(2L, 3L), { States = states; Tail = whole.narrow(-1L, finished, lead stft).clone() }

    let private blockByBlock trained (stft: Stft) (pending: torch.Tensor) frames (first: Carry) =
        let hop, margin = int64 stft.HopLength, FrontEnd.margin trained.Architecture.FrontEnd

        let next (carry: Carry) start =
            let count = min blockFrames (frames - start)
            let window = pending.narrow (-1L, start * hop, stft.Samples(count + 2L * margin))

            Memory.scoped (fun (output, carry: Carry) -> output :: carry.Tail :: carry.States) (fun () ->
                block trained stft window count carry)

        let outputs, last = List.mapFold next first [ 0L .. blockFrames .. frames - 1L ]
        torch.cat (Array.ofList (first.Tail.narrow (-1L, 0L, 0L) :: outputs), -1L), last

    /// The samples that belong to the sound, of those from `start` on.
    let private ofSound lead length start (finished: torch.Tensor) =
        let first = max start lead
        let until = min (start + finished.shape[2]) (lead + length)
        finished.narrow (-1L, min (first - start) finished.shape[2], max 0L (until - first))

    let private advance trained (samples: torch.Tensor) length (state: SeparationState) =
        Memory.scoped (fun (output, state) -> output :: tensors state) (fun () ->
            use _ = torch.no_grad ()
            let stft = stftOf trained
            let pending = torch.cat ([| state.Pending; samples |], -1L)
            let frames = max 0L (stft.Frames pending.shape[1] - 2L * FrontEnd.margin trained.Architecture.FrontEnd)
            let finished, last = blockByBlock trained stft pending frames { States = state.States; Tail = state.Tail }
            let used = frames * int64 stft.HopLength

            (ofSound (lead stft) length state.Done finished).clone(),
            { Pending = pending.narrow(-1L, used, pending.shape[1] - used).clone()
              States = last.States |> List.map _.clone()
              Tail = last.Tail.clone ()
              Received = state.Received + samples.shape[1]
              Done = state.Done + used })

    /// Takes a piece in, [channels, samples] at the model's rate and level, of the model's type and on its device: the
    /// estimates that have become certain, [channels, sources, samples'], and the next state. The given state stays as it is. Raises
    /// ArgumentException for a piece of another shape, type or device.
    let push (trained: TrainedModel) (samples: torch.Tensor) (state: SeparationState) : torch.Tensor * SeparationState =
        let wanted = [| Axis.Of state.Pending.shape[0]; Axis.Any "samples" |]
        Shapes.Require(Architecture.name trained.Architecture, "a piece", samples, wanted, state.Pending)
        advance trained samples (Int64.MaxValue / 2L) state

    /// The estimates still missing when the sound has ended, [channels, sources, samples']: all together are as long as it.
    /// The given state stays as it is.
    let finish (trained: TrainedModel) (state: SeparationState) : torch.Tensor =
        let stft = stftOf trained
        let hop = int64 stft.HopLength
        let frames = (state.Received + lead stft + hop - 1L) / hop

        Memory.tensor (fun () ->
            let silence =
                state.Pending.new_zeros [| state.Pending.shape[0]; frames * hop - state.Received + outlook trained |]

            fst (advance trained silence state.Received state))
