namespace FunctionalSeparation

open System
open System.Globalization
open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// Short descriptions of values for interactive use: `load.fsx` makes F# Interactive print them. No function here keeps a
/// tensor.
[<RequireQualifiedAccess>]
module Describe =

    let private plain = CultureInfo.InvariantCulture
    let private number (value: float) = value.ToString("G5", plain)
    let private count (value: int64) = value.ToString("N0", plain)
    let private shape (sizes: int64 seq) = sizes |> Seq.map string |> String.concat ", "

    /// Elements of a tensor that are shown.
    let private shown = 6L

    let private firstValues (tensor: torch.Tensor) : string list =
        Memory.plain (fun () ->
            let values = tensor.detach().flatten().narrow(0L, 0L, min shown (tensor.numel ())).cpu()

            if values.is_complex () then
                let parts = (torch.view_as_real (values.to_type torch.complex128)).data<float>().ToArray()
                [ for pair in Array.chunkBySize 2 parts -> $"{number pair[0]} + {number pair[1]}i" ]
            elif values.dtype = torch.bool then
                [ for value in (values.to_type torch.int64).data<int64>().ToArray() -> if value = 0L then "false" else "true" ]
            elif values.is_floating_point () then
                [ for value in (values.to_type torch.float64).data<float>().ToArray() -> number value ]
            else
                [ for value in (values.to_type torch.int64).data<int64>().ToArray() -> string value ])

    /// A tensor of any shape [...]: shape, element type, device and first values.
    let tensor (tensor: torch.Tensor) : string =
        if isNull tensor then
            "no tensor"
        elif tensor.IsInvalid then
            "a tensor that has been disposed"
        else
            let values = firstValues tensor
            let more = if tensor.numel () > shown then [ "..." ] else []
            let on = if tensor.device.``type`` = DeviceType.CPU then "" else $" on {tensor.device}"
            $"""{Shapes.Describe tensor}{on}: {String.concat ", " (values @ more)}"""

    /// The largest number of weights that are listed one by one; more weights are summed up for each part of the network.
    let private mostWeights = 24

    let private rowOf (weight: Weight) = [ weight.Name; shape weight.Shape; count (Layout.size weight) ]

    /// The part of the network that holds a weight, at most `depth` names deep.
    let private partOf depth (weight: Weight) =
        let names = weight.Name.Split '.'

        if names.Length > depth then
            String.Join('.', Array.truncate depth names) + ".*"
        else
            weight.Name

    let private rowsOf (layout: Layout) =
        let ofParts depth =
            [ for part, weights in List.groupBy (partOf depth) layout ->
                  match weights with
                  | [ weight ] -> rowOf weight
                  | _ -> [ part; $"{weights.Length} weights"; count (List.sumBy Layout.size weights) ] ]

        if layout.Length <= mostWeights then
            List.map rowOf layout
        else
            let depths = [ for depth in 8..-1..1 -> ofParts depth ]
            depths |> List.tryFind (fun rows -> rows.Length <= mostWeights) |> Option.defaultValue (List.last depths)

    /// Weights: name, shape and number of elements of each, and the total. Many weights are summed up for each part of the
    /// network.
    let layout (layout: Layout) : string =
        let statistics = layout |> Layout.statistics |> List.sumBy Layout.size
        let besides = if statistics = 0L then "" else $", and {count statistics} statistics"
        let total = $"{count (Layout.total layout)} parameters{besides}"

        if layout.IsEmpty then
            total
        else
            $"""{TextTable.text [ "weight"; "shape"; "elements" ] (rowsOf layout)}{"\n"}{total}"""

    /// A model: its name and its weights.
    let model (model: Model<'input, 'output>) : string = $"{model.Name}\n{layout model.Layout}"

    /// Parameters: their weights, type and device.
    let parameters (parameters: Params) : string = $"{layout parameters.Layout}\n{tensor parameters.Vector}"

    let private frontEnd (frontEnd: FrontEnd) =
        let stft = frontEnd.Stft
        $"{frontEnd.SampleRate} Hz, windows of {stft.FftSize} samples every {stft.HopLength}"

    /// A network: its purpose and its weights.
    let network (network: Network) : string =
        let sources = String.concat ", " network.Spec.Sources

        let channels =
            if network.Spec.Channels = 1 then
                "each channel"
            else
                $"{network.Spec.Channels} channels"

        $"{network.Name}: {sources} of {channels} at {frontEnd network.Spec.FrontEnd}\n{layout (Network.layout network)}"

    /// A network with its weights.
    let trained (trained: TrainedModel) : string =
        let level =
            trained.Level
            |> Option.map (fun level -> $"mixtures are heard at {number level} RMS")
            |> Option.defaultValue "mixtures are heard as they are"

        $"{network trained.Network}\n{level}"

    /// A clip: its contents.
    let clip (clip: Clip) : string =
        let sources = String.concat ", " clip.Sources
        let channels = if clip.Channels = 1 then "mono" else $"{clip.Channels} channels"
        $"{clip.Name} of {clip.Singer}: {sources}; {channels}, {clip.SampleRate} Hz"

    /// A corpus: its parts, and how its mixtures are made. `Corpus.hours` reads all of it.
    let corpus (corpus: Corpus) : string =
        let row (split: Split) =
            let clips = Corpus.clips split corpus
            let different (name: Clip -> string) = clips |> List.map name |> List.distinct |> List.length |> string
            [ string split; string clips.Length; different _.Song; different _.Singer ]

        let sources =
            Corpus.clips Split.Train corpus @ Corpus.clips Split.Dev corpus @ Corpus.clips Split.Test corpus
            |> List.tryHead
            |> Option.map (fun clip -> String.concat ", " clip.Sources)
            |> Option.defaultValue "no clips"

        let parts =
            TextTable.text [ "part"; "clips"; "songs"; "singers" ] (List.map row [ Split.Train; Split.Dev; Split.Test ])

        let beside = if corpus.LeftOut.IsEmpty then "" else $"\n{LeftOut.text corpus.LeftOut}"
        $"{corpus.Name}: {sources}; {IdText.text corpus.Mixing.Id}\n{parts}{beside}"

    let private decibels (value: float) =
        match value.ToString("0.00", plain) with
        | _ when Double.IsNaN value -> "no score"
        | "-0.00" -> "0.00"
        | text -> text

    /// Scores of clips: means over them, and a row each.
    let scores (rows: ClipScores list) : string =
        let ofClip (row: ClipScores) =
            [ for source, scores in row.Sources ->
                  row.Clip :: source :: List.map decibels [ scores.Nsdr; scores.Sdr; scores.Sir; scores.Sar ] ]

        let means =
            [ for source, summary in Evaluate.summaries rows ->
                  [ "all"; source; decibels summary.Gnsdr; ""; decibels summary.Gsir; decibels summary.Gsar ] ]

        "\n"
        + TextTable.text
            [ "clip"; "source"; "NSDR"; "SDR"; "SIR"; "SAR" ]
            ((rows |> List.truncate 20 |> List.collect ofClip) @ means)

    /// A recipe: the entries that identify its runs.
    let recipe (recipe: Recipe) : string =
        let words = Recipe.toJson recipe
        $"{Recipe.title recipe}\n{words.ToJsonString(Text.Json.JsonSerializerOptions(WriteIndented = true))}"
