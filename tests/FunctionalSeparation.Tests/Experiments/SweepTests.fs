module FunctionalSeparation.Tests.SweepTests

open System
open System.IO
open System.Text.Json.Nodes
open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

let private scores nsdr =
    let source = { Sdr = nsdr; Sir = 2.0 * nsdr; Sar = infinity; Nsdr = nsdr }
    [ { Clip = "a"; Samples = 3; Estimates = AsNamed; Sources = [ "music", source; "voice", source ] } ]

/// A cell that counts how often it is made; its figure is `nsdr` plus the seed.
let private counting name setting nsdr =
    let mutable made = 0

    let cell =
        { Name = name
          Settings =
            fun _ -> JsonObject [ Collections.Generic.KeyValuePair("plan", JsonValue.Create(setting: string) :> JsonNode) ]
          Needs = fun _ -> [ Split.Test ]
          Run =
            fun site ->
                made <- made + 1

                { Scores = scores (nsdr + float site.Seed)
                  Seconds = 1.5
                  Extra = [ ("STOI", 0.75); ("SDR", infinity) ]
                  Curve = [ (1, 2.5); (2, infinity) ] } }

    cell, (fun () -> made)

/// A clip that no cell here listens to.
let private clip: Clip =
    Clip.create "a" 16000 1 Stems.musicAndVoice (fun () -> Stems.ofMono 16000 [ "music", [| 1.0f |]; "voice", [| 1.0f |] ])

let private one =
    { Name = "none"
      Place = "none"
      Mixing = Mixing.unitNorm
      Train = []
      Dev = []
      Test = [ clip ]
      LeftOut = []
      Notes = [] }

let private grid folder cells =
    { Folder = folder
      Rows = cells
      Seeds = [ 0 ]
      Corpus = one
      Preset = Smoke
      Device = torch.CPU
      TensorBoard = false }

let private makeAll grid = Sweep.rows grid |> List.iter (Sweep.make grid "data")

let private table cells = { Paper = "none"; Name = "test"; Title = "A test"; Load = (fun _ -> one); Rows = cells; Claims = [] }

/// Runs a table script's options; gives the report where the table was merged.
let private script cells options =
    let mutable shown = None
    Table.main (Array.append [| "test.fsx" |] (Array.ofList options)) (fun _ report -> shown <- Some report) (table cells)
    shown

[<Tests>]
let tests =
    testList
        "Grid"
        [ test "a row is made once, and read back as it was" {
              Scratch.inFolder (fun folder ->
                  let cell, made = counting "one" "a" 3.25
                  let grid = grid folder [ cell ]
                  makeAll grid
                  makeAll grid
                  Expect.equal (made ()) 1 "the row is made once only"
                  let row = (Sweep.tryRow grid "data" (cell, 0)).Value

                  Expect.equal
                      row.Outcome
                      { Scores = scores 3.25
                        Seconds = 1.5
                        Extra = [ ("STOI", 0.75); ("SDR", infinity) ]
                        Curve = [ (1, 2.5); (2, infinity) ] }
                      "the outcome is read back as it was"

                  Expect.equal (row.Cell, row.Seed, row.Plan) ("one", 0, "a") "cell, seed and plan are read back")
          }

          test "rows with the same settings are one row; other settings, data or seeds make another" {
              Scratch.inFolder (fun folder ->
                  let first, firstMade = counting "one" "a" 1.0
                  let same, sameMade = counting "also one" "a" 1.0
                  let other, otherMade = counting "two" "b" 2.0
                  makeAll { grid folder [ first; same; other ] with Seeds = [ 0; 1 ] }
                  Expect.equal (firstMade (), sameMade (), otherMade ()) (2, 0, 2) "rows of the same settings are made once"
                  let grid = grid folder [ first ]
                  Expect.isNone (Sweep.tryRow grid "other data" (first, 0)) "other data have no row yet"
                  Expect.isNone (Sweep.tryRow grid "data" (first, 2)) "another seed has no row yet")
          }

          test "a row that another process is at is left alone" {
              Scratch.inFolder (fun folder ->
                  let cell, made = counting "one" "a" 1.0
                  let grid = grid folder [ cell ]
                  makeAll grid
                  let rowFolder = Directory.GetDirectories(Path.Combine(folder, "rows")) |> Array.exactlyOne
                  File.Delete(Path.Combine(rowFolder, "row.json"))

                  do
                      use _ = FolderLock.take rowFolder
                      makeAll grid

                  Expect.equal (made ()) 1 "not while it is taken"
                  makeAll grid
                  Expect.equal (made ()) 2 "once it is free the row is made")
          }

          test "a row that fails leaves nothing behind and can be made again" {
              Scratch.inFolder (fun folder ->
                  let mutable broken = true
                  let good, _ = counting "one" "a" 1.0

                  let cell = { good with Run = fun site -> if broken then raise (InputException "broken") else good.Run site }

                  let grid = grid folder [ cell ]
                  Expect.throwsT<InputException> (fun () -> makeAll grid) "the failure comes through"
                  Expect.isNone (Sweep.tryRow grid "data" (cell, 0)) "a failed row leaves no row"
                  broken <- false
                  makeAll grid
                  Expect.isSome (Sweep.tryRow grid "data" (cell, 0)) "the row can be made afterwards")
          }

          test "a damaged row is refused, and its file named" {
              Scratch.inFolder (fun folder ->
                  let cell, _ = counting "one" "a" 1.0
                  let grid = grid folder [ cell ]
                  makeAll grid
                  let path = Directory.GetFiles(folder, "row.json", SearchOption.AllDirectories) |> Array.exactlyOne

                  for text in [ "{ cut"; "[]"; "{}" ] do
                      File.WriteAllText(path, text)

                      try
                          Sweep.tryRow grid "data" (cell, 0) |> ignore
                          failtest $"'{text}' is refused"
                      with :? InputException as refused ->
                          Expect.stringContains refused.Message path "the message names the damaged file")
          }

          test "the parts of a job array make every row exactly once, and --merge shows them all" {
              Scratch.inFolder (fun folder ->
                  let cells = [ for i in 1..5 -> counting $"row {i}" $"{i}" (float i) ]
                  let names = [ for cell, _ in cells -> cell.Name ]
                  let run options = script (List.map fst cells) (options @ [ "--out"; folder ])

                  for part in 1..3 do
                      Expect.isNone (run [ "--cell"; $"{part}/3"; "--seeds"; "2" ]) "a part shows nothing"

                  Expect.equal [ for _, made in cells -> made () ] [ 2; 2; 2; 2; 2 ] "each row, each seed"
                  let report = (run [ "--merge"; "--seeds"; "2" ]).Value
                  Expect.equal (report.Rows |> List.map List.head) names "rows in order"
                  // Seeds 0 and 1 score 1 and 2 dB.
                  Expect.equal report.Rows[0].[1] "1.50 (1.00 to 2.00)" "mean and spread"
                  Expect.equal (List.length report.Made) 10 "the report has all ten rows")
          }

          test "a table that is made in one go is shown; some of its rows can be chosen, and those that are finished stay" {
              Scratch.inFolder (fun folder ->
                  let one, _ = counting "one" "a" 1.0
                  let two, made = counting "two" "b" 2.0
                  let report = (script [ one; two ] [ "--out"; folder; "--row"; "one" ]).Value
                  Expect.equal (report.Rows |> List.map List.head) [ "one" ] "only the chosen row is shown"
                  Expect.equal (made ()) 0 "the row that was not chosen is not made"
                  let report = (script [ two; one ] [ "--out"; folder; "--row"; "two" ]).Value
                  Expect.equal (report.Rows |> List.map List.head) [ "two"; "one" ] "in the order of the table"
                  Expect.stringContains report.Caption "one seed" "the caption tells of one seed"
                  script [ two; one ] [ "--out"; folder; "--row"; "two"; "--seeds"; "2" ] |> ignore
                  let report = (script [ two; one ] [ "--out"; folder; "--row"; "one" ]).Value
                  Expect.equal report.Rows[0].[1] "2.50 (2.00 to 3.00)" "a second seed stays"
                  Expect.stringContains report.Caption "1 to 2 seeds a row" "the caption tells the numbers of seeds")
          }

          test "rows that results.csv has stay in a table whose rows were made elsewhere, and are marked" {
              Scratch.inFolder (fun folder ->
                  let first, _ = counting "one, with a comma" "a, b" 1.26
                  let plain, _ = counting "two" "b" 2.0
                  let second = plain |> Row.onCorpus "held out" (fun corpus -> { corpus with Test = [] })
                  let grid = { grid folder [ first; second ] with Preset = Brief; Seeds = [ 0; 1 ] }
                  // The folder of the paper is the scratch folder.
                  let table = { table [ first; second ] with Paper = folder }
                  makeAll grid
                  let rows = Sweep.rows grid |> List.choose (Sweep.tryRow grid "data")
                  let csv = Path.Combine(folder, "results.csv")
                  TableReport.record table grid rows
                  // An older record of each comes before, and rows that do not say what they are known by.
                  let lines = File.ReadAllLines csv
                  let older = lines |> Array.skip 1 |> Array.map _.Replace("1.260", "9.000")
                  let unknown = lines |> Array.skip 1 |> Array.map (fun line -> line[.. line.LastIndexOf ','])
                  File.WriteAllLines(csv, Array.concat [ lines[..0]; older; lines[1..]; unknown ])

                  let report data rows = TableReport.create "" table grid data rows
                  let figures (report: TableReport) = report.Rows |> List.map List.tail
                  let whole = report "data" rows
                  let here = rows |> List.filter (fun row -> row.Cell = "two" && row.Seed = 0)
                  let elsewhere = report "data" here
                  Expect.equal (figures elsewhere) (figures whole) "the same figures"
                  Expect.equal (elsewhere.Rows |> List.map List.head) [ "one, with a comma *"; "two *" ] "both rows are marked"
                  Expect.stringContains elsewhere.Caption "; *: not made here, as results.csv has it" "the mark is explained"
                  Expect.equal (whole.Rows |> List.map List.head) [ "one, with a comma"; "two" ] "not marked where it was made"
                  Expect.equal (List.length elsewhere.Made) 1 "one row counts as made here"
                  Expect.equal (figures (report "data" [])) (figures whole) "nothing made here"

                  let names table grid = (TableReport.create "" table grid "data" here).Rows |> List.map List.head
                  let other = { first with Settings = (counting "" "c" 0.0 |> fst).Settings }
                  Expect.equal (names { table with Rows = [ other; second ] } grid) [ "two *" ] "other settings are left out"
                  Expect.equal (names table { grid with Preset = Smoke }) [ "two" ] "another preset takes none of them"
                  Expect.isEmpty (report "other data" []).Rows "rows of other clips are not taken"

                  for damaged in [ "cut"; lines[1].Replace("Z,1,", "Z,one,") ] do
                      File.WriteAllLines(csv, [| lines[0]; damaged |])

                      try
                          report "data" here |> ignore
                          failtest $"'{damaged}' is refused"
                      with :? InputException as cause ->
                          Expect.stringContains cause.Message $"{csv}: line 2 is damaged" "the damaged line is named")
          }

          test "a table of four sources has a column for each, and its row of figures the columns of every table" {
              Scratch.inFolder (fun folder ->
                  let names = [ "drums"; "bass"; "other"; "vocals" ]
                  let figure value = { Sdr = value; Sir = value; Sar = value; Nsdr = value }
                  let row = { (scores 0.0).Head with Sources = [ for i, name in List.indexed names -> name, figure (float i) ] }
                  let cell, _ = counting "one" "a" 0.0
                  let four = { cell with Run = fun site -> { cell.Run site with Scores = [ row ] } }
                  let report = (script [ four ] [ "--out"; folder ]).Value

                  Expect.equal
                      (List.truncate 7 report.Header)
                      [ "system"; "vocals GNSDR"; "GSIR"; "GSAR"; "drums GNSDR"; "bass GNSDR"; "other GNSDR" ]
                      "the header has columns for each source"

                  Expect.equal
                      (List.truncate 7 report.Rows.Head)
                      [ "one"; "3.00"; "3.00"; "3.00"; "0.00"; "1.00"; "2.00" ]
                      "the row has figures for each source")
          }

          test "rows on other mixtures of the same sound are other rows" {
              let mixed mixing = Sweep.fingerprint { grid "" [] with Corpus = { one with Mixing = mixing } }
              Expect.equal (mixed Mixing.unitNorm) (Corpus.fingerprint [ clip ]) "the papers' way is not mentioned"
              Expect.stringContains (mixed Mixing.plain) "as recorded" "another mixing is in the fingerprint"
          }

          test "two rows of one name and claims about no row are refused" {
              let one, _ = counting "one" "a" 1.0
              let again, _ = counting "one" "b" 1.0

              let refuse table =
                  Expect.throwsT<ArgumentException>(fun () -> Table.main [| "test.fsx"; "--list" |] (fun _ _ -> ()) table)

              refuse (table [ one; again ]) "two rows of one name are refused"
              refuse { table [ one ] with Claims = [ { Text = "Claim"; Pairs = [ ("one", "two") ] } ] } "no claim without rows"
          }

          test "verdicts count the comparisons in which a claim holds" {
              let gnsdr =
                  function
                  | "a" -> Some 3.0
                  | "b" -> Some 2.5
                  | "c" -> Some 2.0
                  | "a hair less than c" -> Some 1.9999
                  | _ -> None

              let verdict pairs = TableReport.verdict None gnsdr { Text = "Claim"; Pairs = pairs }
              Expect.stringContains (verdict [ ("a", "b"); ("a", "c") ]) "holds, in 2 of 2 comparisons, by +0.75 dB" "holds"
              Expect.stringContains (verdict [ ("c", "a") ]) "does not hold, in 0 of 1 comparisons, by -1.00 dB" "does not"
              Expect.stringContains (verdict [ ("b", "a"); ("b", "c") ]) "holds in part, in 1 of 2" "the claim holds in part"
              Expect.stringContains (verdict [ ("a hair less than c", "c") ]) "by +0.00 dB" "zero has no sign of its own"
              Expect.stringContains (verdict [ ("a", "missing") ]) "not measured" "a missing row is not measured"
              let known = TableReport.verdict (Some 0.75) gnsdr { Text = "Claim"; Pairs = [ ("a", "b"); ("a", "c") ] }
              Expect.stringEnds known "1 of them by no more than seeds of one row differ (0.75 dB)." "spread of seeds"
          } ]
    |> testSequenced
