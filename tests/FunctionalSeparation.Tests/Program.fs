module FunctionalSeparation.Tests.Program

open System
open Expecto
open FunctionalSeparation
open FunctionalSeparation.Core

let mutable private plainLine = ""
let mutable private skippedLines: string list = []

/// Why tests were skipped, a line for each reason.
let private reasons (summary: Impl.TestRunSummary) =
    summary.ignored
    |> List.choose (fun (_, test) ->
        match test.result with
        | Impl.Ignored reason -> Some reason
        | _ -> None)
    |> List.countBy id
    |> List.map (fun (reason, count) -> $"skipped: {reason} ({count} tests)")

/// Keeps the counts as one plain line, to be printed last and alone: what scripts and people look for.
let private keepingCounts: Impl.TestPrinters =
    let printer = Impl.TestPrinters.defaultPrinter

    let count (summary: Impl.TestRunSummary) =
        let skipped = if summary.ignored.IsEmpty then "" else $", {summary.ignored.Length} skipped"
        skippedLines <- reasons summary
        plainLine <- $"{summary.passed.Length} passed, {summary.failed.Length + summary.errored.Length} failed{skipped}"

    { printer with
        summary =
            fun config summary ->
                count summary
                printer.summary config summary }

let private runTests (argv: string[]) =
    if Array.contains "--fast" argv then
        Environment.SetEnvironmentVariable("FUNCSEP_FAST", "1")

    let arguments = Array.filter (fun argument -> argument <> "--fast") argv

    let code =
        runTestsInAssemblyWithCLIArgs
            [ CLIArguments.Printer keepingCounts; CLIArguments.No_Spinner; CLIArguments.Colours 0 ]
            arguments
    // The runner logs in the background: what it still holds comes before the last line.
    Threading.Thread.Sleep 500
    use output = Console.OpenStandardOutput()
    let lines = String.Join("\n", skippedLines @ [ plainLine ])
    output.Write(Text.Encoding.UTF8.GetBytes $"\n{lines}\n")
    code

[<EntryPoint>]
let main argv =
    TorchRuntime.Initialize()

    match argv with
    | [| "--fuzz"; count; seconds; first |] ->
        let count, first = CommandLine.whole "COUNT" count, CommandLine.whole "SEED" first
        Fuzz.Fuzzing.run count (CommandLine.real "SECONDS" seconds) first
    | _ -> runTests argv
