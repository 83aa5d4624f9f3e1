/// The Slurm scripts, run with stand-ins for `sbatch` and `dotnet` that write down how they are called.
module FunctionalSeparation.Tests.ClusterTests

open System
open System.Diagnostics
open System.IO
open Expecto
open FunctionalSeparation.Tests.Scratch

let private script name = Path.Combine(Golden.repository, "scripts", "cluster", name)

let private standIn folder name (lines: string list) =
    let path = Path.Combine(folder, name)
    File.WriteAllText(path, String.Join("\n", "#!/bin/bash" :: lines @ [ "" ]))
    File.SetUnixFileMode(path, UnixFileMode.UserRead ||| UnixFileMode.UserWrite ||| UnixFileMode.UserExecute)

/// Exit code, and the calls in order.
let private run folder name (arguments: string list) (variables: (string * string) list) =
    let info = ProcessStartInfo("bash", script name :: arguments, WorkingDirectory = folder)
    info.Environment["PATH"] <- folder + ":" + Environment.GetEnvironmentVariable "PATH"

    for key in [ "SLURM_ARRAY_TASK_ID"; "SLURM_ARRAY_TASK_COUNT"; "SLURM_CPUS_PER_TASK"; "SBATCH_ARGS" ] do
        info.Environment.Remove key |> ignore

    for key, value in variables do
        info.Environment[key] <- value

    info.RedirectStandardOutput <- true
    info.RedirectStandardError <- true
    use running = Process.Start info
    running.StandardOutput.ReadToEnd() |> ignore
    running.WaitForExit()
    let calls = Path.Combine(folder, "calls")
    running.ExitCode, (if File.Exists calls then List.ofArray (File.ReadAllLines calls) else [])

let private withDotnet (lines: string list) work =
    if OperatingSystem.IsWindows() then skiptest "Slurm runs on Linux"

    inFolder (fun folder ->
        standIn folder "dotnet" lines
        standIn folder "sbatch" [ """echo "sbatch $*" >> calls"""; """echo 4$(wc -l < calls)""" ]
        work folder)

let private writesDown = """echo "$OMP_NUM_THREADS $MKL_NUM_THREADS: $*" >> calls"""

[<Tests>]
let tests =
    testList
        "cluster"
        [ test "a task of the array makes its part with the processors that it has" {
              withDotnet [ writesDown ] (fun folder ->
                  let code, calls =
                      run
                          folder
                          "array.sbatch"
                          [ "table.fsx"; "--data"; "two words" ]
                          [ "SLURM_ARRAY_TASK_ID", "2"; "SLURM_ARRAY_TASK_COUNT", "5"; "SLURM_CPUS_PER_TASK", "3" ]

                  Expect.equal code 0 "the task ends with exit code 0"
                  Expect.equal calls [ "3 3: fsi table.fsx --data two words --cell 2/5" ] "fsi gets options and its part")
          }

          test "without an array the options are as they are" {
              withDotnet [ writesDown ] (fun folder ->
                  let _, calls = run folder "array.sbatch" [ "table.fsx"; "--merge" ] []
                  Expect.equal calls [ "1 1: fsi table.fsx --merge" ] "the options are passed on as they are")
          }

          test "a task that fails fails the job" {
              withDotnet [ "exit 2" ] (fun folder ->
                  Expect.equal (fst (run folder "array.sbatch" [ "table.fsx" ] [])) 2 "the job fails with the task's code")
          }

          test "submitting: a task for each row, then the merge" {
              withDotnet [ "printf 'DNN\\nDRNN-1 + discrim\\nsRNN\\n'" ] (fun folder ->
                  let code, calls =
                      run folder "submit.sh" [ "table.fsx"; "--preset"; "brief" ] [ "SBATCH_ARGS", "--mem=2G --nice" ]

                  Expect.equal code 0 "submitting ends with exit code 0"

                  match calls with
                  | [ array; merge ] ->
                      for part in [ "--mem=2G --nice"; "--array=1-3"; "array.sbatch table.fsx --preset brief" ] do
                          Expect.stringContains array part "the array has options, size and script"

                      Expect.stringContains merge "--dependency=afterok:41 " "the merge waits for the array"
                      Expect.stringEnds merge "table.fsx --preset brief --merge" "the merge has the options of the script"
                  | _ -> failtest $"two submissions, not {calls}")
          }

          test "nothing is submitted where the script refuses its options" {
              withDotnet [ "exit 2" ] (fun folder ->
                  let code, calls = run folder "submit.sh" [ "table.fsx"; "--presett" ] []
                  Expect.equal (code, calls) (2, []) "exit code and calls")
          } ]
