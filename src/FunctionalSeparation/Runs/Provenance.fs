namespace FunctionalSeparation

open System
open System.Diagnostics
open System.Text.Json.Nodes
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// Provenance of figures, stored with every model and every result.
[<RequireQualifiedAccess>]
module Provenance =

    let private git (arguments: string) =
        try
            let folder = IO.Path.GetDirectoryName typeof<TrainedModel>.Assembly.Location

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

    /// The commit that this library was built from, as the compiler stamped it. It has "+" where tracked files differ from it or
    /// the repository has a newer commit. It is "unknown" where the library was built outside a repository.
    let commit () : string =
        let stamp =
            Attribute.GetCustomAttribute(typeof<TrainedModel>.Assembly, typeof<Reflection.AssemblyInformationalVersionAttribute>)
            :?> Reflection.AssemblyInformationalVersionAttribute

        match stamp.InformationalVersion.Split '+' with
        | [| _; built |] ->
            let isAsBuilt = git "rev-parse HEAD" = Some built && git "status --porcelain --untracked-files=no" = Some ""
            built.Substring(0, min 12 built.Length) + (if isAsBuilt then "" else "+")
        | _ -> "unknown"

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
        put "time" (DateTime.UtcNow.ToString("yyyy-MM-ddTHH:mm:ssZ", Globalization.CultureInfo.InvariantCulture))

        for name, value in facts do
            json[name] <- value

        json
