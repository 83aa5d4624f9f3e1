// The main job in small: trains a deep recurrent network on generated songs, takes held-out songs apart, scores them, and
// writes a page to look at and listen to: artifacts/demo/index.html. Run by: dotnet fsi build.fsx demo
#load "load.fsx"

open System.IO
open System.Text.Json.Nodes
open FunctionalSeparation
open FunctionalSeparation.Core
open FunctionalSeparation.Plots

let folder = Path.Combine(__SOURCE_DIRECTORY__, "..", "artifacts", "demo") |> Path.GetFullPath

let recipe =
    { Recipe.smoke with
        Architecture = { Recipe.smoke.Architecture with Hidden = [ 300; 300 ] }
        Plan = RandomExcerpts({ Frames = 50; Count = 8; OtherSong = 0.5; GainRange = 3.0 }, 120, 1e-3) }

Experiment.main (fun () ->
    if Directory.Exists folder then Directory.Delete(folder, true)

    let device = Devices.Parse "cpu"
    let corpus = Corpus.embedded 0
    printfn $"{Recipe.title recipe} on {corpus.Train.Length} generated songs, tested on {corpus.Test.Length} others\n"
    let tell = Experiment.progress "training"
    let curve = ResizeArray()

    let trained, seconds =
        TrainingRun.run
            { Recipe = recipe
              Train = corpus.Train
              Dev = corpus.Dev
              Device = device
              Folder = folder
              Resume = false
              CheckpointEvery = 200
              Report =
                fun report ->
                    curve.Add(report.Step, report.Value)
                    tell report.Step report.Steps $"objective {report.Value:F1}" }

    let facts =
        [ "recipe", Recipe.toJson recipe :> JsonNode
          "corpus", JsonValue.Create corpus.Name
          "trainingData", JsonValue.Create(Corpus.fingerprint corpus.Train)
          "trainingSeconds", JsonValue.Create(System.Math.Round(seconds, 1)) ]

    let provenance = Provenance.create (string device) facts
    ModelFolder.save folder trained provenance

    let stft = trained.Architecture.FrontEnd.Stft
    let score label separator = label, Experiment.evaluate device label separator corpus.Test
    let ours = Recipe.title recipe

    let systems =
        [ score "mixture" Evaluate.mixture
          score "ideal binary mask" (Evaluate.idealBinaryMask stft)
          score ours (Separation.separator trained Soft) ]

    let rows = [ for name, scores in systems -> Results.row name scores ]
    printfn "\nHeld-out generated songs, BSS Eval 3, dB\n"
    printfn "%s\n" (Results.table Results.header rows)

    let results = Results.ofSystem ours (List.last systems |> snd)
    results["provenance"] <- provenance.DeepClone()
    Results.save (Path.Combine(folder, "results.json")) results

    // The stems, as an application would make them.
    use separator = new NetworkSeparator(ours, trained) :> ISeparator

    let separated =
        [ for clip in corpus.Test do
              let stems = clip.Read()
              let buffer samples = AudioBuffer([| samples |], clip.SampleRate)
              let mixture = buffer (Array.map2 (+) stems.Music stems.Voice)
              let recovered = separator.Separate mixture

              let write name audio =
                  AudioFile.Write(Path.Combine(folder, "stems", $"{clip.Name}_{name}.wav"), audio, SampleFormat.Pcm16) |> ignore

              write "mixture" mixture

              for stem in recovered do
                  write stem.Key stem.Value

              let clean name = buffer (if name = "voice" then stems.Voice else stems.Music)
              Listening.clip stft clip.Name mixture clean (fun name -> recovered[name]) ]

    Report.save
        (Path.Combine(folder, "index.html"))
        { Title = "A singer and a band, taken apart"
          Summary =
            [ $"{ours} with the mask inside the network (Huang et al. 2014), trained for {seconds:F0} seconds on {corpus.Train.Length} generated songs and tested on {corpus.Test.Length} others."
              "Generated songs show that everything works, not how well it works on recordings." ]
          Tables =
            [ { Caption = "Held-out songs, BSS Eval 3, length-weighted means in dB"; Header = Results.header; Rows = rows } ]
          Charts =
            [ "Training: the objective of each step", Figures.trainingCurve "objective" [ (ours, List.ofSeq curve) ]
              // The mixture has no artifacts, so its SAR knows no bound: it is in the table alone.
              "Scores of the held-out songs",
              Figures.scoreBoxes
                  [ for name, scores in List.tail systems do
                        yield! Listening.scoreSets name scores ] ]
          Clips = separated
          Provenance = Listening.provenance provenance }

    let page = Path.Combine(folder, "index.html")
    printfn $"Look and listen: {page}")
