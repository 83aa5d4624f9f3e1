// Huang et al. (TASLP 2015), section IV-D: a speaker in eight noises at 0 dB, also scored by STOI. The data folder holds the
// sentences in `TSP/FA` and the noises in `noise`.
//   dotnet fsi scripts/huang2015/denoise.fsx --preset brief --data FOLDER
#load "../load.fsx"

open System.IO
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

let load =
    function
    | Some folder -> SpeechPair.inNoise (Path.Combine(folder, "TSP", "FA")) (Path.Combine(folder, "noise"))
    | None -> Corpus.embedded 0 |> Corpus.named SpeechPair.noiseAndSpeech

/// 64 ms with hops of 16 ms at 8 kHz and a square-root Hann window, padded; the embedded corpus of smoke is at 16 kHz. The scale
/// of the log powers was chosen on the development part (notes.md).
let frontEnd preset =
    let rate, size = if preset = Smoke then 16000, 1024 else SpeechPair.noiseRate, 512

    { SampleRate = rate; Stft = Stft(size, size / 4, StftWindow.Sine, true) }

let recipe recurrence units preset =
    let excerpts, epochs =
        match preset with
        | Smoke -> ExcerptSettings.ofSize 25 8, 1
        | Brief -> ExcerptSettings.ofSize 100 16, 30
        | Full -> ExcerptSettings.ofSize 100 16, 100
        | Desk
        | Paper -> ExcerptSettings.ofSize 100 16, 150

    let network =
        { Drnn.huang2014 with
            FrontEnd = frontEnd preset
            Features = LogMel
            Context = 1
            InputScale = 0.1
            Recurrence = recurrence
            Hidden = List.replicate 2 (if preset = Smoke then 20 else units)
            Sources = SpeechPair.noiseAndSpeech }

    let sampler = Sampler.excerpts { excerpts with OtherSong = 0.5 }
    Recipe.create (Drnn.network network) Huang2014.loss (Optimiser.adam (Schedule.cosine 1e-3)) sampler (Epochs epochs)

let network name recurrence units =
    let recipe = recipe recurrence units
    Row.trained name recipe |> Row.withStoi "speech" (Row.network recipe)

/// A row without training, at the rate of the corpus.
let untrained name (system: FrontEnd -> Separator) =
    let separator (site: RowSite) = system (frontEnd site.Preset)
    Row.systemAt name "nothing to learn" separator |> Row.withStoi "speech" separator

{ Paper = "huang2015"
  Name = "denoise"
  Title = "A speaker in noise"
  Load = load
  Rows =
    [ untrained "mixture" Evaluate.mixture
      untrained "ideal ratio mask" Evaluate.idealRatioMask
      network "DNN of 2 x 1000" FeedForward 1000
      network "DRNN-1 of 2 x 300" (RecurrentAt 1) 300 ]
    |> List.map (Row.withSdr [ "speech"; "noise" ])
  Claims =
    [ { Text = "A recurrent network beats a feed-forward one"
        Pairs = [ ("DRNN-1 of 2 x 300", "DNN of 2 x 1000") ] } ] }
|> Table.main fsi.CommandLineArgs TablePage.save
