namespace FunctionalSeparation

open System
open System.Security.Cryptography
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// A trained network behind the interface that applications use. Takes over the model: disposing the separator frees its
/// parameters. From then on it opens no stream, and its open streams raise ObjectDisposedException when they are used; they can
/// still be disposed. Raises ArgumentException for a model that is incomplete or whose level is not a positive number.
type NetworkSeparator(name: string, trained: TrainedModel) =

    do
        TrainedModel.requireWhole trained
        trained.Level |> Option.iter (Numbers.positive "A separator" "Level")
        HostMemory.Keep() |> ignore

    let mutable isDisposed = false

    let require (what: string) =
        if isDisposed then
            raise (ObjectDisposedException(nameof NetworkSeparator, $"The separator {name} was disposed {what}."))

    let stems = trained.Network.Spec.Sources |> Array.ofList
    let rate = trained.Network.Spec.FrontEnd.SampleRate

    /// SHA-256 of everything that determines its estimates: the architecture of the network as JSON, its weights, its level.
    let fingerprint =
        lazy
            (require "and tells no fingerprint"

             let level =
                 trained.Level |> Option.map _.ToString("R", Globalization.CultureInfo.InvariantCulture) |> Option.toObj

             let words = Text.Encoding.UTF8.GetBytes $"{trained.Network.Architecture.ToJsonString()} {level}"

             let bytes (vector: TorchSharp.torch.Tensor) =
                 Memory.plain (fun () -> vector.detach().cpu().contiguous().bytes.ToArray())

             Array.concat (words :: List.map bytes (Params.tensors trained.Parameters))
             |> SHA256.HashData
             |> Convert.ToHexStringLower)

    /// The network inside. Raises ObjectDisposedException where the separator has been disposed.
    member _.Model =
        require "with the network inside"
        trained

    interface ISeparator with
        member _.Name = name
        member _.Fingerprint = fingerprint.Value
        member _.SampleRate = rate
        member _.Stems = stems

        member _.Open(sampleRate, channels, level) =
            require "and opens no stream: open another separator"
            ArgumentOutOfRangeException.ThrowIfLessThan(sampleRate, 1)
            ArgumentOutOfRangeException.ThrowIfLessThan(channels, 1)

            if not (isNull level) then level.RequireChannels channels
            let requireAlive () = require "while this stream of it was open: dispose its streams first"

            let network, inside =
                match Network.tryAtRate sampleRate trained.Network with
                | Some atRate -> atRate, sampleRate
                | None -> trained.Network, rate

            let stream = NetworkStream({ trained with Network = network }, channels, requireAlive)

            let estimates: IEstimateStream =
                match trained.Level with
                | Some own when isNull level -> new FoundLevelStream(stream, channels, own)
                | Some own when level.RootMeanSquare > 0.0 -> new KnownLevelStream(stream, own / level.RootMeanSquare)
                | _ -> new KnownLevelStream(stream, 1.0)

            // A network that receives sounds at their own level receives their offsets too.
            let offsets = if trained.Level.IsSome then level else null
            new StemStream(stems, estimates, inside, sampleRate, channels, offsets)

        member _.Dispose() =
            isDisposed <- true
            Params.dispose trained.Parameters
            HostMemory.Release()
