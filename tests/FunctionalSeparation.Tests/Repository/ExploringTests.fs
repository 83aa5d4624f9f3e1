/// Interactive exploration: descriptions of objects as text, and pages that one call creates.
module FunctionalSeparation.Tests.ExploringTests

open System
open System.IO
open System.Text.RegularExpressions
open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core
open FunctionalSeparation.Plots

let private song = lazy Stems.sum (Clip.read (Corpus.embedded 3).Test.Head)

/// The page at a path, without plotly.js itself; it loads nothing.
let private pageAt (path: string) =
    let html = File.ReadAllText path
    File.Delete path
    let own = Regex.Replace(html, "<script id=\"plotly\"[^>]*>.*?</script>", "", RegexOptions.Singleline)
    Expect.isFalse (Regex.IsMatch(own, "(src|href)=\"https?:")) "the page loads nothing"
    own

let private count (text: string) part = Regex.Matches(text, Regex.Escape part).Count

[<Tests>]
let tests =
    testList
        "exploring"
        [ test "tensors of any type in one line, and none is left" {
              Memory.plain (fun () ->
                  let cases =
                      [ torch.ones 3L, "[3] of float32: 1, 1, 1"
                        torch.tensor [| 0L .. 99L |], "[100] of int64: 0, 1, 2, 3, 4, 5, ..."
                        torch.tensor [| true; false |], "[2] of bool: true, false"
                        torch.tensor (2.5, dtype = torch.bfloat16), "[] of bfloat16: 2.5"
                        torch.zeros (0L, 4L), "[0, 4] of float32: "
                        torch.complex (torch.ones 1L, torch.ones(1L).neg()), "1 + -1i" ]

                  for tensor, words in cases do
                      Expect.stringContains (Describe.tensor tensor) words "the tensor is described in words"

                  let before = DisposeScopeManager.Statistics.ThreadTotalLiveCount

                  for tensor, _ in cases do
                      Describe.tensor tensor |> ignore

                  Expect.equal DisposeScopeManager.Statistics.ThreadTotalLiveCount before "none is left")

              let gone = torch.ones 3L
              gone.Dispose()
              Expect.stringContains (Describe.tensor gone) "disposed" "a disposed one"
          }

          test "layouts list each weight, or the parts of large networks, and count all" {
              let model = Conv.layer 3 2 4 --> Norm.batch 4
              let small = Describe.model model
              Expect.stringContains small "4, 2, 3, 3        72" "the weight has its shape and size"
              Expect.stringContains small "84 parameters, and 8 statistics" "all parameters are counted"

              let spec = { FrontEnd = UNet.frontEnd; Channels = 1; Sources = Stems.musicAndVoice }

              let network = UNet.family.Network UNet.medium spec
              let large = Describe.network network
              Expect.isLessThan (large.Split('\n').Length) 30 "the description fits one screen"
              Expect.stringContains large ((Layout.total (Network.layout network)).ToString "N0") "all of them"
          }

          test "corpora, clips, scores, recipes" {
              let corpus = Corpus.embedded 3
              let words = Describe.corpus corpus
              Expect.stringContains words "music, voice" "the corpus names its sources"
              Expect.isTrue (Regex.IsMatch(words, "Test +4 +4 +4")) "the test clips"
              Expect.floatClose Accuracy.medium (Corpus.hours corpus.Test) (4.0 * 8.0 / 3600.0) "four clips of 8 s are counted"
              Expect.stringContains (Describe.clip corpus.Test.Head) "mono, 16000 Hz" "the clip has channels and rate"
              let scores sdr = { Sdr = sdr; Sir = 7.0; Sar = nan; Nsdr = -0.001 }

              let row =
                  { Clip = "c"; Samples = 100; Estimates = AsNamed; Sources = [ "music", scores 1.0; "voice", scores 2.25 ] }

              let table = Describe.scores [ row ]
              Expect.stringContains table "2.25" "the table shows the SDR"
              Expect.stringContains table "no score" "a missing score is told as such"
              Expect.isFalse (table.Contains "-0.00") "no negative zero"
              let recipe = Huang2014.recipe Smoke (Huang2014.network Smoke) Huang2014.loss
              Expect.stringContains (Describe.recipe recipe) "\"loss\": \"squared error\"" "words of the recipe"
          }

          test "a trained model says at what level it hears" {
              let trained = DefaultModel.load torch.CPU
              Expect.stringContains (Describe.trained trained) "RMS" "the model says its level"
              Expect.stringContains (Describe.trained { trained with Level = None }) "as they are" "without one it says so"
              Params.dispose trained.Parameters
          }

          test "sounds to see and hear beside each other" {
              let page = pageAt (Show.compare [ "first", song.Value; "second", song.Value ])
              Expect.equal (count page "<audio") 2 "each sound has a player"
              Expect.stringContains page "first" "the sounds have their names"
              let short = AudioBuffer([| [| 0.1f; -0.1f |]; [| 0.2f; 0.0f |] |], 44100)
              Expect.equal (count (pageAt (Show.listen short)) "<audio") 1 "of two samples"

              Scratch.refusesArgument [ "nothing to compare" ] (fun () -> Show.compare [] |> ignore)
          }

          test "a page of one sound is named after it, shows half its rate, and sees each of its channels" {
              let rate = 44100
              let tone hertz = Array.init 44100 (fun i -> 0.3f * MathF.Sin(2.0f * MathF.PI * hertz * float32 i / float32 rate))
              // Opposite phases, as in a voice that is out of the middle: the mean of the samples would be silence.
              let opposite = AudioBuffer([| tone 12000.0f; Array.map (~-) (tone 12000.0f) |], rate)
              let page = pageAt (Show.spectrogram opposite)
              Expect.stringContains page $"<h1>{opposite}</h1>" "the page is titled after the sound"
              Expect.isFalse (page.Contains "compared") "nothing is compared"
              Expect.equal (count page "chart panel tall") 1 "a tall panel"
              let spectrogram = Listening.wholeSpectrogram (Stft(2048, 512, StftWindow.Hann, true)) opposite
              let middle = spectrogram.Decibels[40]
              Expect.equal middle.Length 1025 "up to half the rate"
              let loudest = Array.findIndex ((=) (Array.max middle)) middle
              Expect.isLessThan (abs (float loudest * spectrogram.HertzPerBin - 12000.0)) 30.0 "the tone is at 12 kHz"
              Expect.isGreaterThan (Array.max middle) 20.0 "the tone is loud in it"

              let waves = Figures.waveforms opposite
              Expect.equal (List.map fst waves) [ "left"; "right" ] "a chart for each channel"
              Expect.equal (count (pageAt (Show.waveform opposite)) "chart wide") 2 "on the page"
              // A part of plotly.js, once and packed, and the sound itself: 16 bits of two channels in Base64.
              let size = FileInfo(Show.listen opposite).Length
              Expect.isLessThan size (2_500_000L + 4L * 44100L * 4L / 3L) "the page is no larger than its parts"
          }

          test "a waveform keeps the greatest and least sample" {
              let samples =
                  Array.init 100000 (fun i ->
                      if i = 77777 then 0.9f
                      elif i = 55555 then -0.8f
                      else 0.0f)

              let page = pageAt (Show.waveform (AudioBuffer([| samples |], 16000)))
              Expect.stringContains page "sound of 6.25 s" "what it is"

              let chart =
                  Figures.waveforms (AudioBuffer([| samples |], 16000))
                  |> List.head
                  |> snd
                  |> Plotly.NET.GenericChart.toFigureJson

              let data =
                  [ for m in Regex.Matches(chart, "\"bdata\":\"([^\"]*)\"") -> Convert.FromBase64String m.Groups[1].Value ]

              let values = Array.init (data[1].Length / 8) (fun i -> BitConverter.ToDouble(data[1], 8 * i))
              Expect.equal (float32 (Array.max values), float32 (Array.min values)) (0.9f, -0.8f) "both extremes are kept"
              Expect.isLessThanOrEqual values.Length 4000 "the chart has few points"
          }

          test "the curves of a run, also of one under way" {
              Scratch.inFolder (fun folder ->
                  let line step =
                      RunLog.line
                          { Step = step
                            Steps = 9
                            Value = 1.0 / float step
                            Evaluations = step
                            DevGnsdr = None
                            Seconds = 1.0 }

                  let lines = String.concat "" [ for step in 1..5 -> line step ]
                  File.WriteAllText(Path.Combine(folder, "log.jsonl"), lines + "{\"step\":6,\"val")
                  Expect.stringContains (pageAt (Show.training folder)) "objective" "the page shows the curve"
                  Scratch.refuses [ "log.jsonl" ] (fun () -> Show.training (Path.Combine(folder, "nothing")) |> ignore))
          } ]
