namespace FunctionalSeparation

open System
open System.Globalization
open System.IO
open System.Text.Json
open System.Text.Json.Nodes
open FunctionalSeparation.Core

/// Scores as files and as text tables. Every figure in a table of this project was written from here.
[<RequireQualifiedAccess>]
module Results =

    /// A number as JSON, rounded to six decimals; what JSON cannot say (NaN, infinity) as text.
    let number (value: float) : JsonNode =
        if Double.IsFinite value then
            JsonValue.Create(Math.Round(value, 6))
        else
            JsonValue.Create(value.ToString CultureInfo.InvariantCulture)

    /// Raises ArgumentException where a name comes twice, such as that of a source called `clips`.
    let private put (json: JsonObject) (pairs: (string * JsonNode) list) =
        for name, value in pairs do
            json.Add(name, value)

        json

    let private ofSource (scores: SourceScores) =
        put
            (JsonObject())
            [ "SDR", number scores.Sdr; "SIR", number scores.Sir; "SAR", number scores.Sar; "NSDR", number scores.Nsdr ]

    let private paired = [ "as named", AsNamed; "exchanged", Exchanged; "not recorded", NotRecorded ]

    let private pairedName value = paired |> List.find (fun (_, known) -> known = value) |> fst

    let private ofClip (row: ClipScores) =
        put
            (JsonObject())
            [ "clip", JsonValue.Create row.Clip
              "samples", JsonValue.Create row.Samples
              "estimates", JsonValue.Create(pairedName row.Estimates)
              for name, scores in Stems.lastFirst row.Sources do
                  name, ofSource scores ]

    let private ofSummary (summary: Summary) =
        put
            (JsonObject())
            [ "GNSDR", number summary.Gnsdr
              "GSIR", number summary.Gsir
              "GSAR", number summary.Gsar
              "clips", JsonValue.Create summary.Clips
              "unscored", JsonArray [| for name in summary.Unscored -> JsonValue.Create name :> JsonNode |] ]

    /// The scores of one system: summaries of all sources, each under its name, and a row a clip. The last source comes first.
    let ofSystem (name: string) (rows: ClipScores list) : JsonObject =
        put
            (JsonObject())
            [ "system", JsonValue.Create name
              "metric", JsonValue.Create "BSS Eval 3.0, 512 taps, dB; means weighted by clip length"
              for name, summary in Evaluate.summaries rows do
                  name, ofSummary summary
              "exchanged",
              JsonArray(Evaluate.exchanged rows |> List.map (fun name -> JsonValue.Create name :> JsonNode) |> Array.ofList)
              "clips", JsonArray(rows |> List.map (fun row -> ofClip row :> JsonNode) |> Array.ofList) ]

    /// The number that `number` wrote.
    let readNumber (node: JsonNode) =
        match node.GetValueKind() with
        | JsonValueKind.String -> Double.Parse(node.GetValue<string>(), CultureInfo.InvariantCulture)
        | _ -> node.GetValue<float>()

    /// Which estimates were scored, as `ofClip` wrote it; older files do not have it.
    let private readPaired (node: JsonNode) =
        if isNull node then
            NotRecorded
        else
            let name = node.GetValue<string>()

            paired
            |> List.tryFind (fun (known, _) -> known = name)
            |> Option.map snd
            |> Option.defaultWith (fun () -> raise (InputException $"'{name}' does not say which estimates were scored."))

    /// The rows of the clips, as `ofSystem` wrote them (rounded to six decimals).
    let toScores (results: JsonNode) : ClipScores list =
        let source (node: JsonNode) =
            { Sdr = readNumber node["SDR"]
              Sir = readNumber node["SIR"]
              Sar = readNumber node["SAR"]
              Nsdr = readNumber node["NSDR"] }

        // An entry that is an object is a source; the last source comes first.
        let sources (clip: JsonNode) =
            match
                [ for entry in clip.AsObject() do
                      if entry.Value :? JsonObject then entry.Key, source entry.Value ]
            with
            | [] -> []
            | last :: others -> others @ [ last ]

        [ for clip in results["clips"].AsArray() ->
              { Clip = clip["clip"].GetValue<string>()
                Samples = clip["samples"].GetValue<int>()
                Estimates = readPaired clip["estimates"]
                Sources = sources clip } ]

    /// The same without the rows of the clips: one line of a file of many runs.
    let withoutClips (results: JsonObject) : JsonObject =
        let copy = results.DeepClone().AsObject()
        copy.Remove "clips" |> ignore
        copy

    /// Writes JSON, indented, whole or not at all.
    let save (path: string) (json: JsonNode) : unit =
        WholeFile.Write(path, json.ToJsonString(JsonSerializerOptions(WriteIndented = true)) + "\n")

    /// Adds a line to a JSON Lines file.
    let append (path: string) (json: JsonNode) : unit = WholeFile.Append(path, json.ToJsonString() + "\n")

    /// A text as a cell of a CSV file: commas become semicolons.
    let csvCell (text: string) = text.Replace(',', ';').Replace('\n', ' ')

    let private line (cells: string list) = (cells |> List.map csvCell |> String.concat ",") + "\n"

    /// Checks that a file can be written, before the work whose results it is for. Raises InputException where it cannot. A
    /// missing file stays missing; its folder is made.
    let requireWritable (path: string) : unit =
        if Path.Exists path then
            WholeFile.Append(path, "")
        else
            let beside = $"{path}.{Guid.NewGuid():N}"
            WholeFile.Append(beside, "")
            File.Delete beside

    /// The same for a CSV file, which must not have other columns.
    let requireColumns (path: string) (names: string list) : unit =
        requireWritable path

        if File.Exists path && File.ReadLines path |> Seq.tryHead <> Some((line names).TrimEnd()) then
            raise (InputException $"{path}: has other columns than this result. Move it away, or write to another file.")

    /// Adds a row to a CSV file, with a header where the file is new. Raises InputException
    /// where the file has other columns.
    let appendCsv (path: string) (columns: (string * string) list) : unit =
        let names = List.map fst columns
        requireColumns path names
        if not (File.Exists path) then WholeFile.Append(path, line names)
        WholeFile.Append(path, line (List.map snd columns))

    /// Text for a figure that no clip has: the mean over no clips is not a number.
    let private noScore = "no score"

    /// Text for an unbounded ratio, such as the SAR of the mixture, which has no artifacts.
    let private unbounded = "–"

    /// A number with two decimals; one that rounds to zero has no sign. NaN is "no score". A number that is only a rounding error
    /// (see `Evaluate.highestDecibels`) is a dash.
    let decibels (value: float) =
        match value.ToString("0.00", CultureInfo.InvariantCulture) with
        | _ when Double.IsNaN value -> noScore
        | _ when value > Evaluate.highestDecibels -> unbounded
        | "-0.00" -> "0.00"
        | text -> text

    /// A table as text, first column left, the others right.
    let table (header: string list) (rows: string list list) : string = TextTable.text header rows

    /// The header of a score table of these sources, given in the order of their corpus: the last one comes first.
    let header (sources: string list) : string list =
        "system" :: List.collect (fun source -> [ $"{source} GNSDR"; "GSIR"; "GSAR" ]) (Stems.lastFirst sources)

    /// One row of a score table: system, then GNSDR, GSIR and GSAR of each source.
    let row (name: string) (rows: ClipScores list) : string list =
        name
        :: [ for _, summary in Evaluate.summaries rows do
                 yield! List.map decibels [ summary.Gnsdr; summary.Gsir; summary.Gsar ] ]

    let private threeDecimals (value: float) =
        if Double.IsNaN value then
            noScore
        else
            value.ToString("0.000", CultureInfo.InvariantCulture)

    let private figures (name, summary: Summary) =
        [ $"{name} GNSDR", summary.Gnsdr; $"{name} GSIR", summary.Gsir; $"{name} GSAR", summary.Gsar ]

    /// The names of `columns`.
    let columnNames: string list =
        "test clips"
        :: [ for source in [ "voice"; "music" ] do
                 for figure in [ "GNSDR"; "GSIR"; "GSAR" ] -> $"{source} {figure}" ]

    /// The columns of a summary, with three decimals or "no score", under the same names for every corpus: `voice` for the last
    /// source, `music` for the first of the others. `further` has what does not fit.
    let columns (rows: ClipScores list) : (string * string) list =
        let named = List.zip [ "voice"; "music" ] (Evaluate.summaries rows |> List.truncate 2 |> List.map snd)

        ("test clips", string rows.Length)
        :: [ for name, value in List.collect figures named -> name, threeDecimals value ]

    /// The figures that `columns` leaves out, in one text. For more than two sources, it names the two in the columns and gives
    /// the figures of the others. Empty for two.
    let further (rows: ClipScores list) : string =
        match Evaluate.summaries rows with
        | (last, _) :: (first, _) :: (_ :: _ as others) ->
            [ $"voice is {last}"; $"music is {first}" ]
            @ [ for name, value in List.collect figures others -> $"{name} {threeDecimals value}" ]
            |> String.concat "; "
        | _ -> ""

    /// Remarks for a reader of the scores, a line each: the clips that have no score, and those whose estimates were exchanged.
    /// Empty where there are none.
    let remarks (rows: ClipScores list) : string list =
        let unscored (source, summary: Summary) =
            match summary.Unscored with
            | [] -> []
            | clips ->
                let names = String.concat ", " clips
                let many = if clips.Length = rows.Length then "all " else ""
                [ $"{many}{clips.Length} clip(s) have no {source} score (a silent reference, or no estimate): {names}" ]

        let exchanged =
            match Evaluate.exchanged rows with
            | [] -> []
            | clips ->
                let names = String.concat ", " clips

                [ ($"{clips.Length} of {rows.Length} clip(s) are scored with their estimates "
                   + $"exchanged, as BSS Eval 3 pairs them (by the greatest mean SIR): {names}") ]

        List.collect unscored (Evaluate.summaries rows) @ exchanged
