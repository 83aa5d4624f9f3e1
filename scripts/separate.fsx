// Takes songs apart, with the library's own model or with another (--model DIR):
//   dotnet fsi scripts/separate.fsx song.mp3 --out DIR
//   dotnet fsi scripts/separate.fsx album other.flac --out DIR --stems voice,music --format flac --name "{song} ({stem})"
// Any length (in constant memory), sample rate and number of channels; formats other than WAV where ffmpeg is installed. All
// stems in 32-bit float, the default, sum to the song. A folder means all audio files in it, except stems that were made before.
// A song that this model has separated before is skipped (--again does not skip it). Files in DIR that are not known to be stems
// of the song are never replaced. A song may be a pipe, or - for standard input:
//   curl URL | dotnet fsi scripts/separate.fsx - --out DIR
//   curl URL | dotnet fsi scripts/separate.fsx - --stems voice --format flac --out - | ...
// Such stems are named after it: stdin_voice.wav for standard input, pipe_voice.wav for <(...) of a shell. Notes on standard
// error tell what of a file is left out, shifted, damaged or clipped. A song that cannot be separated is named, the others are
// separated, and the exit code is 2.
#load "load.fsx"

open System.IO
open Argu
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

type SeparateArgument =
    | [<MainCommand; ExactlyOnce>] Songs of song: string list
    | Model of name: string
    | [<Mandatory>] Out of folder: string
    | Stems of names: string
    | Format of name: string
    | Name of pattern: string
    | From of seconds: float
    | To of seconds: float
    | Again
    | Device of name: string

    interface IArgParserTemplate with
        member this.Usage =
            match this with
            | Songs _ -> "the songs: files, folders of files, a pipe, or - for standard input."
            | Model _ ->
                ("the model folder that training wrote, a folder of open-unmix's weights, or "
                 + "rpca, rpcah or hpss, which learn nothing. Default: the library's own model.")
            | Out _ -> "folder for the stems; or - for standard output: one stem of one song."
            | Stems _ -> "the stems that are written, with commas between them: voice,music. Default: all."
            | Format _ -> "wav32f, wav24, wav16, flac, mp3 or opus (always 48 kHz). Default: wav32f, which can hold any stem."
            | Name _ -> "names of the files, without the ending; a / makes folders below that of --out. Default: {song}_{stem}."
            | From _ -> "seconds into the song at which to begin."
            | To _ -> "seconds into the song at which to end."
            | Again -> "also separate what has been separated by this model before."
            | Device _ -> "cpu, cuda, cuda:N or auto. Default: auto."

let formats =
    [ "wav32f", StemFormat.WavFloat32
      "wav24", StemFormat.WavPcm24
      "wav16", StemFormat.WavPcm16
      "flac", StemFormat.Flac
      "mp3", StemFormat.Mp3
      "opus", StemFormat.Opus ]

let formatOf name =
    match List.tryFind (fst >> (=) name) formats with
    | Some(_, format) -> format
    | None ->
        let known = formats |> List.map fst |> String.concat ", "
        raise (InputException $"--format {name}: choose among {known}.")

let namesOf (text: string) = text.Split(',', System.StringSplitOptions.TrimEntries)

/// A file that cannot be read is no stem of ours; it is named when its turn comes.
let isStem path =
    try
        StemFile.IsStem path
    with :? InputException ->
        false

/// The files that a song, or a folder of songs, stands for.
let filesOf (path: string) =
    if Directory.Exists path then
        let found = AudioFolder.files path
        let stems = found.Files |> Array.ofList |> Array.Parallel.filter isStem

        let listed =
            found |> AudioFolder.fitting "a stem that was made before" (fun file -> not (Array.contains file stems))

        Inputs.tellLeftOut path listed.LeftOut

        if listed.Files.IsEmpty then
            raise (
                InputException $"{path}: holds no song{AudioFolder.because listed.LeftOut}. Name a song, or a folder of songs."
            )

        listed.Files
    else
        [ path ]

/// Separates one song, unless that has been done: the files written.
let separate (separator: ISeparator) out (settings: StemSettings) isAgain (tell: float -> unit) path : StemFile list =
    use song = AudioFile.Open(path: string)

    for note in song.Info.Notes do
        eprintfn $"note: {song.Path}: {note}"

    let stored = settings.Format.StoredRate song.Info.SampleRate

    if stored <> song.Info.SampleRate then
        eprintfn
            "%s"
            ($"note: {song.Path}: the stems have {stored} Hz, for "
             + $"{settings.Format} cannot hold the song's {song.Info.SampleRate} Hz")

    if not isAgain && separator.IsSeparated(song, out, settings) then
        eprintfn $"{song.Path}: separated before"
        []
    else
        let mutable isWritten = false

        let left () =
            if isWritten then
                "all stems are written"
            else
                $"no stem of {song.Path} was written"

        let files =
            Stop.saying left (fun () ->
                let files = separator.SeparateFile(song, out, settings, OrderedProgress tell)
                isWritten <- true
                List.ofSeq files.Values)

        for file in files do
            if file.ClippedSamples > 0L then
                eprintfn $"note: {file}: {file.ClippedSamples} samples beyond full scale are clipped; --format wav32f keeps them"

        files

/// One stem of one song to standard output, when it is whole.
let pipe separator (settings: StemSettings) (tell: int -> int -> string -> unit) songs =
    match songs, Option.ofObj settings.Stems with
    | [ song ], Some stems when stems.Count = 1 ->
        // A stopped program removes its unfinished stem; a stem that is whole is forgotten before it is copied.
        let name = $"functionalseparation-{System.Guid.NewGuid():N}"
        let alone = StemSettings(stems, settings.Format, name, settings.From, settings.To)

        let files =
            separate separator (Path.GetTempPath()) alone true (fun share -> tell (int (1000.0 * share)) 1000 song) song

        use file = new FileStream(files.Head.Path, FileMode.Open, FileAccess.Read, FileShare.Read ||| FileShare.Delete)
        File.Delete files.Head.Path
        use output = System.Console.OpenStandardOutput()
        file.CopyTo output
    | _ -> raise (InputException "--out -: standard output takes one stem of one song. Name it, such as --stems voice.")

Experiment.main (fun () ->
    let arguments = Experiment.arguments<SeparateArgument> fsi.CommandLineArgs
    let device = arguments.GetResult(Device, "auto")

    let settings =
        StemSettings(
            (arguments.TryGetResult Stems |> Option.map namesOf |> Option.toObj),
            formatOf (arguments.GetResult(Format, "wav32f")),
            arguments.GetResult(Name, "{song}_{stem}"),
            arguments.GetResult(From, 0.0),
            (arguments.TryGetResult To |> Option.toNullable)
        )

    let out, isAgain = arguments.GetResult Out, arguments.Contains Again
    let named = arguments.GetResult Songs
    let songs = named |> Inputs.each "songs and folders" "found" id filesOf |> List.concat

    use separator =
        match arguments.TryGetResult Model with
        | None -> Separators.Default device
        | Some folder -> Separators.Open(folder, device)

    settings.Validate separator
    Experiment.announce (Devices.Parse device)
    let tell = Experiment.progress "separating"

    let separateOne (index, path: string) =
        let all share = tell (int (1000.0 * (float index + share))) (1000 * songs.Length) (Path.GetFileName path)

        for file in separate separator out settings isAgain all path do
            printfn $"{file}"

    if out = "-" then
        pipe separator settings tell songs
    else
        List.indexed songs |> Inputs.each "songs" "separated" snd separateOne |> ignore)
