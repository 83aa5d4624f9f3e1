namespace FunctionalSeparation

open System.Collections.Generic
open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// A trained network that processes one sound. A gain scales pieces to the network's level; it may change from piece to piece.
/// `requireAlive` raises ObjectDisposedException once the network has been freed.
type internal NetworkStream(trained: TrainedModel, channels: int, requireAlive: unit -> unit) =

    /// Whatever dispose scopes an application opens around a piece, the state outlives them.
    let owned (state: SeparationState) =
        for tensor in state.Pending :: state.Tail :: state.States do
            tensor.DetachFromDisposeScope() |> ignore

        state

    let network = trained.Network

    /// Channels of the sound that the network is given (see `Separation.spread`).
    let given =
        if channels = network.Spec.Channels then
            channels
        else
            channels * network.Spec.Channels

    let mutable gain = 1.0

    let mutable state = SeparationStream.start trained given |> owned

    let replace next =
        SeparationStream.dispose state
        state <- owned next

    let toTensor (audio: AudioBuffer) =
        Separation.spread network ((audio.ToTensor state.Pending.device).``to`` state.Pending.dtype)

    /// [channels, sources, samples] as one buffer a source.
    let toBuffers (estimates: torch.Tensor) : IReadOnlyList<AudioBuffer> =
        let heard = Separation.gathered network (int64 channels) estimates
        let plain = heard.div (gain)
        [| for source in plain.unbind 1 -> AudioTensors.FromTensor(source, trained.Network.Spec.FrontEnd.SampleRate) |]

    let parts (next: SeparationState) = next.Pending :: next.Tail :: next.States

    /// Changes the gain, and rescales pending samples and overlap-add sums as if all input so far had come with this gain.
    let hearWith next =
        if next <> gain then
            let ratio = next / gain

            Memory.scoped parts (fun () ->
                { state with
                    Pending = state.Pending.mul ratio
                    Tail = state.Tail.mul ratio
                    States = state.States |> List.map _.clone() })
            |> replace

            gain <- next

    member _.Latency = SeparationStream.latency trained

    /// The sample rate of the network in Hz.
    member _.SampleRate = trained.Network.Spec.FrontEnd.SampleRate

    /// Takes a piece in, with this gain.
    member _.Push (next: float) (mixture: AudioBuffer) : IReadOnlyList<AudioBuffer> =
        requireAlive ()
        hearWith next

        let estimates, next =
            Memory.scoped (snd >> parts) (fun () ->
                let estimates, next = SeparationStream.push trained ((toTensor mixture).mul gain) state
                toBuffers estimates, next)

        replace next
        estimates

    member _.Finish() : IReadOnlyList<AudioBuffer> =
        requireAlive ()
        Memory.plain (fun () -> toBuffers (SeparationStream.finish trained state))

    member _.Dispose() = SeparationStream.dispose state

/// A network on a sound whose level is known.
type internal KnownLevelStream(stream: NetworkStream, gain: float) =

    interface IEstimateStream with
        member _.Latency = stream.Latency
        member _.Push mixture = stream.Push gain mixture
        member _.Finish() = stream.Finish()
        member _.Dispose() = stream.Dispose()

/// A network that processes a sound of unknown level. The level of the sound so far is measured at the end of each step of a
/// tenth of a second. The gain is adapted where it has changed by more than a decibel. Steps begin at multiples of their length,
/// so the cut into pieces does not matter.
type internal FoundLevelStream(stream: NetworkStream, channels: int, own: float) =

    let level = RunningLevel stream.SampleRate
    let step = level.StepSamples

    /// One decibel, as a power of ten.
    let leastChange = 1.0 / 20.0

    let part start length (sound: AudioBuffer) =
        AudioBuffer([| for channel in sound.Channels -> Array.sub channel start length |], sound.SampleRate)

    let joined (first: AudioBuffer) (second: AudioBuffer) =
        AudioBuffer([| for a, b in Seq.zip first.Channels second.Channels -> Array.append a b |], first.SampleRate)

    let mutable gain = 1.0
    let mutable held = AudioBuffer(Array.replicate channels [||], stream.SampleRate)

    let hear (sound: AudioBuffer) =
        level.Add sound

        if level.RootMeanSquare > 0.0 then
            let next = own / level.RootMeanSquare
            if gain = 1.0 || abs (log10 (next / gain)) > leastChange then gain <- next

        gain

    /// Joins successive steps with the same gain into one piece: gain, first step, number of steps.
    let runs (sound: AudioBuffer) steps =
        [ for index in 0 .. steps - 1 -> hear (part (index * step) step sound) ]
        |> List.indexed
        |> List.fold
            (fun runs (index, gain) ->
                match runs with
                | (last, first, count) :: rest when last = gain -> (last, first, count + 1) :: rest
                | _ -> (gain, index, 1) :: runs)
            []
        |> List.rev

    let joinedAll (pieces: IReadOnlyList<AudioBuffer> list) : IReadOnlyList<AudioBuffer> =
        pieces |> List.reduce (fun first second -> [| for a, b in Seq.zip first second -> joined a b |])

    interface IEstimateStream with
        member _.Latency = stream.Latency + step

        member _.Push mixture =
            let sound = joined held mixture
            let steps = sound.Length / step
            held <- part (steps * step) (sound.Length - steps * step) sound

            let pieces =
                [ for gain, first, count in runs sound steps -> stream.Push gain (part (first * step) (count * step) sound) ]

            joinedAll (if pieces.IsEmpty then [ stream.Push gain (part 0 0 sound) ] else pieces)

        member _.Finish() = joinedAll [ stream.Push (hear held) held; stream.Finish() ]
        member _.Dispose() = stream.Dispose()
