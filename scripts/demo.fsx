// The main job in small: trains a deep recurrent network on generated songs, takes held-out songs apart, scores them, and
// writes a page to look at and listen to: artifacts/demo/index.html. Run by: dotnet fsi build.fsx demo
#load "load.fsx"

open System.IO
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core
open FunctionalSeparation.Plots

let folder = Path.Combine(__SOURCE_DIRECTORY__, "..", "artifacts", "demo") |> Path.GetFullPath
let corpus = Corpus.embedded 0

let recipe =
    let network = Drnn.network { Drnn.huang2014 with InputScale = 30.0; Hidden = [ 300; 300 ] }
    let sampler = Sampler.excerpts { ExcerptSettings.ofSize 50 8 with OtherSong = 0.5; GainRange = 3.0 }
    Recipe.create network Huang2014.loss (Optimiser.adam (Schedule.cosine 1e-3)) sampler (Epochs 120)

/// Takes a song apart as an application would, writes the stems, and gives what the page shows of it.
let takeApart (separator: ISeparator) (clip: Clip) =
    let stems = Clip.read clip
    let mixture = Stems.sum stems
    let recovered = separator.Separate mixture

    for name, audio in ("mixture", mixture) :: [ for stem in separator.Stems -> stem, recovered[stem] ] do
        AudioFile.Write(Path.Combine(folder, "stems", $"{clip.Name}_{name}.wav"), audio, SampleFormat.Pcm16) |> ignore

    let clean name = Stems.find name stems
    Listening.clip recipe.Network.Spec.FrontEnd.Stft clip.Name mixture clip.Sources clean (fun name -> recovered[name])

Experiment.main (fun () ->
    if Directory.Exists folder then Directory.Delete(folder, true)
    let title = Recipe.title recipe
    eprintfn $"{title} on {corpus.Train.Length} generated songs, tested on {corpus.Test.Length} others\n"

    let outcome =
        ScoredRun.make
            corpus
            { Run.create corpus folder recipe with Device = Devices.Parse "cpu"; Resume = false; CheckpointEvery = 200 }

    let score label separator = label, Experiment.evaluate Scoring.papers TorchSharp.torch.CPU label separator corpus.Test

    let header, frontEnd = Results.header corpus.Test.Head.Sources, recipe.Network.Spec.FrontEnd
    let ceiling = score "ideal binary mask" (Evaluate.idealBinaryMask frontEnd)
    let systems = [ score "mixture" (Evaluate.mixture frontEnd); ceiling; title, outcome.Scores ]
    let rows = [ for name, scores in systems -> Results.row name scores ]
    printfn "\nHeld-out generated songs, BSS Eval 3, dB\n"
    printfn "%s\n" (Results.table header rows)
    use separator = new NetworkSeparator(title, outcome.Trained) :> ISeparator
    let page = Path.Combine(folder, "index.html")

    let boxes = systems |> List.collect (fun (name, scores) -> Listening.scoreSets name scores)

    Report.save
        page
        { Title = "A singer and a band, taken apart"
          Summary =
            [ ($"{title} with the mask inside the network (Huang et al. 2014), trained for "
               + $"{outcome.Seconds:F0} seconds on {corpus.Train.Length} "
               + $"generated songs and tested on {corpus.Test.Length} others.")
              "Generated songs show that everything works, not how well it works on recordings." ]
          Tables = [ { Caption = "Held-out songs, BSS Eval 3, length-weighted means in dB"; Header = header; Rows = rows } ]
          Charts =
            [ ("Training: the objective of each step", Figures.trainingCurve "objective" [ (title, outcome.Curve) ])
              ("Scores of the held-out songs", Figures.scoreBoxes boxes) ]
          Clips = List.map (takeApart separator) corpus.Test
          Provenance = Listening.provenance outcome.Provenance }

    printfn $"Look and listen: {page}")
