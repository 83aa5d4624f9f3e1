/// An application in C# that is stopped on the way, as schedulers, containers and people stop programs: what it leaves behind.
module FunctionalSeparation.Tests.StopTests

open System
open System.Diagnostics
open System.Globalization
open System.IO
open Expecto
open FunctionalSeparation.Core
open FunctionalSeparation.Tests.Scratch

let private program =
    let folder =
        Path.Combine(Golden.repository, "tests", "FunctionalSeparation.CSharpConsumer", "bin", "Release", "net10.0")

    Path.Combine(folder, "FunctionalSeparation.CSharpConsumer.dll")

/// Starts the application on a song in the folder, with the folder's model; its stems go to `out`.
let private start (folder: string) (song: string) (environment: (string * string) list) =
    let file name = Path.Combine(folder, name)
    let info = ProcessStartInfo("dotnet", [ program; file song; file "out"; file "model" ])
    info.WorkingDirectory <- folder
    info.RedirectStandardOutput <- true
    info.RedirectStandardError <- true

    for name, value in environment do
        info.Environment[name] <- value

    let running = Process.Start info
    running.OutputDataReceived.Add ignore
    running.ErrorDataReceived.Add ignore
    running.BeginOutputReadLine()
    running.BeginErrorReadLine()
    running

/// A folder with a model and a song that takes long, and its folder `out`.
let private withSong minutes (work: string -> string -> unit) =
    if OperatingSystem.IsWindows() then skiptest "there are no signals to send"

    inFolder (fun folder ->
        saveModel (Path.Combine(folder, "model")) [ 512; 512 ]
        writeSong (Path.Combine(folder, "song.wav")) minutes
        work folder (Path.Combine(folder, "out")))

/// Starts the application and waits until both stems have begun.
let private startAndWait folder out song =
    let before = unfinished out
    let running = start folder song []
    let begun () = (unfinished out |> Array.except before).Length
    waitFor "the stems to begin" (fun () -> begun () = 2 || running.HasExited)
    Expect.isFalse running.HasExited "it is at work"
    running

/// Whether a process ignores a signal, as programs do that a shell has put into the background.
let private ignores (number: int) (running: Process) =
    let path = $"/proc/{running.Id}/status"

    File.Exists path
    && File.ReadAllLines path
       |> Array.exists (fun line ->
           line.StartsWith "SigIgn:"
           && (UInt64.Parse(line.Substring(7).Trim(), NumberStyles.HexNumber) >>> (number - 1)) &&& 1UL = 1UL)

let private stop (name: string) (running: Process) =
    signal name running
    running.WaitForExit()

[<Tests>]
let tests =
    testSequenced
    <| testList
        "stopped applications"
        [ for name, number in [ "INT", 2; "TERM", 15; "HUP", 1; "QUIT", 3 ] do
              test $"SIG{name} leaves nothing unfinished, and ends the application as it does" {
                  withSong 60 (fun folder out ->
                      use running = startAndWait folder out "song.wav"

                      if ignores number running then
                          stop "KILL" running
                          skiptest "the tests run where the signal is ignored"

                      stop name running
                      Expect.equal running.ExitCode (128 + number) "the exit code is that of the signal"
                      Expect.isEmpty (Directory.GetFileSystemEntries out) "nothing is left")
              }

          test "a signal that the application ignores (nohup) removes nothing" {
              withSong 60 (fun folder out ->
                  let shell = $"trap '' HUP; exec dotnet {program} song.wav out model"
                  let info = ProcessStartInfo("sh", [ "-c"; shell ], WorkingDirectory = folder, RedirectStandardError = true)
                  use running = Process.Start info
                  running.ErrorDataReceived.Add ignore
                  running.BeginErrorReadLine()
                  waitFor "the stems to begin" (fun () -> (unfinished out).Length = 2 || running.HasExited)
                  signal "HUP" running
                  let length () = unfinished out |> Array.sumBy (fun path -> FileInfo(path).Length)
                  let before = length ()
                  waitFor "the stems to grow" (fun () -> length () > before || running.HasExited)
                  Expect.isFalse running.HasExited "it goes on"
                  stop "TERM" running
                  Expect.isEmpty (Directory.GetFileSystemEntries out) "nothing is left")
          }

          test "an exception that nobody catches leaves nothing unfinished, and a file that came in between stays" {
              withSong 5 (fun folder out ->
                  use running = startAndWait folder out "song.wav"
                  let voice = Path.Combine(out, "song_voice.wav")
                  File.WriteAllText(voice, "mine")
                  running.WaitForExit()
                  Expect.notEqual running.ExitCode 0 "the application ends with an error"
                  Expect.equal (Directory.GetFileSystemEntries out) [| voice |] "only the file of the other is left"
                  Expect.equal (File.ReadAllText voice) "mine" "as it was")
          }

          Scratch.long "what kill -9 left goes with the next run, and what others are still writing stays" (fun () ->
              withSong 60 (fun folder out ->
                  for name in [ "other.wav"; "short.wav" ] do
                      writeSong (Path.Combine(folder, name)) 1

                  File.Copy(Path.Combine(folder, "song.wav"), Path.Combine(folder, "other.wav"), true)
                  let killed = startAndWait folder out "song.wav"
                  stop "KILL" killed
                  let left = unfinished out
                  Expect.hasLength left 2 "left by the killed one"
                  // Where files cannot be locked, nothing tells whether their writer lives.
                  use unlocked = start folder "short.wav" [ "DOTNET_SYSTEM_IO_DISABLEFILELOCKING", "1" ]
                  unlocked.WaitForExit()
                  Expect.equal unlocked.ExitCode 0 "a run without locks"
                  Expect.equal (Array.sort (unfinished out)) (Array.sort left) "without locks they stay"
                  use living = startAndWait folder out "other.wav"
                  let its = unfinished out
                  Expect.isEmpty (Array.filter (fun path -> Array.contains path its) left) "the next run has removed them"
                  Expect.hasLength its 2 "and writes its own"
                  WholeFile.Write(Path.Combine(out, "x.txt"), "x")
                  Expect.equal (unfinished out) its "those of a process that lives stay"
                  stop "TERM" living
                  Expect.isEmpty (unfinished out) "and go with it"))

          test "what ffmpeg decodes has no name that could be left" {
              if not (OperatingSystem.IsLinux()) then skiptest "needs /proc"

              inFolder (fun folder ->
                  let wav, flac = Path.Combine(folder, "song.wav"), Path.Combine(folder, "song.flac")
                  writeSong wav 1

                  if not (succeeds "ffmpeg" [ "-i"; wav; flac ]) then
                      skiptest "the ffmpeg program is not installed"

                  use reader = AudioFile.Open flac
                  Expect.equal reader.Info.Length 960000L "the reader knows the whole length"

                  // Other tests close descriptors meanwhile.
                  let targetOf descriptor =
                      try
                          File.ResolveLinkTarget(descriptor, false) |> Option.ofObj |> Option.map _.FullName
                      with :? FileNotFoundException ->
                          None

                  let opened = Directory.GetFiles "/proc/self/fd" |> Seq.choose targetOf |> List.ofSeq

                  Expect.exists opened (fun target -> target.Contains ".funcsep-" && target.EndsWith "(deleted)") $"{opened}")
          } ]
