module FunctionalSeparation.Tests.ReportTests

open System
open System.IO
open System.Net
open System.Text.RegularExpressions
open Expecto
open FsCheck
open Plotly.NET
open FunctionalSeparation.Core
open FunctionalSeparation.Plots

let private few = { FsCheckConfig.defaultConfig with maxTest = 20 }

let private ramp frames bins =
    { Decibels = Array.init frames (fun t -> Array.init bins (fun f -> -float(t + f)))
      SecondsPerFrame = 0.016
      HertzPerBin = 15.625 }

let private tone amplitude = AudioBuffer([| Array.init 800 (fun i -> amplitude * MathF.Sin(0.2f * float32 i)) |], 8000)

let private labels = [ "mixture"; "clean voice"; "recovered voice"; "clean music"; "recovered music" ]

let private clip name amplitude =
    { Name = name
      Panels = [ for label in labels -> label, ramp 50 257 ]
      Audio = [ for label in labels -> label, tone amplitude ] }

let private empty = { Title = "T"; Summary = []; Tables = []; Charts = []; Clips = []; Provenance = [] }

let private hostile = "</script><script>alert('x')</script> & \"<b>\""

let private full =
    { Title = hostile
      Summary = [ "One paragraph."; hostile ]
      Tables =
        [ { Caption = "Scores"
            Header = [ "System"; "SDR"; "Note" ]
            Rows = [ [ "ours"; "−1.25"; "good" ]; [ hostile; "–"; "" ] ] } ]
      Charts =
        [ "Loss", Figures.trainingCurve "loss" [ hostile, [ 1, 2.0; 2, nan; 3, 0.5 ] ]
          "Boxes",
          Figures.scoreBoxes [ { Source = "voice"; Metric = "SDR"; System = hostile; Decibels = [ 1.0; 2.0; infinity ] } ] ]
      Clips = [ clip "first" 0.5f; clip hostile 0.5f ]
      Provenance = [ "Seed", "1"; hostile, hostile ] }

/// The page without plotly.js itself.
let private withoutPlotly (html: string) =
    Regex.Replace(html, "<script id=\"plotly\"[^>]*>.*?</script>", "", RegexOptions.Singleline)

let private page = lazy Report.toHtml full
let private count (pattern: string) text = Regex.Matches(text, pattern, RegexOptions.Singleline).Count

let private group (pattern: string) text = [ for m in Regex.Matches(text, pattern, RegexOptions.Singleline) -> m.Groups[1].Value ]

/// The levels of a spectrogram chart, as they stand in its JSON.
let private levels (chart: GenericChart) =
    group "\"bdata\":\"([^\"]*)\"" (GenericChart.toFigureJson chart)
    |> List.head
    |> Convert.FromBase64String
    |> Array.map sbyte

let private figureTests =
    testList
        "Figures"
        [ test "a spectrogram is cut 60 dB below the peak, in whole dB" {
              let chart = Figures.spectrogram "t" -10.0 (ramp 50 256)
              let levels = levels chart
              Expect.equal levels.Length (50 * 256) "frames x bins"
              Expect.equal (Array.min levels, Array.max levels) (-60y, 0y) "range: what exceeds the peak is drawn as the peak"
              Expect.equal levels[20] -10y "frame 20, bin 0: -20 dB is 10 dB below the peak"
              Expect.equal levels[50 * 30] -20y "frame 0, bin 30"
          }

          test "silence, and what is not a number, is drawn as silence" {
              let silent = { ramp 2 4 with Decibels = [| Array.create 4 -infinity; Array.create 4 nan |] }
              let levels = levels (Figures.spectrogram "t" (Figures.peak silent) silent)
              Expect.all levels (fun level -> level = -60y) "silence is drawn at -60 dB"
          }

          test "a long spectrogram is pooled by its maximum" {
              let long = ramp 5000 257
              let chart = Figures.spectrogram "t" 0.0 { long with HertzPerBin = 5.0 }
              Expect.isLessThanOrEqual (levels chart).Length (700 * 256) "the pooled levels fit into 700 x 256"
              Expect.equal (Array.head (levels chart)) 0y "the maximum stays"
              Expect.isLessThan (GenericChart.toFigureJson chart).Length 300_000 "the chart is smaller than 300 kB"
          }

          test "panels share the scale of the loudest" {
              let quiet = { ramp 5 8 with Decibels = Array.create 5 (Array.create 8 -30.0) }
              let panels = Figures.panels [ "loud", ramp 5 8; "quiet", quiet ]
              Expect.equal (List.map fst panels) [ "loud"; "quiet" ] "the panels keep their order"
              Expect.equal (Array.head (levels (snd panels[1]))) -30y "30 dB below the loudest panel"
              let named (_, chart) = (GenericChart.toFigureJson chart).Contains "Time (s)"
              Expect.equal (List.map named panels) [ false; true ] "time is named once"
          }

          test "empty and ragged spectrograms are refused" {
              let refused frames =
                  Expect.throwsT<ArgumentException>
                      (fun () -> Figures.spectrogram "t" 0.0 { ramp 1 1 with Decibels = frames } |> ignore)
                      "the spectrogram is refused"

              List.iter refused [ [||]; [| [||] |]; [| [| 1.0 |]; [| 1.0; 2.0 |] |] ]
          } ]

let private pageTests =
    testList
        "Report"
        [ test "the page loads nothing" {
              let rest = withoutPlotly page.Value
              let isLocal (target: string) = target.StartsWith "data:audio/wav;base64," || target.StartsWith '#'
              Expect.all (group "(?:src|href|srcset|action|poster|data)=\"([^\"]*)\"" rest) isLocal "all targets are embedded"
              Expect.equal (count "<(link|iframe|img|object|embed|base)[ >]" rest) 0 "no element loads anything"
              Expect.equal (count @"@import|url\(|https?://" rest) 0 "there is no address of the web"
          }

          test "plotly.js is embedded once, and the size is bounded" {
              Expect.equal (count "<script id=\"plotly\"" page.Value) 1 "plotly.js is embedded once"
              Expect.isLessThan page.Value.Length 2_500_000 "the page is smaller than 2.5 MB"
          }

          test "every clip, label, player, panel and fact is there" {
              let rest = withoutPlotly page.Value
              Expect.equal (count "<audio " rest) 10 "every sound has a player"
              Expect.equal (count "class=\"chart panel\"" rest) 10 "every spectrogram has a panel"
              Expect.equal (count "class=\"chart wide\"" rest) 2 "both charts are on the page"
              Expect.equal (group "<h4>([^<]*)</h4>" rest) (labels @ labels) "each clip has all labels in order"
              Expect.equal (group "<h3>([^<]*)</h3>" rest) [ "first"; WebUtility.HtmlEncode hostile ] "both clips have titles"
              Expect.equal (count "<dt>Seed</dt><dd>1</dd>" rest) 1 "the seed is among the facts"
          }

          test "no text can become markup" {
              let rest = withoutPlotly page.Value
              Expect.equal (count "<script" rest) (2 + 10 + 1) "one script for each chart, and the page's own"
              Expect.equal (count "<script>alert|<b>" rest) 0 "hostile text makes no markup"
          }

          testPropertyWithConfig few "any title is shown as it is" (fun (NonNull title) ->
              let html = withoutPlotly (Report.toHtml { empty with Title = title })
              group "<h1>(.*?)</h1>" html = [ WebUtility.HtmlEncode title ])

          test "columns of numbers are aligned to the right, others are not" {
              let table = (group "<table[^>]*>(.*?)</table>" page.Value).Head
              Expect.equal (count "<t[hd][^>]*class=\"number\"[^>]*>" table) 3 "the SDR column: heading and two cells"
              Expect.stringContains table "<td class=\"number\">−1.25</td>" "the number is in an aligned cell"
              Expect.stringContains table "<td>good</td>" "the text is in a plain cell"
          }

          test "a row that does not fit its header is refused" {
              let table = { Caption = "c"; Header = [ "a"; "b" ]; Rows = [ [ "1" ] ] }
              Expect.throwsT<ArgumentException> (fun () -> Report.toHtml { empty with Tables = [ table ] } |> ignore) "row"
          }

          test "sounds are 16-bit WAV, and those beyond full scale are played softer and say so" {
              let html amplitude = withoutPlotly (Report.toHtml { empty with Clips = [ clip "c" amplitude ] })
              let wav html = (group "base64,([^\"]*)\"" html).Head |> Convert.FromBase64String

              let samples (bytes: byte[]) = Array.init 800 (fun i -> float32 (BitConverter.ToInt16(bytes, 44 + 2 * i)) / 32767.0f)

              let soft, loud = html 0.5f, html 2.0f
              Expect.equal (wav soft).Length (44 + 1600) "the sound is 16-bit WAV with its header"
              let error = Array.map2 (fun a b -> abs (a - b)) (samples (wav soft)) (tone 0.5f).Channels[0] |> Array.max
              Expect.isLessThan error 2e-5f "the samples are those of the sound"
              let difference = Array.map2 (fun a b -> abs (a - b)) (samples (wav loud)) (tone 1.0f).Channels[0] |> Array.max
              Expect.isLessThan difference 1e-3f "scaled, not clipped"
              Expect.stringContains loud "6.0 dB softer" "the page says how much softer it is"
              Expect.isFalse (soft.Contains "softer") "no note without need"
          }

          test "a clip may have sounds without panels, and panels without sounds" {
              let mixed = { Name = "c"; Panels = [ "seen", ramp 3 3 ]; Audio = [ "heard", tone 0.5f ] }
              let html = withoutPlotly (Report.toHtml { empty with Clips = [ mixed; { mixed with Panels = [] } ] })
              Expect.equal (group "<h4>([^<]*)</h4>" html) [ "seen"; "heard"; "heard" ] "each sound or panel has its row"
              Expect.equal (count "<audio " html, count "class=\"chart panel\"" html) (2, 1) "players and panels"
          }

          test "saving makes the folder, replaces the page and leaves nothing else" {
              let folder = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName())
              let path = Path.Combine(folder, "deep", "report.html")

              try
                  Report.save path { empty with Title = "before" }
                  Report.save path { empty with Title = "after" }
                  Expect.equal (Directory.GetFiles(Path.GetDirectoryName path)) [| path |] "the page is the only file"
                  Expect.stringContains (File.ReadAllText path) "<h1>after</h1>" "the second page replaces the first"
              finally
                  Directory.Delete(folder, true)
          }

          test "the same report gives the same page" {
              let report = { full with Charts = [] }
              Expect.isTrue (Report.toHtml report = Report.toHtml report) "two pages of one report are the same"
          } ]

[<Tests>]
let tests = testList "Plots" [ figureTests; pageTests ]
