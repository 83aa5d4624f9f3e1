namespace FunctionalSeparation

open System
open System.Globalization
open System.IO
open FunctionalSeparation.Core

/// A statement that a table puts to the test: in each pair, the first row has the higher GNSDR of the last source (the voice).
type Claim = { Text: string; Pairs: (string * string) list }

/// An experiment: a table of a paper, row by row.
[<NoEquality; NoComparison>]
type Table =
    {
        /// Its folder under `papers`, where the published table (`expected.csv`) and ours (`results.csv`) are.
        Paper: string
        /// Its name in those files.
        Name: string
        /// What is compared. Not on which data: reports say so behind it.
        Title: string
        /// The data in a folder, or the embedded corpus where no folder is given.
        Load: string option -> Corpus
        Cells: Cell list
        Claims: Claim list
    }

/// A table with its figures, ready to be shown.
[<NoEquality; NoComparison>]
type TableReport =
    {
        /// What is compared, on which data.
        Title: string
        /// What a reader must know before the figures: that nothing was trained to the end, say.
        Notice: string option
        /// Where the figures come from, in a sentence.
        Caption: string
        Header: string list
        /// Text cells: our figures, then the published ones.
        Rows: string list list
        /// What became of each claim.
        Verdicts: string list
        /// The paper whose table this is.
        Citation: string option
        /// The command that made the table.
        Command: string
        /// Rows made in this grid.
        Made: GridRow list
    }

/// Tables with their figures, as text, as rows of `results.csv` and as verdicts on claims.
[<RequireQualifiedAccess>]
module TableReport =

    /// The folder of the papers' notes and figures.
    let papers = "papers"

    let private mean (values: float list) = List.sum values / float values.Length

    /// Mean over the seeds, with the spread where they differ.
    let private cell (values: float list) =
        match values |> List.map Results.decibels |> List.distinct with
        | [ same ] -> same
        | _ -> $"{Results.decibels (mean values)} ({Results.decibels (List.min values)} to {Results.decibels (List.max values)})"

    /// Our columns. Sources are told by their place, for a row that was made before they had names calls them otherwise.
    let private figures (rows: GridRow list) : (string * (GridRow -> float)) list =
        let at place (pick: Summary -> float) (row: GridRow) =
            Evaluate.summaries row.Outcome.Scores |> List.item place |> snd |> pick

        let names =
            rows |> List.truncate 1 |> List.collect (fun row -> Evaluate.summaries row.Outcome.Scores |> List.map fst)

        [ for place, name in List.indexed names do
              $"{name} GNSDR", at place _.Gnsdr

              if place = 0 then
                  "GSIR", at 0 _.Gsir
                  "GSAR", at 0 _.Gsar ]

    let private extraNames (rows: GridRow list) =
        rows |> List.collect (fun row -> List.map fst row.Outcome.Extra) |> List.distinct

    let private extra name (rows: GridRow list) =
        match rows |> List.choose (fun row -> row.Outcome.Extra |> List.tryFind (fst >> (=) name) |> Option.map snd) with
        | [] -> ""
        | values -> cell values

    let private published (table: Table) : PublishedRow list =
        let path = Path.Combine(papers, table.Paper, "expected.csv")

        if File.Exists path then
            Papers.expected path |> List.filter (fun row -> row.Table = table.Name)
        else
            []

    let private publishedNames (rows: PublishedRow list) = rows |> List.collect (_.Figures >> List.map fst) |> List.distinct

    let private publishedCells (rows: PublishedRow list) model =
        let figures = rows |> List.filter (fun row -> row.Model = model) |> List.collect _.Figures

        [ for name in publishedNames rows ->
              figures |> List.tryFind (fst >> (=) name) |> Option.map (snd >> Results.decibels) |> Option.defaultValue "" ]

    let private ourCells figures extras (rows: GridRow list) =
        let scores = [ for _, figure in figures -> rows |> List.map figure |> cell ]
        let seconds = rows |> List.map _.Outcome.Seconds |> mean
        scores @ [ for name in extras -> extra name rows ] @ [ seconds.ToString("F0", CultureInfo.InvariantCulture) ]

    /// Ours, then the published figures of the same name; published rows without one of ours at the end.
    let private textRows figures extras published (ours: (string * GridRow list) list) =
        let blank = List.replicate (List.length figures + List.length extras + 1) ""
        let names = List.map fst ours

        [ for name, rows in ours -> name :: ourCells figures extras rows @ publishedCells published name ]
        @ [ for row in published do
                if not (List.contains row.Model names) then
                    row.Model :: blank @ publishedCells published row.Model ]

    /// How many of these differences (dB) are no larger than seeds of one row differ, where that is known.
    let private within (spread: float option) (differences: float list) =
        match spread with
        | None -> ""
        | Some spread ->
            let few = differences |> List.filter (fun difference -> abs difference <= spread) |> List.length
            $" {few} of them by no more than seeds of one row differ ({Results.decibels spread} dB)."

    /// What became of a claim: in how many of its pairs it holds, by how much, on average, and how many of the differences are within
    /// the spread of seeds (dB), where it is known.
    let verdict (spread: float option) (gnsdr: string -> float option) (claim: Claim) : string =
        let known =
            claim.Pairs
            |> List.choose (fun (better, worse) -> Option.map2 (fun a b -> a - b) (gnsdr better) (gnsdr worse))

        if known.IsEmpty then
            $"{claim.Text}: not measured."
        else
            let holds = known |> List.filter (fun difference -> difference > 0.0) |> List.length

            let word =
                if holds = known.Length then "holds"
                elif holds = 0 then "does not hold"
                else "holds in part"

            let average = Results.decibels (mean known)
            let signed = if average.StartsWith '-' then average else "+" + average

            $"{claim.Text}: {word}, in {holds} of {known.Length} comparisons, by {signed} dB on average."
            + within spread known

    /// Smoke shows that every part works, on a slice of the data.
    let private notice (grid: Grid) =
        if grid.Preset = Smoke then
            Some
                $"Preset smoke: the networks were hardly trained, on {grid.Corpus.Train.Length} clips ({grid.Corpus.Name}). This shows that everything works, not how well it works: the figures and verdicts say nothing about the systems."
        else
            None

    /// Whether a row was scored on the test clips of the corpus, not of one made of it (see `Cell.onCorpus`).
    let private isOnTestClips (grid: Grid) (row: GridRow) =
        let names = grid.Corpus.Test |> List.map _.Name |> Set.ofList

        row.Outcome.Scores.Length = names.Count
        && row.Outcome.Scores |> List.forall (fun clip -> names.Contains clip.Clip)

    let private clips (grid: Grid) (rows: GridRow list) =
        if List.forall (isOnTestClips grid) rows then
            $"{grid.Corpus.Train.Length} training clips and {grid.Corpus.Test.Length} test clips of {grid.Corpus.Name}"
        else
            let counts = rows |> List.map _.Outcome.Scores.Length |> List.distinct |> List.sort |> List.map string
            let each = String.concat " or " counts
            $"{grid.Corpus.Name}, clips scored in a row: {each}"

    let private seeds (byCell: (string * GridRow list) list) =
        match byCell |> List.map (snd >> List.length) |> List.distinct |> List.sort with
        | []
        | [ 1 ] -> "one seed"
        | [ all ] -> $"{all} seeds"
        | counts -> $"{counts.Head} to {List.last counts} seeds a row"

    /// The largest distance between two seeds of a row (dB), where a row has two.
    let private spreadOf (figure: GridRow -> float) (byCell: (string * GridRow list) list) : float option =
        let spreads =
            [ for _, rows in byCell do
                  let values = rows |> List.map figure |> List.filter Double.IsFinite
                  if values.Length > 1 then List.max values - List.min values ]

        if spreads.IsEmpty then None else Some(List.max spreads)

    /// The table with its figures, the published ones beside ours; `command` made it.
    let create (command: string) (table: Table) (grid: Grid) (rows: GridRow list) : TableReport =
        let byCell = rows |> List.groupBy _.Cell
        let figures, extras = figures rows, extraNames rows

        let gnsdr name =
            byCell
            |> List.tryFind (fst >> (=) name)
            |> Option.map (snd >> List.map (snd figures.Head) >> mean)
            |> Option.filter (Double.IsNaN >> not)

        let spread = figures |> List.tryHead |> Option.bind (fun (_, figure) -> spreadOf figure byCell)
        let preset = $"{grid.Preset}".ToLowerInvariant()
        let published = published table

        let further =
            if published.IsEmpty then
                ""
            else
                "; published figures are on the paper's own test clips"

        { Title = $"{table.Title}: {grid.Corpus.Name}"
          Notice = notice grid
          Caption =
            $"{clips grid rows}, preset {preset}, {seeds byCell}; BSS Eval 3, length-weighted means in dB; seconds of training{further}"
          Header =
            "system" :: List.map fst figures
            @ extras
            @ [ "seconds" ]
            @ [ for name in publishedNames published -> $"published {name}" ]
          Rows = textRows figures extras published byCell
          Verdicts = List.map (verdict spread gnsdr) table.Claims
          Citation = Papers.citation (Path.Combine(papers, table.Paper))
          Command = command
          Made = rows }

    let private csvRow (table: Table) (grid: Grid) (row: GridRow) : (string * string) list =
        let provenance (name: string) = row.Provenance[name].ToString()

        let extras =
            [ for name, value in row.Outcome.Extra do
                  name + " " + value.ToString("0.000", CultureInfo.InvariantCulture)
              Results.further row.Outcome.Scores ]
            |> List.filter (fun text -> text <> "")
            |> String.concat "; "

        [ "table", table.Name
          "model", row.Cell
          "preset", string grid.Preset
          "plan", row.Plan
          "seed", string row.Seed
          "training clips", (if isOnTestClips grid row then string grid.Corpus.Train.Length else "")
          "training seconds", row.Outcome.Seconds.ToString("F0", CultureInfo.InvariantCulture)
          "threads", provenance "threads"
          "device", provenance "device"
          "commit", provenance "commit"
          "time", provenance "time" ]
        @ Results.columns row.Outcome.Scores
        @ [ "extra", extras ]

    /// Adds to `papers/<paper>/results.csv` what it does not hold yet.
    let record (table: Table) (grid: Grid) (rows: GridRow list) =
        let path = Path.Combine(papers, table.Paper, "results.csv")
        let known = if File.Exists path then File.ReadAllLines path else [||]

        for row in rows do
            let columns = csvRow table grid row
            // Table, model, preset, plan and seed come first.
            let start = columns |> List.truncate 5 |> List.map (snd >> Results.csvCell) |> String.concat ","

            let isKnown =
                known
                |> Array.exists (fun line ->
                    line.StartsWith(start + ",", StringComparison.Ordinal) && line.Contains $""",{row.Provenance["time"]},""")

            if not isKnown then Results.appendCsv path columns

    /// The report as Markdown, for `papers/<paper>/tables`.
    let markdown (report: TableReport) : string =
        let line (cells: string list) = "| " + String.concat " | " cells + " |"
        let rule = report.Header |> List.map (fun _ -> "---") |> line

        [ yield $"# {report.Title}"
          yield ""
          yield $"{report.Caption}. Written by the script."
          yield ""
          yield line report.Header
          yield rule
          yield! List.map line report.Rows
          yield ""
          for verdict in report.Verdicts do
              yield $"* {verdict}" ]
        |> List.map (fun text -> text + "\n")
        |> String.concat ""
