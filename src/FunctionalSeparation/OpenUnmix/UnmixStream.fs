namespace FunctionalSeparation

open TorchSharp
open FunctionalSeparation.Core

/// open-unmix on a sound that comes piece by piece, at a moment. Its tensors belong to it.
[<NoEquality; NoComparison>]
type UnmixState =
    {
        /// Sound that is not estimated for good, [channels, samples].
        Pending: torch.Tensor
        /// What the part before made of the beginning of `Pending`, [sources, channels, samples'].
        Tail: torch.Tensor
    }

/// open-unmix in bounded memory, as a fold over the pieces of a sound. Its networks look at a whole clip, in both directions; here
/// they look at a part of nine Wiener windows (63 s of 300 frames at 44.1 kHz), which overlaps the next by one window, in the middle
/// of which one fades into the other. Windows lie where they would lie in the whole, so the parts differ from it only in what the
/// networks make of what lies further away. A sound that is no longer than one part is estimated as a whole.
[<RequireQualifiedAccess>]
module UnmixStream =

    let private windowsOfPart = 9L

    /// Samples of a part and of its overlap with the next.
    let private sizes (wiener: WienerSettings) (unmix: OpenUnmix) =
        let window = int64 (Option.defaultValue 300 wiener.Window) * int64 unmix.Stft.HopLength
        windowsOfPart * window, window

    let private tensors state = [ state.Pending; state.Tail ]

    /// Frees a state.
    let dispose (state: UnmixState) : unit =
        for tensor in tensors state do
            tensor.Dispose()

    /// Samples that estimates stay behind, at most.
    let latency (wiener: WienerSettings) (unmix: OpenUnmix) : int64 = fst (sizes wiener unmix)

    /// Before the first sample of a sound.
    let start (wiener: WienerSettings) (unmix: OpenUnmix) : UnmixState =
        let sources = int64 (OpenUnmix.sources wiener unmix).Length
        let zeros (shape: int64[]) = unmix.Targets.Head.Parameters.Vector.new_zeros shape
        { Pending = zeros [| int64 unmix.Channels; 0L |]; Tail = zeros [| sources; int64 unmix.Channels; 0L |] }

    /// The estimates of a sound, with what was there of its beginning faded into them.
    let private faded wiener unmix (sound: torch.Tensor) (tail: torch.Tensor) =
        let estimates = OpenUnmix.estimate wiener unmix sound
        let length = tail.shape[2]

        if length > 0L then
            let place = (Arithmetic.Integers(0L, length, sound.device)).``to``(sound.dtype).div(float length)
            // Near its ends a part knows least: the first quarter is the old part's, the last the new one's.
            let rising = place.sub(0.25).mul(2.0).clamp(0.0, 1.0)
            let head = estimates.narrow (2L, 0L, length)
            head.copy_ (tail .+ (head - tail) * rising) |> ignore

        estimates

    /// The estimates of one part, of what the next one does not change; and the tail for it.
    let private part wiener unmix (pending: torch.Tensor) tail start =
        let size, overlap = sizes wiener unmix

        Memory.scoped (fun (output, tail) -> [ output; tail ]) (fun () ->
            let estimates = faded wiener unmix (pending.narrow (1L, start, size)) tail
            estimates.narrow(2L, 0L, size - overlap).clone(), estimates.narrow(2L, size - overlap, overlap).clone())

    /// Takes a piece in, [channels, samples] of float32 at the model's rate: the estimates that have become certain, [sources,
    /// channels, samples'], and the next state. The given state stays as it is. Raises ArgumentException for a piece of another
    /// shape, type or device.
    let push (wiener: WienerSettings) (unmix: OpenUnmix) (samples: torch.Tensor) (state: UnmixState) : torch.Tensor * UnmixState =
        let wanted = [| Axis.Of state.Pending.shape[0]; Axis.Any "samples" |]
        Shapes.Require("open-unmix", "a piece", samples, wanted, state.Pending)
        let size, overlap = sizes wiener unmix

        Memory.scoped (fun (output, state) -> output :: tensors state) (fun () ->
            let pending = torch.cat ([| state.Pending; samples |], 1L)
            let starts = [ 0L .. size - overlap .. pending.shape[1] - size ]
            let outputs, tail = List.mapFold (part wiener unmix pending) state.Tail starts
            let used = int64 starts.Length * (size - overlap)

            torch.cat (List.toArray (state.Tail.narrow (2L, 0L, 0L) :: outputs), 2L),
            { Pending = pending.narrow(1L, used, pending.shape[1] - used).clone(); Tail = tail.clone () })

    /// The estimates still missing when the sound has ended, [sources, channels, samples']: all together are as long as it. The given
    /// state stays as it is.
    let finish (wiener: WienerSettings) (unmix: OpenUnmix) (state: UnmixState) : torch.Tensor =
        Memory.tensor (fun () ->
            if state.Pending.shape[1] > state.Tail.shape[2] then
                faded wiener unmix state.Pending state.Tail
            else
                state.Tail.clone ())
