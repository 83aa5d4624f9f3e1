namespace FunctionalSeparation

open System
open System.Globalization
open System.IO
open Argu
open FunctionalSeparation.Core

/// A statement that a table puts to the test: in each pair, the first row has the higher voice GNSDR.
type Claim = { Text: string; Pairs: (string * string) list }

/// An experiment: a table of a paper, row by row.
[<NoEquality; NoComparison>]
type Table =
    {
        /// Its folder under `papers`, where the published table (`expected.csv`) and ours (`results.csv`) are.
        Paper: string
        /// Its name in those files.
        Name: string
        /// What the page is called.
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
        Title: string
        /// Where the figures come from, in a sentence.
        Caption: string
        Header: string list
        /// Text cells: our figures, then the published ones.
        Rows: string list list
        /// What became of each claim.
        Verdicts: string list
        /// Rows made in this grid.
        Made: GridRow list
    }

/// The options of a table script.
[<RequireQualifiedAccess>]
type TableArgument =
    | [<AltCommandLine("-d")>] Data of folder: string
    | Preset of Preset
    | Row of name: string
    | Cell of part: string
    | Seeds of count: int
    | List
    | Merge
    | [<CustomCommandLine("--tensorboard")>] TensorBoard
    | Device of name: string
    | Out of folder: string

    interface IArgParserTemplate with
        member this.Usage =
            match this with
            | Data _ -> "folder of the data; without it the embedded corpus is used (smoke only)."
            | Preset _ ->
                "smoke (the whole table in under a minute), brief (a few minutes a row), desk (half an hour a row) or paper (the exact setting). Default: smoke."
            | Row _ -> "make this row alone (may be given several times)."
            | Cell _ -> "make part i of n of the rows, such as 2/5: one of the tasks of a job array."
            | Seeds _ -> "make every row for so many seeds, 0, 1, ... Default: 1."
            | List -> "name the rows and stop."
            | Merge -> "train nothing: write the table of the rows that are finished; all must be."
            | TensorBoard -> "also write event files for TensorBoard, into a folder 'tensorboard' beside each network."
            | Device _ -> "cpu, cuda, cuda:N or auto. Default: auto."
            | Out _ -> "folder for rows, models and pages. Default: artifacts."

/// Experiment scripts that are tables.
[<RequireQualifiedAccess>]
module Table =

    let private papers = "papers"

    let private parts (text: string) =
        match text.Split '/' |> Array.map Int32.TryParse with
        | [| true, part; true, count |] when 1 <= part && part <= count -> part, count
        | _ -> raise (InputException $"--cell {text}: give a part and their number, from 1/n to n/n.")

    /// The cells that the options leave, all where they say nothing.
    let private chosen (arguments: ParseResults<TableArgument>) (cells: Cell list) =
        match arguments.GetResults TableArgument.Row with
        | [] -> cells
        | names ->
            for name in names do
                if not (cells |> List.exists (fun cell -> cell.Name = name)) then
                    let known = cells |> List.map _.Name |> String.concat ", "
                    raise (InputException $"--row {name}: there is no such row. There are: {known}.")

            cells |> List.filter (fun cell -> List.contains cell.Name names)

    /// Smoke takes a slice of the data: enough to see every part work.
    let private slice preset (corpus: Corpus) =
        if preset = Smoke then
            { corpus with Train = List.truncate 6 corpus.Train; Test = List.truncate 2 corpus.Test }
        else
            corpus

    let private grid (table: Table) (arguments: ParseResults<TableArgument>) : Grid =
        let preset = arguments.GetResult(TableArgument.Preset, Smoke)
        let data = arguments.TryGetResult TableArgument.Data
        let seeds = arguments.GetResult(TableArgument.Seeds, 1)

        if seeds < 1 then raise (InputException $"--seeds {seeds}: at least 1.")

        if data.IsNone && preset <> Smoke then
            raise (InputException $"The {preset} preset needs real recordings: give their folder with --data.")

        { Folder = arguments.GetResult(TableArgument.Out, "artifacts")
          Cells = chosen arguments table.Cells
          Seeds = [ 0 .. seeds - 1 ]
          Corpus = slice preset (table.Load data)
          Preset = preset
          Device = Devices.Parse(arguments.GetResult(TableArgument.Device, "auto"))
          TensorBoard = arguments.Contains TableArgument.TensorBoard }

    let private mean (values: float list) = List.sum values / float values.Length

    /// Mean over the seeds, with the spread where there are several.
    let private cell (values: float list) =
        match values with
        | [ value ] -> Results.decibels value
        | _ -> $"{Results.decibels (mean values)} ({Results.decibels (List.min values)} to {Results.decibels (List.max values)})"

    let private figures =
        [ "voice GNSDR", (fun row -> (Evaluate.summary _.Voice row.Outcome.Scores).Gnsdr)
          "GSIR", (fun row -> (Evaluate.summary _.Voice row.Outcome.Scores).Gsir)
          "GSAR", (fun row -> (Evaluate.summary _.Voice row.Outcome.Scores).Gsar)
          "music GNSDR", (fun row -> (Evaluate.summary _.Music row.Outcome.Scores).Gnsdr) ]

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

    let private publishedCells (rows: PublishedRow list) name =
        match rows |> List.tryFind (fun row -> row.Model = name) with
        | Some row -> List.map Results.decibels [ row.Gnsdr; row.Gsir; row.Gsar ]
        | None -> [ ""; ""; "" ]

    let private ourCells extras (rows: GridRow list) =
        let scores = [ for _, figure in figures -> rows |> List.map figure |> cell ]
        let seconds = rows |> List.map _.Outcome.Seconds |> mean
        scores @ [ for name in extras -> extra name rows ] @ [ seconds.ToString("F0", CultureInfo.InvariantCulture) ]

    /// Ours, then the published figures of the same name; published rows without one of ours at the end.
    let private textRows extras published (ours: (string * GridRow list) list) =
        let blank = List.replicate (figures.Length + List.length extras + 1) ""
        let names = List.map fst ours

        [ for name, rows in ours -> name :: ourCells extras rows @ publishedCells published name ]
        @ [ for row in published do
                if not (List.contains row.Model names) then
                    row.Model :: blank @ publishedCells published row.Model ]

    /// What became of a claim: in how many of its pairs it holds, and by how much, on average.
    let verdict (gnsdr: string -> float option) (claim: Claim) : string =
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

            let average = (mean known).ToString("+0.00;-0.00", CultureInfo.InvariantCulture)
            $"{claim.Text}: {word}, in {holds} of {known.Length} comparisons, by {average} dB on average."

    /// The table with its figures, the published ones beside ours.
    let report (table: Table) (grid: Grid) (rows: GridRow list) : TableReport =
        let byCell = rows |> List.groupBy _.Cell
        let extras = extraNames rows
        let gnsdr name = byCell |> List.tryFind (fst >> (=) name) |> Option.map (snd >> List.map (snd figures.Head) >> mean)
        let seeds = if grid.Seeds.Length = 1 then "one seed" else $"{grid.Seeds.Length} seeds"
        let preset = $"{grid.Preset}".ToLowerInvariant()

        { Title = table.Title
          Caption =
            $"{grid.Corpus.Train.Length} training clips and {grid.Corpus.Test.Length} test clips of {grid.Corpus.Name}, preset {preset}, {seeds}; BSS Eval 3, length-weighted means in dB; seconds of training; published figures are on the paper's own test clips"
          Header = "system" :: List.map fst figures @ extras @ [ "seconds"; "published GNSDR"; "GSIR"; "GSAR" ]
          Rows = textRows extras (published table) byCell
          Verdicts = List.map (verdict gnsdr) table.Claims
          Made = rows }

    let private csvRow (table: Table) (grid: Grid) (row: GridRow) : (string * string) list =
        let provenance (name: string) = row.Provenance[name].ToString()

        let extras =
            row.Outcome.Extra
            |> List.map (fun (name, value) -> name + " " + value.ToString("0.000", CultureInfo.InvariantCulture))
            |> String.concat "; "

        [ "table", table.Name
          "model", row.Cell
          "preset", string grid.Preset
          "plan", row.Plan
          "seed", string row.Seed
          "training clips", string grid.Corpus.Train.Length
          "training seconds", row.Outcome.Seconds.ToString("F0", CultureInfo.InvariantCulture)
          "threads", provenance "threads"
          "device", provenance "device"
          "commit", provenance "commit"
          "time", provenance "time" ]
        @ Results.columns row.Outcome.Scores
        @ [ "extra", extras ]

    /// Adds to `papers/<paper>/results.csv` what it does not hold yet.
    let private record (table: Table) (grid: Grid) (rows: GridRow list) =
        let path = Path.Combine(papers, table.Paper, "results.csv")
        let known = if File.Exists path then File.ReadAllLines path else [||]

        for row in rows do
            let isKnown =
                known
                |> Array.exists (fun line ->
                    line.StartsWith $"{table.Name},{row.Cell}," && line.Contains $""",{row.Provenance["time"]},""")

            if not isKnown then Results.appendCsv path (csvRow table grid row)

    let private merge (table: Table) (grid: Grid) (isRecordings: bool) (page: string -> TableReport -> unit) rows =
        let report = report table grid rows
        let name = $"{table.Name}-{grid.Preset}.html".ToLowerInvariant()
        let path = Path.Combine(grid.Folder, "tables", table.Paper, name)
        printfn $"\n{report.Title}\n{report.Caption}\n"
        printfn "%s\n" (Results.table report.Header report.Rows)
        List.iter (printfn "%s") report.Verdicts
        page path report
        if isRecordings && grid.Preset <> Smoke then record table grid rows
        printfn $"\nThe page: {path}"

    let private missing (grid: Grid) (found: GridRow option list) =
        List.zip (Grid.rows grid) found
        |> List.filter (snd >> Option.isNone)
        |> List.map (fun ((cell, seed), _) -> $"{cell.Name} (seed {seed})")
        |> String.concat ", "

    let private finish table grid isRecordings isMerge page data =
        let found = Grid.rows grid |> List.map (Grid.tryRow grid data)

        match List.choose id found with
        | rows when rows.Length = found.Length -> merge table grid isRecordings page rows
        | _ when isMerge -> raise (InputException $"{grid.Folder}: rows are missing: {missing grid found}.")
        | _ -> printfn $"Not finished: {missing grid found}. Start again, or --merge when the others have ended."

    let private make (grid: Grid) data (part: (int * int) option) =
        Grid.rows grid
        |> List.indexed
        |> List.filter (fun (index, _) ->
            match part with
            | Some(part, count) -> index % count = part - 1
            | None -> true)
        |> List.iter (snd >> Grid.make grid data)

    /// Runs a table script: makes the rows that are missing, prints the table with the published figures, adds new rows to
    /// `papers/<paper>/results.csv` (real data, no smoke) and writes the page with `page path report`. Paths are relative to
    /// the repository's root, where scripts are run.
    let main (commandLine: string[]) (page: string -> TableReport -> unit) (table: Table) : unit =
        Experiment.main (fun () ->
            let arguments = Experiment.arguments<TableArgument> commandLine
            let part = arguments.TryGetResult TableArgument.Cell |> Option.map parts

            if arguments.Contains TableArgument.List then
                for cell in table.Cells do
                    printfn $"{cell.Name}"
            else
                let grid = grid table arguments
                let data = Grid.fingerprint grid
                let isMerge = arguments.Contains TableArgument.Merge
                if not isMerge then make grid data part

                if part.IsNone then
                    finish table grid (arguments.Contains TableArgument.Data) isMerge page data)
