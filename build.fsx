// The one command of this project: dotnet fsi build.fsx TARGET. Needs the .NET 10 SDK and nothing else.
open System
open System.Diagnostics
open System.IO
open System.Text.RegularExpressions

let root = __SOURCE_DIRECTORY__
let home = Environment.GetFolderPath Environment.SpecialFolder.UserProfile
let packages = Path.Combine(home, ".nuget", "packages")

/// Runs a program in the repository root; its output goes to ours. Ends with its exit code where it fails.
let run (program: string) (arguments: string list) =
    let start = ProcessStartInfo(program, arguments, WorkingDirectory = root, UseShellExecute = false)
    // Paket resolves from the default package folder, so everything else must use the same.
    start.Environment["NUGET_PACKAGES"] <- packages
    start.Environment["DOTNET_CLI_TELEMETRY_OPTOUT"] <- "1"
    start.Environment["DOTNET_NOLOGO"] <- "1"
    // Build servers outlive the command and hold its output open.
    start.Environment["MSBUILDDISABLENODEREUSE"] <- "1"
    use running = Process.Start start
    running.WaitForExit()

    if running.ExitCode <> 0 then
        let line = String.concat " " arguments
        eprintfn $"{program} {line} ended with code {running.ExitCode}"
        exit running.ExitCode

let dotnet = run "dotnet"

/// Names and exact versions in paket.lock.
let locked =
    lazy
        [ for line in File.ReadAllLines(Path.Combine(root, "paket.lock")) do
              let entry = Regex.Match(line, @"^    (\S+) \(([^()\s]+)\)")
              if entry.Success then entry.Groups[1].Value, entry.Groups[2].Value ]

/// The native libraries of this platform alone: the package that names all platforms unpacks 1.4 GB.
let libTorch =
    lazy
        (let props = File.ReadAllText(Path.Combine(root, "Directory.Build.props"))
         let version = Regex.Match(props, "<LibTorchVersion>(.+)</LibTorchVersion>").Groups[1].Value

         if OperatingSystem.IsWindows() then "libtorch-cpu-win-x64", version
         elif OperatingSystem.IsMacOS() then "libtorch-cpu-osx-arm64", version
         else "libtorch-cpu-linux-x64", version)

/// Fetches what is not in the package folder yet, from whatever feed the machine is configured with.
let download (wanted: (string * string) list) =
    let isMissing (name: string, version: string) =
        not (File.Exists(Path.Combine(packages, name.ToLowerInvariant(), version, ".nupkg.metadata")))

    match List.filter isMissing wanted with
    | [] -> ()
    | missing ->
        dotnet ([ "package"; "download" ] @ [ for name, version in missing -> $"{name}@{version}" ] @ [ "--output"; packages ])

let restore () =
    dotnet [ "tool"; "restore" ]
    let external = not (String.IsNullOrEmpty(Environment.GetEnvironmentVariable "FUNCSEP_LIBTORCH"))
    download (locked.Value @ if external then [] else [ libTorch.Value ])
    dotnet [ "paket"; "restore" ]

let build () =
    restore ()
    dotnet [ "build"; "FunctionalSeparation.sln"; "-c"; "Release"; "-v"; "quiet"; "-nologo"; "-clp:NoSummary" ]

/// Writes the NuGet packages: the same bytes whenever a commit is packed in this folder.
let pack () =
    build ()
    dotnet [ "pack"; "-c"; "Release"; "--no-build"; "-o"; "artifacts/packages"; "-v"; "quiet" ]

let testProject = "tests/FunctionalSeparation.Tests"

let benchmarkProject = "tests/FunctionalSeparation.Benchmarks"

let runTests arguments = dotnet ([ "run"; "-c"; "Release"; "--no-build"; "--project"; testProject; "--" ] @ arguments)

/// Damaged files: how many at most, for how many seconds at most, from which seed on.
let fuzz (count: string) (seconds: string) (first: string) =
    build ()
    runTests [ "--fuzz"; count; seconds; first ]

/// Jobs of the stress test are multiplied by this.
let stress (factor: string) =
    build ()
    Environment.SetEnvironmentVariable("FUNCSEP_STRESS", factor)
    runTests [ "--filter-test-list"; "stress" ]

let fsharpSources = [ "src"; "tests"; "scripts"; "build.fsx" ]

let csharpProjects = [ "src/FunctionalSeparation.Core"; "tests/FunctionalSeparation.CSharpConsumer" ]

let checkFormat () =
    dotnet ([ "fantomas"; "--check" ] @ fsharpSources)

    for project in csharpProjects do
        dotnet [ "format"; "whitespace"; project; "--no-restore"; "--verify-no-changes" ]

let format () =
    dotnet ([ "fantomas" ] @ fsharpSources)

    for project in csharpProjects do
        dotnet [ "format"; "whitespace"; project; "--no-restore" ]

/// Adds a package: fills the package folder with its whole closure through a scratch project, then lets Paket resolve.
let add (name: string) (version: string) =
    let scratch = Directory.CreateTempSubdirectory "functionalseparation-add-"

    File.WriteAllText(
        Path.Combine(scratch.FullName, "scratch.csproj"),
        $"""<Project Sdk="Microsoft.NET.Sdk"><PropertyGroup><TargetFramework>net10.0</TargetFramework></PropertyGroup>
<ItemGroup><PackageReference Include="{name}" Version="{version}" /></ItemGroup></Project>"""
    )

    dotnet [ "restore"; scratch.FullName ]
    scratch.Delete true
    File.AppendAllText(Path.Combine(root, "paket.dependencies"), $"nuget {name} {version}\n")
    dotnet [ "paket"; "install" ]
    printfn $"Added {name} {version}. Name it in the paket.references of the projects that use it."

let clean () =
    for folder in Directory.GetDirectories(root, "*", SearchOption.AllDirectories) do
        let name = Path.GetFileName folder

        if (name = "bin" || name = "obj") && Directory.Exists folder && not (folder.Contains "node_modules") then
            Directory.Delete(folder, true)

let usage =
    """dotnet fsi build.fsx TARGET
  demo        train on the embedded corpus, separate, score, write artifacts/demo/index.html
  test        build, check the format, run all tests; ends with 'N passed, N failed'
  test-fast   the same without the long tests
  bench [NAME ...]   time what is ours beside its limits, all or the named benchmarks; adds to artifacts/bench.json
  bench --table      write those figures to tests/FunctionalSeparation.Benchmarks/results.md
  fuzz [COUNT SECONDS SEED]   read damaged files, 1 000 000 or for 20 minutes unless said; what fails is kept in artifacts/fuzz
  stress [FACTOR]             the stress test with so many times its jobs: 2 000 separations unless said
  build       restore and build
  pack        build and write the NuGet packages to artifacts/packages
  restore     fetch the locked packages and this platform's libtorch
  format      format all sources
  readme      write the measured tables into README.md
  docs        the guides, with what they print, and the reference of all public names: artifacts/docs/index.html
  add NAME VERSION   add a package
  clean       delete build output"""

match fsi.CommandLineArgs |> Array.tail |> List.ofArray with
| [ "restore" ] -> restore ()
| [ "build" ] -> build ()
| [ "pack" ] -> pack ()
| [ "test" ] ->
    build ()
    checkFormat ()
    runTests []
| [ "test-fast" ] ->
    build ()
    runTests [ "--fast" ]
| [ "demo" ] ->
    build ()
    dotnet [ "fsi"; "scripts/demo.fsx" ]
| "bench" :: names ->
    build ()
    dotnet ([ "run"; "-c"; "Release"; "--no-build"; "--project"; benchmarkProject; "--" ] @ names)
| [ "fuzz" ] -> fuzz "1000000" "1200" "0"
| [ "fuzz"; count; seconds; first ] -> fuzz count seconds first
| [ "stress" ] -> stress "50"
| [ "stress"; factor ] -> stress factor
| [ "format" ] ->
    restore ()
    format ()
| [ "readme" ] ->
    build ()
    dotnet [ "fsi"; "scripts/readme.fsx" ]
| [ "docs" ] ->
    build ()
    dotnet [ "fsi"; "scripts/docs.fsx" ]
| [ "add"; name; version ] -> add name version
| [ "clean" ] -> clean ()
| _ ->
    printfn "%s" usage
    exit 2
