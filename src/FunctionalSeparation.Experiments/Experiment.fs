namespace FunctionalSeparation

open System
open System.Diagnostics
open System.Globalization
open System.IO
open Argu
open FunctionalSeparation.Core

/// Common parts of experiment scripts: options, progress, exit codes.
[<RequireQualifiedAccess>]
module Experiment =

    /// Makes this process read and print numbers as files hold them, whatever the language of the machine: 0.5 is a half. For
    /// scripts (`load.fsx` and `main` call it): the library itself needs no such setting, and applications keep their own.
    let plainNumbers () : unit =
        CultureInfo.CurrentCulture <- CultureInfo.InvariantCulture
        CultureInfo.DefaultThreadCurrentCulture <- CultureInfo.InvariantCulture

    /// Runs a script's work, with numbers read and printed as files hold them. Results go to standard output, everything else to
    /// standard error. An InputException prints its one line and exits with code 2. Wrong options print the usage and exit with
    /// code 2. A script that did its work without some of its inputs exits with code 2 too (see `Inputs`). Other failures are
    /// bugs and show their trace. A script that is stopped says so (see `Stop`).
    let main (work: unit -> unit) : unit =
        plainNumbers ()

        try
            TorchRuntime.Initialize()
            Stop.watch work
            Inputs.failure () |> Option.iter (fun unused -> raise (InputException unused))
        with
        | :? InputException as wrong ->
            eprintfn $"error: {wrong.Message}"
            exit 2
        | :? IOException
        | :? UnauthorizedAccessException as cause ->
            let message = cause.Message.ReplaceLineEndings " "
            eprintfn $"error: {message} Check the disk and the permissions."
            exit 2
        | :? ArguParseException as usage ->
            eprintfn $"{usage.Message}"
            exit (if usage.ErrorCode = ErrorCode.HelpText then 0 else 2)

    /// Parses the options of a script: `fsi.CommandLineArgs`, whose first entry is the script. Raises InputException for an
    /// invalid number and for an unknown option (see `CommandLine`).
    let arguments<'argument when 'argument :> IArgParserTemplate> (commandLine: string[]) : ParseResults<'argument> =
        let parser = ArgumentParser.Create<'argument>(programName = $"dotnet fsi {commandLine[0]}")
        CommandLine.check (parser.GetArgumentCases()) (List.tail (List.ofArray commandLine))
        parser.ParseCommandLine(Array.skip 1 commandLine, raiseOnUsage = true)

    /// The folder of the repository that this program was built in; the current one where there is none.
    let private repository =
        let rec rootOf (folder: DirectoryInfo) =
            if isNull folder then
                Environment.CurrentDirectory
            elif File.Exists(Path.Combine(folder.FullName, "FunctionalSeparation.sln")) then
                folder.FullName
            else
                rootOf folder.Parent

        match typeof<Preset>.Assembly.Location with
        | "" -> Environment.CurrentDirectory
        | path -> rootOf (FileInfo path).Directory

    /// A place in the repository, wherever the shell is: relative to the repository's root where it is there.
    let inRepository (parts: string list) : string =
        let place = Path.Combine(Array.ofList parts)

        if repository = Environment.CurrentDirectory then
            place
        else
            Path.Combine(repository, place)

    /// Prints to standard error the contents of the corpus's folder that were not read, and the notes on the clips; nothing where
    /// there are none. Sound that cannot be used counts towards the exit code of the script (see `Inputs`).
    let tellLeftOut (corpus: Corpus) : unit =
        Inputs.tellLeftOut corpus.Place corpus.LeftOut

        for note in corpus.Notes do
            eprintfn $"note: {note}"

    let mutable private announced = false

    /// Says on standard error which device computes; once in a process, however often it is called.
    let announce (device: TorchSharp.torch.Device) : unit =
        if not announced then
            announced <- true
            eprintfn $"running on {Devices.Describe device}"

    let private bar finished total =
        let filled = 24 * finished / max 1 total
        String('█', filled) + String('░', 24 - filled) + " "

    /// Shows the progress of a long job on standard error: a bar, in place, on a terminal; a line every ten seconds elsewhere.
    /// A count that arrives late, after a higher one, is ignored.
    let progress (label: string) : (int -> int -> string -> unit) =
        let clock = Stopwatch.StartNew()
        let isTerminal = not Console.IsErrorRedirected
        let pause = if isTerminal then 0.2 else 10.0
        let mutable shown = TimeSpan.Zero
        let mutable furthest = -1
        // The count at the first report: a resumed run does not begin at zero.
        let mutable first = None

        let tell finished total detail =
            let before = first |> Option.defaultValue (finished - 1)
            first <- Some before

            if finished >= total || (clock.Elapsed - shown).TotalSeconds >= pause then
                shown <- clock.Elapsed
                let left = clock.Elapsed * (float (total - finished) / float (max 1 (finished - before)))
                let count = $"{finished}/{total}  {detail}  {int left.TotalMinutes}:{left.Seconds:D2} left"

                if not isTerminal then eprintfn $"{label} {count}"
                elif finished >= total then eprintfn $"\r{label} {bar finished total}{count}   "
                else eprintf $"\r{label} {bar finished total}{count}   "

        fun finished total detail ->
            if finished > furthest then
                furthest <- finished
                tell finished total detail

    /// Evaluates a separator on clips, with a progress bar. Raises InputException as `FrontEnd.requireScorable`, before the first
    /// is scored.
    let evaluate
        (scoring: Scoring)
        (device: TorchSharp.torch.Device)
        (label: string)
        (separator: Separator)
        (clips: Clip list)
        : ClipScores list =
        announce device
        FrontEnd.requireScorable separator.Sources separator.FrontEnd clips
        let tell = progress label
        let mutable finished = 0

        Evaluate.clips
            scoring
            TorchSharp.torch.float32
            device
            (fun row ->
                finished <- finished + 1
                tell finished clips.Length row.Clip)
            separator
            clips
