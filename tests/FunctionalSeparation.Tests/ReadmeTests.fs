/// The programs of the README, run as they stand there.
module FunctionalSeparation.Tests.ReadmeTests

open System.Diagnostics
open System.IO
open System.Text.RegularExpressions
open Expecto
open FunctionalSeparation.Core
open FunctionalSeparation.Tests.Scripts

let private readme = lazy (File.ReadAllText(Path.Combine(Golden.repository, "README.md")))

/// The first code block of a language.
let private block language =
    let found = Regex.Match(readme.Value, $"```{language}\n(.*?)```", RegexOptions.Singleline)
    Expect.isTrue found.Success $"README.md has a block in {language}"
    found.Groups[1].Value

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
        [ test "the F# program is scripts/first.fsx" {
              Expect.equal (block "fsharp") (File.ReadAllText first) "README.md and first.fsx"
          }

          Scratch.long "the F# program runs and learns" (fun () ->
              let output = run "dotnet" [ "fsi"; first ]
              let gnsdr = Regex.Match(output, @"GNSDR (-?\d+\.\d+)").Groups[1].Value
              Expect.isGreaterThan (float gnsdr) 1.0 $"GNSDR in: {output}")

          test "the C# program is the one in the tests folder" {
              let program =
                  File.ReadAllText(Path.Combine(Golden.repository, "tests", "FunctionalSeparation.CSharpConsumer", "Program.cs"))

              Expect.equal (block "csharp") program "README.md and Program.cs"
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
                  Expect.stringContains output "DNN: music, voice, 40000 samples, 3136 late" "said"
                  Expect.equal (AudioFile.Info(Path.Combine(folder, "stems", "song_voice.wav"))).Length 40000L "voice"
              finally
                  Directory.Delete(folder, true)
          } ]
