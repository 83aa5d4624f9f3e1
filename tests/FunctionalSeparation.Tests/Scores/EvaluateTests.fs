/// Which estimate a score belongs to.
module FunctionalSeparation.Tests.EvaluateTests

open System.Text.Json.Nodes
open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

let private frontEnd = FrontEnd.huang2014
let private clip = lazy ((Corpus.embedded 3).Test.Head)

/// The ideal masks, with the estimates as they are called, or under each other's names.
let private separator isSwapped =
    let ideal = Evaluate.idealBinaryMask frontEnd

    match ideal.Estimator with
    | Oracle separate when isSwapped ->
        { ideal with Name = "swapped"; Estimator = Oracle(fun sources -> (separate sources).flip 0L) }
    | _ -> ideal

let private score pairing isSwapped =
    Evaluate.clip { Scoring.papers with Pairing = pairing } torch.float32 torch.CPU (separator isSwapped) clip.Value

let private silent = { Sdr = nan; Sir = nan; Sar = nan; Nsdr = nan }

/// A song of the band, by its parts.
let private song = lazy ((Corpus.embeddedBand 3).Test.Head)

/// Two seconds of it: scores of four sources in two channels take their time.
let private excerpt = lazy { song.Value with Read = song.Value.Read >> Scratch.beginning 88200 }

let private fine = { frontEnd with SampleRate = 44100; Stft = Stft(2048, 512, StftWindow.Hann, true) }
let private plain = { Scoring.papers with Mixing = Mixing.plain }
let private scoreBand scoring separator = Evaluate.clip scoring torch.float32 torch.CPU separator excerpt.Value

/// The ideal masks of the band, with the estimates one name further.
let private turned =
    let ideal = Evaluate.idealRatioMask fine

    match ideal.Estimator with
    | Oracle separate -> { ideal with Estimator = Oracle(fun sources -> (separate sources).roll(1L, 0L)) }
    | Blind _ -> failwith "an ideal mask knows the sources"

let private bandRow = lazy (scoreBand plain (Evaluate.idealRatioMask fine))

let private bandTests =
    testList
        "four stems in stereo"
        [ test "ideal masks give each of them back, by name" {
              let row = bandRow.Value
              Expect.equal (List.map fst row.Sources) [ "drums"; "bass"; "other"; "vocals" ] "names and order"
              Expect.equal (row.Estimates, row.Samples) (AsNamed, 88200) "the row keeps the names and all samples"

              for name, scores in row.Sources do
                  Expect.isGreaterThan scores.Nsdr 6.0 $"{name}: the NSDR is above 6 dB"
                  Expect.isGreaterThan scores.Sir 10.0 $"{name}: the SIR is above 10 dB"
          }

          test "estimates under other names are found by their SIR, and scored as they are called where that is asked" {
              let found = scoreBand plain turned
              Expect.equal found.Estimates Exchanged "the row says that estimates were exchanged"

              for name, scores in bandRow.Value.Sources do
                  Expect.floatClose Accuracy.high found[name].Sdr scores.Sdr name

              let named = scoreBand { plain with Pairing = ByName } turned
              Expect.equal named.Estimates AsNamed "paired by name, nothing is exchanged"
              Expect.isLessThan (named["vocals"].Sir) 0.0 "drums are no vocals"
          }

          test "a system may have the sources in any order; other names are refused with both" {
              let halves (mixture: torch.Tensor) = torch.stack [ mixture.mul 0.25; mixture.mul 0.75 ]

              let system names = { Evaluate.mixture fine with Sources = names; Estimator = Blind(fun mixture -> halves mixture) }

              let rest = Corpus.grouped [ "rest", [ "drums"; "bass"; "other" ]; "vocals", [ "vocals" ] ] (Corpus.embeddedBand 3)
              let clip = { rest.Test.Head with Read = rest.Test.Head.Read >> Scratch.beginning 44100 }
              let score names = Evaluate.clip { plain with Pairing = ByName } torch.float32 torch.CPU (system names) clip
              Expect.equal (List.map fst (score [ "vocals"; "rest" ]).Sources) [ "rest"; "vocals" ] "in the clip's order"

              for names in [ [ "voice"; "music" ]; [ "vocals" ]; [ "vocals"; "rest"; "drums" ] ] do
                  Scratch.refuses [ clip.Name; "rest, vocals"; String.concat ", " names ] (fun () -> score names |> ignore)
                  Scratch.refuses [ clip.Name; "rest, vocals" ] (fun () -> FrontEnd.requireScorable names fine [ clip ])
          }

          test "one silent source has no score and does not disturb the others; with one alone there is nothing to separate" {
              let score names =
                  let clip = { excerpt.Value with Read = excerpt.Value.Read >> List.foldBack Scratch.silenced names }
                  Evaluate.clip plain torch.float32 torch.CPU (Evaluate.idealRatioMask fine) clip

              let isScored (row: ClipScores) = [ for _, scores in row.Sources -> System.Double.IsFinite scores.Sdr ]
              Expect.equal (isScored (score [ "bass" ])) [ true; false; true; true ] "without a bass"
              Expect.equal (isScored (score [ "bass"; "drums"; "other" ])) [ false; false; false; false ] "a voice alone"
          }

          test "the floor has NSDR 0, channel by channel" {
              for name, scores in (scoreBand plain (Evaluate.mixture fine)).Sources do
                  Expect.isLessThan (abs scores.Nsdr) 1e-6 name
          }

          test "a file of four sources is read as it was; columns, tables and remarks have their names" {
              let rows = [ bandRow.Value ]
              let json = Results.ofSystem "ideal" rows
              let read = (Results.toScores json).Head
              Expect.equal (List.map fst read.Sources) [ "drums"; "bass"; "other"; "vocals" ] "the names keep their order"
              Expect.floatClose Accuracy.medium (read["other"].Sar) (bandRow.Value["other"].Sar) "the figures are read back"
              Expect.equal (json["bass"].["clips"].GetValue<int>()) 1 "summaries under their names"

              Expect.equal
                  (List.filter (fun (text: string) -> text.EndsWith "GNSDR") (Results.header excerpt.Value.Sources))
                  [ "vocals GNSDR"; "drums GNSDR"; "bass GNSDR"; "other GNSDR" ]
                  "every source has a GNSDR in the header"

              Expect.hasLength (Results.row "ideal" rows) (Results.header excerpt.Value.Sources).Length "a cell a column"
              let columns = Results.columns rows |> List.map fst

              Expect.equal
                  columns
                  [ "test clips"; "voice GNSDR"; "voice GSIR"; "voice GSAR"; "music GNSDR"; "music GSIR"; "music GSAR" ]
                  "the columns of every corpus"

              let further = Results.further rows
              Expect.stringStarts further "voice is vocals; music is drums; bass GNSDR " "the text tells of the rest"
              Expect.equal (Results.further [ score ByBestSir false ]) "" "nothing more of two"

              Expect.throwsT<System.ArgumentException>
                  (fun () ->
                      Results.ofSystem "x" [ { bandRow.Value with Sources = [ "clips", silent; "voice", silent ] } ] |> ignore)
                  "a source cannot be called as an entry of the file"
          }

          test "a name that has no scores is refused with those that have" {
              Scratch.refusesArgument [ "'voice'"; "drums, bass, other, vocals" ] (fun () ->
                  Evaluate.summary "voice" [ bandRow.Value ] |> ignore)
          } ]

[<Tests>]
let tests =
    testList
        "evaluate"
        [ bandTests

          test "files from before sources had names are read" {
              let entry = """{ "SDR": 1.5, "SIR": 2.5, "SAR": "Infinity", "NSDR": 0.5 }"""
              let clip = $$"""{ "clip": "a", "samples": 7, "estimates": "as named", "voice": {{entry}}, "music": {{entry}} }"""
              let row = (Results.toScores (JsonNode.Parse($$"""{ "clips": [ {{clip}} ] }"""))).Head
              let expected = { Sdr = 1.5; Sir = 2.5; Sar = infinity; Nsdr = 0.5 }
              Expect.equal row.Sources [ "music", expected; "voice", expected ] "the old entries become two sources"
          }

          test "estimates under each other's names are exchanged, and the scores say so" {
              let plain, swapped = score ByBestSir false, score ByBestSir true
              Expect.equal (plain.Estimates, swapped.Estimates) (AsNamed, Exchanged) "only the swapped row is exchanged"
              Expect.floatClose Accuracy.high swapped["voice"].Sdr plain["voice"].Sdr "the better pairing is scored"
              Expect.floatClose Accuracy.high swapped["music"].Nsdr plain["music"].Nsdr "the music is paired the same way"
          }

          test "paired by name, they are scored as they are called" {
              let plain, swapped = score ByName false, score ByName true
              Expect.equal (plain.Estimates, swapped.Estimates) (AsNamed, AsNamed) "paired by name, none is exchanged"
              Expect.equal plain["voice"] (score ByBestSir false).["voice"] "the same where names are right"
              Expect.isLessThan swapped["voice"].Sir -5.0 "the voice is scored by what is called voice"
          }

          test "many clips are scored as each of them" {
              let given = Evaluate.clips Scoring.papers torch.float32 torch.CPU ignore (separator true) [ clip.Value ]
              Expect.equal given [ score ByBestSir true ] "many clips have the scores of each"
              Expect.equal (Evaluate.clip Scoring.papers torch.float32 torch.CPU (separator true) clip.Value) given.Head "clip"
              Expect.equal (Evaluate.exchanged given) [ clip.Value.Name ] "the exchanged clip is named"

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
              Expect.equal (json["clips"].[0].["estimates"].GetValue<string>()) "exchanged" "the first clip was exchanged"
              Expect.equal (json["clips"].[1].["estimates"].GetValue<string>()) "as named" "the other clip was as named"
              Expect.equal (json["exchanged"].AsArray().Count) 1 "one clip is listed as exchanged"
              Expect.equal (Results.toScores json |> List.map _.Estimates) [ Exchanged; AsNamed ] "they are read as written"
              let remarks = Results.remarks rows
              Expect.hasLength remarks 1 "there is one remark for all clips"
              Expect.stringContains remarks.Head $"1 of 2 clip(s) are scored with their estimates exchanged" "it counts clips"
              Expect.stringContains remarks.Head clip.Value.Name "the remark names the exchanged clip"
              Expect.isEmpty (Results.remarks rows.Tail) "nothing to say where none is"
          }

          test "a file from before this was told does not say; one that says something else is refused" {
              let row = { Clip = "a"; Samples = 3; Estimates = AsNamed; Sources = [ "music", silent; "voice", silent ] }
              let json = Results.ofSystem "system" [ row ]
              json["clips"].[0].AsObject().Remove "estimates" |> ignore
              Expect.equal (Results.toScores json).Head.Estimates NotRecorded "an old file has no record of it"
              json["clips"].[0].["estimates"] <- JsonValue.Create "perhaps"
              Scratch.refuses [ "perhaps" ] (fun () -> Results.toScores json |> ignore)
          } ]
