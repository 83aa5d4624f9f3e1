/// Numbers in files, names and identities, whatever the language of the machine.
module FunctionalSeparation.Tests.CultureTests

open System
open System.Globalization
open System.IO
open System.Text.Json.Nodes
open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core
open FunctionalSeparation.Plots

/// A decimal comma; a minus sign beyond ASCII; both, and marks of direction.
let private cultures = [ "de-DE"; "sv-SE"; "fa-IR" ]

let private under (culture: CultureInfo) (work: unit -> 'a) =
    let before = CultureInfo.CurrentCulture
    CultureInfo.CurrentCulture <- culture

    try
        work ()
    finally
        CultureInfo.CurrentCulture <- before

/// An option of a script that is a number.
type private NumberArgument =
    | Share of number: float

    interface Argu.IArgParserTemplate with
        member _.Usage = "a number."

let private recipes =
    let desk = Huang2014.recipe Desk Drnn.huang2014 Huang2014.loss

    let miniBatches shift clip =
        { desk with
            Optimiser = Lbfgs.minFunc 3 |> Optimiser.clipped clip |> Optimiser.restarted 3
            Sampler = Sampler.rotations shift 3
            Length = Epochs 2 }

    let excerpts = { ExcerptSettings.ofSize 50 8 with OtherSong = 0.5; GainRange = 3.5; Speeds = [ 0.67; 1.5 ] }

    [ Huang2014.recipe Paper Drnn.huang2014 Huang2014.loss
      desk
      Recipe.create
          (Drnn.network (Huang2014.network Brief))
          (Loss.squaredError |> Loss.discriminative 0.075)
          (Optimiser.adam (Schedule.cosine 1e-5))
          (Sampler.excerpts excerpts)
          (Epochs 7)
      miniBatches None (Transform.clipNorm 0.5)
      miniBatches (Some 9) (Transform.clipElements 0.25) ]

let private source shift = { Sdr = -3.25 + shift; Sir = 12.0625; Sar = nan; Nsdr = -0.125 }

let private rows =
    [ for i in 0..2 ->
          { Clip = $"clip{i}"
            Samples = 1000 + i
            Estimates = AsNamed
            Sources = [ "music", source -1.5; "voice", { source (float i) with Sar = 1.5 } ] } ]

let private architecture = { Drnn.huang2014 with Hidden = [ 3 ]; Recurrence = FeedForward }

let private provenance () =
    let json = JsonObject()
    json["seconds"] <- JsonValue.Create -1.5
    json

let private report: StepReport =
    { Step = 3; Steps = 9; Value = -1.5; Evaluations = 4; DevGnsdr = Some -0.75; Seconds = 1.25 }

let private page: Report =
    let spectrogram =
        { Decibels = Array.init 20 (fun t -> Array.init 65 (fun f -> -0.5 * float (t + f)))
          SecondsPerFrame = 0.016
          HertzPerBin = 62.5 }

    { Title = "A page"
      Summary = [ "Of numbers." ]
      Tables = [ { Caption = "Scores"; Header = Results.header Stems.musicAndVoice; Rows = [ Results.row "system" rows ] } ]
      Charts =
        [ "Loss", Figures.trainingCurve "loss" [ "run", [ 1, -2.5; 2, 0.125 ] ]
          "Boxes", Figures.scoreBoxes [ { Source = "voice"; Metric = "SDR"; System = "s"; Decibels = [ -1.5; 2.25 ] } ] ]
      Clips =
        [ { Name = "clip"
            Panels = [ "mixture", spectrogram ]
            Audio = [ "mixture", AudioBuffer([| Array.create 800 1.5f |], 8000) ] } ]
      Provenance = [ "Seed", "1" ] }

/// Everything that reaches a file, by name.
let private files (folder: string) =
    let at name = Path.Combine(folder, name)
    let parameters = Params.init (Network.layout (Drnn.network architecture)) torch.float32 torch.CPU (Key.ofSeed 1)

    ModelFolder.save
        (at "model")
        { Network = Drnn.network architecture; Parameters = parameters; Level = Some 0.004 }
        (provenance ())

    Checkpoint.save
        folder
        "run"
        { State =
            TrainState(
                2,
                parameters.Vector,
                OptimiserState.create [ "m", parameters.Vector ] [ "scale", -0.125; "tiny", 1e-9 ],
                -1.5,
                3,
                0.5,
                None
            )
          Best = Some { Score = -2.5; AtStep = 1; Vector = parameters.Vector }
          Seconds = 1.5 }

    Results.save (at "results.json") (Results.ofSystem "system" rows)
    Results.append (at "results.jsonl") (Results.ofSystem "system" rows)
    Results.appendCsv (at "results.csv") (Results.columns rows)
    File.WriteAllText(at "table.txt", Results.table (Results.header Stems.musicAndVoice) [ Results.row "system" rows ])
    File.WriteAllText(at "log.jsonl", RunLog.line report)

    File.WriteAllLines(at "recipes.txt", [ for recipe in recipes -> (Recipe.toJson recipe).ToJsonString() + Recipe.title recipe ])

    let transforms =
        Transform.chain
            [ Transform.clipNorm 0.5
              Transform.clipElements 2.5
              Transform.weightDecay 1e-5
              Transform.adam 0.9 0.999 1e-8 ]

    File.WriteAllText(at "optimisers.txt", Id.text transforms.Id)
    Report.save (at "page.html") page

    [ for path in Directory.GetFiles(folder, "*", SearchOption.AllDirectories) |> Array.sort ->
          Path.GetRelativePath(folder, path), File.ReadAllBytes path ]

let private writtenUnder (culture: CultureInfo) =
    let mutable written = []
    Scratch.inFolder (fun folder -> under culture (fun () -> written <- Memory.plain (fun () -> files folder)))
    written

let private plain = lazy (writtenUnder CultureInfo.InvariantCulture)

let private readBack folder =
    Memory.plain (fun () ->
        let layout = (Network.layout (Drnn.network architecture))
        let model = ModelFolder.load ModelFolder.families torch.CPU (Path.Combine(folder, "model"))
        let progress = Checkpoint.load folder torch.CPU layout "run"
        let results = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "results.json"))) |> Results.toScores

        model.Level,
        string model.Network.Architecture,
        progress.State.Value,
        progress.State.Optimiser.Numbers,
        (progress.Best |> Option.map _.Score),
        progress.Seconds,
        string results)

[<Tests>]
let tests =
    testList
        "cultures"
        [ for name in cultures do
              let culture = CultureInfo name

              test $"{name}: it writes numbers in its own way, or this test would show nothing" {
                  under culture (fun () -> Expect.notEqual $"{-0.5}" "-0.5" "a number of this culture")
              }

              test $"{name}: files, rows, pages and identities are the same bytes" {
                  for (path, bytes), (_, expected) in List.zip (writtenUnder culture) plain.Value do
                      let text = Text.Encoding.Latin1.GetString: byte[] -> string
                      Expect.equal (text bytes) (text expected) path
              }

              test $"{name}: what was written is read" {
                  Scratch.inFolder (fun folder ->
                      Memory.plain (fun () -> files folder |> ignore)
                      let expected = readBack folder
                      Expect.equal (under culture (fun () -> readBack folder)) expected "what is read is what was written")
              }

              test $"{name}: options of scripts have a decimal point" {
                  let mutable share = nan

                  under culture (fun () ->
                      Experiment.main (fun () ->
                          let arguments = Experiment.arguments<NumberArgument> [| "script.fsx"; "--share"; "0.05" |]
                          share <- arguments.GetResult Share))

                  Expect.equal share 0.05 "a decimal point is read as one"
              } ]
