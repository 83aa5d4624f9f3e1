namespace FunctionalSeparation

open System
open System.Collections.Generic
open System.IO
open TorchSharp
open FunctionalSeparation.Core

/// open-unmix at work on one sound. `requireAlive` raises ObjectDisposedException once its weights have been freed.
type private UnmixEstimates(wiener: WienerSettings, unmix: OpenUnmix, channels: int, requireAlive: unit -> unit) =

    let tensors (state: UnmixState) = [ state.Pending; state.Tail ]

    /// Whatever dispose scopes an application opens around a piece, the state outlives them.
    let owned (state: UnmixState) =
        for tensor in tensors state do
            tensor.DetachFromDisposeScope() |> ignore

        state

    let mutable state = UnmixStream.start wiener unmix |> owned

    /// A sound of one channel is heard in all of them.
    let toTensor (audio: AudioBuffer) =
        (torch.stack [| for channel in audio.Channels -> torch.tensor channel |]).expand(int64 unmix.Channels, -1L).``to``
            state.Pending.device

    /// [sources, channels, samples] as one buffer a source, the residual first.
    let toBuffers (estimates: torch.Tensor) : IReadOnlyList<AudioBuffer> =
        let heard = if channels = 1 then estimates.mean ([| 1L |], keepdim = true) else estimates
        let plain = heard.roll(1L, 0L).cpu()

        [| for source in plain.unbind 0 ->
               let samples = [| for channel in source.unbind 0 -> channel.contiguous().data<float32>().ToArray() |]
               AudioBuffer(samples, unmix.SampleRate) |]

    interface IEstimateStream with
        member _.Latency = int (UnmixStream.latency wiener unmix)

        member _.Push mixture =
            requireAlive ()

            let estimates, next =
                Memory.scoped (snd >> tensors) (fun () ->
                    let estimates, next = UnmixStream.push wiener unmix (toTensor mixture) state
                    toBuffers estimates, next)

            UnmixStream.dispose state
            state <- owned next
            estimates

        member _.Finish() =
            requireAlive ()
            Memory.plain (fun () -> toBuffers (UnmixStream.finish wiener unmix state))

        member _.Dispose() = UnmixStream.dispose state

/// open-unmix behind the interface that applications use, one iteration of its Wiener filter, the residual as the first stem. Takes
/// over the weights: disposing the separator frees them, and its streams that are still open then refuse to go on.
type UnmixSeparator(unmix: OpenUnmix) =

    let wiener = { Wiener.openUnmix with Residual = true }
    let stems = "residual" :: [ for target in unmix.Targets -> target.Name ] |> Array.ofList
    let mutable isDisposed = false

    let require (what: string) =
        if isDisposed then
            raise (ObjectDisposedException(nameof UnmixSeparator, $"The separator open-unmix was disposed {what}."))

    /// Whether a folder is one of open-unmix's.
    static member IsIn(folder: string) : bool = File.Exists(Path.Combine(folder, "separator.json"))

    /// Loads a folder of open-unmix as a separator for applications. `device`: cpu, cuda, cuda:N or auto. Raises InputException as
    /// `OpenUnmix.load`.
    static member Open(device: string, folder: string) : ISeparator =
        new UnmixSeparator(OpenUnmix.load (Devices.Parse device) folder)

    interface ISeparator with
        member _.Name = "open-unmix"
        member _.SampleRate = unmix.SampleRate
        member _.Stems = stems

        member _.Open(sampleRate, channels, level) =
            require "and opens no stream: open another separator"
            ArgumentOutOfRangeException.ThrowIfLessThan(sampleRate, 1)
            ArgumentOutOfRangeException.ThrowIfLessThan(channels, 1)
            ArgumentNullException.ThrowIfNull level
            level.RequireChannels channels

            if channels <> 1 && channels <> unmix.Channels then
                raise (
                    InputException
                        $"open-unmix hears {unmix.Channels} channels together, the sound has {channels}. Give it such a sound, or one of one channel."
                )

            let requireAlive () = require "while this stream of it was open: dispose its streams first"

            new StemStream(
                stems,
                new UnmixEstimates(wiener, unmix, channels, requireAlive),
                unmix.SampleRate,
                sampleRate,
                channels,
                level
            )

        member _.Dispose() =
            isDisposed <- true
            OpenUnmix.dispose unmix
