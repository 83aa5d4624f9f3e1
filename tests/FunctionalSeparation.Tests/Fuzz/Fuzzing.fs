/// Damaged files without end, outside the tests: `dotnet fsi build.fsx fuzz`. Each is a function of its seed, so that what is
/// found can be found again, and becomes a named regression in the tests of its kind.
module FunctionalSeparation.Tests.Fuzz.Fuzzing

open System
open System.Diagnostics
open System.IO
open FunctionalSeparation.Tests

/// A kind of file: the bytes of a seed, and reading them (true) or refusing them (false) as the tests demand.
[<NoEquality; NoComparison>]
type private Kind = { Name: string; Bytes: int -> byte[]; IsRead: byte[] -> bool }

/// A file may take as long, in seconds.
let private longest = 2.0

let private wav path =
    { Name = "wav"
      Bytes = WavMutations.mutated
      IsRead = fun bytes -> WavMutationTests.judge path bytes "" |> Result.isOk }

let private model (original: ModelMutations.Original) =
    { Name = original.Name
      Bytes = fun seed -> ModelMutations.mutate seed original
      IsRead = fun bytes -> ModelMutationTests.readWithin original.Reader bytes = ModelMutations.Accepted }

/// Counts of the outcomes so far, and the slowest read.
type private Tally = { Read: int; Refused: int; Slowest: float; Failures: int }

/// Writes what went wrong beside the file that did it.
let private keep (folder: string) kind seed (bytes: byte[]) (what: string) =
    Directory.CreateDirectory folder |> ignore
    let name = Path.Combine(folder, $"{seed} {kind.Name}")
    File.WriteAllBytes(name, bytes)
    File.WriteAllText(name + ".txt", what)
    eprintfn $"seed {seed}, {kind.Name}: {what.Split('\n')[0]} (kept in {name})"

let private judge folder kind seed tally =
    let bytes = kind.Bytes seed
    let clock = Stopwatch.StartNew()

    let outcome =
        try
            Ok(kind.IsRead bytes)
        with failure ->
            Error(string failure)

    let seconds = clock.Elapsed.TotalSeconds
    let tally = { tally with Slowest = max tally.Slowest seconds }

    match outcome with
    | Ok _ when seconds > longest ->
        keep folder kind seed bytes (FormattableString.Invariant $"took {seconds:F1} s")
        { tally with Failures = tally.Failures + 1 }
    | Ok true -> { tally with Read = tally.Read + 1 }
    | Ok false -> { tally with Refused = tally.Refused + 1 }
    | Error what ->
        keep folder kind seed bytes what
        { tally with Failures = tally.Failures + 1 }

/// Reads so many damaged files of all kinds in turns, from a seed on, or as many as the seconds allow. Prints what came of them;
/// the exit code is 1 where one went wrong.
let run (count: int) (seconds: float) (first: int) : int =
    let folder = Path.Combine(Golden.repository, "artifacts", "fuzz")
    let clock = Stopwatch.StartNew()
    let mutable tally = { Read = 0; Refused = 0; Slowest = 0.0; Failures = 0 }
    let mutable index = 0

    WavMutationTests.inCase (fun path ->
        // As many WAV files as all others.
        let kinds =
            [| for original in ModelMutations.originals.Value do
                   model original
                   wav path |]

        while index < count && clock.Elapsed.TotalSeconds < seconds do
            tally <- judge folder kinds[index % kinds.Length] (first + index) tally
            index <- index + 1

            if index % 100_000 = 0 then eprintfn $"{index} files, {tally.Failures} went wrong")

    let counts = $"{tally.Read} read, {tally.Refused} refused, {tally.Failures} went wrong"

    let line =
        FormattableString.Invariant(
            $"{index} damaged files in {clock.Elapsed.TotalSeconds:F0} s: {counts}; the slowest took {tally.Slowest:F3} s"
        )

    printfn $"{line}"
    if tally.Failures = 0 then 0 else 1
