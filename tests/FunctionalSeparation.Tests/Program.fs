module FunctionalSeparation.Tests.Program

open Expecto
open FunctionalSeparation.Core

/// Prints the counts as the last line, alone: what scripts and people look for.
let private withPlainLine: Impl.TestPrinters =
    let printer = Impl.TestPrinters.defaultPrinter

    { printer with
        summary =
            fun config summary ->
                async {
                    do! printer.summary config summary
                    // The default printer logs in the background; give it the time to finish.
                    do! Async.Sleep 500
                    let failed = summary.failed.Length + summary.errored.Length
                    let skipped = if summary.ignored.IsEmpty then "" else $", {summary.ignored.Length} skipped"
                    printfn $"\n{summary.passed.Length} passed, {failed} failed{skipped}"
                } }

[<EntryPoint>]
let main argv =
    TorchRuntime.Initialize()

    if Array.contains "--fast" argv then
        System.Environment.SetEnvironmentVariable("FUNCSEP_FAST", "1")

    let arguments = Array.filter (fun argument -> argument <> "--fast") argv
    runTestsInAssemblyWithCLIArgs [ CLIArguments.Printer withPlainLine; CLIArguments.No_Spinner; CLIArguments.Colours 0 ] arguments
