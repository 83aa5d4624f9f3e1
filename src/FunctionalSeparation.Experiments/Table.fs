namespace FunctionalSeparation

open System
open System.IO
open Argu
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

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
                ("smoke (the whole table in under a minute), brief (a few minutes a row), full (a quarter "
                 + "of an hour a row), desk (an hour a row) or paper (the exact setting). Default: smoke.")
            | Row _ -> "make this row alone (may be given several times); rows that are finished stay in the table."
            | Cell _ -> "make part i of n of the rows, such as 2/5: one of the tasks of a job array."
            | Seeds _ -> "make every row for so many seeds, 0, 1, ... Default: 1."
            | List -> "name the rows and stop."
            | Merge -> "train nothing: write the table of the rows that are finished; all must be."
            | TensorBoard -> "also write event files for TensorBoard, into a folder 'tensorboard' beside each network."
            | Device _ -> "cpu, cuda, cuda:N or auto. Default: auto."
            | Out _ -> "folder for rows, models and pages. Default: artifacts."

/// Experiment scripts that are tables.
[<RequireQualifiedAccess; CompilationRepresentation(CompilationRepresentationFlags.ModuleSuffix)>]
module Table =

    let private parts (text: string) =
        match text.Split '/' |> Array.map (CommandLine.whole "--cell") with
        | [| part; count |] when 1 <= part && part <= count -> part, count
        | _ -> raise (InputException $"--cell {text}: give a part and their number, from 1/n to n/n.")

    /// The rows that the options select; all where they select none.
    let private chosen (arguments: ParseResults<TableArgument>) (cells: Row list) =
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

    let private grid (table: Table) (arguments: ParseResults<TableArgument>) : Sweep =
        let preset = arguments.GetResult(TableArgument.Preset, Smoke)
        let data = arguments.TryGetResult TableArgument.Data
        let seeds = arguments.GetResult(TableArgument.Seeds, 1)

        if seeds < 1 then raise (InputException $"--seeds {seeds}: at least 1.")

        if data.IsNone && preset <> Smoke then
            raise (InputException $"The {preset} preset needs real recordings: give their folder with --data.")

        { Folder = arguments.GetResult(TableArgument.Out, Experiment.inRepository [ "artifacts" ])
          Rows = chosen arguments table.Rows
          Seeds = [ 0 .. seeds - 1 ]
          Corpus = table.Load data
          Preset = preset
          Device = Devices.Parse(arguments.GetResult(TableArgument.Device, "auto"))
          TensorBoard = arguments.Contains TableArgument.TensorBoard }

    /// The command line as one would type it.
    let private typed (commandLine: string[]) =
        let quoted (word: string) = if Seq.forall (Char.IsWhiteSpace >> not) word then word else $"\"{word}\""
        commandLine |> Seq.map quoted |> String.concat " " |> sprintf "dotnet fsi %s"

    let private fileName (table: Table) (grid: Sweep) = $"{table.Name}-{grid.Preset}".ToLowerInvariant()

    let private pagePath table (grid: Sweep) = Path.Combine(grid.Folder, "tables", table.Paper, fileName table grid + ".html")

    let private isRecorded (grid: Sweep) isRecordings = isRecordings && grid.Preset <> Smoke

    /// Checks that all output files can be written, before the first row is made.
    let private requirePlaces (table: Table) (grid: Sweep) isRecordings =
        Results.requireWritable (pagePath table grid)

        if isRecorded grid isRecordings then
            TableReport.requireRecord table
            Results.requireWritable (TableReport.markdownPath table (fileName table grid))

    let private merge command (table: Table) (grid: Sweep) data (isRecordings: bool) (page: string -> TableReport -> unit) rows =
        let report = TableReport.create command table grid data rows
        let path = pagePath table grid
        printfn $"\n{report.Title}\n{report.Caption}\n"
        printfn "%s\n" (Results.table report.Header report.Rows)
        List.iter (printfn "%s") (Option.toList report.Notice @ report.Verdicts)
        page path report

        if isRecorded grid isRecordings then
            TableReport.record table grid rows
            WholeFile.Write(TableReport.markdownPath table (fileName table grid), TableReport.markdown report)

        printfn $"\nThe page: {path}"

    let private missing (grid: Sweep) data =
        Sweep.rows grid
        |> List.filter (Sweep.tryRow grid data >> Option.isNone)
        |> List.map (fun (cell, seed) -> $"{cell.Name} (seed {seed})")
        |> String.concat ", "

    /// The finished rows of the table: those asked for, and those that were made before, of seeds 0, 1, ... up to one that is
    /// missing.
    let private finished (table: Table) (grid: Sweep) data =
        let whole = { grid with Rows = table.Rows }

        let ofCell cell =
            Seq.initInfinite (fun seed -> Sweep.tryRow whole data (cell, seed))
            |> Seq.takeWhile Option.isSome
            |> Seq.choose id
            |> List.ofSeq

        whole, List.collect ofCell table.Rows

    let private finish command table grid isRecordings isMerge page data =
        match missing grid data with
        | "" ->
            let whole, rows = finished table grid data
            merge command table whole data isRecordings page rows
        | rows when isMerge -> raise (InputException $"{grid.Folder}: rows are missing: {rows}.")
        | rows -> eprintfn $"Not finished: {rows}. Start again, or --merge when the others have ended."

    let private make (grid: Sweep) data (part: (int * int) option) =
        Sweep.rows grid
        |> List.indexed
        |> List.filter (fun (index, _) ->
            match part with
            | Some(part, count) -> index % count = part - 1
            | None -> true)
        |> List.iter (snd >> Sweep.make grid data)

    let private goesOn () = "rows that are finished stay, a network goes on from its last checkpoint: start the same again"

    /// Names identify rows, and claims refer to rows by name.
    let private check (table: Table) =
        let names = table.Rows |> List.map _.Name

        match names |> List.countBy id |> List.tryFind (fun (_, count) -> count > 1) with
        | Some(name, _) -> invalidArg (nameof table) $"Two rows of table {table.Name} are called '{name}'."
        | None -> ()

        for claim in table.Claims do
            for better, worse in claim.Pairs do
                for name in [ better; worse ] do
                    if not (List.contains name names) then
                        invalidArg (nameof table) $"The claim '{claim.Text}' speaks of '{name}', which is no row of the table."

    /// Raises before the first row is made where the corpus lacks a part that some row needs.
    let private requireParts (grid: Sweep) =
        Corpus.require (grid.Rows |> List.collect (fun cell -> cell.Needs grid.Preset) |> List.distinct) grid.Corpus

    /// The sweep on those clips that can be read; smoke checks only its slice.
    let private usable (grid: Sweep) =
        Experiment.tellLeftOut grid.Corpus

        { grid with
            Corpus = slice grid.Preset grid.Corpus |> Inputs.usable (fun _ -> Clip.readableSamples >> ignore) }

    /// Runs a table script: makes the missing rows, prints the table with the published figures, and writes the page with
    /// `page path report`. On real data, except in smoke, it adds new rows to `papers/<paper>/results.csv` and writes
    /// `papers/<paper>/tables`. Output goes to the repository, whatever the working directory, or to the folder of `--out`.
    /// Before the first row is made, the script checks that it can write there.
    let main (commandLine: string[]) (page: string -> TableReport -> unit) (table: Table) : unit =
        Experiment.main (fun () ->
            check table
            let arguments = Experiment.arguments<TableArgument> commandLine
            let part = arguments.TryGetResult TableArgument.Cell |> Option.map parts

            if arguments.Contains TableArgument.List then
                for cell in table.Rows do
                    printfn $"{cell.Name}"
            else
                let grid = grid table arguments |> usable
                requireParts grid
                let isRecordings = arguments.Contains TableArgument.Data
                requirePlaces table grid isRecordings
                let data = Sweep.fingerprint grid
                let isMerge = arguments.Contains TableArgument.Merge

                if not isMerge then
                    Experiment.announce grid.Device
                    Stop.saying goesOn (fun () -> make grid data part)

                if part.IsNone then finish (typed commandLine) table grid isRecordings isMerge page data)
