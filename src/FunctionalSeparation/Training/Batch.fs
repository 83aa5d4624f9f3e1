namespace FunctionalSeparation

open System
open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// Specification of batches: the domains that the network reads, the domains that the loss compares, and the mixing.
[<NoEquality; NoComparison>]
type BatchSpec =
    {
        /// The domains in which mixtures are kept.
        Mixture: Domain list
        /// The domains in which references are kept.
        References: Domain list
        /// How sources become a mixture.
        Mixing: Mixing
    }

/// Specifications of batches.
[<RequireQualifiedAccess>]
module BatchSpec =

    /// Waveforms are computed from spectrograms.
    let private kept (domains: Domain list) =
        domains
        |> List.map (fun domain -> if domain = Domain.Waveform then Domain.Spectrum else domain)
        |> List.distinct

    /// The specification that a network and a loss require.
    let create (network: Network) (loss: Loss) (mixing: Mixing) : BatchSpec =
        // Estimates that are masks on magnitudes take the phases of the mixture.
        let phases = loss.Domains |> List.filter ((<>) Domain.Magnitude)
        { Mixture = kept (Network.needs network @ phases); References = kept loss.Domains; Mixing = mixing }

/// A training batch: mixtures and their true sources, time first.
[<NoEquality; NoComparison>]
type Batch =
    {
        /// [margin + time + margin, batch, channels, bins] in each domain.
        Mixture: Map<Domain, torch.Tensor>
        /// [time, batch, sources, channels, bins] in each domain.
        References: Map<Domain, torch.Tensor>
        /// Frames of margin on each side of a mixture.
        Margin: int64
        /// The transform that its spectrograms were made by.
        Stft: Stft
    }

/// Makes batches from magnitudes, and gives them in the form that networks and losses take.
[<RequireQualifiedAccess>]
module Batch =

    /// Spectrograms of sounds [..., samples] in these domains, time first: [time, ..., bins].
    let internal spectrograms (stft: Stft) (domains: Domain list) (sounds: torch.Tensor) : Map<Domain, torch.Tensor> =
        let spectrum = (stft.Forward sounds).movedim([| -2L |], [| 0L |])

        Map.ofList [ for domain in domains -> domain, (if domain = Domain.Magnitude then spectrum.abs () else spectrum) ]

    /// Every tensor of a batch: mixtures and references, [time, batch, ..., bins] each.
    let tensors (batch: Batch) : torch.Tensor list = [ yield! Map.values batch.Mixture; yield! Map.values batch.References ]

    /// A batch of one channel of which only magnitudes are known. The mixtures are [margin + time + margin, batch, bins], with
    /// the margin of the network. Their sources are [time, batch, sources, bins].
    let internal ofMagnitudes (network: Network) (mixture: torch.Tensor) (references: torch.Tensor) : Batch =
        { Mixture = Map [ Domain.Magnitude, mixture.unsqueeze 2L ]
          References = Map [ Domain.Magnitude, references.unsqueeze 3L ]
          Margin = network.Margin
          Stft = network.Spec.FrontEnd.Stft }

    let private anyOf (frames: Map<Domain, torch.Tensor>) = frames |> Map.values |> Seq.head

    /// Frames in the batch, over all its sequences.
    let frames (batch: Batch) : int64 =
        let references = anyOf batch.References
        references.shape[0] * references.shape[1]

    /// Views [batch, ..., time, bins] of frames that are stored time first.
    let private views (stft: Stft) (frames: Map<Domain, torch.Tensor>) : Views =
        let image (x: torch.Tensor) = x.movedim ([| 0L |], [| -2L |])

        match frames.TryFind Domain.Magnitude, frames.TryFind Domain.Spectrum with
        | Some magnitude, Some spectrum -> Views.create stft (fun () -> image magnitude) (fun () -> image spectrum)
        | Some magnitude, None -> Views.ofMagnitude (image magnitude)
        | None, Some spectrum -> Views.ofSpectrum stft (image spectrum)
        | None, None -> invalidOp "A batch holds magnitudes or spectrograms."

    /// The mixtures as the input of a network that runs in this mode.
    let heard (mode: Mode) (batch: Batch) : Mixture = { Sound = views batch.Stft batch.Mixture; Mode = mode; InitialStates = [] }

    /// The true sources.
    let internal references (batch: Batch) : Views = views batch.Stft batch.References

    /// The loss of a model's estimates on a batch in training, a scalar tensor [], for `TrainingTask.Loss`. Layers that draw use
    /// the key. Raises ArgumentException, naming the model and what differs, for parameters [n] of another one.
    let loss (model: Model<Mixture, Estimates>) (loss: Loss) (key: Key) (batch: Batch) (parameters: Params) : torch.Tensor =
        let separated = Model.apply model parameters (heard (Mode.Training key) batch)
        loss.Of separated.Views (references batch)

    /// Root mean square of the mixtures' samples, left and right where the network reads middle and side; the mean over the
    /// batch.
    let level (network: Network) (batch: Batch) : float =
        Memory.plain (fun () ->
            let frames = (anyOf batch.Mixture).abs().squared()
            let bins = frames.shape[3]
            // All bins but the first and the last count twice (Parseval).
            let inner = frames.narrow(3L, 1L, bins - 2L).sum(3L).mul(2.0)
            let energy = inner .+ frames.select (3L, 0L) .+ frames.select (3L, bins - 1L)
            let window = (batch.Stft.Weights(frames.dtype, frames.device)).squared().sum()
            let power = energy.mean ([| 0L; 2L |]) / window.mul (float batch.Stft.FftSize)
            let heard = if network.MiddleSide then power.mul 2.0 else power
            heard.sqrt().mean().to_type(torch.float64).item<float>())

    /// Windows of `size` frames, `step` apart, side by side: [time, batch, ...] -> [size, windows * batch, ...].
    let private windows size step (frames: torch.Tensor) =
        let cut = frames.unfold (0L, size, step)
        let rest = [| 2L .. cut.dim () - 2L |]
        cut.permute(Array.concat [ [| cut.dim () - 1L; 0L; 1L |]; rest ]).flatten(1L, 2L).contiguous()

    /// Cuts the sequences of a batch into shorter ones that begin at zero states; the context of their edge frames stays.
    /// Raises ArgumentException where `frames` does not divide their length.
    let inSequences (frames: int) (batch: Batch) : Batch =
        let time = (anyOf batch.References).shape[0]

        if frames < 1 || time % int64 frames <> 0L then
            invalidArg (nameof frames) $"{time} frames cannot be cut into sequences of {frames}."

        let size = int64 frames
        let cut size = Map.map (fun _ tensor -> windows size (int64 frames) tensor)

        { batch with Mixture = cut (size + 2L * batch.Margin) batch.Mixture; References = cut size batch.References }
