/// Running scripts as a user runs them.
module FunctionalSeparation.Tests.Scripts

open System
open System.Diagnostics
open System.IO
open System.Text.Json.Nodes
open Expecto
open FunctionalSeparation
open FunctionalSeparation.Learning

let startInfo (script: string) (arguments: string list) =
    let info = ProcessStartInfo("dotnet", [ "fsi"; Path.Combine(Golden.repository, "scripts", script) ] @ arguments)
    info.WorkingDirectory <- Golden.repository
    // Several run at once.
    info.Environment["OMP_NUM_THREADS"] <- "1"
    info.RedirectStandardOutput <- true
    info.RedirectStandardError <- true
    info

let start script arguments = Process.Start(startInfo script arguments)

/// Exit code, standard output, standard error.
let runIn (language: string) script arguments =
    let info = startInfo script arguments

    for name in [ "LANG"; "LC_ALL" ] do
        info.Environment[name] <- language

    use running = Process.Start info
    let error = running.StandardError.ReadToEndAsync()
    let output = running.StandardOutput.ReadToEnd()
    running.WaitForExit()
    running.ExitCode, output, error.Result

let run script arguments = runIn "C.UTF-8" script arguments

let succeed script arguments =
    let code, output, error = run script arguments
    Expect.equal code 0 $"{script} succeeds: {error}"

    for word in [ "█"; " left"; "running on" ] do
        Expect.isFalse (output.Contains word) $"{script}: results only on standard output: {output}"

    Expect.isLessThanOrEqual (error.Split "running on").Length 2 "the device is told once"
    Expect.isFalse (error.Contains "█") "no bar where there is no terminal"
    output

/// Exit code 2, and behind what was told on the way exactly one line on standard error that holds all of `parts`.
let refuse script arguments (parts: string list) =
    let code, _, error = run script arguments
    Expect.equal code 2 $"exit code ({error})"
    let lines = error.TrimEnd().Split '\n' |> Array.skipWhile (fun line -> not (line.StartsWith "error: "))
    Expect.hasLength lines 1 $"one line: {error}"

    for part in parts do
        Expect.stringContains lines[0] part "the line holds every part"

/// The script of the papers' network.
let train = "huang2014/drnn.fsx"

let weights folder = File.ReadAllBytes(Path.Combine(folder, "weights.safetensors"))
let clipsOf folder = (JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "results.json"))).["clips"]).ToJsonString()

/// The step of the checkpoint in a folder.
let stepOf folder =
    let file = Safetensors.load (Path.Combine(folder, "checkpoint.safetensors"))

    for _, tensor in file.Tensors do
        tensor.Dispose()

    int file.Texts["step"]
