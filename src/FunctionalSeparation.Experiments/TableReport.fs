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
        /// Subject of the comparison, without the data: reports append the name of the corpus.
        Title: string
        /// The data in a folder, or the embedded corpus where no folder is given.
        Load: string option -> Corpus
        Rows: Row list
        Claims: Claim list
    }

/// A table with its figures, ready to be shown.
[<NoEquality; NoComparison>]
type TableReport =
    {
        /// Subject of the comparison, and the data.
        Title: string
        /// Warning to read before the figures, such as that no network was trained to the end.
        Notice: string option
        /// Where the figures come from, in a sentence.
        Caption: string
        Header: string list
        /// Text cells: our figures, then the published ones.
        Rows: string list list
        /// Verdict on each claim.
        Verdicts: string list
        /// The paper whose table this is.
        Citation: string option
        /// The command that made the table.
        Command: string
        /// Rows made in this sweep.
        Made: SweepRow list
    }

/// Tables with their figures, as text, as rows of `results.csv` and as verdicts on claims.
[<RequireQualifiedAccess>]
module TableReport =

    /// The folder of the papers' notes and figures.
    let papers = Experiment.inRepository [ "papers" ]

    let private mean (values: float list) = List.sum values / float values.Length

    /// Mean over the seeds, with the spread where they differ.
    let private cell (values: float list) =
        match values |> List.map Results.decibels |> List.distinct with
        | [ same ] -> same
        | _ -> $"{Results.decibels (mean values)} ({Results.decibels (List.min values)} to {Results.decibels (List.max values)})"

    /// Figures of a row in a table.
    type private Line =
        {
            Cell: string
            Seed: int
            /// Name, GNSDR, GSIR and GSAR of each source.
            Sources: (string * (float * float * float)) list
            Extra: (string * float) list
            Seconds: float
            /// Where it was made, such as cpu or cuda:0.
            Device: string
            /// How many clips were scored.
            Clips: int
            /// Whether these are the test clips of the corpus, not of one made of it (see `Row.onCorpus`).
            IsOnTestClips: bool
            /// Whether it comes from `results.csv`.
            IsRecorded: bool
        }

    let private isOnTestClips (grid: Sweep) (row: SweepRow) =
        let names = grid.Corpus.Test |> List.map _.Name |> Set.ofList

        row.Outcome.Scores.Length = names.Count
        && row.Outcome.Scores |> List.forall (fun clip -> names.Contains clip.Clip)

    let private lineOf grid (row: SweepRow) =
        { Cell = row.Cell
          Seed = row.Seed
          Sources =
            [ for name, summary in Evaluate.summaries row.Outcome.Scores -> name, (summary.Gnsdr, summary.Gsir, summary.Gsar) ]
          Extra = row.Outcome.Extra
          Seconds = row.Outcome.Seconds
          Device = row.Provenance["device"].ToString()
          Clips = row.Outcome.Scores.Length
          IsOnTestClips = isOnTestClips grid row
          IsRecorded = false }

    let private recordedLine (sources: string list) cell seed (row: RecordedRow) =
        let figures = row.Figures |> List.chunkBySize 3 |> List.map (fun three -> three[0], three[1], three[2])

        { Cell = cell
          Seed = seed
          Sources = List.zip sources figures
          Extra = row.Extra
          Seconds = row.Seconds
          Device = row.Device
          Clips = row.TestClips
          IsOnTestClips = row.TrainingClips.IsSome
          IsRecorded = true }

    let private resultsPath (table: Table) = Path.Combine(papers, table.Paper, "results.csv")

    /// All known figures of the rows of a table, by row. Smoke is not recorded.
    let private lines (table: Table) (grid: Sweep) data (rows: SweepRow list) : (string * Line list) list =
        let made = rows |> List.map (lineOf grid)

        let sources =
            match made with
            | first :: _ -> List.map fst first.Sources
            | [] -> [ "voice"; "music" ]

        let records =
            if grid.Preset = Smoke || sources.Length <> 2 then
                []
            else
                Recorded.read (resultsPath table)

        let tryRecorded (cell: Row) seed =
            let id = Sweep.id grid data (cell, seed)

            records |> List.tryFindBack (fun row -> row.Id = id) |> Option.map (recordedLine sources cell.Name seed)

        let tryLine (cell: Row) seed =
            made
            |> List.tryFind (fun line -> line.Cell = cell.Name && line.Seed = seed)
            |> Option.orElseWith (fun () -> tryRecorded cell seed)

        /// Of seeds 0, 1, ... up to one that is missing.
        let ofCell cell = Seq.initInfinite (tryLine cell) |> Seq.takeWhile Option.isSome |> Seq.choose id |> List.ofSeq

        [ for cell in table.Rows -> cell.Name, ofCell cell ] |> List.filter (snd >> List.isEmpty >> not)

    /// Our columns. Sources are identified by their position, since a row that was made before they had names calls them
    /// otherwise.
    let private figures (lines: Line list) : (string * (Line -> float)) list =
        let at place pick (line: Line) = line.Sources[place] |> snd |> pick
        let names = lines |> List.truncate 1 |> List.collect (_.Sources >> List.map fst)

        [ for place, name in List.indexed names do
              $"{name} GNSDR", at place (fun (gnsdr, _, _) -> gnsdr)

              if place = 0 then
                  "GSIR", at 0 (fun (_, gsir, _) -> gsir)
                  "GSAR", at 0 (fun (_, _, gsar) -> gsar) ]

    let private extraNames (lines: Line list) = lines |> List.collect (_.Extra >> List.map fst) |> List.distinct

    let private extra name (lines: Line list) =
        match lines |> List.choose (fun line -> line.Extra |> List.tryFind (fst >> (=) name) |> Option.map snd) with
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

    let private ourCells figures extras (lines: Line list) =
        let scores = [ for _, figure in figures -> lines |> List.map figure |> cell ]
        let seconds = lines |> List.map _.Seconds |> mean
        scores @ [ for name in extras -> extra name lines ] @ [ seconds.ToString("F0", CultureInfo.InvariantCulture) ]

    /// Rows that were made elsewhere have a star.
    let private marked name (lines: Line list) = if lines |> List.exists _.IsRecorded then name + " *" else name

    /// Ours, then the published figures of the same name; published rows without one of ours at the end.
    let private textRows figures extras published (ours: (string * Line list) list) =
        let blank = List.replicate (List.length figures + List.length extras + 1) ""
        let names = List.map fst ours

        [ for name, lines in ours -> marked name lines :: ourCells figures extras lines @ publishedCells published name ]
        @ [ for row in published do
                if not (List.contains row.Model names) then
                    row.Model :: blank @ publishedCells published row.Model ]

    /// The number of these differences (dB) within the spread of the seeds of a row, where that is known.
    let private within (spread: float option) (differences: float list) =
        match spread with
        | None -> ""
        | Some spread ->
            let few = differences |> List.filter (fun difference -> abs difference <= spread) |> List.length
            $" {few} of them by no more than seeds of one row differ ({Results.decibels spread} dB)."

    /// Verdict on a claim: the number of its pairs in which it holds, and the average difference (dB). Where the spread of seeds
    /// (dB) is known, also the number of differences within it.
    let internal verdict (spread: float option) (gnsdr: string -> float option) (claim: Claim) : string =
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
    let private notice (grid: Sweep) =
        if grid.Preset = Smoke then
            Some(
                $"Preset smoke: the networks were hardly trained, on {grid.Corpus.Train.Length} "
                + $"clips ({grid.Corpus.Name}). This shows that everything works, not how "
                + "well it works: the figures and verdicts say nothing about the systems."
            )
        else
            None

    let private clips (grid: Sweep) (lines: Line list) =
        if lines |> List.forall _.IsOnTestClips then
            $"{grid.Corpus.Train.Length} training clips and {grid.Corpus.Test.Length} test clips of {grid.Corpus.Name}"
        else
            let counts = lines |> List.map _.Clips |> List.distinct |> List.sort |> List.map string
            let each = String.concat " or " counts
            $"{grid.Corpus.Name}, clips scored in a row: {each}"

    let private seeds (byCell: (string * Line list) list) =
        match byCell |> List.map (snd >> List.length) |> List.distinct |> List.sort with
        | []
        | [ 1 ] -> "one seed"
        | [ all ] -> $"{all} seeds"
        | counts -> $"{counts.Head} to {List.last counts} seeds a row"

    /// On what was trained, and how long in all.
    let private training (lines: Line list) =
        let devices = lines |> List.map _.Device |> List.distinct |> List.sort |> String.concat ", "
        let hours = (lines |> List.sumBy _.Seconds) / 3600.0
        let sum = hours.ToString("F1", CultureInfo.InvariantCulture)
        $"seconds of training ({devices}; {sum} hours in all rows)"

    let private elsewhere (lines: Line list) =
        if lines |> List.exists _.IsRecorded then
            "; *: not made here, as results.csv has it"
        else
            ""

    /// The largest distance between two seeds of a row (dB), where a row has two.
    let private spreadOf (figure: Line -> float) (byCell: (string * Line list) list) : float option =
        let spreads =
            [ for _, lines in byCell do
                  let values = lines |> List.map figure |> List.filter Double.IsFinite
                  if values.Length > 1 then List.max values - List.min values ]

        if spreads.IsEmpty then None else Some(List.max spreads)

    /// The table with its figures, the published ones beside ours; `command` made it, on clips with the fingerprint `data`. Rows
    /// that were not made here, but are in `results.csv`, are in it too. Raises InputException where that file is damaged.
    let create (command: string) (table: Table) (grid: Sweep) (data: string) (rows: SweepRow list) : TableReport =
        let byCell = lines table grid data rows
        let all = List.collect snd byCell
        let figures, extras = figures all, extraNames all

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
            ($"{clips grid all}, preset {preset}, {seeds byCell}; BSS Eval 3, "
             + $"length-weighted means in dB; {training all}{elsewhere all}{further}")
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

    let private csvRow (table: Table) (grid: Sweep) (row: SweepRow) : (string * string) list =
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
        @ [ "extra", extras; "row", row.Id ]

    /// Where the report goes beside its page: `papers/<paper>/tables`.
    let markdownPath (table: Table) (name: string) : string = Path.Combine(papers, table.Paper, "tables", name + ".md")

    /// Raises InputException where `record` could not add its rows, before they are made: for a file that cannot be written or is
    /// damaged.
    let requireRecord (table: Table) : unit =
        Results.requireWritable (resultsPath table)
        Recorded.read (resultsPath table) |> ignore

    /// Adds to `papers/<paper>/results.csv` what it does not hold yet.
    let record (table: Table) (grid: Sweep) (rows: SweepRow list) =
        let path = resultsPath table
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
