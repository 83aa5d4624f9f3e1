namespace FunctionalSeparation

open System
open System.IO
open System.Text.Json.Nodes
open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// The rows of a table to make, with their data, preset and seeds.
[<NoEquality; NoComparison>]
type Sweep =
    {
        /// Holds `rows` and `models`, with a folder for each.
        Folder: string
        Rows: Row list
        /// Every row is made once for each seed.
        Seeds: int list
        Corpus: Corpus
        Preset: Preset
        Device: torch.Device
        /// Whether training also writes event files for TensorBoard, into the folders of the networks.
        TensorBoard: bool
    }

/// A row that has been made, as its file holds it.
[<NoEquality; NoComparison>]
type SweepRow =
    {
        Cell: string
        Seed: int
        /// Description of the training in the table.
        Plan: string
        Outcome: RowOutcome
        Provenance: JsonObject
        /// Identifier of the row (see `Sweep.id`).
        Id: string
        /// Where the row is kept: its file, and a clip to listen to (see `HeardClip`).
        Folder: string
    }

/// The experiment runner. Any number of processes make the rows, each row by one process at a time and only once. An interrupted
/// row is resumed; a finished row is skipped.
[<RequireQualifiedAccess>]
module Sweep =

    /// Everything that determines a row: its settings, seed and data.
    let private identity (grid: Sweep) (data: string) (cell: Row, seed: int) =
        let json = cell.Settings(grid.Preset).DeepClone().AsObject()
        json["seed"] <- JsonValue.Create seed
        json["data"] <- JsonValue.Create data
        json.ToJsonString()

    /// Identifier of a row on clips with the fingerprint `data`: 16 hexadecimal digits, a hash of everything that determines the
    /// row. A row that is in several tables is made once, and is never mistaken for one with other settings.
    let id (grid: Sweep) (data: string) (row: Row * int) : string =
        let hash = Security.Cryptography.SHA256.HashData(Text.Encoding.UTF8.GetBytes(identity grid data row))
        (Convert.ToHexStringLower hash).Substring(0, 16)

    let private folder (grid: Sweep) data row = Path.Combine(grid.Folder, "rows", id grid data row)

    let private rowPath grid data row = Path.Combine(folder grid data row, "row.json")

    /// The rows to make, in order.
    let rows (grid: Sweep) : (Row * int) list = List.allPairs grid.Rows grid.Seeds

    /// Fingerprint of all clips, and of their mixing where it is not that of the papers. A row made from other mixtures is not
    /// taken for one of this sweep.
    let fingerprint (grid: Sweep) : string =
        let sound = Corpus.fingerprint (grid.Corpus.Train @ grid.Corpus.Dev @ grid.Corpus.Test)
        let mixing = grid.Corpus.Mixing.Id
        if mixing = Mixing.unitNorm.Id then sound else $"{sound}, {IdText.text mixing}"

    let private extra (figures: (string * float) list) =
        let json = JsonObject()

        for name, value in figures do
            json[name] <- Results.number value

        json

    let private curve (points: (int * float) list) =
        let json = JsonArray()

        for step, value in points do
            json.Add(JsonArray(JsonValue.Create step :> JsonNode, Results.number value) :> JsonNode)

        json

    /// Rows that were made before curves were kept have none.
    let private readCurve (json: JsonNode) =
        if isNull json then
            []
        else
            [ for point in json.AsArray() -> point[0].GetValue<int>(), Results.readNumber point[1] ]

    let private write grid (data: string) (cell: Row) (seed: int) (outcome: RowOutcome) =
        let json = JsonObject()
        json["settings"] <- cell.Settings(grid.Preset).DeepClone()
        json["seed"] <- JsonValue.Create seed
        json["trainingSeconds"] <- JsonValue.Create(Math.Round(outcome.Seconds, 1))

        json["extra"] <- extra outcome.Extra
        json["curve"] <- curve outcome.Curve
        json["scores"] <- Results.ofSystem cell.Name outcome.Scores
        json["provenance"] <- Provenance.create (string grid.Device) [ "data", JsonValue.Create data ]
        Results.save (rowPath grid data (cell, seed)) json

    let private ofJson id folder (cell: Row, seed) (json: JsonNode) : SweepRow =
        let plan = json["settings"].["plan"]

        { Cell = cell.Name
          Seed = seed
          Plan = if isNull plan then "" else plan.GetValue<string>()
          Outcome =
            { Scores = Results.toScores json["scores"]
              Seconds = json["trainingSeconds"].GetValue<float>()
              Extra = [ for pair in json["extra"].AsObject() -> pair.Key, Results.readNumber pair.Value ]
              Curve = readCurve json["curve"] }
          Provenance = json["provenance"].AsObject()
          Id = id
          Folder = folder }

    /// The finished row for this row and seed, where there is one. Raises InputException where its file is damaged.
    let tryRow (grid: Sweep) (data: string) (row: Row * int) : SweepRow option =
        let path = rowPath grid data row

        if not (File.Exists path) then
            None
        else
            try
                JsonNode.Parse(File.ReadAllText path) |> ofJson (id grid data row) (folder grid data row) row |> Some
            with
            | :? Text.Json.JsonException
            | :? NullReferenceException
            | :? ArgumentException
            | :? FormatException
            | :? InvalidOperationException as cause ->
                raise (InputException($"{path}: is damaged. Remove it to make the row again.", cause))

    let private site (grid: Sweep) data (cell, seed) : RowSite =
        { Folder = folder grid data (cell, seed)
          Models = Path.Combine(grid.Folder, "models")
          Corpus = grid.Corpus
          Data = data
          Device = grid.Device
          Preset = grid.Preset
          Seed = seed
          TensorBoard = grid.TensorBoard }

    /// Makes one row of `rows`, on clips with the fingerprint `data`, unless it is finished or another process is at it.
    let make (grid: Sweep) (data: string) (cell: Row, seed: int) : unit =
        let title = if grid.Seeds.Length = 1 then cell.Name else $"{cell.Name}, seed {seed}"
        let site = site grid data (cell, seed)

        match FolderLock.tryTake site.Folder with
        | None -> eprintfn $"{title}: another process is at it"
        | Some taken ->
            use _ = taken

            if (tryRow grid data (cell, seed)).IsSome then
                eprintfn $"{title}: done before"
            else
                eprintfn $"{title}"
                cell.Run site |> write grid data cell seed
