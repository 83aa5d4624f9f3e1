/// The page of a table: its cells, and the text and clips that accompany them.
module FunctionalSeparation.Tests.TablePageTests

open System.IO
open Expecto
open Plotly.NET
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core
open FunctionalSeparation.Plots

let private cells =
    [ for system in [ Evaluate.mixture; Evaluate.idealRatioMask ] do
          let separator = system FrontEnd.huang2014
          Row.system separator.Name "nothing to learn" separator ]

/// Two generated songs to train on and two seconds of another to test on.
let private corpus =
    let whole = Corpus.embedded 0
    let song = whole.Test.Head
    let short = { song with Read = fun () -> Clip.read song |> Scratch.beginning 32000 }
    { whole with Train = List.truncate 2 whole.Train; Test = [ short ] }

let private table =
    { Paper = "none"
      Name = "test"
      Title = "Two systems"
      Load = fun _ -> corpus
      Rows = cells
      Claims = [ { Text = "A mask beats none"; Pairs = [ ("ideal ratio mask", "mixture") ] } ] }

/// Makes the table on generated songs as a script does, and shows it to the test.
let private made =
    lazy
        (let folder = Directory.CreateTempSubdirectory("funcsep-test-").FullName
         System.AppDomain.CurrentDomain.ProcessExit.Add(fun _ -> Directory.Delete(folder, true))
         let mutable shown = None
         Table.main [| "a script.fsx"; "--out"; folder |] (fun _ report -> shown <- Some report) table
         shown.Value)

let private grid preset =
    { Folder = "none"
      Rows = cells
      Seeds = [ 0 ]
      Corpus = corpus
      Preset = preset
      Device = TorchSharp.torch.CPU
      TensorBoard = false }

let private papers = Directory.GetDirectories(Path.Combine(Golden.repository, "papers")) |> List.ofArray

[<Tests>]
let tests =
    testList
        "table page"
        [ test "a ratio without bound is a dash; what is no number has no score" {
              Expect.equal
                  (List.map Results.decibels [ 151.82; infinity; 99.994; -0.001; nan ])
                  [ "–"; "–"; "99.99"; "0.00"; "no score" ]
                  "each number has its text in a cell"
          }

          test "the mixture has no artifacts: its SAR is a dash in the table and not in the figure" {
              let page = TablePage.report made.Value
              let sar = List.findIndex ((=) "GSAR") page.Tables.Head.Header

              Expect.equal
                  [ for row in page.Tables.Head.Rows -> row[0], (row[sar] = "–") ]
                  [ "mixture", true; "ideal ratio mask", false ]
                  "only the mixture has a dash for SAR"

              let sets = Listening.scoreSets "mixture" made.Value.Made.Head.Outcome.Scores

              Expect.equal
                  [ for set in sets do
                        if set.Metric = "SAR" then set.Decibels ]
                  [ []; [] ]
                  "the figure leaves the mixture's SAR out"
          }

          test "the data are in the title; a smoke page says first that nothing was trained" {
              let page = TablePage.report made.Value
              Expect.equal page.Title "Two systems: generated songs" "the title names table and data"
              Expect.stringContains page.Summary[0] "hardly trained, on 2 clips (generated songs)" "the smoke notice is first"
              Expect.stringContains page.Summary[1] "A mask beats none: holds" "the verdict follows the notice"
              let trained = TableReport.create "" table (grid Brief) "data" made.Value.Made
              Expect.isNone trained.Notice "no such notice above a table that was trained"
              Expect.equal (TablePage.report trained).Summary trained.Verdicts "a trained table has verdicts alone"
          }

          test "rows scored on other clips than the test clips are not said to be scored on those" {
              let heldOut = { corpus with Test = [ corpus.Train.Head ] }
              let of' corpus = TableReport.create "" table { grid Brief with Corpus = corpus } "data" made.Value.Made
              Expect.stringStarts (of' corpus).Caption "2 training clips and 1 test clips of generated songs, preset" "as it is"
              Expect.stringStarts (of' heldOut).Caption "generated songs, clips scored in a row: 1, preset" "made of it"
          }

          test "a page says which command made it and whose table it is" {
              let facts = (TablePage.report { made.Value with Citation = Some "A. Author, a title, 2014." }).Provenance
              let command = facts |> List.find (fst >> (=) "command line") |> snd
              Expect.stringStarts command "dotnet fsi \"a script.fsx\" --out " "the command line is among the facts"
              Expect.contains facts ("paper", "A. Author, a title, 2014.") "the paper is cited among the facts"
              Expect.isNone made.Value.Citation "a table of no paper has none"
          }

          test "every paper with a published table is cited in one line, and its figures have names" {
              let tables folder =
                  let path = Path.Combine(folder, "expected.csv")
                  if File.Exists path then Papers.expected path else []

              let published = papers |> List.filter (tables >> List.isEmpty >> not)
              Expect.isGreaterThan published.Length 2 "several papers have published tables"

              for folder in published do
                  let citation = Papers.citation folder
                  Expect.isSome citation folder
                  Expect.isFalse (citation.Value.Contains '\n') folder

                  for row in tables folder do
                      Expect.equal row.Figures.Length 3 $"{folder}: {row.Model} has three figures"
                      let names = row.Figures |> List.map fst |> String.concat ", "
                      let isSpeech = Path.GetFileName folder = "huang2015"
                      Expect.equal names (if isSpeech then "SDR, SIR, SAR" else "voice GNSDR, voice GSIR, voice GSAR") folder
          }

          test "a clip can be heard as every system separates it, at the level of the clean one" {
              let clip = (TablePage.report made.Value).Clips |> List.exactlyOne
              let labels = [ "Mixture"; "Clean voice"; "mixture"; "ideal ratio mask" ]
              Expect.equal (List.map fst clip.Panels, List.map fst clip.Audio) (labels, labels) "every system has its labels"
              let samples label = (clip.Audio |> List.find (fst >> (=) label) |> snd).Channels[0]
              let norm label = samples label |> Array.sumBy (fun x -> float x * float x) |> sqrt
              Expect.floatClose Accuracy.medium (samples "Mixture" |> Array.map abs |> Array.max |> float) 0.5 "the peak is .5"

              // Masks drop the tail of a clip that fills no frame: a hundredth of its energy.
              for system in [ "mixture"; "ideal ratio mask" ] do
                  Expect.isLessThan (abs (norm system / norm "Clean voice" - 1.0)) 0.02 $"level of {system}"

              let product = Array.map2 (fun x y -> float x * float y) (samples "Mixture") (samples "mixture") |> Array.sum

              Expect.floatClose
                  Accuracy.medium
                  (product / (norm "Mixture" * norm "mixture"))
                  1.0
                  "the mixture is separated as itself"
          }

          test "curves of training are there where something was trained, each in its own units" {
              Expect.equal
                  (List.map fst (TablePage.report made.Value).Charts)
                  [ "Scores of the test clips" ]
                  "nothing was trained"

              let row (curve: (int * float) list) =
                  let row = made.Value.Made.Head
                  { row with Outcome = { row.Outcome with Curve = curve } }

              let chart =
                  (TablePage.report { made.Value with Made = [ row [ 1, 2.0; 2, 1.0 ]; row [ 1, -500.0 ] ] }).Charts
                  |> List.last
                  |> snd

              let json = GenericChart.toFigureJson chart

              let values =
                  [ for found in System.Text.RegularExpressions.Regex.Matches(json, "\"y\":{\"bdata\":\"([^\"]*)\"") ->
                        let bytes = System.Convert.FromBase64String found.Groups[1].Value
                        [ for i in 0..8 .. bytes.Length - 1 -> System.BitConverter.ToDouble(bytes, i) ] ]

              Expect.equal values [ [ 1.0; 0.5 ]; [ -1.0 ] ] "each curve is relative to its beginning"
          }

          test "a long log is kept as means over stretches" {
              let curve = [ for step in 1..1000 -> step, float step ]
              let kept = Row.thinned curve
              Expect.hasLength kept Row.mostPoints "the thinned curve has the most points allowed"

              Expect.equal
                  (List.head kept, List.last kept)
                  ((5, 3.0), (1000, 998.0))
                  "the mean of five steps, at the last of them"

              Expect.equal (Row.thinned (List.truncate 10 curve)) (List.truncate 10 curve) "a short one as it is"
          } ]
    |> testSequenced
