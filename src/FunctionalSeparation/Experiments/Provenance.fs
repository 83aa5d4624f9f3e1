namespace FunctionalSeparation

open System
open System.Diagnostics
open System.Text.Json.Nodes
open FunctionalSeparation.Core

/// Where a figure comes from: stored with every model and every result.
[<RequireQualifiedAccess>]
module Provenance =

    /// The commit of the repository that this library was built in, with "+" where tracked files differ from it; "unknown"
    /// outside a repository.
    let commit () : string =
        let folder = IO.Path.GetDirectoryName typeof<TrainedModel>.Assembly.Location

        let git (arguments: string) =
            try
                let start =
                    ProcessStartInfo(
                        "git",
                        arguments,
                        WorkingDirectory = folder,
                        RedirectStandardOutput = true,
                        RedirectStandardError = true
                    )

                use running = Process.Start start
                let output = running.StandardOutput.ReadToEnd().Trim()
                running.WaitForExit()
                if running.ExitCode = 0 then Some output else None
            with :? ComponentModel.Win32Exception ->
                None

        match git "rev-parse --short=12 HEAD" with
        | None -> "unknown"
        | Some commit ->
            if git "status --porcelain --untracked-files=no" = Some "" then
                commit
            else
                commit + "+"

    /// Versions, machine, device, time, and the given facts.
    let create (device: string) (facts: (string * JsonNode) list) : JsonObject =
        let torch = TorchRuntime.Info()
        let json = JsonObject()
        let put (name: string) (value: string) = json[name] <- JsonValue.Create value
        put "library" (typeof<ISeparator>.Assembly.GetName().Version.ToString 3)
        put "commit" (commit ())
        put "torchSharp" torch.TorchSharp
        put "libTorch" torch.LibTorch
        put "dotnet" (Environment.Version.ToString())
        put "system" (Runtime.InteropServices.RuntimeInformation.RuntimeIdentifier)
        put "device" device
        json["threads"] <- JsonValue.Create torch.Threads
        put "time" (DateTime.UtcNow.ToString "yyyy-MM-ddTHH:mm:ssZ")

        for name, value in facts do
            json[name] <- value

        json
