namespace FunctionalSeparation

open System
open System.Text.Json.Nodes
open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// The input of a network: a view of the mixture, as images.
[<RequireQualifiedAccess>]
type Input =
    /// Magnitudes, [batch, channels, time, bins].
    | Magnitude
    /// The complex spectrogram, [batch, 2 channels, time, bins]: of each channel the real part, then the imaginary one.
    | Spectrum
    /// The samples, [batch, channels, samples, 1], that the frames cover.
    | Waveform

/// The outputs of a network, and how they become estimates.
[<RequireQualifiedAccess>]
type Output =
    /// Raw outputs a_i, [batch, sources x channels, time, bins], that a mask layer makes magnitudes of.
    | Mask of MaskKind
    /// Complex factors, [batch, sources x channels x 2, time, bins]: of each the real part, then the imaginary one. They multiply
    /// the complex spectrogram of the mixture. Bins that are missing at the top follow those below (`HighBand`).
    | ComplexMask
    /// Magnitudes, [batch, sources x channels, time, bins], by which a Wiener filter divides the mixture. The residual, where the
    /// filter has one, is the first source, and no output of the network. Training combines the magnitudes with the phases of the
    /// mixture.
    | Magnitudes of WienerSettings
    /// The estimates themselves as samples, [batch, sources x channels, samples, 1], as many as `Input.Waveform` gives.
    | Waveforms

/// The frames that one frame of a network's output depends on.
[<RequireQualifiedAccess>]
type ReceptiveField =
    /// Frames back and ahead, beyond the margin. Earlier frames otherwise reach the output only through recurrent states.
    | Frames of back: int * ahead: int
    /// All frames of the input. Songs are processed in independent blocks of `length` frames, with `around` more frames on each
    /// side.
    | Blocks of length: int * around: int

/// The front end, channels and sources that a network is built for.
[<NoEquality; NoComparison>]
type SourceSpec =
    {
        /// The sample rate and the transform of the network.
        FrontEnd: FrontEnd
        /// Channels that the network processes together; 1 = each channel of a sound separately.
        Channels: int
        /// Names of the estimates, in the order of the outputs.
        Sources: string list
    }

/// A separation network without its weights: everything else that training, separation, streams and files need.
[<NoEquality; NoComparison>]
type Network =
    {
        /// The family that reads the network from a file.
        Family: string
        /// The name of the network in tables.
        Name: string
        /// The network in full, as JSON: what a model folder stores, and part of the identity of a run.
        Architecture: JsonObject
        /// The front end, channels and sources that the network is built for.
        Spec: SourceSpec
        /// Whether its two channels are middle and side (see `Stereo`), not left and right.
        MiddleSide: bool
        /// The view of the mixture that the network takes as input.
        Input: Input
        /// The kind of its outputs.
        Output: Output
        /// Frames of input on each side of the output frames, which the model removes.
        Margin: int64
        /// The frames that one frame of its output depends on.
        ReceptiveField: ReceptiveField
        /// Stride in time, in frames. The parts of a sound that the network receives begin and end at multiples of it.
        Stride: int64
        /// [batch, inputs, margin + time + margin, bins] -> [batch, outputs, time, bins], as `Input` and `Output` specify.
        /// Complex masks may lack the highest bins.
        Model: Model<Activations, Activations>
    }

/// A batch of mixtures as a network is given them.
[<NoEquality; NoComparison>]
type Mixture =
    {
        /// [batch, channels, margin + time + margin, bins].
        Sound: Views
        /// How the network is run.
        Mode: Mode
        /// States [batch, units] that recurrent layers start from; empty = zero.
        InitialStates: torch.Tensor list
    }

/// Estimates of a batch, and the states in which recurrent layers ended.
[<NoEquality; NoComparison>]
type Estimates =
    {
        /// Raw outputs of the network, [batch, outputs, time, bins] or as `Output` says.
        Outputs: torch.Tensor
        /// Estimated sources, [batch, sources, channels, time, bins].
        Views: Views
        /// The states [batch, units] in which the recurrent layers ended, first layer first.
        FinalStates: torch.Tensor list
    }

/// Functions on networks for training, separation and files.
[<RequireQualifiedAccess>]
module Network =

    let internal timeAxis = -2L

    /// The frames without their margins, [..., time, bins].
    let private inner (network: Network) (frames: torch.Tensor) =
        frames.narrow (timeAxis, network.Margin, frames.shape[frames.shape.Length - 2] - 2L * network.Margin)

    /// Real and imaginary parts as channels of their own: [batch, channels, time, bins] -> [batch, 2 channels, time, bins].
    let private parts (spectrum: torch.Tensor) = (torch.view_as_real spectrum).permute(0L, 1L, 4L, 2L, 3L).flatten(1L, 2L)

    /// The inverse of `parts`: [batch, 2 channels, time, bins] -> [batch, channels, time, bins], complex.
    let private ofParts (parts: torch.Tensor) =
        torch.view_as_complex ((parts.unflatten (1L, [| -1L; 2L |])).permute(0L, 1L, 3L, 4L, 2L).contiguous())

    /// The input of the network for mixtures: images as `Input` specifies, [batch, channels, time, bins] for magnitudes.
    let input (network: Network) (mixture: Views) : torch.Tensor =
        match network.Input with
        | Input.Magnitude -> mixture.Magnitude
        | Input.Spectrum -> parts mixture.Spectrum
        | Input.Waveform -> mixture.Waveform.unsqueeze -1L

    /// Whether the network is given middle and side of a sound with `channels` channels.
    let internal readsMiddleAndSide (network: Network) (channels: int64) =
        channels = 2L && (network.Spec.Channels = 1 || network.MiddleSide)

    /// Channels along an axis as the network is given them: middle and side, where it reads these together.
    let internal toHeardChannels (network: Network) (axis: int64) (sound: torch.Tensor) =
        if network.MiddleSide then Stereo.toMiddleAndSide axis sound else sound

    /// The views of mixtures that the network needs: of what it reads, and of what its estimates are made of.
    let needs (network: Network) : Domain list =
        let read =
            match network.Input with
            | Input.Magnitude -> Domain.Magnitude
            | Input.Spectrum -> Domain.Spectrum
            | Input.Waveform -> Domain.Waveform

        match network.Output with
        | Output.Mask _ -> List.distinct [ read; Domain.Magnitude ]
        | Output.Magnitudes { Residual = false } -> List.distinct [ read; Domain.Magnitude ]
        | Output.Magnitudes { Residual = true }
        | Output.ComplexMask -> List.distinct [ read; Domain.Spectrum ]
        | Output.Waveforms -> [ read ]

    /// [batch, sources x channels, time, bins] -> [batch, sources, channels, time, bins].
    let internal bySource (network: Network) (outputs: torch.Tensor) =
        outputs.unflatten (1L, [| -1L; int64 network.Spec.Channels |])

    /// A function of masks, on [..., sources, bins], applied to [batch, sources, channels, time, bins].
    let internal overSources (f: torch.Tensor -> torch.Tensor) (x: torch.Tensor) =
        (f (x.permute (3L, 0L, 2L, 1L, 4L))).permute(1L, 3L, 2L, 0L, 4L)

    let private masked kind (outputs: torch.Tensor) (magnitude: torch.Tensor) =
        let mixture = magnitude.permute (2L, 0L, 1L, 3L)
        outputs |> overSources (fun a -> Mask.apply kind a mixture)

    /// The masks [batch, sources, channels, time, bins] of a network of complex masks.
    let internal complexMasks (network: Network) (outputs: torch.Tensor) = bySource network (ofParts outputs)

    /// How the bins above the masks are divided. Networks that process blocks use all frames of a block; for others, a frame
    /// waits for no other frame.
    let private sharesAbove (network: Network) =
        match network.ReceptiveField with
        | ReceptiveField.Blocks _ -> HighBand.byActivations
        | ReceptiveField.Frames _ -> HighBand.byHighestOctave

    /// Masks [batch, sources, channels, time, band] of the network on spectrograms [batch, channels, time, bins].
    let internal onSpectrum (network: Network) (spectrum: torch.Tensor) (masks: torch.Tensor) : torch.Tensor =
        Mask.extended (sharesAbove network) masks spectrum

    /// The estimates that raw outputs [batch, outputs, time, bins] make of mixtures.
    let estimates (network: Network) (mixture: Views) (outputs: torch.Tensor) : Views =
        let stft = network.Spec.FrontEnd.Stft
        let spectrum = Views.once (fun () -> (inner network mixture.Spectrum).unsqueeze 1L)

        match network.Output with
        | Output.Mask kind ->
            masked kind (bySource network outputs) (inner network mixture.Magnitude)
            |> Views.ofMagnitudeAndPhases stft spectrum
        | Output.ComplexMask ->
            complexMasks network outputs |> onSpectrum network (inner network mixture.Spectrum) |> Views.ofSpectrum stft
        | Output.Magnitudes { Residual = false } -> bySource network outputs |> Views.ofMagnitudeAndPhases stft spectrum
        | Output.Magnitudes wiener ->
            Wiener.start wiener (bySource network outputs) (inner network mixture.Spectrum) |> Views.ofSpectrum stft
        | Output.Waveforms -> Views.ofWaveform stft (bySource network (outputs.squeeze -1L))

    let private requireStates name (start: torch.Tensor list) (output: Activations) =
        if not start.IsEmpty && start.Length <> output.FinalStates.Length then
            invalidArg
                "Start"
                ($"{name}: wants a start state for each of its {output.FinalStates.Length} "
                 + $"recurrent layers, or none, got {start.Length}.")

    /// The number of outputs of a network for each channel that it processes.
    let private outputsPerChannel (network: Network) =
        let sources = network.Spec.Sources.Length

        match network.Output with
        | Output.ComplexMask -> 2 * sources
        | Output.Magnitudes { Residual = true } -> sources - 1
        | Output.Magnitudes { Residual = false }
        | Output.Mask _
        | Output.Waveforms -> sources

    /// Raises ArgumentException, naming the network and both shapes, where it makes other outputs than its sources ask for.
    let internal requireOutputs (network: Network) (outputs: torch.Tensor) =
        let channels = outputsPerChannel network * network.Spec.Channels

        Shapes.Require(
            network.Name,
            $"outputs for {network.Spec.Sources.Length} sources in {network.Spec.Channels} channel(s)",
            outputs,
            [| Axis.Any "batch"; Axis.Of(int64 channels); Axis.Any "time"; Axis.Any "bins" |]
        )

    /// Raw outputs, and the states in which recurrent layers ended.
    let internal run
        network
        (model: Model<Activations, Activations>)
        weights
        (mixture: Mixture)
        : struct (torch.Tensor * torch.Tensor list) =
        let flow =
            input network mixture.Sound |> Activations.continuing mixture.InitialStates |> Activations.inMode mixture.Mode

        let output = model.Apply weights flow
        requireOutputs network output.Value
        requireStates network.Name mixture.InitialStates output
        struct (output.Value, Activations.finalStates output)

    /// The network for sound of another rate, which it processes as if it were at its own: windows are as long in seconds, bins
    /// as wide. Bins above its own are left out, and missing ones are zero. Its masks are about its own bins (see `HighBand`).
    /// None where there are no such windows, and for networks that read samples or whose outputs are no masks.
    let internal tryAtRate (sampleRate: int) (network: Network) : Network option =
        let own = network.Spec.FrontEnd

        let heardAs (frontEnd: FrontEnd) : Model<Activations, Activations> =
            let bins, scale = int64 own.Stft.Bins, float own.SampleRate / float frontEnd.SampleRate
            let missing = max 0L (bins - int64 frontEnd.Stft.Bins)

            Model.pureFunction
                "own rate"
                (Activations.map (fun frames ->
                    torch.nn.functional.pad(frames, [| 0L; missing |]).narrow(-1L, 0L, bins).mul(scale)))

        match network.Input, network.Output with
        | _ when sampleRate = own.SampleRate -> Some network
        | Input.Waveform, _
        | _, (Output.Magnitudes _ | Output.Waveforms) -> None
        | (Input.Magnitude | Input.Spectrum), (Output.Mask _ | Output.ComplexMask) ->
            FrontEnd.tryAtRate sampleRate own
            |> Option.map (fun frontEnd ->
                { network with Spec = { network.Spec with FrontEnd = frontEnd }; Model = heardAs frontEnd --> network.Model })

    /// The model from mixtures to estimates, with the network's products in the given precision.
    let modelIn (precision: Precision) (network: Network) : Model<Mixture, Estimates> =
        let model = Precision.network precision network.Model

        let apply weights (mixture: Mixture) =
            let struct (outputs, states) = run network model weights mixture
            { Outputs = outputs; Views = estimates network mixture.Sound outputs; FinalStates = states }

        { Name = network.Name; Layout = model.Layout; Apply = apply }

    /// The model from mixtures to estimates.
    let model (network: Network) : Model<Mixture, Estimates> = modelIn Precision.Float32 network

    /// The weights.
    let layout (network: Network) : Layout = network.Model.Layout

    /// Estimates are told apart, and their files named, by the names of the sources.
    let private requireSources (sources: string list) =
        if sources.IsEmpty then
            invalidArg (nameof sources) "A network estimates at least one source."

        for name, count in List.countBy id sources do
            if count > 1 then invalidArg (nameof sources) $"Two sources are called '{name}'."

            if String.IsNullOrWhiteSpace name || name |> Seq.exists (fun c -> Char.IsControl c || "/\\:*?\"<>|".Contains c) then
                invalidArg (nameof sources) $"{Json.quoted name} is no name for a source: files are named after it."

    /// Raises ArgumentException for a setting that no network can be built for.
    let requireSpec (spec: SourceSpec) : unit =
        FrontEnd.require spec.FrontEnd
        Numbers.atLeast 1 "A network" "Channels" spec.Channels
        requireSources spec.Sources
