namespace FunctionalSeparation.Plots

open System
open Plotly.NET
open Plotly.NET.LayoutObjects

/// Levels over time and frequency, for a picture.
type Spectrogram =
    {
        /// Level of each frame and bin in dB: frames x bins, every frame with the same bins. Minus infinity (silence) is welcome.
        Decibels: float[][]
        /// Seconds from one frame to the next (hop length / sample rate).
        SecondsPerFrame: float
        /// Hz from one bin to the next (sample rate / n_fft).
        HertzPerBin: float
    }

/// The scores of one system on one source: one value (dB) for each clip.
type ScoreSet =
    {
        /// The scored source, such as `voice` or `music`.
        Source: string
        /// The metric, such as `SDR`, `SIR`, `SAR` or `NSDR`.
        Metric: string
        /// The scored system, such as `DRNN-2` or `mixture`.
        System: string
        /// Scores in dB, one a clip. Values that are not finite are left out of the figure.
        Decibels: float list
    }

/// Interactive figures as Plotly.NET charts. They carry no template, so a page can give them its own colours.
[<RequireQualifiedAccess>]
module Figures =

    /// Levels further below the peak than this, in dB, are drawn as silence.
    let dynamicRange = 60.0

    /// The most frames and bins a spectrogram is drawn with; longer ones are pooled by their maximum.
    let private mostFrames, private mostBins = 700, 256

    /// The colours of a spectrogram from silence to the peak (magma, by van der Walt and Smith), as (position in 0 .. 1, colour).
    let levelColours =
        [ 0.0, "#000004"
          0.13, "#1c1044"
          0.25, "#4f127b"
          0.38, "#812581"
          0.5, "#b5367a"
          0.63, "#e55964"
          0.75, "#fb8761"
          0.88, "#fec287"
          1.0, "#fcfdbf" ]

    let private colourScale =
        levelColours
        |> Seq.map (fun (position, colour) -> position, Color.fromHex colour)
        |> StyleParam.Colorscale.Custom

    /// Restyles the heatmaps of a chart.
    let private styled (style: Trace2D -> Trace2D) = GenericChart.mapTrace (fun trace -> style (trace :?> Trace2D) :> Trace)

    let private checkedShape (spectrogram: Spectrogram) =
        let frames = spectrogram.Decibels

        if frames.Length = 0 || frames[0].Length = 0 then
            invalidArg (nameof spectrogram) "A spectrogram needs at least one frame and one bin."

        if frames |> Array.exists (fun frame -> frame.Length <> frames[0].Length) then
            invalidArg (nameof spectrogram) "All frames of a spectrogram must have the same number of bins."

        if not (spectrogram.SecondsPerFrame > 0.0 && spectrogram.HertzPerBin > 0.0) then
            invalidArg (nameof spectrogram) "Seconds per frame and Hz per bin of a spectrogram must be above 0."

        frames.Length, frames[0].Length

    /// The highest finite level (dB); 0 where there is none.
    /// Raises ArgumentException where the spectrogram is empty or ragged.
    let peak (spectrogram: Spectrogram) =
        checkedShape spectrogram |> ignore
        let louder most level = if Double.IsFinite level && level > most then level else most

        let highest = spectrogram.Decibels |> Array.fold (Array.fold louder) -infinity
        if Double.IsFinite highest then highest else 0.0

    /// Whole dB below the peak, bins x frames as a heatmap wants them, after pooling by `step` frames and `width` bins.
    let private pooled peak (frames: float[][]) bins step width =
        let columns, rows = (frames.Length + step - 1) / step, (bins + width - 1) / width

        let level row column =
            let mutable most = -infinity

            for frame in column * step .. min frames.Length ((column + 1) * step) - 1 do
                for bin in row * width .. min bins ((row + 1) * width) - 1 do
                    if frames[frame][bin] > most then most <- frames[frame][bin]

            sbyte (Math.Round(Math.Clamp(most - peak, -dynamicRange, 0.0)))

        Array.init (rows * columns) (fun i -> level (i / columns) (i % columns)), rows, columns

    /// A spectrogram as a heatmap over time (s) and frequency (kHz), in whole dB from 60 dB below `peak` to `peak`.
    /// `peak` is in the unit of the levels, so that panels with one `peak` share one scale. At most 700 x 256 points are kept.
    /// Raises ArgumentException where the spectrogram is empty or ragged.
    let spectrogram (title: string) (peak: float) (spectrogram: Spectrogram) : GenericChart =
        let frames, bins = checkedShape spectrogram
        let step, width = (frames + mostFrames - 1) / mostFrames, (bins + mostBins - 1) / mostBins
        let levels, rows, columns = pooled peak spectrogram.Decibels bins step width
        let seconds = float step * spectrogram.SecondsPerFrame
        let kilohertz = float width * spectrogram.HertzPerBin / 1000.0
        let values = EncodedTypedArray.ofInt8Array (levels, [ rows; columns ])
        let bar = ColorBar.init (Title = Title.init "dB", Thickness = 12.0, OutlineWidth = 0.0)

        let placed =
            Trace2DStyle.Heatmap(
                X0 = 0.0,
                DX = seconds,
                Y0 = 0.0,
                DY = kilohertz,
                ZMin = -dynamicRange,
                ZMax = 0.0,
                HoverTemplate = "%{x:.2f} s, %{y:.2f} kHz: %{z} dB<extra></extra>"
            )

        Chart.Heatmap(zEncoded = values, Name = title, ColorScale = colourScale, ColorBar = bar, UseDefaults = false)
        |> styled placed
        |> Chart.withTitle title
        |> Chart.withXAxisStyle (TitleText = "Time (s)", MinMax = (0.0, seconds * float columns), ShowGrid = false)
        |> Chart.withYAxisStyle (TitleText = "Frequency (kHz)", MinMax = (0.0, kilohertz * float rows), ShowGrid = false)

    /// Panels to be shown below each other, as (title, chart), such as mixture, clean voice, recovered voice, clean music and
    /// recovered music. They have one scale, set by the loudest level of all, and only the last names the time axis. Raises
    /// ArgumentException where a spectrogram is empty or ragged.
    let panels (named: (string * Spectrogram) list) : (string * GenericChart) list =
        let loudest = named |> List.fold (fun most (_, one) -> max most (peak one)) -infinity

        named
        |> List.mapi (fun i (title, one) ->
            let last = i = named.Length - 1

            let chart =
                spectrogram title loudest one
                |> Chart.withTitle ""
                |> Chart.withXAxisStyle (TitleText = (if last then "Time (s)" else ""))
                |> styled (Trace2DStyle.Heatmap(ShowScale = false))

            title, chart)

    /// Curves of fewer points show them.
    let private fewPoints = 20

    /// Curves over training: each series is a name and its (step, value) points. A value that is not finite makes a gap.
    let trainingCurve (valueTitle: string) (series: (string * (int * float) list) list) : GenericChart =
        let longest = series |> List.fold (fun most (_, points) -> max most points.Length) 0

        let line (name: string, points: (int * float) list) =
            let steps = [| for step, _ in points -> step |]
            let values = [| for _, value in points -> if Double.IsFinite value then value else nan |]

            Chart.Line(
                xEncoded = EncodedTypedArray.ofInt32Array steps,
                yEncoded = EncodedTypedArray.ofFloat64Array values,
                Name = name,
                LineWidth = 2.0,
                ShowMarkers = (points.Length < fewPoints),
                UseDefaults = false
            )

        series
        |> List.map line
        |> Chart.combine
        |> Chart.withXAxis (if longest < fewPoints then LinearAxis.init (DTick = 1) else LinearAxis.init ())
        |> Chart.withXAxisStyle (TitleText = "Step")
        |> Chart.withYAxisStyle (TitleText = valueTitle)
        |> Chart.withLayoutStyle (HoverMode = StyleParam.HoverMode.X, ShowLegend = true)

    let private channelName count index =
        match count, index with
        | 1, _ -> "samples"
        | 2, 0 -> "left"
        | 2, _ -> "right"
        | _ -> $"channel {index + 1}"

    /// Each channel of a sound over time (s), as (name, chart): the least and greatest sample of at most 2000 stretches, all on
    /// one scale.
    let waveforms (sound: FunctionalSeparation.Core.AudioBuffer) : (string * GenericChart) list =
        let step = max 1 ((sound.Length + 1999) / 2000)
        let seconds index = float (index * step) / float sound.SampleRate
        let peak = sound.Channels |> Seq.fold (Array.fold (fun most x -> max most (abs (float x)))) 0.0
        let highest = if peak > 0.0 then 1.05 * peak else 1.0

        let line index (channel: float32[]) =
            let name = channelName sound.Channels.Count index
            let stretches = Array.chunkBySize step channel

            let points =
                stretches
                |> Array.indexed
                |> Array.collect (fun (i, part) -> [| seconds i, Array.min part; seconds i, Array.max part |])

            Chart.Line(
                xEncoded = EncodedTypedArray.ofFloat64Array (Array.map fst points),
                yEncoded = EncodedTypedArray.ofFloat64Array (Array.map (snd >> float) points),
                Name = name,
                LineWidth = 1.0,
                UseDefaults = false
            )
            |> Chart.withXAxisStyle (TitleText = "Time (s)")
            |> Chart.withYAxisStyle (TitleText = "Full scale = ±1", MinMax = (-highest, highest))
            |> Chart.withLayoutStyle (ShowLegend = false)
            |> fun chart -> name, chart

        sound.Channels |> Seq.mapi line |> List.ofSeq

    /// Box plots of scores in dB with every clip as a point: grouped by source, then by metric, one box for each system. The
    /// order of sources, metrics and systems is that of their first appearance.
    let scoreBoxes (scores: ScoreSet list) : GenericChart =
        let box (system: string) =
            let points =
                [ for set in scores do
                      if set.System = system then
                          match List.filter Double.IsFinite set.Decibels with
                          | [] -> set.Source, set.Metric, nan // no box, but the place of one
                          | values ->
                              for value in values do
                                  set.Source, set.Metric, value ]

            Chart.BoxPlot(
                MultiX = [ [ for source, _, _ in points -> source ]; [ for _, metric, _ in points -> metric ] ],
                Y = [ for _, _, value in points -> value ],
                Name = system,
                BoxPoints = StyleParam.BoxPoints.All,
                Jitter = 0.4,
                PointPos = 0.0,
                Marker = TraceObjects.Marker.init (Size = 4, Opacity = 0.7),
                OffsetGroup = system,
                UseDefaults = false
            )

        scores
        |> List.map (fun set -> set.System)
        |> List.distinct
        |> List.map box
        |> Chart.combine
        |> Chart.withYAxisStyle (TitleText = "dB", ZeroLine = true)
        |> Chart.withLayoutStyle (BoxMode = StyleParam.BoxMode.Group, ShowLegend = true)
