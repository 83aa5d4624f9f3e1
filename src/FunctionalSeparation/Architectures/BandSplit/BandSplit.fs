namespace FunctionalSeparation

open FunctionalSeparation.Learning

/// A recurrent network over bands and frames: complex spectrograms in, complex masks out (after Luo and Yu 2023, with bands of
/// equal width, gated recurrent units, and recurrence forwards in time only).
type BandSplitSettings =
    {
        /// Features of a band, an even number.
        Units: int
        /// Pairs of recurrent layers: one over time, forwards, and one over the bands, in both directions.
        Blocks: int
        /// Bins of a band.
        BandWidth: int
        /// Bins that the network reads, from 0 Hz; a multiple of `BandWidth`. Bins above them are divided among the sources by
        /// the masks of these bins (see `HighBand`).
        Bins: int
        /// Factor on the spectrogram that brings the magnitudes of music to about 1.
        InputScale: float
        /// Share of the features that training sets to zero before the masks, in [0, 1).
        Dropout: float
    }

/// The family of the band-split networks. An output depends on no later frame, so they suit live streams.
[<RequireQualifiedAccess>]
module BandSplit =

    /// 0.2 million weights; bands of 62.5 Hz up to 5 kHz with the front end of the U-Nets.
    let small: BandSplitSettings =
        { Units = 64; Blocks = 4; BandWidth = 8; Bins = 640; InputScale = 10.0; Dropout = 0.1 }

    let private check (settings: BandSplitSettings) (spec: SourceSpec) =
        let name = "A band-split network"

        for what, size in [ "Blocks", settings.Blocks; "BandWidth", settings.BandWidth; "Units", settings.Units ] do
            Numbers.atLeast 1 name what size

        Numbers.positive name "InputScale" settings.InputScale
        let refuse why = invalidArg (nameof settings) $"{name} needs {why}."
        if settings.Units % 2 <> 0 then refuse $"an even number of Units, got {settings.Units}"
        if spec.Sources.Length < 2 then refuse $"two sources or more, got {spec.Sources.Length}"
        let bins = spec.FrontEnd.Stft.Bins

        if settings.Bins < 1 || settings.Bins > bins || settings.Bins % settings.BandWidth <> 0 then
            refuse $"Bins up to {bins}, a multiple of {settings.BandWidth}, got {settings.Bins}"

    /// Each layer adds to what it reads.
    let private block units =
        let time = Norm.layer units --> Image.overTime (Gru.layer units units)
        let bands = Norm.layer units --> Image.overBands (Gru.bidirectional units (units / 2))
        Model.scoped (Model.residual time --> Model.residual bands)

    let private plan (settings: BandSplitSettings) (spec: SourceSpec) : NetworkPlan =
        check settings spec
        let parts = 3 * spec.Channels + 1
        let masks = 2 * spec.Channels * (spec.Sources.Length - 1)

        let across =
            { Conv.settings 1 parts settings.Units with Kernel = 1, settings.BandWidth; Stride = 1, settings.BandWidth }

        ComplexMasks.compressed { Bins = settings.Bins; Bands = 0; Width = 0; Scale = settings.InputScale }
        --> Conv.create across
        --> (List.replicate settings.Blocks (block settings.Units) |> List.reduce (-->))
        --> Norm.layer settings.Units
        --> Dropout.layer settings.Dropout
        --> ComplexMasks.startingAtZero (Conv.createTransposed { across with Inputs = settings.Units; Outputs = masks })
        --> ComplexMasks.completed spec
        |> NetworkPlan.complexMask (0, 0)

    /// The family of band-split networks: networks of settings for a front end, channels and sources. The first source is what
    /// the others leave of the mixture, so estimates sum to it. Raises ArgumentException for settings that contradict each other
    /// or the front end.
    let family: Family<BandSplitSettings> = Family.define "band-split" plan
