/// score.fsx, run as a user runs it on small folders made here.
module FunctionalSeparation.Tests.ScoreScriptTests

open System
open System.IO
open System.Text.Json.Nodes
open Expecto
open FunctionalSeparation
open FunctionalSeparation.Core
open FunctionalSeparation.Tests.Scripts

[<Tests>]
let tests =
    testList
        "score.fsx"
        [ Scratch.long "score.fsx: two of three tracks are scored where the estimates of one are missing or cut" (fun () ->
              Scratch.inFolder (fun folder ->
                  let at name = Path.Combine(folder, name)

                  for track in [ "a"; "b"; "c" ] do
                      for stem in Clip.read (Corpus.embedded 9).Test.Head do
                          for place in [ "true"; "found" ] do
                              AudioFile.Write(at $"{place}/{track}/{stem.Name}.wav", stem.Sound) |> ignore

                  let score () =
                      let code, output, error = run "score.fsx" [ at "true"; at "found"; "--version"; "3" ]
                      Expect.equal code 2 "the exit code tells"
                      Expect.stringContains output "2 tracks" "the other two tracks are scored"
                      Expect.stringContains error "1 of 3 tracks were not scored" "the error tells how many are missing"
                      error

                  let cut = at "found/b/voice.wav"
                  File.WriteAllBytes(cut, (File.ReadAllBytes cut)[..5000])
                  Expect.stringContains (score ()) cut "the file that was cut is named"
                  File.Delete cut
                  Expect.stringContains (score ()) "no estimate of voice" "the missing estimate is told"))

          Scratch.long "score.fsx writes table, files of scores and page" (fun () ->
              Scratch.inFolder (fun folder ->
                  let at name = Path.Combine(folder, name)
                  let clip = (Corpus.embedded 9).Test.Head

                  for stem in Clip.read clip do
                      AudioFile.Write(at $"true/song/{stem.Name}.wav", stem.Sound) |> ignore
                      AudioFile.Write(at $"found/song/{stem.Name}.wav", stem.Sound, SampleFormat.Pcm8) |> ignore

                  let output = succeed "score.fsx" [ at "true"; at "found"; "--json"; at "json"; "--page"; at "page.html" ]
                  Expect.stringContains output "voice" "the table has a row for the voice"
                  Expect.isGreaterThan (FileInfo(at "page.html").Length) 1000L "the page is written with content"
                  let json = JsonNode.Parse(File.ReadAllText(at "json/song.json"))
                  Expect.equal (json["targets"].AsArray().Count) 2 "the file has both stems"
                  refuse "score.fsx" [ at "true"; at "nothing" ] [ at "nothing" ])) ]
