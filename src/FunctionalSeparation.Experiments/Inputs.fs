namespace FunctionalSeparation

open System
open System.IO
open System.Threading
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// The common rule of commands that take many songs, tracks or clips. An input that cannot be used is named with its path and the
/// reason. The others are processed, and the exit code reports the failure.
[<RequireQualifiedAccess>]
module Inputs =

    /// The failures of this thread, on which a script's work runs.
    let private unused = new ThreadLocal<string list>(fun () -> [])

    let private count (failure: string) = unused.Value <- failure :: unused.Value

    /// The message of an error that the user can fix, in one line.
    let private faultOf (work: unit -> 'result) : Result<'result, string> =
        try
            Ok(work ())
        with
        | :? InputException as wrong -> Error wrong.Message
        | :? IOException
        | :? UnauthorizedAccessException as cause -> Error(cause.Message.ReplaceLineEndings " ")

    /// The results of all inputs that can be used. `what` is the noun for the inputs (songs) and `used` the verb (separated) in
    /// messages. The others are named by their `path` on standard error, each when its turn comes, and `failure` reports their
    /// number when the script ends. Raises InputException for a single input that cannot be used.
    let each
        (what: string)
        (used: string)
        (path: 'input -> string)
        (work: 'input -> 'result)
        (inputs: 'input list)
        : 'result list =
        let tryOne input =
            match faultOf (fun () -> work input) with
            | Ok result -> Some result
            | Error fault when inputs.Length = 1 -> raise (InputException fault)
            | Error fault ->
                let named = if fault.Contains(path input) then fault else $"{path input}: {fault}"
                eprintfn $"not used: {named}"
                None

        let results = List.choose tryOne inputs
        let failed = inputs.Length - results.Length
        if failed > 0 then count $"{failed} of {inputs.Length} {what} were not {used}."
        results

    /// Reports on standard error the entries that were left out of a place. Each sound that cannot be used has a line; all other
    /// entries share one. These sounds count as not used when the script ends.
    let tellLeftOut (place: string) (leftOut: LeftOut list) : unit =
        let faults, others = List.partition LeftOut.isUnusable leftOut
        if not others.IsEmpty then eprintfn $"{place}: {LeftOut.text others}"

        for fault in faults do
            eprintfn $"not used: {fault.Path}: {LeftOut.why fault}"

        if not faults.IsEmpty then
            count $"{faults.Length} of what {place} holds could not be used."

    /// The clips of a corpus that pass the check of their part (`Clip.readableSamples`, say); the others are named, counted, and
    /// left out.
    let usable (check: Split -> Clip -> unit) (corpus: Corpus) : Corpus =
        let faultIn split (clip: Clip) =
            match faultOf (fun () -> check split clip) with
            | Ok() -> None
            | Error fault -> Some(LeftOut.unusable clip.Name fault)

        let part split =
            let found = Corpus.clips split corpus |> List.map (fun clip -> clip, faultIn split clip)
            found |> List.filter (snd >> Option.isNone) |> List.map fst, List.choose snd found

        let train, dev, test = part Split.Train, part Split.Dev, part Split.Test
        let faults = snd train @ snd dev @ snd test
        tellLeftOut corpus.Place faults
        { corpus with Train = fst train; Dev = fst dev; Test = fst test; LeftOut = faults @ corpus.LeftOut }

    /// A message about the inputs that were not used since the last call, for the exit code; None where all were used.
    let failure () : string option =
        let said = List.rev unused.Value
        unused.Value <- []
        if said.IsEmpty then None else Some(String.concat " " said)
