/// The NuGet packages, and what is made of them outside the repository.
module FunctionalSeparation.Tests.PackageTests

open System
open System.Diagnostics
open System.IO
open System.IO.Compression
open System.Text.Json
open System.Text.Json.Nodes
open System.Text.RegularExpressions
open System.Xml.Linq
open Expecto
open FunctionalSeparation
open FunctionalSeparation.Core
open FunctionalSeparation.Tests.Scratch
open FunctionalSeparation.Tests.Scripts

let private inRepository (parts: string list) = Path.Combine(Array.ofList (Golden.repository :: parts))
let private consumer name = inRepository [ "tests"; "FunctionalSeparation.PackageConsumer"; name ]

let private startIn (folder: string) (environment: (string * string) list) (program: string) (arguments: string list) =
    let info =
        ProcessStartInfo(
            program,
            arguments,
            WorkingDirectory = folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true
        )

    for name, value in ("MSBUILDDISABLENODEREUSE", "1") :: environment do
        info.Environment[name] <- value

    Process.Start info

/// Runs a program in a folder; gives its standard output.
let private runIn (folder: string) environment (program: string) (arguments: string list) =
    use running = startIn folder environment program arguments
    running.StandardInput.Close()
    let error = running.StandardError.ReadToEndAsync()
    let output = running.StandardOutput.ReadToEnd()
    running.WaitForExit()
    let line = String.Join(' ', arguments)
    Expect.equal running.ExitCode 0 $"{program} {line}: {error.Result} {output}"
    output

let private pack (project: string) (out: string) =
    [ "pack"; project; "-c"; "Release"; "--no-build"; "-o"; out; "-v"; "quiet"; "-nologo" ]
    |> runIn Golden.repository [] "dotnet"
    |> ignore

/// A folder with all packages.
let private feed =
    lazy
        (let folder = Directory.CreateTempSubdirectory("funcsep-packages-").FullName
         AppDomain.CurrentDomain.ProcessExit.Add(fun _ -> Directory.Delete(folder, true))
         pack "FunctionalSeparation.sln" folder
         folder)

let private package (name: string) = Path.Combine(feed.Value, name)

/// The names of what a package holds, and what it depends on, as (id, version).
let private contents (path: string) =
    use zip = ZipFile.OpenRead path
    let nuspec = zip.Entries |> Seq.find (fun entry -> entry.Name.EndsWith ".nuspec")
    use stream = nuspec.Open()

    [ for entry in zip.Entries -> entry.FullName ],
    [ for element in XDocument.Load(stream).Descendants() do
          if element.Name.LocalName = "dependency" then
              element.Attribute(XName.Get "id").Value, element.Attribute(XName.Get "version").Value ]

/// A text of a package: its description (nuspec) or a file of this name.
let private textIn (path: string) (ending: string) =
    use zip = ZipFile.OpenRead path
    use reader = new StreamReader((zip.Entries |> Seq.find (fun entry -> entry.FullName.EndsWith ending)).Open())
    reader.ReadToEnd()

/// Sets up a folder as a machine that installs packages. The package sources are our feed and the package folder of the real
/// machine, which stands in for a server. The folder has its own package folder, with a symbolic link to libtorch.
let private makeMachine (folder: string) =
    let machine = NativeSearch.OfProcess()
    let libTorch = $"libtorch-cpu-{Platform.Rid}"
    let packages = Path.Combine(folder, "packages")

    if
        isNull machine.NuGetFolder
        || not (Directory.Exists(Path.Combine(machine.NuGetFolder, libTorch, machine.LibTorchVersion)))
    then
        skiptest $"the package {libTorch} is not in the package folder"

    Directory.CreateDirectory packages |> ignore
    let link = Path.Combine(packages, libTorch)
    Directory.CreateSymbolicLink(link, Path.Combine(machine.NuGetFolder, libTorch)) |> ignore
    let source key folder = $"""<add key="{key}" value="{folder}" />"""
    let sources = source "ours" feed.Value + source "machine" machine.NuGetFolder

    File.WriteAllText(
        Path.Combine(folder, "NuGet.config"),
        $"<configuration><packageSources><clear />{sources}</packageSources></configuration>"
    )

/// Two seconds of a song, `song.wav`, and in the folder `true` its stems.
let private makeSong (folder: string) =
    let stems = Clip.read (Corpus.embedded 0).Test.Head |> beginning 32000
    AudioFile.Write(Path.Combine(folder, "song.wav"), Stems.sum stems) |> ignore

    for stem in stems do
        AudioFile.Write(Path.Combine(folder, "true", $"song_{stem.Name}.wav"), stem.Sound) |> ignore

/// A home and a package folder of their own.
let private homeIn (folder: string) =
    let at name = Path.Combine(folder, name)
    [ "HOME", at "home"; "DOTNET_CLI_HOME", at "home"; "NUGET_PACKAGES", at "packages"; "FUNCSEP_LIBTORCH", "" ]

/// Runs the test in a folder outside the repository, with a song and the files of the consumer, and with what runs a program
/// there with a home of its own.
let private outside (files: string list) (test: string -> (string -> string list -> string) -> unit) =
    inFolder (fun folder ->
        makeMachine folder
        makeSong folder

        for file in files do
            File.Copy(consumer file, Path.Combine(folder, file))

        test folder (runIn folder (homeIn folder)))

/// The program that runs notebooks, of the package Microsoft.dotnet-interactive.
let private notebookProgram () =
    let file =
        if OperatingSystem.IsWindows() then
            "dotnet-interactive.exe"
        else
            "dotnet-interactive"

    let tools = Path.Combine(Environment.GetFolderPath Environment.SpecialFolder.UserProfile, ".dotnet", "tools")

    tools :: List.ofArray ((Environment.GetEnvironmentVariable "PATH").Split Path.PathSeparator)
    |> List.map (fun folder -> Path.Combine(folder, file))
    |> List.tryFind File.Exists
    |> Option.defaultWith (fun () -> skiptest "the tool Microsoft.dotnet-interactive is not installed")

/// Runs a cell; gives what it shows, as (MIME type, text).
let private runCell (notebook: Process) (token: string) (code: string) : (string * string) list =
    let command = {| code = code; targetKernelName = "fsharp" |}
    notebook.StandardInput.WriteLine(JsonSerializer.Serialize {| commandType = "SubmitCode"; token = token; command = command |})

    let rec shown soFar =
        match notebook.StandardOutput.ReadLine() with
        | null -> failtest $"{code}: the notebook has ended"
        | line when line.StartsWith '{' ->
            let message = JsonNode.Parse line
            let isOurs = not (isNull message["command"]) && string (message["command"].["token"]) = token

            match string (message["eventType"]) with
            | "CommandSucceeded" when isOurs -> List.rev soFar
            | "CommandFailed" when isOurs -> failtest $"""{code}: {message["event"].["message"]}"""
            | "ReturnValueProduced" when isOurs ->
                let values =
                    [ for value in message["event"].["formattedValues"].AsArray() ->
                          string value["mimeType"], string value["value"] ]

                shown (List.rev values @ soFar)
            | _ -> shown soFar
        | _ -> shown soFar

    shown []

/// The code blocks of a language on the page of a package.
let private blocks (language: string) (project: string) =
    let page = File.ReadAllText(inRepository [ "src"; project; "README.md" ])
    [ for block in Regex.Matches(page, $"```{language}\n(.*?)```", RegexOptions.Singleline) -> block.Groups[1].Value ]

[<Tests>]
let tests =
    testSequenced
    <| testList
        "packages"
        [ test "the programs on their pages are those that are run here" {
              for project, language, file in
                  [ "FunctionalSeparation", "xml", "Application.csproj"
                    "FunctionalSeparation", "csharp", "Program.cs"
                    "FunctionalSeparation.Learning", "fsharp", "pitch.fsx"
                    "FunctionalSeparation.Plots", "fsharp", "fromPackages.fsx" ] do
                  Expect.equal (blocks language project).Head (File.ReadAllText(consumer file)) file
          }

          Scratch.long "each has its page, documentation and symbols, and depends on what it uses alone" (fun () ->
              for id, wanted in
                  [ "FunctionalSeparation.Core", [ "FFMpegCore"; "NWaves"; "TorchSharp" ]
                    "FunctionalSeparation.Learning", [ "FSharp.Core"; "FunctionalSeparation.Core"; "TorchSharp" ]
                    "FunctionalSeparation", [ "FSharp.Core"; "FunctionalSeparation.Learning"; "NWaves"; "TorchSharp" ]
                    "FunctionalSeparation.Plots", [ "FSharp.Core"; "FunctionalSeparation"; "Plotly.NET"; "TorchSharp" ] ] do
                  let files, dependencies = contents (package $"{id}.0.1.0.nupkg")
                  Expect.equal (dependencies |> List.map fst |> List.sort) wanted $"what {id} depends on"

                  if id = "FunctionalSeparation" then
                      let fsharp = Map.find "FSharp.Core" (Map.ofList dependencies)
                      Expect.stringStarts fsharp "10.0." "that of every SDK of .NET 10"

                  Expect.containsAll files [ "README.md"; $"lib/net10.0/{id}.dll"; $"lib/net10.0/{id}.xml" ] id
                  Expect.contains (fst (contents (package $"{id}.0.1.0.snupkg"))) $"lib/net10.0/{id}.pdb" "symbols are packed"

              Expect.hasLength (Directory.GetFiles feed.Value) 8 "nothing else is packed")

          Scratch.long "the terms of the model are told where those of the code are" (fun () ->
              let ours = package "FunctionalSeparation.0.1.0.nupkg"
              let nuspec = textIn ours ".nuspec"
              Expect.stringContains nuspec "<license type=\"file\">LICENSE.md</license>" "no expression that says less"

              for text in
                  [ nuspec
                    textIn ours "LICENSE.md"
                    textIn ours "README.md"
                    textIn (package "FunctionalSeparation.Plots.0.1.0.nupkg") "README.md"
                    File.ReadAllText(Path.Combine(Golden.repository, "README.md")) ] do
                  Expect.stringContains text "MIT" "the text names the terms of the code"
                  Expect.isTrue (Regex.IsMatch(text, "model[\\s\\S]{0,150}?for\\s+research")) $"the model: {text}"

              Expect.stringContains
                  (textIn ours "LICENSE.md")
                  (File.ReadAllText(Path.Combine(Golden.repository, "LICENSE")).Trim())
                  "the whole licence")

          Scratch.long "packed again they have the same bytes" (fun () ->
              inFolder (fun folder ->
                  pack (Path.Combine("src", "FunctionalSeparation.Plots")) folder

                  for again in Directory.GetFiles folder do
                      let before = package (Path.GetFileName again)
                      Expect.isTrue (File.ReadAllBytes before = File.ReadAllBytes again) again))

          Scratch.long "an application in a single file that unpacks libtorch separates, streams and scores" (fun () ->
              outside [ "Application.csproj"; "Program.cs" ] (fun folder run ->
                  // The analyser of single files would be another package.
                  [ "publish"; "-c"; "Release"; "-o"; "app"; "--self-contained"; "false" ]
                  @ [ for property in [ "PublishSingleFile"; "IncludeNativeLibrariesForSelfExtract" ] -> $"-p:{property}=true" ]
                  @ [ "-p:EnableSingleFileAnalyzer=false" ]
                  |> run "dotnet"
                  |> ignore

                  let unneeded =
                      [ for file in Directory.GetFiles(Path.Combine(folder, "bin"), "*", SearchOption.AllDirectories) do
                            if Regex.IsMatch(file, "Argu|Spectre|Plotly|libSkiaSharp") then file ]

                  Expect.isEmpty unneeded "what separation does not use"
                  // Nothing is left to find libtorch in but the file itself.
                  Directory.Delete(Path.Combine(folder, "packages"), true)
                  let program = Path.Combine(folder, "app", "Application")
                  let output = run program [ "song.wav"; "stems"; "true" ]
                  Expect.stringContains output "song_music.wav, song_voice.wav" "the output names both files"
                  Expect.stringContains output "32000 samples of the voice in a stream" "the stream gives all samples"
                  Expect.hasLength (Regex.Matches(output, @"source [12]: SDR -?\d+\.\d\d")) 2 $"both are scored: {output}"))

          test "the guide to it has the program on the page of FunctionalSeparation.Learning" {
              let lines (text: string) =
                  [ for line in text.Split '\n' do
                        if line.Trim() <> "" && not (line.StartsWith '#') then line ]

              let guide = File.ReadAllText(inRepository [ "scripts"; "guides"; "pitch.fsx" ])
              let code = Regex.Replace(guide, @"\(\*\*.*?\*\)", "", RegexOptions.Singleline)
              Expect.equal (lines code) (lines (File.ReadAllText(consumer "pitch.fsx"))) "line by line"
          }

          Scratch.long "a script with FunctionalSeparation.Learning alone trains, resumes and hears pitches" (fun () ->
              outside [ "pitch.fsx" ] (fun _ run ->
                  let output: string = run "dotnet" [ "fsi"; "pitch.fsx" ]
                  let right = Regex.Match(output, @"(\d+) of 32 new notes")
                  Expect.isGreaterThan (int right.Groups[1].Value) 28 output))

          Scratch.long "a script with one #r line separates and writes a page" (fun () ->
              outside [ "fromPackages.fsx" ] (fun folder run ->
                  run "dotnet" [ "fsi"; "fromPackages.fsx"; "song.wav"; "stems" ] |> ignore

                  for file in [ "song_music.wav"; "song_voice.wav"; "stems.html" ] do
                      Expect.isTrue (File.Exists(Path.Combine(folder, "stems", file))) file))

          Scratch.long "a notebook shows what things are, and plays sounds" (fun () ->
              let program = notebookProgram ()

              inFolder (fun folder ->
                  makeMachine folder
                  use notebook = startIn folder (homeIn folder) program [ "stdio"; "--default-kernel"; "fsharp" ]
                  notebook.BeginErrorReadLine()

                  try
                      let show = runCell notebook

                      let sources =
                          [ feed.Value; NativeSearch.OfProcess().NuGetFolder ]
                          |> List.map (fun source -> $"#i \"nuget: {source}\"\n")

                      show "package" (String.concat "" sources + "#r \"nuget: FunctionalSeparation, 0.1.0\"") |> ignore

                      Expect.equal
                          (show "tensor" "TorchSharp.torch.ones(3L)")
                          [ "text/plain", "[3] of float32: 1, 1, 1" ]
                          "a tensor is shown in words"

                      match show "sound" "FunctionalSeparation.Core.AudioBuffer([| Array.create 16000 0.1f |], 16000)" with
                      | [ "text/html", html ] ->
                          Expect.stringStarts html "<figure><audio controls src='data:audio/wav;base64," "a sound has a player"
                          Expect.stringContains html "sound of 1 s, mono, 16000 Hz" "what it is"
                      | other -> failtest $"a sound is shown as {other}"

                      match show "corpus" "FunctionalSeparation.Corpus.embedded 0" with
                      | [ "text/plain", text ] -> Expect.stringContains text "clips  songs  singers" "a corpus has a table"
                      | other -> failtest $"a corpus is shown as {other}"
                  finally
                      notebook.Kill true)) ]
