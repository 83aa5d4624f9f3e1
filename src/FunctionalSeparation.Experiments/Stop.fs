namespace FunctionalSeparation

open System
open System.Runtime.InteropServices

/// Message on standard error when a script is stopped from outside: by Ctrl-C, `kill`, a scheduler or a closed terminal. The
/// script then ends as the signal requires, with exit code 128 plus the signal's number. Unfinished files are removed (see
/// `UnfinishedFiles`).
[<RequireQualifiedAccess>]
module Stop =

    let mutable private words: unit -> string = fun () -> ""

    /// While `work` runs, a script that is stopped also prints `text`: the state of its work, and how to resume.
    let saying (text: unit -> string) (work: unit -> 'result) : 'result =
        let before = words
        words <- fun () -> $": {text ()}"

        try
            work ()
        finally
            words <- before

    let private tell (context: PosixSignalContext) =
        // Ends the line of a progress bar.
        if not Console.IsErrorRedirected then eprintfn ""
        eprintfn $"stopped by {context.Signal}{words ()}"

    /// Runs the work of a script.
    let watch (work: unit -> unit) : unit =
        let watching =
            [ PosixSignal.SIGINT; PosixSignal.SIGTERM; PosixSignal.SIGHUP; PosixSignal.SIGQUIT ]
            |> List.map (fun signal -> PosixSignalRegistration.Create(signal, tell))

        try
            work ()
        finally
            for registration in watching do
                registration.Dispose()
