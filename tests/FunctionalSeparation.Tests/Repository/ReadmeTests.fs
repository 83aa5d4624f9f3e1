/// The programs of the README, run as they stand there.
module FunctionalSeparation.Tests.ReadmeTests

open System.Diagnostics
open System.IO
open System.Text.RegularExpressions
open Expecto
open FunctionalSeparation.Core
open FunctionalSeparation.Tests.Scripts

let private readme = lazy (File.ReadAllText(Path.Combine(Golden.repository, "README.md")))

/// The code blocks of a language.
let private blocks language =
    [ for found in Regex.Matches(readme.Value, $"```{language}\n(.*?)```", RegexOptions.Singleline) -> found.Groups[1].Value ]

/// The code block of a language that begins with these words.
let private block language (beginning: string) =
    let found = blocks language |> List.filter _.StartsWith(beginning, System.StringComparison.Ordinal)
    Expect.hasLength found 1 $"README.md has one block in {language} that begins with {beginning}"
    found.Head

let private run (program: string) (arguments: string list) =
    let info =
        ProcessStartInfo(
            program,
            arguments,
            WorkingDirectory = Golden.repository,
            RedirectStandardOutput = true,
            RedirectStandardError = true
        )

    use running = Process.Start info
    let error = running.StandardError.ReadToEndAsync()
    let output = running.StandardOutput.ReadToEnd()
    running.WaitForExit()
    Expect.equal running.ExitCode 0 $"{program}: {error.Result} {output}"
    output

let private first = Path.Combine(Golden.repository, "scripts", "first.fsx")

[<Tests>]
let tests =
    testSequenced
    <| testList
        "README"
        [ test "the training in F# is scripts/first.fsx" {
              Expect.equal (block "fsharp" "// Run with") (File.ReadAllText first) "README.md and first.fsx"
          }

          Scratch.long "the training in F# runs and learns" (fun () ->
              let folder = Path.Combine(Golden.repository, "artifacts", "first")
              if Directory.Exists folder then Directory.Delete(folder, true)
              let output = run "dotnet" [ "fsi"; first ]
              let gnsdr = Regex.Match(output, @"GNSDR (-?\d+\.\d+)").Groups[1].Value
              Expect.isGreaterThan (float gnsdr) 1.0 $"GNSDR in: {output}")

          Scratch.long "the song in F# is separated" (fun () ->
              Scratch.inFolder (fun folder ->
                  let at name = Path.Combine(folder, name)
                  let song, stems = at "song.wav", at "stems"
                  let tone = Array.init 32000 (fun i -> float32 (sin (0.03 * float i)) * 0.4f)
                  AudioFile.Write(song, AudioBuffer([| tone |], 16000)) |> ignore

                  let program =
                      (block "fsharp" "#load")
                          .Replace("scripts/load.fsx", Path.Combine(Golden.repository, "scripts", "load.fsx"))
                          .Replace("\"song.mp3\", \"stems\"", $"@\"{song}\", @\"{stems}\"")

                  File.WriteAllText(at "program.fsx", program)
                  run "dotnet" [ "fsi"; at "program.fsx" ] |> ignore
                  Expect.isTrue (File.Exists(Path.Combine(at "stems", "song_voice.wav"))) "the program writes the voice"))

          test "the lines of C# are compiled" {
              let folder = Path.Combine(Golden.repository, "tests", "FunctionalSeparation.CSharpConsumer")
              let compiled = File.ReadAllLines(Path.Combine(folder, "ReadmeExample.cs")) |> Array.map _.Trim()
              let lines = (List.exactlyOne (blocks "csharp")).Trim().Split '\n'
              let first = System.Array.IndexOf(compiled, lines[0])
              Expect.equal (Array.sub compiled first lines.Length) lines "README.md and ReadmeExample.cs"
          }

          test "the network of one's own is the example of Family.define" {
              let example =
                  DocTests.names.Value
                  |> List.pick (fun name ->
                      if name.Name = "M:FunctionalSeparation.FamilyModule.define" then
                          name.Example
                      else
                          None)

              Expect.stringStarts (example.Trim()) ((block "fsharp" "let tiny").Trim()) "README.md and Family.fs"
          }

          test "the C# program separates a song" {
              let folder = Directory.CreateTempSubdirectory("funcsep-consumer-").FullName

              try
                  Scratch.saveModel (Path.Combine(folder, "model")) [ 16 ]
                  let song = Path.Combine(folder, "song.wav")

                  AudioFile.Write(
                      song,
                      AudioBuffer([| Array.init 40000 (fun i -> float32 (sin (0.03 * float i)) * 0.4f) |], 16000)
                  )
                  |> ignore

                  let program =
                      Path.Combine(
                          Golden.repository,
                          "tests",
                          "FunctionalSeparation.CSharpConsumer",
                          "bin",
                          "Release",
                          "net10.0",
                          "FunctionalSeparation.CSharpConsumer.dll"
                      )

                  let output = run "dotnet" [ program; song; Path.Combine(folder, "stems"); Path.Combine(folder, "model") ]
                  Expect.stringContains output "DNN: music, voice, 40000 samples, 3136 late" "the application tells its work"
                  Expect.equal (AudioFile.Info(Path.Combine(folder, "stems", "song_voice.wav"))).Length 40000L "it is as long"
              finally
                  Directory.Delete(folder, true)
          } ]
