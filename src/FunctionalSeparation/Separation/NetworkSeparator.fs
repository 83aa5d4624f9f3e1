namespace FunctionalSeparation

open System
open System.Collections.Generic
open TorchSharp
open FunctionalSeparation.Core

/// A trained network at work on one sound, brought to the network's level by a gain and back. `requireAlive` raises
/// ObjectDisposedException once the network has been freed.
type private NetworkStream(trained: TrainedModel, channels: int, gain: float, requireAlive: unit -> unit) =

    /// Whatever dispose scopes an application opens around a piece, the state outlives them.
    let owned (state: SeparationState) =
        for tensor in state.Pending :: state.Tail :: state.States do
            tensor.DetachFromDisposeScope() |> ignore

        state

    /// A network that hears several channels together hears a sound of one channel in all of them.
    let isSpread = channels = 1 && trained.Network.Setting.Channels > 1

    let isMiddleAndSide = Stereo.isHeardAsMiddleAndSide trained.Network.Setting (int64 channels)

    let mutable state =
        SeparationStream.start trained (if isSpread then trained.Network.Setting.Channels else channels) |> owned

    let toTensor (audio: AudioBuffer) =
        let sound =
            torch.stack([| for channel in audio.Channels -> torch.tensor channel |]).``to``(state.Pending.dtype).``to``
                state.Pending.device

        if isSpread then sound.expand (int64 trained.Network.Setting.Channels, -1L)
        elif isMiddleAndSide then Stereo.toMiddleAndSide 0L sound
        else sound

    /// [channels, sources, samples] as one buffer a source.
    let toBuffers (estimates: torch.Tensor) : IReadOnlyList<AudioBuffer> =
        let heard =
            if isSpread then estimates.mean ([| 0L |], keepdim = true)
            elif isMiddleAndSide then Stereo.ofMiddleAndSide 0L estimates
            else estimates

        let plain = heard.div(gain).``to``(torch.float32).cpu()

        [| for source in 0L .. plain.shape[1] - 1L ->
               let samples =
                   [| for channel in 0L .. plain.shape[0] - 1L -> plain[channel, source].contiguous().data<float32>().ToArray() |]

               AudioBuffer(samples, trained.Network.Setting.FrontEnd.SampleRate) |]

    let push (mixture: AudioBuffer) =
        Memory.scoped (fun (_, next: SeparationState) -> next.Pending :: next.Tail :: next.States) (fun () ->
            let estimates, next = SeparationStream.push trained ((toTensor mixture).mul gain) state
            toBuffers estimates, next)

    interface IEstimateStream with
        member _.Latency = SeparationStream.latency trained

        member _.Push mixture =
            requireAlive ()
            let estimates, next = push mixture
            SeparationStream.dispose state
            state <- owned next
            estimates

        member _.Finish() =
            requireAlive ()
            Memory.plain (fun () -> toBuffers (SeparationStream.finish trained state))

        member _.Dispose() = SeparationStream.dispose state

/// A trained network behind the interface that applications use. Takes over the model: disposing the separator frees its
/// parameters. From then on it opens no stream, and its streams that are still open refuse to go on (ObjectDisposedException); they
/// can still be disposed. Raises ArgumentException for a model that is not whole or whose level is not a positive number.
type NetworkSeparator(name: string, trained: TrainedModel) =

    do
        TrainedModel.requireWhole trained
        trained.Level |> Option.iter (Numbers.positive "A separator" "Level")
        HostMemory.Keep() |> ignore

    let mutable isDisposed = false

    let require (what: string) =
        if isDisposed then
            raise (ObjectDisposedException(nameof NetworkSeparator, $"The separator {name} was disposed {what}."))

    let stems = trained.Network.Setting.Sources |> Array.ofList
    let rate = trained.Network.Setting.FrontEnd.SampleRate

    /// The network inside. Raises ObjectDisposedException where the separator has been disposed.
    member _.Model =
        require "with the network inside"
        trained

    interface ISeparator with
        member _.Name = name
        member _.SampleRate = rate
        member _.Stems = stems

        member _.Open(sampleRate, channels, level) =
            require "and opens no stream: open another separator"
            ArgumentOutOfRangeException.ThrowIfLessThan(sampleRate, 1)
            ArgumentOutOfRangeException.ThrowIfLessThan(channels, 1)

            ArgumentNullException.ThrowIfNull level
            level.RequireChannels channels

            let gain =
                match trained.Level with
                | Some own when level.RootMeanSquare > 0.0 -> own / level.RootMeanSquare
                | _ -> 1.0

            let requireAlive () = require "while this stream of it was open: dispose its streams first"

            let network, inside =
                match Network.tryAtRate sampleRate trained.Network with
                | Some atRate -> atRate, sampleRate
                | None -> trained.Network, rate

            let estimates = new NetworkStream({ trained with Network = network }, channels, gain, requireAlive)
            new StemStream(stems, estimates, inside, sampleRate, channels, level)

        member _.Dispose() =
            isDisposed <- true
            Params.dispose trained.Parameters
            HostMemory.Release()
