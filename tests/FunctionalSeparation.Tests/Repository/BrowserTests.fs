/// Pages as a browser shows them, on a desk and on a phone, in light and dark.
module FunctionalSeparation.Tests.BrowserTests

open System
open System.IO
open System.Text.Json.Nodes
open Expecto
open FunctionalSeparation.Core
open FunctionalSeparation.Plots
open FunctionalSeparation.Tests.Scripts

let private systems = [ for i in 1..10 -> $"the network of {i} layers, trained with discrimination" ]

let private sound = AudioBuffer([| Array.init 4000 (fun i -> 0.5f * MathF.Sin(0.2f * float32 i)) |], 8000)

let private spectrogram =
    { Decibels = Array.init 30 (fun t -> Array.init 129 (fun f -> -float(t + f)))
      SecondsPerFrame = 0.016
      HertzPerBin = 31.25 }

/// Ten systems with long names, a table of fourteen columns and long names of facts.
let private report =
    let header = "system" :: [ for i in 1..13 -> $"published GNSDR {i}" ]

    { Title = "Recurrent layers and discriminative training: generated songs"
      Summary = [ "A paragraph." ]
      Tables =
        [ { Caption = "Six training clips and two test clips of generated songs; BSS Eval 3, length-weighted means in dB"
            Header = header
            Rows = [ for system in systems -> system :: [ for i in 1..13 -> $"{i}.25" ] ] } ]
      Charts =
        [ "Scores",
          Figures.scoreBoxes
              [ for i, system in List.indexed systems do
                    for metric in [ "SDR"; "SIR"; "SAR"; "NSDR" ] ->
                        { Source = "voice"
                          Metric = metric
                          System = system
                          // The first system has no artifacts.
                          Decibels = if i = 0 && metric = "SAR" then [] else [ float i; float i + 2.0 ] } ]
          "Training", Figures.trainingCurve "objective" [ for system in systems -> system, [ 1, 2.0; 2, 1.0 ] ] ]
      Clips = [ { Name = "song"; Panels = [ "Mixture", spectrogram ]; Audio = [ "Mixture", sound ] } ]
      Provenance =
        [ "recipe.network.settings.frontEnd.aSettingWithAVeryLongNameThatHasNoSpaces", "0.5"
          "the authors' network by mini-batch L-BFGS, seed 0", String.replicate 40 "0123456789"
          "command line", "dotnet fsi scripts/huang2014/architectures.fsx --preset smoke" ] }

/// Every pair of texts in the list of facts that lie on each other.
let private overprinted =
    """(() => {
      const box = element => { const range = document.createRange(); range.selectNodeContents(element); return range.getBoundingClientRect(); };
      const texts = [...document.querySelectorAll("dt, dd")].map(element => [element.textContent, box(element)]);
      return texts.flatMap(([a, r], i) => texts.slice(i + 1)
        .filter(([, s]) => r.left < s.right - 1 && s.left < r.right - 1 && r.top < s.bottom - 1 && s.top < r.bottom - 1)
        .map(([b]) => a + " | " + b));
    })()"""

let private strings (node: JsonNode) = [ for entry in node.AsArray() -> string entry ]

let private number (tab: Browser.Tab) expression = tab.Value(expression).GetValue<float>()

let private seriesColours = "[...document.querySelector('.wide .plot')._fullData].map(trace => trace.line.color)"

let private swatches =
    ("[...document.querySelector('.wide').querySelectorAll('.key "
     + "button')].map(button => button.style.getPropertyValue('--swatch'))")

let private onPage (test: Browser.Tab -> string -> unit) =
    Browser.withTab (fun tab ->
        Scratch.inFolder (fun folder ->
            let path = Path.Combine(folder, "page.html")
            Report.save path report
            test tab path))

let private fits (tab: Browser.Tab) (place: string) =
    Expect.isLessThanOrEqual (number tab "document.documentElement.scrollWidth") (number tab "innerWidth") $"{place}: it fits"
    Expect.isEmpty (strings (tab.Value overprinted)) $"{place}: facts on each other"
    let order = "document.querySelector('.wide > .plot')._fullLayout.xaxis._categories.map(category => category[1])"
    Expect.equal (strings (tab.Value order)) [ "SDR"; "SIR"; "SAR"; "NSDR" ] $"{place}: order of metrics"
    let colours = strings (tab.Value seriesColours)
    Expect.equal (List.distinct colours).Length 10 $"{place}: ten systems, ten colours: {colours}"
    Expect.equal (strings (tab.Value swatches)) colours $"{place}: the key has the colours of the chart"

    let share =
        number tab "Math.min(...[...document.querySelectorAll('.wide > .plot')].map(p => p._fullLayout._size.h / p.clientHeight))"

    Expect.isGreaterThan share 0.7 $"{place}: a chart has the room of its box"

let private scrolls (tab: Browser.Tab) =
    Expect.isGreaterThan
        (number tab "document.querySelector('.scroll').scrollWidth")
        (number tab "document.querySelector('.scroll').clientWidth")
        "the table scrolls by itself"

    Expect.isGreaterThan (number tab "document.querySelector('.caption .hint').getClientRects().length") 0.0 "and says so"

    Expect.isLessThanOrEqual
        (number tab "document.querySelector('.caption').getBoundingClientRect().right")
        (number tab "innerWidth")
        "its caption does not scroll"

/// axe-core, where the environment names its file `axe.min.js`.
let private axe = Environment.GetEnvironmentVariable "FUNCSEP_AXE"

let private violations =
    "axe.run(document, { resultTypes: ['violations'] }).then(found => found.violations.map(v => v.id + ': ' + v.nodes[0].html))"

[<Tests>]
let tests =
    testSequenced
    <| testList
        "Browser"
        [ Scratch.long "a page fits a phone and a desk, in light and dark, and throws no error" (fun () ->
              onPage (fun tab path ->
                  for width, colours in [ 390, "light"; 390, "dark"; 1280, "dark"; 1280, "light" ] do
                      tab.Show(path, width, colours)
                      fits tab $"{width} {colours}"
                      scrolls tab

                  tab.Value "document.querySelector('.key button').click()" |> ignore

                  Expect.equal
                      (string (tab.Value "document.querySelector('.wide .plot')._fullData[0].visible"))
                      "legendonly"
                      "a click hides the system"

                  Expect.isEmpty tab.Errors "the page throws no errors"))

          test "axe-core finds nothing to mend" {
              if String.IsNullOrEmpty axe then
                  skiptest "needs axe-core: FUNCSEP_AXE names its axe.min.js"

              onPage (fun tab path ->
                  for width, colours in [ 390, "dark"; 1280, "light" ] do
                      tab.Show(path, width, colours)
                      tab.Value(File.ReadAllText axe + "; 0") |> ignore
                      Expect.isEmpty (strings (tab.Value violations)) $"{width} {colours}: nothing is to mend")
          } ]
