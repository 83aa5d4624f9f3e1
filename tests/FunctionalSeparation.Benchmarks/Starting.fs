/// How long it takes until something happens.
module FunctionalSeparation.Benchmarks.Starting

open System.Diagnostics
open System.IO
open FunctionalSeparation.Core
open FunctionalSeparation
open FunctionalSeparation.Benchmarks.Paired

let private run (program: string) (arguments: string list) () =
    let start = ProcessStartInfo(program, arguments, RedirectStandardOutput = true, RedirectStandardError = true)
    use running = Process.Start start
    let error = running.StandardError.ReadToEndAsync()
    running.StandardOutput.ReadToEnd() |> ignore
    running.WaitForExit()

    if running.ExitCode <> 0 then
        failwith $"{program} ended with code {running.ExitCode}: {error.Result}"

/// `scripts` is the folder of the repository's scripts.
let scripts (scripts: string) : Figure list =
    let folder = Directory.CreateTempSubdirectory("funcsep-bench-").FullName

    let script name (text: string) =
        let path = Path.Combine(folder, name + ".fsx")
        File.WriteAllText(path, text)
        path

    let work name arguments = { Name = name; Amount = 1.0; Run = run "dotnet" ("fsi" :: arguments) }
    let empty = work "an empty script" [ script "empty" "" ]
    let line = work "a script of one line" [ script "line" "printfn \"one line\"" ]
    let load = Path.Combine(scripts, "load.fsx")

    let tensor =
        script
            "tensor"
            $"#load @\"{load}\"\nFunctionalSeparation.Core.TorchRuntime.Initialize()\nTorchSharp.torch.zeros(3L) |> ignore"

    try
        let song, model = Path.Combine(folder, "song.wav"), Path.Combine(folder, "model")
        AudioFile.Write(song, Sounds.audio 16000 1 10.0) |> ignore
        ModelFolder.save model Sounds.network.Value (System.Text.Json.Nodes.JsonObject())
        let separate = [ Path.Combine(scripts, "separate.fsx"); song; "--model"; model; "--out"; folder ]

        let library = work "a script that loads the library and makes a tensor" [ tensor ]

        [ for own, limit in
              [ line, empty
                library, empty
                library, line
                work "separate.fsx, 10 s of sound to its stems" separate, empty ] ->
              let figure = compare 5 "runs/s" "" own limit
              { figure with Remark = $"{1.0 / figure.Own:F2} s, {1.0 / figure.Share:F2} times {limit.Name}" } ]
    finally
        Directory.Delete(folder, true)
