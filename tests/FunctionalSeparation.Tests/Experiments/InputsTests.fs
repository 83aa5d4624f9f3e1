/// Commands with many inputs name those that they cannot use, and go on.
module FunctionalSeparation.Tests.InputsTests

open System
open System.IO
open Expecto
open FunctionalSeparation
open FunctionalSeparation.Core
open FunctionalSeparation.Tests.Scratch

/// The lines that the work writes to standard error.
let private told (work: unit -> 'result) : 'result * string =
    let before = Console.Error
    use text = new StringWriter()

    try
        Console.SetError text
        let result = work ()
        result, text.ToString()
    finally
        Console.SetError before

let private each inputs = Inputs.each "songs" "separated" fst (fun (_, work: unit -> int) -> work ()) inputs

let private faults: (string * (unit -> int)) list =
    [ "wrong.wav", (fun () -> raise (InputException "wrong.wav is truncated: get it again."))
      "loop.wav", (fun () -> raise (IOException "Too many levels\nof links"))
      "locked.wav", (fun () -> raise (UnauthorizedAccessException "no permission")) ]

let private good = [ "a.wav", (fun () -> 1); "b.wav", (fun () -> 2) ]

let private tone = Array.init 4000 (fun i -> 0.5f * MathF.Sin(0.1f * float32 i))

[<Tests>]
let tests =
    testSequenced
    <| testList
        "inputs"
        [ test "the rest is done, each fault is named with its path in one line, and how many they were is told in the end" {
              let results, error = told (fun () -> each (faults @ good))
              Expect.equal results [ 1; 2 ] "the other inputs are done"
              let lines = error.TrimEnd().Split '\n'
              Expect.hasLength lines 3 $"a line each: {error}"

              for line, (path, _) in Seq.zip lines faults do
                  Expect.stringStarts line $"not used: {path}" "the line names the faulty path"

              Expect.equal (Inputs.failure ()) (Some "3 of 5 songs were not separated.") "for the exit code"
              Expect.equal (Inputs.failure ()) None "the failure is told once"
          }

          test "where all goes well nothing is told" {
              let results, error = told (fun () -> each good)
              Expect.equal (results, error, Inputs.failure ()) ([ 1; 2 ], "", None) "all is done and nothing told"
          }

          test "a single one is refused" {
              for fault in faults do
                  refuses [] (fun () -> each [ fault ] |> ignore)

              Expect.equal (Inputs.failure ()) None "by the exception"
          }

          test "a fault of the program is none of an input" {
              let broken = ("a.wav", (fun () -> invalidOp "a bug")): string * (unit -> int)
              Expect.throwsT<InvalidOperationException> (fun () -> each (broken :: good) |> ignore) "it comes through"
          }

          test "what is no sound is counted in one line and fails nothing; sound that cannot be used does" {
              let junk =
                  [ for name in [ "notes.txt"; "cover.jpg" ] -> { Path = "/x/" + name; Reason = "not audio by its name" } ]

              let (), error = told (fun () -> Inputs.tellLeftOut "/x" junk)
              Expect.equal error "/x: 2 left out: notes.txt, cover.jpg (not audio by its name)\n" "both files share a line"
              Expect.equal (Inputs.failure ()) None "what is no sound fails nothing"
              let (), error = told (fun () -> Inputs.tellLeftOut "/x" (LeftOut.unusable "/x/a.wav" "a link" :: junk))
              Expect.stringContains error "not used: /x/a.wav: a link" "path and reason"
              Expect.isSome (Inputs.failure ()) "sound that cannot be used is a failure"
          }

          test "clips that cannot be read are left out of a corpus and named, whatever their fault" {
              inFolder (fun root ->
                  let path name = Path.Combine(root, "train", name + ".wav")

                  let write name rate channels =
                      AudioFile.Write(path name, AudioBuffer(Array.replicate channels tone, rate)) |> ignore

                  for name in [ "good"; "cut"; "bits" ] do
                      write name 16000 2

                  write "mono" 16000 1
                  write "rate" 8000 2
                  File.WriteAllBytes(path "cut", (File.ReadAllBytes(path "cut"))[..9999])
                  File.WriteAllText(path "foreign", "no sound")
                  let bytes = File.ReadAllBytes(path "bits")
                  BitConverter.GetBytes(nanf).CopyTo(bytes, bytes.Length - 400)
                  File.WriteAllBytes(path "bits", bytes)
                  File.CreateSymbolicLink(path "loop", path "loop") |> ignore
                  let corpus, error = told (fun () -> Mir1k.load root |> Inputs.usable (fun _ -> Clip.readableSamples >> ignore))
                  Expect.equal [ for clip in corpus.Train -> clip.Name ] [ "good" ] "what is left"

                  for name in [ "bits"; "cut"; "foreign"; "mono"; "rate" ] do
                      Expect.stringContains error $"not used: {name}: {path name}" "the faulty clip and its path are named"

                  Expect.isSome (Inputs.failure ()) "faulty clips make the command fail"
                  let refused _ (clip: Clip) = raise (InputException $"{clip.Name}: too short")
                  let corpus, _ = told (fun () -> Mir1k.load root |> Inputs.usable refused)
                  Expect.isEmpty corpus.Train "the check counts"

                  refuses [ root; "no training clips"; "good (cannot be used: good: too short)" ] (fun () ->
                      Corpus.require [ Split.Train ] corpus)

                  Inputs.failure () |> ignore)
          } ]
