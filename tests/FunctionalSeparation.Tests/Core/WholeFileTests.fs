/// Files that are written whole or not at all, and what is left where that fails.
module FunctionalSeparation.Tests.WholeFileTests

open System.IO
open Expecto
open FunctionalSeparation.Core
open FunctionalSeparation.Tests.Scratch

let private second = AudioBuffer([| Array.create 8000 0.25f |], 8000)

/// The folder that holds a file is removed while the file is written.
let private withoutFolder name (write: string -> (unit -> unit) -> unit) =
    test $"a folder that is removed in between: {name}" {
        inFolder (fun folder ->
            let gone = Path.Combine(folder, "gone")
            let path = Path.Combine(gone, "x.wav")
            refuses [ "x.wav"; "cannot be written" ] (fun () -> write path (fun () -> Directory.Delete(gone, true)))
            Expect.isEmpty (Directory.GetFileSystemEntries folder) "nothing is left")
    }

[<Tests>]
let tests =
    testList
        "WholeFile"
        [ withoutFolder "WholeFile" (fun path remove ->
              WholeFile.Write(
                  path,
                  fun stream ->
                      stream.WriteByte 1uy
                      remove ()
              ))

          withoutFolder "WavWriter" (fun path remove ->
              use writer = new WavWriter(path, 8000, 1)
              writer.Write second
              remove ()
              writer.Complete())

          test "a writing that fails leaves the older file, and nothing else" {
              inFolder (fun folder ->
                  let path = Path.Combine(folder, "x.txt")
                  WholeFile.Write(path, "older")

                  refuses [ "no" ] (fun () ->
                      WholeFile.Write(
                          path,
                          fun stream ->
                              stream.WriteByte 1uy
                              raise (InputException "no")
                      ))

                  Expect.equal (File.ReadAllText path) "older" "the older file"
                  Expect.hasLength (Directory.GetFileSystemEntries folder) 1 "nothing lies beside the older file")
          }

          test "a full disk leaves older files as they were, and nothing else" {
              onSmallDisk 1 (fun folder ->
                  let text, wav = Path.Combine(folder, "x.txt"), Path.Combine(folder, "x.wav")
                  let long = String.replicate 2_000_000 "x"
                  WholeFile.Write(text, "older\n")
                  AudioFile.Write(wav, second) |> ignore
                  let before = File.ReadAllBytes wav
                  refuses [ "x.txt"; "space" ] (fun () -> WholeFile.Write(text, long))
                  refuses [ "x.txt"; "space" ] (fun () -> WholeFile.Append(text, long))

                  refuses [ "x.wav"; "space" ] (fun () ->
                      AudioFile.Write(wav, AudioBuffer([| Array.zeroCreate 1_000_000 |], 8000)) |> ignore)

                  Expect.equal (File.ReadAllText text) "older\n" "the older text is kept"
                  Expect.equal (File.ReadAllBytes wav) before "the older sound is kept"
                  Expect.hasLength (Directory.GetFileSystemEntries folder) 2 "nothing lies beside the older files"
                  WholeFile.Append(text, "newer\n")
                  Expect.equal (File.ReadAllText text) "older\nnewer\n" "and the disk can be written again")
          }

          test "what a killed process left goes with the next writing into the folder; what others left stays" {
              inFolder (fun folder ->
                  let file name = Path.Combine(folder, name)

                  for name in [ ".funcsep-0123.part"; "song.mp3.part"; ".other.part" ] do
                      File.WriteAllText(file name, "left")

                  WholeFile.Write(file "x.txt", "x")
                  let names = Directory.GetFiles folder |> Array.map Path.GetFileName |> Array.sort
                  Expect.equal names [| ".other.part"; "song.mp3.part"; "x.txt" |] "only the killed process's file is gone")
          }

          test "what another process has open is no leftover" {
              inFolder (fun folder ->
                  let path = Path.Combine(folder, ".funcsep-0123.part")

                  use _ =
                      new FileStream(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.ReadWrite ||| FileShare.Delete)

                  WholeFile.Write(Path.Combine(folder, "x.txt"), "x")
                  Expect.isTrue (File.Exists path) "the open file stays")
          } ]
