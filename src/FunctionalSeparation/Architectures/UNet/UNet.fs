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

    let private compression = 0.3

    /// Below this a magnitude has no phase.
    let private faintest = 1e-7

    /// The number of bands of `width` bins above the bins that the network reads one by one; 0 for a width of 0.
    let internal bandsAbove (settings: UNetSettings) width (stft: Stft) =
        if width = 0 then 0 else (stft.Bins - settings.Bins) / width

    /// Bands of `width` bins from `first` on, of parts [batch, channels, 2, time, bins]. The real part is the root of their mean
    /// power. The imaginary part is 0, for the root has no phase.
    let private bands (first: int) (count: int) (width: int) (parts: torch.Tensor) =
        let inside = (parts.narrow (4L, int64 first, int64 (count * width))).unflatten(4L, [| int64 count; int64 width |])
        let power = (inside * inside).sum(2L, keepdim = true).mean([| -1L |]).add(faintest * faintest).sqrt()
        torch.cat ([| power; torch.zeros_like power |], 2L)

    /// The input features of complex spectrograms [batch, 2 channels, time, bins]. For each channel they are the magnitude, the
    /// real part and the imaginary part, with magnitudes raised to the power of 0.3. One more channel holds the frequency of each
    /// bin. Above the bins that the network reads one by one, the features cover `count` bands of `width` bins.
    let private shown (settings: UNetSettings) (count: int) (width: int) : Model<Activations, Activations> =
        let rows = settings.Bins + count

        let compressed (image: torch.Tensor) =
            let all = image.unflatten(1L, [| -1L; 2L |]).mul(settings.InputScale)
            let fine = all.narrow (4L, 0L, int64 settings.Bins)

            let parts =
                if count = 0 then
                    fine
                else
                    torch.cat ([| fine; bands settings.Bins count width all |], 4L)

            let power = (parts * parts).sum(2L, keepdim = true).add(faintest * faintest)
            let magnitude = power.pow(compression / 2.0).add(-0.6).mul(2.0)
            torch.cat([| magnitude; parts * power.pow ((compression - 1.0) / 2.0) |], 2L).flatten(1L, 2L)

        let place (image: torch.Tensor) =
            let ramp = Arithmetic.Integers(0L, int64 rows, image.device).``to``(image.dtype).div(float rows)
            ramp.expand (image.shape[0], 1L, image.shape[2], -1L)

        Model.pureFunction "compressed parts" (Activations.map (fun image -> torch.cat ([| compressed image; place image |], 1L)))

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

    /// A layer whose outputs start at zero: masks at equal shares.
    let private silent (model: Model<Activations, Activations>) =
        { model with Layout = model.Layout |> List.map (fun weight -> { weight with Init = Zeros }) }

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

    /// Completes the masks of all sources but the first, [batch, 2 channels (sources - 1), time, bins], which are deviations from
    /// equal shares. The first source gets what they leave of 1: [batch, 2 channels sources, time, bins].
    let private completed (spec: SourceSpec) : Model<Activations, Activations> =

        /// The complex number 1 for each channel: real parts at even places.
        let one (like: torch.Tensor) =
            let parts = [| for place in 0 .. 2 * spec.Channels - 1 -> if place % 2 = 0 then 1.0f else 0.0f |]
            torch.tensor(parts, dtype = like.dtype, device = like.device).view(1L, 1L, -1L, 1L, 1L)

        let complete (outputs: torch.Tensor) =
            let whole = one outputs
            let share = whole.div (float spec.Sources.Length)
            let masks = outputs.unflatten (1L, [| -1L; 2L * int64 spec.Channels |]) .+ share
            torch.cat([| whole - masks.sum (1L, keepdim = true); masks |], 1L).flatten(1L, 2L)

        Model.pureFunction "masks" (Activations.map complete)

    /// Masks of bins, and of bands of `width` bins above them, as masks of bins: [..., rows] -> [..., bins].
    let private overBands (bins: int) (width: int) : Model<Activations, Activations> =
        let spread (masks: torch.Tensor) =
            let above = masks.narrow (3L, int64 bins, masks.shape[3] - int64 bins)
            torch.cat ([| masks.narrow (3L, 0L, int64 bins); above.repeat_interleave (int64 width, 3L) |], 3L)

        Model.pureFunction "bands" (Activations.map spread)

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
            shown settings bands width
            --> Conv.layer 3 inputs first
            --> from 0 (List.zip settings.Channels settings.Blocks) (settings.Bins + bands)
            --> silent (Conv.layer 1 first outputs)
            --> (if bands = 0 then Model.identity else overBands settings.Bins width)
            --> completed spec

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
