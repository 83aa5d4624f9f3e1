namespace FunctionalSeparation

open System
open System.Collections.Generic
open TorchSharp
open FunctionalSeparation.Core

/// A trained network at work on one sound, brought to the network's level by a gain and back.
type private NetworkStream(trained: TrainedModel, channels: int, gain: float) =

    /// Whatever dispose scopes an application opens around a piece, the state outlives them.
    let owned (state: SeparationState) =
        for tensor in state.Pending :: state.Tail :: state.States do
            tensor.DetachFromDisposeScope() |> ignore

        state

    let mutable state = SeparationStream.start trained channels |> owned

    let toTensor (audio: AudioBuffer) =
        torch.stack([| for channel in audio.Channels -> torch.tensor channel |]).``to``(state.Pending.dtype).``to``
            state.Pending.device

    /// [channels, sources, samples] as one buffer a source.
    let toBuffers (estimates: torch.Tensor) : IReadOnlyList<AudioBuffer> =
        let plain = estimates.div(gain).``to``(torch.float32).cpu()

        [| for source in 0L .. plain.shape[1] - 1L ->
               let samples = [| for channel in 0L .. plain.shape[0] - 1L -> plain[channel, source].data<float32>().ToArray() |]
               AudioBuffer(samples, trained.Architecture.FrontEnd.SampleRate) |]

    let push (mixture: AudioBuffer) =
        Memory.scoped (fun (_, next: SeparationState) -> next.Pending :: next.Tail :: next.States) (fun () ->
            let estimates, next = SeparationStream.push trained ((toTensor mixture).mul gain) state
            toBuffers estimates, next)

    interface IEstimateStream with
        member _.Latency = SeparationStream.latency trained

        member _.Push mixture =
            let estimates, next = push mixture
            SeparationStream.dispose state
            state <- owned next
            estimates

        member _.Finish() = Memory.plain (fun () -> toBuffers (SeparationStream.finish trained state))
        member _.Dispose() = SeparationStream.dispose state

/// A trained network behind the interface that applications use. Takes over the model: disposing the separator frees its
/// parameters.
type NetworkSeparator(name: string, trained: TrainedModel) =

    let stems = trained.Architecture.Sources |> Array.ofList
    let rate = trained.Architecture.FrontEnd.SampleRate

    /// The network inside.
    member _.Model = trained

    interface ISeparator with
        member _.Name = name
        member _.SampleRate = rate
        member _.Stems = stems

        member _.Open(sampleRate, channels, level) =
            ArgumentOutOfRangeException.ThrowIfLessThan(sampleRate, 1)
            ArgumentOutOfRangeException.ThrowIfLessThan(channels, 1)

            ArgumentNullException.ThrowIfNull level
            level.RequireChannels channels
            let gain = if level.RootMeanSquare > 0.0 then trained.Level / level.RootMeanSquare else 1.0
            new StemStream(stems, new NetworkStream(trained, channels, gain), rate, sampleRate, channels, level)

        member _.Dispose() = trained.Parameters.Vector.Dispose()
