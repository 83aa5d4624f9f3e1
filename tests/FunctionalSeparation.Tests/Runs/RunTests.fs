module FunctionalSeparation.Tests.RunTests

open System
open System.IO
open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core
open FunctionalSeparation.Tests

let private corpus = lazy (Corpus.embedded 4)

let private small = { Drnn.huang2014 with Hidden = [ 12; 12 ] }

let private paperTraining iterations =
    Recipe.create
        (Drnn.network small)
        Huang2014.loss
        (Lbfgs.minFunc iterations)
        (Sampler.wholeClips (Some 60000))
        (Steps iterations)

/// The paper's protocol in small: L-BFGS on whole clips, the model chosen on development clips.
let private recipe = { paperTraining 8 with Selection = Selection.bestOnDev 2 }

exception private Stopped

let private settings folder recipe resume stopAt : Run =
    { Recipe = recipe
      Train = List.truncate 2 corpus.Value.Train
      Dev = List.truncate 1 corpus.Value.Dev
      Device = torch.CPU
      Folder = folder
      Resume = resume
      CheckpointEvery = 1
      TensorBoard = false
      Report = fun report -> if Some report.Step = stopAt then raise Stopped }

let private parameters (finished: Finished) = finished.Trained.Parameters.Vector.data<float32>().ToArray()

let private inScratch (work: string -> unit) =
    let folder = Directory.CreateTempSubdirectory("funcsep-run-").FullName

    try
        work folder
    finally
        Directory.Delete(folder, true)

let private message work =
    try
        work ()
        failtest "nothing was refused"
    with :? InputException as wrong ->
        wrong.Message

[<Tests>]
let tests =
    testList
        "training run"
        [ test "a run that starts from weights makes no step of its own first, and is another run" {
              inScratch (fun folder ->
                  let run name recipe = Run.train (settings (Path.Combine(folder, name)) recipe false None)

                  let fresh = paperTraining 2

                  let first = (run "first" fresh).Trained.Parameters
                  let before = first.Vector.data<float32>().ToArray()
                  let second = { fresh with Init = Some first }
                  let onwards = run "second" second
                  Expect.equal (first.Vector.data<float32>().ToArray()) before "the weights stay the caller's"
                  let objective name = RunLog.objectives (Path.Combine(folder, name)) |> List.map snd
                  Expect.isLessThan (objective "second").Head (List.last (objective "first")) "it goes on from there"
                  Expect.equal (parameters (run "again" second)) (parameters onwards) "the same weights, the same run"
                  Expect.notEqual (string (Recipe.toJson second)) (string (Recipe.toJson fresh)) "its description is another"

                  let wider = Drnn.network { small with Hidden = [ 13; 12 ] }
                  Scratch.refusesArgument [ "hidden1.weight" ] (fun () -> run "wider" { second with Network = wider } |> ignore)
                  Expect.isFalse (Directory.Exists(Path.Combine(folder, "wider"))) "nothing was begun")
          }

          test "the paper's protocol, stopped after each of its steps and resumed, ends bit-identical" {
              inScratch (fun folder ->
                  let run name resume stopAt = Run.train (settings (Path.Combine(folder, name)) recipe resume stopAt)
                  let whole = parameters (run "whole" false None)

                  for step in 1..7 do
                      Expect.throwsT<Stopped> (fun () -> run "cut" (step > 1) (Some step) |> ignore) "the report stops the run"

                  let finished = run "cut" true None
                  Expect.equal finished.StepsMade 1 "one step was left"
                  Expect.equal (parameters finished) whole "stopped and whole run end with the same parameters"
                  Expect.equal (run "cut" true None).StepsMade 0 "an ended run is opened, not made again")
          }

          test "the chosen parameters are the best on the development clips" {
              inScratch (fun folder ->
                  let scores = ResizeArray()

                  let settings =
                      { settings folder recipe false None with Report = fun report -> report.DevGnsdr |> Option.iter scores.Add }

                  let finished = Run.train settings
                  Expect.hasLength scores 4 "looked at every second step"

                  let rows =
                      Evaluate.clips
                          Scoring.papers
                          torch.float32
                          torch.CPU
                          ignore
                          (Separation.separator finished.Trained Soft)
                          settings.Dev

                  Expect.floatClose Accuracy.medium (Evaluate.summary "voice" rows).Gnsdr (Seq.max scores) "the best one")
          }

          test "event files hold every step once, whether the run was stopped or not" {
              inScratch (fun folder ->
                  let run name resume stopAt =
                      Run.train
                          { settings (Path.Combine(folder, name)) recipe resume stopAt with
                              CheckpointEvery = 3
                              TensorBoard = true }
                      |> ignore

                  run "whole" false None
                  Expect.throwsT<Stopped> (fun () -> run "cut" false (Some 5)) "the report stops the run at step 5"
                  run "cut" true None

                  let summaries name = EventFile.summaries (Path.Combine(folder, name, "tensorboard"))

                  let curve name tag =
                      [ for step, found, value in summaries name do
                            if found = tag then step, value.SimpleValue ]

                  for tag in [ "training/objective"; "training/max gradient"; "dev/voice GNSDR (dB)" ] do
                      Expect.equal (curve "cut" tag) (curve "whole" tag) tag

                  Expect.equal (curve "whole" "training/objective" |> List.map fst) [ 1L .. 8L ] "the curve has every step"
                  Expect.isEmpty (curve "whole" "training/learning rate") "L-BFGS has none"

                  let at tag =
                      [ for step, found, _ in summaries "cut" do
                            if found = tag then step ]

                  let clip = corpus.Value.Dev.Head.Name

                  for tag in [ "weights/hidden1.weight"; "weights/output.bias"; $"{clip}/voice"; $"{clip}/music" ] do
                      Expect.equal (at tag) [ 3L; 6L; 8L ] $"{tag} at checkpoints")
          }

          test "a folder in use, other settings, a damaged checkpoint" {
              inScratch (fun folder ->
                  Run.train (settings folder recipe false None) |> ignore

                  Expect.stringContains
                      (message (fun () -> Run.train (settings folder recipe false None) |> ignore))
                      "--resume"
                      "the message tells how to resume"

                  let other = { recipe with Loss = Loss.squaredError |> Loss.discriminative 0.1 }

                  Expect.stringContains
                      (message (fun () -> Run.train (settings folder other true None) |> ignore))
                      "other settings"
                      "the message tells of other settings"

                  let checkpoint = Path.Combine(folder, "checkpoint.safetensors")
                  File.WriteAllBytes(checkpoint, (File.ReadAllBytes checkpoint)[..5000])

                  Expect.stringContains
                      (message (fun () -> Run.train (settings folder recipe true None) |> ignore))
                      checkpoint
                      "the message names the damaged checkpoint")
          }

          test "no clips, and no development clips to choose with" {
              inScratch (fun folder ->
                  let none = { settings folder recipe false None with Train = [] }
                  Expect.stringContains (message (fun () -> Run.train none |> ignore)) "no training clips" "no clips, no run"
                  let undecided = { settings folder recipe false None with Dev = [] }
                  Expect.stringContains (message (fun () -> Run.train undecided |> ignore)) "development clips" "no dev clips")
          }

          test "development clips that could not choose are refused before the first step" {
              inScratch (fun folder ->
                  let change (clip: Clip) rate (change: Stems -> Stems) =
                      { clip with Name = "changed"; SampleRate = rate; Read = clip.Read >> change }

                  let dev = corpus.Value.Dev.Head
                  let silent = change dev 16000 (Scratch.silenced "voice")

                  let short = change dev 16000 (Scratch.beginning 100)

                  for clip, words in [ silent, "silent"; short, "fewer than one window"; change dev 8000 id, "8000 Hz" ] do
                      let settings =
                          { settings folder recipe false None with Dev = [ clip ]; Report = fun _ -> failtest "a step was made" }

                      let said = message (fun () -> Run.train settings |> ignore)
                      Expect.stringContains said "changed" "names the clip"
                      Expect.stringContains said words "the message says why")
          }

          test "a checkpoint with a changed byte is not resumed from; an older one without a hash is" {
              inScratch (fun folder ->
                  Expect.throwsT<Stopped> (fun () -> Run.train (settings folder recipe false (Some 3)) |> ignore) "it stops"
                  let path = Checkpoint.path folder
                  let bytes = File.ReadAllBytes path
                  let damaged = Array.copy bytes
                  damaged[bytes.Length - 1000] <- damaged[bytes.Length - 1000] ^^^ 1uy
                  File.WriteAllBytes(path, damaged)
                  let said = message (fun () -> Run.train (settings folder recipe true None) |> ignore)
                  Expect.stringContains said path "names the file"
                  Expect.stringContains said "damaged" "the message says what is wrong"
                  File.WriteAllBytes(path, bytes)

                  Memory.plain (fun () ->
                      let file = Safetensors.load path
                      Safetensors.save path { file with Texts = Map.remove "sha256" file.Texts })

                  let finished = Run.train (settings folder recipe true None)
                  Expect.equal finished.StepsMade 5 "it went on")
          }

          test "an objective that is not finite ends the run with a message and leaves no model" {
              inScratch (fun folder ->
                  let wild =
                      { recipe with
                          Optimiser = Optimiser.adam (Schedule.cosine 1e30)
                          Sampler = Sampler.excerpts (ExcerptSettings.ofSize 10 2)
                          Length = Epochs 5
                          Selection = Selection.lastStep }

                  let said = message (fun () -> Run.train (settings folder wild false None) |> ignore)
                  Expect.stringContains said "step" "the message names the step"
                  Expect.isFalse (File.Exists(Path.Combine(folder, "model.json"))) "no model is left behind")
          } ]
