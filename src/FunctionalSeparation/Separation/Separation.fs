namespace FunctionalSeparation

open System
open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// How the outputs of a network become masks at test time (Huang et al. 2014, section 2.2).
type TestMask =
    /// The ratio mask that the network was trained with. For a network without a mask layer, the ratio of its magnitudes, or its
    /// Wiener filter.
    | Soft
    /// One for the larger output, zero for the others.
    | Hard
    /// None: the network's own magnitudes with the phase of the mixture. Only for a network without a mask layer: the outputs of
    /// the others have no scale of their own. For a network with a Wiener filter, the magnitudes that the filter would start
    /// from.
    | Unmasked

/// A function from the input of a separator to estimates [sources, channels, samples'], cut to whole frames.
[<NoEquality; NoComparison>]
type Estimator =
    /// The mixture alone, [channels, samples].
    | Blind of (torch.Tensor -> torch.Tensor)
    /// The true sources, [sources, channels, samples]: a bound, not a system.
    | Oracle of (torch.Tensor -> torch.Tensor)

/// Common estimators.
[<RequireQualifiedAccess>]
module Estimator =

    /// Applies a system for mono mixtures, [samples] -> [sources, samples'], to each channel separately.
    let eachChannel (separate: torch.Tensor -> torch.Tensor) : Estimator =
        let ofChannels (mixture: torch.Tensor) =
            Memory.tensor (fun () ->
                torch.stack ([ for channel in 0L .. mixture.shape[0] - 1L -> separate mixture[channel] ], 1L))

        Blind ofChannels

/// A system that separates mixtures, in the form that evaluation takes.
[<NoEquality; NoComparison>]
type Separator =
    {
        /// Name in tables.
        Name: string
        /// The sample rate and the shortest clip that it can work on follow from this.
        FrontEnd: FrontEnd
        /// Names of the estimates, in order. Empty where the input is the true sources: the estimates then have their names.
        Sources: string list
        /// The input, and the function that separates it.
        Estimator: Estimator
    }

/// Separation with a trained network.
[<RequireQualifiedAccess>]
module Separation =

    /// Masks [batch, sources, channels, time, bins] for a network with a mask layer of this kind. The raw outputs are
    /// [batch, sources, channels, time, bins], the mixture magnitudes [batch, channels, time, bins].
    let private masksOf kind testMask (mixture: torch.Tensor) (outputs: torch.Tensor) =
        match testMask, kind with
        | Hard, _ -> Network.overSources Mask.binary outputs
        | Soft, (Squared | SquaredExact) -> Network.overSources Mask.wiener outputs
        | Soft, (Absolute | AbsoluteExact | NoMask) -> Network.overSources Mask.ratio outputs
        | Unmasked, NoMask -> outputs.abs () / mixture.unsqueeze(1L).add Mask.epsilon
        | Unmasked, _ ->
            raise (
                InputException
                    "The network has its mask inside, so its outputs mean nothing without one. Choose the soft or the hard mask."
            )

    /// The estimated spectrograms [batch, sources, channels, time, bins] of spectrograms
    /// [batch, channels, before + time + after, bins], and the recurrent states after them. `before` and `after` are the context
    /// frames, the network's margin included.
    let internal spectra (trained: TrainedModel) testMask before after states (spectrogram: torch.Tensor) =
        let network = trained.Network
        let stft = network.Spec.FrontEnd.Stft
        let heard = { Sound = Views.ofSpectrum stft spectrogram; Mode = Mode.Inference; InitialStates = states }
        let struct (outputs, states) = Network.run network network.Model (Params.split trained.Parameters) heard
        let time = spectrogram.shape[2] - before - after
        let inner (frames: torch.Tensor) = frames.narrow (Network.timeAxis, before, time)
        let own (outputs: torch.Tensor) = outputs.narrow (Network.timeAxis, before - network.Margin, time)

        let estimates =
            match network.Output, testMask with
            | Output.Mask kind, _ ->
                Network.bySource network (own outputs)
                |> masksOf kind testMask (inner heard.Sound.Magnitude)
                |> Network.onSpectrum network (inner spectrogram)
            | Output.ComplexMask, Soft ->
                Network.complexMasks network (own outputs) |> Network.onSpectrum network (inner spectrogram)
            | Output.Magnitudes wiener, (Soft | Unmasked) ->
                let magnitudes = Network.bySource network (own outputs)
                Wiener.ofBatch (if testMask = Soft then wiener else { wiener with Iterations = 0 }) magnitudes (inner spectrogram)
            | Output.Waveforms, Soft -> own (Network.estimates network heard.Sound outputs).Spectrum
            | Output.Magnitudes _, Hard
            | (Output.ComplexMask | Output.Waveforms), (Hard | Unmasked) ->
                raise (InputException $"{network.Name} has no such mask. Choose the soft one.")

        estimates, states

    /// The spectrogram [batch, channels, before + time + after, bins] of a whole clip, with repeated edge frames. For a network
    /// that takes samples, silence follows the clip instead: the samples of repeated frames would not match each other.
    let private around (network: Network) before after (mixture: torch.Tensor) =
        let stft = network.Spec.FrontEnd.Stft

        match network.Input with
        | Input.Waveform -> stft.Forward(torch.nn.functional.pad (mixture, [| 0L; after * int64 stft.HopLength |]))
        | Input.Magnitude
        | Input.Spectrum ->
            let frames = (stft.Forward mixture).movedim([| 2L |], [| 0L |])
            (Spectra.between before after frames).movedim([| 0L |], [| 2L |])

    /// `estimate`, with estimated spectrograms [batch, sources, channels, frames, bins] passed through `finish`.
    let private estimateWith
        (finish: Stft -> torch.Tensor -> torch.Tensor)
        (trained: TrainedModel)
        testMask
        (mixture: torch.Tensor)
        =
        Memory.tensor (fun () ->
            use _ = torch.no_grad ()
            let network = trained.Network
            let stft, before = network.Spec.FrontEnd.Stft, network.Margin
            let beyondStride = stft.Frames mixture.shape[2] % network.Stride
            let after = network.Margin + (network.Stride - beyondStride) % network.Stride
            let estimates, _ = around network before after mixture |> spectra trained testMask before after []
            stft.Inverse(finish stft estimates))

    /// <summary>
    /// Separates whole clips as the papers do at test time. A clip is one sequence, with edge frames repeated for the context.
    /// There is no padding but that of a centred transform, and a tail that does not fill a frame is dropped. Mixtures
    /// [batch, channels, samples] give estimates [batch, sources, channels, samples']. Raises ArgumentException for mixtures of
    /// another shape, type or device than the network's.
    /// </summary>
    /// <example><code lang="fsharp">
    /// let network = Drnn.network { Drnn.huang2014 with Hidden = [ 16; 16 ] }
    ///
    /// let trained =
    ///     { Network = network
    ///       Parameters = Model.init torch.float32 torch.CPU (Key.ofSeed 0) (Network.model network)
    ///       Level = None }
    ///
    /// let estimates = Separation.estimate trained Soft (torch.zeros (2L, 1L, 16000L)) // [2, 2, 1, samples']
    /// </code></example>
    let estimate (trained: TrainedModel) (testMask: TestMask) (mixture: torch.Tensor) : torch.Tensor =
        let wanted = [| Axis.Any "batch"; Axis.Of(int64 trained.Network.Spec.Channels); Axis.Any "samples" |]
        Shapes.Require(trained.Network.Name, "mixtures", mixture, wanted, trained.Parameters.Vector)
        estimateWith (fun _ estimates -> estimates) trained testMask mixture

    /// The channels of a sound as the input of a network, converted to middle and side where the network takes these. A sound
    /// with another number of channels than the network expects is processed channel by channel. Each of these channels is copied
    /// to all channels of the network.
    let internal spread (network: Network) (mixture: torch.Tensor) : torch.Tensor =
        let together = int64 network.Spec.Channels

        let channels =
            if mixture.shape[0] = together then
                mixture
            else
                mixture.repeat_interleave (together, 0L)

        if Network.readsMiddleAndSide network mixture.shape[0] then
            Stereo.toMiddleAndSide 0L channels
        elif network.MiddleSide then
            (Stereo.toMiddleAndSide 1L (channels.unflatten (0L, [| -1L; 2L |]))).flatten(0L, 1L)
        else
            channels

    /// The inverse of `spread` for estimates [channels, ...] of a sound of `count` channels.
    let internal gathered (network: Network) (count: int64) (estimates: torch.Tensor) : torch.Tensor =
        let together = int64 network.Spec.Channels

        if Network.readsMiddleAndSide network count then
            Stereo.ofMiddleAndSide 0L estimates
        elif count = together then
            estimates
        else
            let each = estimates.unflatten (0L, [| -1L; together |])
            (if network.MiddleSide then Stereo.ofMiddleAndSide 1L each else each).mean [| 1L |]

    let private separatorOf suffix finish (trained: TrainedModel) testMask : Separator =
        let spec = trained.Network.Spec

        let separate (mixture: torch.Tensor) =
            let heard = (spread trained.Network mixture).reshape(-1L, int64 spec.Channels, mixture.shape[1])
            // [batch, sources, channels, samples] as [channels, sources, samples].
            let estimates = (estimateWith finish trained testMask heard).transpose(1L, 2L).flatten(0L, 1L)
            (gathered trained.Network mixture.shape[0] estimates).transpose(0L, 1L)

        { Name = trained.Network.Name + suffix
          FrontEnd = spec.FrontEnd
          Sources = spec.Sources
          Estimator = Blind separate }

    /// The mean of the estimates of several systems, cut to the shortest: their errors differ, and partly cancel. Raises
    /// ArgumentException where there is none, where their sources or sample rates differ, and for one that is given the true
    /// sources.
    let mean (name: string) (separators: Separator list) : Separator =
        let refuse why = invalidArg (nameof separators) $"A mean of separators needs {why}."

        let separate (separator: Separator) =
            match separator.Estimator with
            | Blind separate -> separate
            | Oracle _ -> refuse $"systems that hear the mixture alone: {separator.Name} is given the true sources"

        let systems = List.map separate separators

        match separators |> List.distinctBy (fun separator -> separator.Sources, separator.FrontEnd.SampleRate) with
        | [ _ ] -> ()
        | [] -> refuse "at least one"
        | different ->
            let names = different |> List.map _.Name |> String.concat ", "
            refuse $"systems for the same sources at one sample rate, got {names}"

        let ofAll mixture =
            Memory.tensor (fun () ->
                let estimates = [ for system in systems -> system mixture ]
                let samples = estimates |> List.map (fun estimate -> estimate.shape[2]) |> List.min
                torch.stack([| for estimate in estimates -> estimate.narrow (2L, 0L, samples) |]).mean [| 0L |])

        { List.maxBy (fun separator -> separator.FrontEnd.Stft.FftSize) separators with
            Name = name
            Estimator = Blind ofAll }

    /// The network as a separator of mixtures at the level of the training data, channels as `Stereo` has it.
    let separator (trained: TrainedModel) (testMask: TestMask) : Separator =
        separatorOf "" (fun _ masked -> masked) trained testMask

    /// `separator`, with the phases of each estimate refined from the mixture's by Griffin-Lim. The estimates then no longer sum
    /// to the mixture.
    let refinedSeparator (griffinLim: GriffinLim) (trained: TrainedModel) (testMask: TestMask) : Separator =
        separatorOf $" + Griffin-Lim {griffinLim.Iterations}" (GriffinLim.refine griffinLim) trained testMask
