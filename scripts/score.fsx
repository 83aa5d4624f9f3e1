// Scores any estimates of stems against the true ones. Both folders hold a folder a track, and this a file a stem (vocals.wav,
// drums.flac, ...), as separate.fsx writes with --name "{song}/{stem}"; or both are one such track. Prints a table, and writes
// where asked a file of scores a track and a page:
//   dotnet fsi scripts/score.fsx REFERENCES ESTIMATES [--version 3] [--json DIR] [--page scores.html]
// With a file called mixture beside the true stems there is NSDR too: SDR less that of the mixture. A track that cannot be scored
// is named and left out; the exit code tells.
#load "load.fsx"

open System.IO
open Argu
open FunctionalSeparation
open FunctionalSeparation.Core
open FunctionalSeparation.Plots

type ScoreArgument =
    | [<MainCommand; ExactlyOnce>] Folders of references: string * estimates: string
    | Version of number: int
    | Above of decibels: float
    | Json of folder: string
    | Page of file: string

    interface IArgParserTemplate with
        member this.Usage =
            match this with
            | Folders _ -> "folders of the true stems and of their estimates."
            | Version _ ->
                "of BSS Eval: 4, images in windows of a second, medians; or 3, of whole tracks, channel by channel. Default: 4."
            | Above _ ->
                ("only windows in which the true stem is louder than this, in dB against "
                 + "full scale (version 4). For stems that are never quite silent: -50.")
            | Json _ -> "folder for the scores of all windows, a file a track, in the layout of museval."
            | Page _ -> "file for a page with the tables."

let median (values: float list) = BssEvalWindowScores.Median values

Experiment.main (fun () ->
    let arguments = Experiment.arguments<ScoreArgument> fsi.CommandLineArgs
    let references, estimates = arguments.GetResult Folders

    let version =
        match arguments.GetResult(Version, 4) with
        | 3 -> BssEvalVersion.Three
        | 4 -> BssEvalVersion.Four
        | other -> raise (InputException $"--version {other}: 3 or 4.")

    let above = arguments.TryGetResult Above

    if above.IsSome && version = BssEvalVersion.Three then
        raise (
            InputException
                "--above: BSS Eval 3 scores whole tracks, so no windows can be chosen. Leave it out, or take --version 4."
        )

    let tracks, leftOut = FolderScores.tracks references estimates
    Inputs.tellLeftOut references leftOut
    let jsonOf (track: ScoredTrack) = [ for folder in arguments.GetResults Json -> Path.Combine(folder, track.Name + ".json") ]
    List.iter Results.requireWritable (List.collect jsonOf tracks @ arguments.GetResults Page)
    let tell = Experiment.progress "scoring"

    let score (index, track: ScoredTrack) =
        for stem, parts in FolderScores.sums track do
            let sum = String.concat ", " parts

            eprintfn
                "%s"
                ($"note: {track.References}: {stem} is the sum of {sum}. Stems "
                 + "that hold each other are not told apart: score it without them.")

        let stems = FolderScores.score version above track
        jsonOf track |> List.iter (fun path -> Results.save path (FolderScores.toJson stems))
        tell (index + 1) tracks.Length track.Name
        [ for stem in stems -> track.Name, stem.Stem, FolderScores.summary stem ]

    let results = List.indexed tracks |> Inputs.each "tracks" "scored" (fun (_, track) -> track.References) score

    if results.IsEmpty then
        raise (InputException $"None of the {tracks.Length} tracks in {references} could be scored.")

    let scored = List.concat results
    let metrics = scored |> List.collect (fun (_, _, scores) -> List.map fst scores) |> List.distinct
    let find metric scores = scores |> List.tryFind (fst >> (=) metric) |> Option.map snd |> Option.toList

    /// Medians over tracks, as the campaigns report.
    let rows =
        [ for stem, all in scored |> List.groupBy (fun (_, stem, _) -> stem) ->
              stem
              :: [ for metric in metrics ->
                       all |> List.collect (fun (_, _, scores) -> find metric scores) |> median |> Results.decibels ] ]

    let header = "stem" :: metrics

    let windows = above |> Option.map (fun level -> $" above {level} dBFS") |> Option.defaultValue ""

    let count = if results.Length = 1 then "1 track" else $"{results.Length} tracks"

    let caption =
        $"{count}, BSS Eval {arguments.GetResult(Version, 4)}, dB: medians over tracks of medians over windows{windows}"

    printfn $"\n{caption}\n\n{Results.table header rows}"

    match arguments.TryGetResult Page with
    | None -> ()
    | Some path ->
        let ofTracks =
            [ for track, stem, scores in scored ->
                  track :: stem :: [ for metric in metrics -> find metric scores |> median |> Results.decibels ] ]

        Report.save
            path
            { Title = "Scores of stems"
              Summary = []
              Tables =
                [ { Caption = caption; Header = header; Rows = rows }
                  { Caption = "Each track"; Header = "track" :: "stem" :: metrics; Rows = ofTracks } ]
              Charts = []
              Clips = []
              Provenance = [ "references", references; "estimates", estimates ] }

        printfn $"\nThe page: {path}")
