/// Training that is killed and gone on with.
module FunctionalSeparation.Tests.KilledScriptTests

open System.IO
open System.Threading
open Expecto
open FunctionalSeparation
open FunctionalSeparation.Core
open FunctionalSeparation.Tests.Scripts

/// Starts (or resumes) training and kills it, with all its processes, once a new checkpoint has reached the disk and a
/// further `delay` (ms) has passed. Gives the step of the checkpoint that is left.
let private killScript script arguments folder (delay: int) =
    let checkpoint = Path.Combine(folder, "checkpoint.safetensors")
    let before = File.GetLastWriteTimeUtc checkpoint
    use running = start script arguments
    running.OutputDataReceived.Add ignore
    running.ErrorDataReceived.Add ignore
    running.BeginOutputReadLine()
    running.BeginErrorReadLine()

    Scratch.waitFor "a checkpoint" (fun () -> File.GetLastWriteTimeUtc checkpoint <> before || running.HasExited)
    Thread.Sleep delay
    // dotnet fsi is a launcher: the training is its child.
    running.Kill(entireProcessTree = true)
    running.WaitForExit()
    stepOf folder

/// Trains once in peace and once killed on the way, into `whole` and `cut` of a folder; `modelIn` tells where of such a folder
/// the model is. Both have the same weights.
let private killedAndResumed script (arguments: string -> string list) (modelIn: string -> string) root =
    let whole, cut = Path.Combine(root, "whole"), Path.Combine(root, "cut")
    succeed script (arguments whole) |> ignore
    let step = killScript script (arguments cut) (modelIn cut) 0
    Expect.isLessThan step (stepOf (modelIn whole)) "killed on the way"
    succeed script (arguments cut) |> ignore
    Expect.equal (weights (modelIn cut)) (weights (modelIn whole)) "both runs end with the same weights"

let private killDuringTraining folder delay arguments = killScript train (arguments @ [ "--out"; folder ]) folder delay

[<Tests>]
let tests =
    testSequenced
    <| testList
        "killed scripts"
        [ Scratch.long
              "own.fsx: killed in training and gone on with, the weights are the same bits; its model separates a song"
              (fun () ->
                  Scratch.inFolder (fun root ->
                      killedAndResumed "own.fsx" (fun out -> [ "train"; out ]) id root
                      let whole, stems = Path.Combine(root, "whole"), Path.Combine(root, "stems")
                      let song = Path.Combine(root, "song.wav")
                      Scratch.writeSong song 2
                      let output = succeed "own.fsx" [ "separate"; whole; song; stems ]
                      Expect.stringContains output "song_voice.wav" "the output names the voice's file"
                      let read name = AudioFile.Read(Path.Combine(stems, $"song_{name}.wav"))
                      let mixture, music, voice = AudioFile.Read song, read "music", read "voice"
                      Expect.equal voice.Length mixture.Length "the voice is as long as the song"

                      for i in 0..997 .. mixture.Length - 1 do
                          let sum = music.Channels[0][i] + voice.Channels[0][i]
                          Expect.isLessThan (abs (sum - mixture.Channels[0][i])) 1e-5f "the stems sum to the song"))

          Scratch.long "a U-Net of unet.fsx killed in training and gone on with ends with the same bits" (fun () ->
              Scratch.inFolder (fun root ->
                  let only folder = Directory.GetDirectories folder |> Array.exactlyOne |> Path.GetFileName
                  let modelIn out = Path.Combine(out, "models", only (Path.Combine(root, "whole", "models")))
                  killedAndResumed "beyond/unet.fsx" (fun out -> [ "--row"; "U-Net S"; "--out"; out ]) modelIn root))

          Scratch.long "a run killed at any moment and resumed ends bit-identical to one never stopped" (fun () ->
              Scratch.inFolder (fun folder ->
                  let arguments = [ "--preset"; "smoke"; "--epochs"; "60" ]
                  let whole, cut = Path.Combine(folder, "whole"), Path.Combine(folder, "cut")
                  succeed train (arguments @ [ "--out"; whole ]) |> ignore
                  let total = stepOf whole
                  let delays = [ 0; 37; 210 ]

                  let steps =
                      [ for index, delay in List.indexed delays ->
                            killDuringTraining cut delay (if index = 0 then arguments else arguments @ [ "--resume" ]) ]

                  Expect.isLessThan (List.last steps) total $"killed three times while it trained, at steps {steps} of {total}"
                  Expect.equal (List.sort steps |> List.distinct) steps "each went on from the one before"
                  Expect.isFalse (File.Exists(Path.Combine(cut, "model.json"))) "no model yet"
                  succeed train (arguments @ [ "--resume"; "--out"; cut ]) |> ignore
                  Expect.equal (weights cut) (weights whole) "both runs end with the same weights"
                  Expect.equal (clipsOf cut) (clipsOf whole) "both runs have the same scores"
                  let log = File.ReadAllLines(Path.Combine(cut, "log.jsonl"))
                  Expect.equal log.Length total "one log line a step"
                  Expect.isEmpty (Directory.GetFiles(cut, "*.part")) "no unfinished file is left")) ]
