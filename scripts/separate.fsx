// Takes a song apart, with the library's own model or with another (--model DIR):
//   dotnet fsi scripts/separate.fsx IN.wav --out DIR
// Any length (in constant memory), sample rate and number of channels; formats other than WAV where ffmpeg is installed. The stems
// have the rate, channels and length of the song and sum to it. Separating a song again replaces its stems; files in DIR that are
// not known to be its stems are never replaced. IN.wav may be a pipe, or - for standard input:
//   curl URL | dotnet fsi scripts/separate.fsx - --out DIR
// Such stems are named after it: stdin_voice.wav for standard input, pipe_voice.wav for <(...) of a shell. What is left out of a
// file, shifted or damaged in it is said on standard error.
#load "load.fsx"

open Argu
open FunctionalSeparation
open FunctionalSeparation.Core

type SeparateArgument =
    | [<MainCommand; ExactlyOnce>] Input of song: string
    | Model of folder: string
    | [<Mandatory>] Out of folder: string
    | Device of name: string

    interface IArgParserTemplate with
        member this.Usage =
            match this with
            | Input _ -> "the song: a file, a pipe, or - for standard input."
            | Model _ ->
                "the model folder that training wrote, or a folder of open-unmix's weights. Default: the library's own model."
            | Out _ ->
                "folder for the stems: <song>_music.wav, <song>_voice.wav (32-bit float); <song> is stdin for standard input, pipe for <(...)."
            | Device _ -> "cpu, cuda, cuda:N or auto. Default: auto."

Experiment.main (fun () ->
    let arguments = Experiment.arguments<SeparateArgument> fsi.CommandLineArgs
    let device = arguments.GetResult(Device, "auto")

    use separator =
        match arguments.TryGetResult Model with
        | None -> Separators.Default device
        | Some folder -> ModelFolder.openSeparator device folder

    use song = AudioFile.Open(arguments.GetResult Input)

    for note in song.Info.Notes do
        eprintfn $"note: {song.Path}: {note}"

    Experiment.announce (Devices.Parse device)
    let tell = Experiment.progress "separating"

    let report =
        { new System.IProgress<float> with
            member _.Report share = tell (int (1000.0 * share)) 1000 "" }

    let mutable isWritten = false

    let left () =
        if isWritten then
            "all stems are written"
        else
            $"no stem of {song.Path} was written"

    let stems =
        Stop.saying left (fun () ->
            let stems = separator.SeparateFile(song, arguments.GetResult Out, report)
            isWritten <- true
            stems)

    for stem in stems do
        printfn $"{stem.Value}")
