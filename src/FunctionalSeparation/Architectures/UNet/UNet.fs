namespace FunctionalSeparation

open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// A convolutional U-Net with dense layers over frequency (as the time-distributed layers of Choi et al. 2020), complex
/// spectrograms in, complex masks out.
type UNetSettings =
    {
        /// Channels at each scale; each is half as fine in time and bins as the one before.
        Channels: int list
        /// Blocks at each scale, on the way down and again on the way up; at the last scale once.
        Blocks: int list
        /// Bins that the network reads, from 0 Hz; a multiple of 2^(scales - 1). Bins above them are divided among the sources by
        /// the masks of these bins (see `HighBand`).
        Bins: int
        /// Factor on the spectrogram that brings the magnitudes of music to about 1.
        InputScale: float
    }

/// The family of the U-Nets.
[<RequireQualifiedAccess>]
module UNet =

    let private create channels blocks : UNetSettings = { Channels = channels; Blocks = blocks; Bins = 640; InputScale = 10.0 }

    /// 1.4 million weights with the front end of `frontEnd`.
    let small: UNetSettings = create [ 32; 48; 64; 96; 128 ] [ 1; 1; 1; 1; 2 ]

    /// 3.6 million weights.
    let medium: UNetSettings = create [ 32; 64; 96; 128; 160 ] [ 1; 2; 2; 2; 2 ]

    /// 5.2 million weights.
    let large: UNetSettings = create [ 48; 80; 112; 144; 176 ] [ 1; 2; 2; 2; 3 ]

    /// 128 ms windows every 32 ms at 16 kHz, of which 640 bins reach to 5 kHz.
    let frontEnd: FrontEnd = { SampleRate = 16000; Stft = Stft(2048, 512, StftWindow.Sine, true) }

    /// The number of bands of `width` bins above the bins that the network reads one by one; 0 for a width of 0.
    let internal bandsAbove (settings: UNetSettings) width (stft: Stft) =
        if width = 0 then 0 else (stft.Bins - settings.Bins) / width

    let private relu = Layer.activation Relu

    let private conv kernel inputs outputs = Conv.create { Conv.settings kernel inputs outputs with HasBias = false }

    /// Dense layers over the bins, through an eighth of them.
    let private overBins channels bins =
        let narrow = max 16 (bins / 8)
        Image.linear bins narrow --> Norm.batch channels --> relu --> Image.linear narrow bins

    /// Scales start at 0.3, so that a residual block adds little at the start of training.
    let private quiet (model: Model<Activations, Activations>) =
        let start (weight: Weight) = if weight.Name = "scale" then { weight with Init = Constant 0.3 } else weight

        { model with Layout = List.map start model.Layout }

    let private block isDense channels bins =
        let first = conv 3 channels channels --> Norm.batch channels --> relu
        let middle = if isDense then Model.residual (overBins channels bins) else Model.identity
        let second = conv 3 channels channels --> quiet (Norm.batch channels)
        Model.scoped (Model.residual (first --> middle --> second) --> relu)

    /// All that lies at a scale and below it.
    let rec private from scale (scales: (int * int) list) bins : Model<Activations, Activations> =
        let blocks (channels, count) = List.replicate count (block (scale > 0) channels bins) |> List.fold (-->) Model.identity

        match scales with
        | [] -> Model.identity
        | [ last ] -> blocks last
        | here :: below ->
            let channels, deeper = fst here, fst below.Head

            let inside = Conv.patches 2 channels deeper --> from (scale + 1) below (bins / 2) --> Conv.up 2 deeper channels

            (blocks here --> Model.residual inside --> blocks here) |> Model.prefixed $"scale{scale}"

    /// Frames at the finest scale that a frame of the last scale spans.
    let private stride (settings: UNetSettings) = 1 <<< (settings.Channels.Length - 1)

    /// The receptive field: frames on each side that an output depends on, at most.
    let private receptiveField (settings: UNetSettings) =
        let last = settings.Blocks.Length - 1
        let ofScale scale blocks = (if scale = last then 2 else 4) * blocks * (1 <<< scale)
        1 + (settings.Blocks |> List.mapi ofScale |> List.sum) + stride settings

    /// Frames in a block of a song. Longer blocks need more memory. Shorter blocks recompute more of the frames around them, and
    /// show less of how the high band changes over time (`HighBand.byActivations`).
    let private blockFrames = 320

    /// Frames of context on each side of a block. More context, up to the whole receptive field, does not improve the estimates
    /// (see papers/beyond/notes.md).
    let private enough = 16

    /// Beyond what can be trained, so that a file cannot ask for more.
    let private mostScales, private mostBlocks = 16, 100

    let private check (settings: UNetSettings) (spec: SourceSpec) =
        let refuse why = invalidArg (nameof settings) $"A U-Net needs {why}."
        List.iter (Numbers.atLeast 1 "A U-Net" "Channels") settings.Channels
        List.iter (Numbers.atLeast 0 "A U-Net" "Blocks") settings.Blocks
        Numbers.positive "A U-Net" "InputScale" settings.InputScale

        if settings.Channels.IsEmpty || settings.Channels.Length <> settings.Blocks.Length then
            refuse $"Channels and Blocks of each scale, got {settings.Channels.Length} and {settings.Blocks.Length}"

        if settings.Channels.Length > mostScales then
            refuse $"at most {mostScales} scales, got {settings.Channels.Length}"

        if List.max settings.Blocks > mostBlocks then
            refuse $"at most {mostBlocks} Blocks at a scale, got {List.max settings.Blocks}"

        if spec.Sources.Length < 2 then refuse $"two sources or more, got {spec.Sources.Length}"

        let bins = spec.FrontEnd.Stft.Bins

        if settings.Bins < 1 || settings.Bins > bins || settings.Bins % stride settings <> 0 then
            refuse $"Bins up to {bins}, a multiple of {stride settings}, got {settings.Bins}"

    /// The network that reads bands of `width` bins above its bins; 0: none.
    let internal planWith (width: int) (settings: UNetSettings) (spec: SourceSpec) : NetworkPlan =
        check settings spec
        let bands = bandsAbove settings width spec.FrontEnd.Stft
        let inputs, first = 3 * spec.Channels + 1, settings.Channels.Head
        let outputs = 2 * spec.Channels * (spec.Sources.Length - 1)
        let field = receptiveField settings

        let network =
            ComplexMasks.compressed { Bins = settings.Bins; Bands = bands; Width = width; Scale = settings.InputScale }
            --> Conv.layer 3 inputs first
            --> from 0 (List.zip settings.Channels settings.Blocks) (settings.Bins + bands)
            --> ComplexMasks.startingAtZero (Conv.layer 1 first outputs)
            --> (if bands = 0 then Model.identity else ComplexMasks.spread settings.Bins width)
            --> ComplexMasks.completed spec

        { NetworkPlan.complexMask (field, field) (Image.padded (stride settings, 1) network) with
            ReceptiveField =
                if field > enough then
                    ReceptiveField.Blocks(blockFrames, enough)
                else
                    ReceptiveField.Frames(field, field)
            Stride = stride settings }

    /// The family of U-Nets: networks of settings for a front end, channels and sources. The first source is what the others
    /// leave of the mixture, so estimates sum to it. Raises ArgumentException for settings that contradict each other or the
    /// front end.
    let family: Family<UNetSettings> = Family.define "unet" (planWith 0)
