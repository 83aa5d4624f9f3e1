namespace FunctionalSeparation

open System
open TorchSharp
open FunctionalSeparation.Core

/// How the outputs of a network become masks at test time (Huang et al. 2014, section 2.2).
type TestMask =
    /// The ratio mask that the network was trained with; for a network without one inside, the ratio of its magnitudes.
    | Soft
    /// One for the larger output, zero for the others.
    | Hard
    /// None: the network's own magnitudes with the phase of the mixture. Only for a network without a mask inside: the outputs
    /// of the others have no scale of their own.
    | Unmasked

/// A network with its weights: all that separation needs.
[<NoEquality; NoComparison>]
type TrainedModel =
    {
        /// The network, described in full.
        Architecture: Architecture
        /// The weights, in the layout of the architecture's model.
        Parameters: Params
        /// Root mean square of a training mixture: other mixtures are brought to this level for the network, and back.
        Level: float
    }

[<RequireQualifiedAccess>]
module internal TrainedModel =

    /// Refuses the nulls that other languages can put into a model.
    let requireWhole (trained: TrainedModel) =
        let require name (part: obj) =
            if isNull part then
                raise (System.ArgumentNullException(name, $"A trained model needs its {name}."))

        require "trained" trained
        require "Architecture" trained.Architecture
        require "Parameters" trained.Parameters
        require "Parameters.Vector" trained.Parameters.Vector

/// What a separator is given, and what it does: estimates [sources, channels, samples'], cut to whole frames.
[<NoEquality; NoComparison>]
type Hearing =
    /// The mixture alone, [channels, samples].
    | Blind of (torch.Tensor -> torch.Tensor)
    /// The true sources, [sources, channels, samples]: a bound, not a system.
    | Oracle of (torch.Tensor -> torch.Tensor)

[<RequireQualifiedAccess>]
module Hearing =

    /// A system for mono mixtures, [samples] -> [sources, samples'], hears each channel by itself.
    let eachChannel (separate: torch.Tensor -> torch.Tensor) : Hearing =
        let ofChannels (mixture: torch.Tensor) =
            Memory.tensor (fun () ->
                torch.stack ([ for channel in 0L .. mixture.shape[0] - 1L -> separate mixture[channel] ], 1L))

        Blind ofChannels

/// A way to take mixtures apart, as evaluation sees it.
[<NoEquality; NoComparison>]
type Separator =
    {
        /// What tables call it.
        Name: string
        /// The sample rate and the shortest clip that it can work on follow from this.
        FrontEnd: FrontEnd
        /// What its estimates are called, in their order. None where it is given the true sources: then they are called as these.
        Sources: string list
        /// What it is given, and what it does.
        Hearing: Hearing
    }

/// Separation with a trained network.
[<RequireQualifiedAccess>]
module Separation =

    /// What the mixture [time, batch, bins] is multiplied by: [time, batch, sources, bins].
    let private masksOf (trained: TrainedModel) testMask (mixture: torch.Tensor) (separated: Separated) =
        match testMask, trained.Architecture.Mask with
        | Hard, _ -> Mask.binary separated.Outputs
        | Soft, (Squared | SquaredExact) -> Mask.wiener separated.Outputs
        | Soft, (Absolute | AbsoluteExact | NoMask) -> Mask.ratio separated.Outputs
        | Unmasked, NoMask -> separated.Outputs.abs () / mixture.unsqueeze(2L).add Mask.epsilon
        | Unmasked, _ ->
            raise (
                InputException
                    "The network has its mask inside, so its outputs mean nothing without one. Choose the soft or the hard mask."
            )

    /// Masks [batch, sources, time, bins] of spectrograms [batch, margin + time + margin, bins], and the recurrent states after
    /// them.
    let internal masks trained testMask margin states (spectrogram: torch.Tensor) =
        let magnitude = spectrogram.abs().transpose(0L, 1L)

        let separated =
            Model.apply
                (Architecture.model trained.Architecture)
                trained.Parameters
                { Magnitude = magnitude; Margin = margin; Start = states }

        let inner = magnitude.narrow (0L, margin, magnitude.shape[0] - 2L * margin)
        (masksOf trained testMask inner separated).permute(1L, 2L, 0L, 3L), separated.States

    /// `estimate`, with masked spectrograms [batch, sources, frames, bins] passed through `finish`.
    let private estimateWith (finish: Stft -> torch.Tensor -> torch.Tensor) trained testMask (mixture: torch.Tensor) =
        Memory.tensor (fun () ->
            use _ = torch.no_grad ()
            let stft = trained.Architecture.FrontEnd.Stft
            let margin = FrontEnd.margin trained.Architecture.FrontEnd
            let spectrogram = stft.Forward mixture
            let padded = (spectrogram.transpose (0L, 1L) |> Spectra.withMargins margin).transpose(0L, 1L)
            let masks, _ = masks trained testMask margin [] padded
            stft.Inverse(finish stft (masks * spectrogram.unsqueeze 1L)))

    /// Separates whole clips as the paper does at test time: one sequence, edge frames repeated for the context, no padding, a
    /// tail that does not fill a frame dropped. Mixtures [batch, samples] give estimates [batch, sources, samples']. Raises
    /// ArgumentException for mixtures of another shape, type or device than the network's.
    let estimate (trained: TrainedModel) (testMask: TestMask) (mixture: torch.Tensor) : torch.Tensor =
        let wanted = [| Axis.Any "batch"; Axis.Any "samples" |]
        Shapes.Require(Architecture.name trained.Architecture, "mixtures", mixture, wanted, trained.Parameters.Vector)
        estimateWith (fun _ masked -> masked) trained testMask mixture

    let private separatorOf suffix finish (trained: TrainedModel) testMask : Separator =
        { Name = Architecture.name trained.Architecture + suffix
          FrontEnd = trained.Architecture.FrontEnd
          Sources = trained.Architecture.Sources
          Hearing = Blind(fun mixture -> (estimateWith finish trained testMask mixture).transpose(0L, 1L)) }

    /// The network as a separator of mixtures at the level of the training data, each channel by itself.
    let separator (trained: TrainedModel) (testMask: TestMask) : Separator =
        separatorOf "" (fun _ masked -> masked) trained testMask

    /// `separator`, with the phases of each estimate refined from the mixture's by Griffin-Lim. The estimates then no longer sum
    /// to the mixture.
    let refinedSeparator (griffinLim: GriffinLim) (trained: TrainedModel) (testMask: TestMask) : Separator =
        separatorOf $" + Griffin-Lim {griffinLim.Iterations}" (GriffinLim.refine griffinLim) trained testMask
