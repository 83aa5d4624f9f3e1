/// Which estimate a score belongs to.
module FunctionalSeparation.Tests.EvaluateTests

open System.Text.Json.Nodes
open Expecto
open TorchSharp
open FunctionalSeparation

let private frontEnd = FrontEnd.huang2014
let private clip = lazy ((Corpus.embedded 3).Test.Head)

/// The ideal masks, with the estimates as they are called, or under each other's names.
let private separator isSwapped =
    let ideal = Evaluate.idealBinaryMask frontEnd

    match ideal.Hearing with
    | Oracle separate when isSwapped ->
        { ideal with Name = "swapped"; Hearing = Oracle(fun sources -> (separate sources).flip 0L) }
    | _ -> ideal

let private score pairing isSwapped =
    Evaluate.clip { Scoring.papers with Pairing = pairing } torch.float32 torch.CPU (separator isSwapped) clip.Value

let private silent = { Sdr = nan; Sir = nan; Sar = nan; Nsdr = nan }

[<Tests>]
let tests =
    testList
        "evaluate"
        [ test "estimates under each other's names are exchanged, and the scores say so" {
              let plain, swapped = score ByBestSir false, score ByBestSir true
              Expect.equal (plain.Estimates, swapped.Estimates) (AsNamed, Exchanged) "told"
              Expect.floatClose Accuracy.high swapped["voice"].Sdr plain["voice"].Sdr "the better pairing is scored"
              Expect.floatClose Accuracy.high swapped["music"].Nsdr plain["music"].Nsdr "of both"
          }

          test "paired by name, they are scored as they are called" {
              let plain, swapped = score ByName false, score ByName true
              Expect.equal (plain.Estimates, swapped.Estimates) (AsNamed, AsNamed) "told"
              Expect.equal plain["voice"] (score ByBestSir false).["voice"] "the same where names are right"
              Expect.isLessThan swapped["voice"].Sir -5.0 "the voice is scored by what is called voice"
          }

          test "many clips are scored as each of them" {
              let given = Evaluate.clips Scoring.papers torch.float32 torch.CPU ignore (separator true) [ clip.Value ]
              Expect.equal given [ score ByBestSir true ] "clips"
              Expect.equal (Evaluate.clip Scoring.papers torch.float32 torch.CPU (separator true) clip.Value) given.Head "clip"
              Expect.equal (Evaluate.exchanged given) [ clip.Value.Name ] "named"

              let byName =
                  Evaluate.clips
                      { Scoring.papers with Pairing = ByName }
                      torch.float32
                      torch.CPU
                      ignore
                      (separator true)
                      [ clip.Value ]

              Expect.equal byName [ score ByName true ] "clips by name"
          }

          test "files and remarks tell which clips were exchanged" {
              let rows = [ score ByBestSir true; { score ByBestSir false with Clip = "other" } ]
              let json = Results.ofSystem "system" rows
              Expect.equal (json["clips"].[0].["estimates"].GetValue<string>()) "exchanged" "a row"
              Expect.equal (json["clips"].[1].["estimates"].GetValue<string>()) "as named" "another"
              Expect.equal (json["exchanged"].AsArray().Count) 1 "all together"
              Expect.equal (Results.toScores json |> List.map _.Estimates) [ Exchanged; AsNamed ] "read again"
              let remarks = Results.remarks rows
              Expect.hasLength remarks 1 "one remark"
              Expect.stringContains remarks.Head $"1 of 2 clip(s) are scored with their estimates exchanged" "counted"
              Expect.stringContains remarks.Head clip.Value.Name "named"
              Expect.isEmpty (Results.remarks rows.Tail) "nothing to say where none is"
          }

          test "a file from before this was told does not say; one that says something else is refused" {
              let row = { Clip = "a"; Samples = 3; Estimates = AsNamed; Sources = [ "music", silent; "voice", silent ] }
              let json = Results.ofSystem "system" [ row ]
              json["clips"].[0].AsObject().Remove "estimates" |> ignore
              Expect.equal (Results.toScores json).Head.Estimates NotRecorded "not recorded"
              json["clips"].[0].["estimates"] <- JsonValue.Create "perhaps"
              Scratch.refuses [ "perhaps" ] (fun () -> Results.toScores json |> ignore)
          } ]
