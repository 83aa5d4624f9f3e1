// Huang et al. (TASLP 2015), section IV-B: what the tables of two speakers share. Loaded by tsp.fsx and timit.fsx.
#load "../load.fsx"

open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

/// A network of two hidden layers on log mel powers; smoke takes a small one.
let network stft recurrence units preset =
    { Drnn.huang2014 with
        FrontEnd = { FrontEnd.huang2014 with Stft = stft }
        Features = LogMel
        Context = 1
        InputScale = 5.0
        Recurrence = recurrence
        Hidden = List.replicate 2 (if preset = Smoke then 20 else units)
        Sources = SpeechPair.speakers }

/// Ours, chosen on the development part of TIMIT: spectra with context 3, 2 x 500 units.
let spectraNetwork stft preset =
    let network = network stft (RecurrentAt 1) 500 preset
    { network with Features = Magnitude; Context = 3; InputScale = 30.0 }

/// Speeds by which a speaker stays himself.
let nearSpeeds (settings: ExcerptSettings) = { settings with Speeds = [ 0.94; 1.0; 1.06 ] }

/// L-BFGS afresh on each rotation of speaker 2.
let miniBatches network gamma shift preset =
    let shift, iterations =
        match preset with
        | Smoke -> None, 2
        | Brief
        | Full
        | Desk -> Some shift, 30
        | Paper -> Some 10000, 50

    let optimiser = Lbfgs.minFunc iterations |> Optimiser.restarted iterations
    let loss = Loss.squaredError |> Loss.discriminative gamma
    Recipe.create (Drnn.network (network preset)) loss optimiser (Sampler.rotations shift iterations) (Epochs 1)

/// Adam on random excerpts: speaker 1 with speaker 2 from any piece and place.
let excerpts network gamma (settings: ExcerptSettings) epochs preset =
    let sampler = Sampler.excerpts { settings with OtherSong = 1.0 }
    let length = Epochs(if preset = Smoke then 1 else epochs)
    let loss = Loss.squaredError |> Loss.discriminative gamma
    Recipe.create (Drnn.network (network preset)) loss (Optimiser.adam (Schedule.cosine 1e-3)) sampler length

/// Supervised NMF, 40 atoms a speaker.
let nmf stft (clips: Clip list) =
    let plan =
        { MusicAtoms = 40; VoiceAtoms = 40; Frames = 4000; Iterations = 200; Divergence = Divergence.KullbackLeibler }

    let dictionaries = Dictionaries.learn torch.CPU stft plan (Key.ofSeed 0) clips
    let rendering = { SampleRate = SpeechPair.sampleRate; Stft = stft; Rule = MaskRule.Ratio 1.0; VoiceFrom = 0.0 }

    { Decomposition.separator "NMF" rendering (Dictionaries.decompose Divergence.KullbackLeibler 100 dictionaries) with
        Sources = SpeechPair.speakers }

let baselines stft =
    [ Row.system "ideal ratio mask" "magnitudes" (Evaluate.idealRatioMask { FrontEnd.huang2014 with Stft = stft })
      Row.fitted "NMF" "40 atoms a speaker, KL" (nmf stft) ]

/// Every network against the baseline.
let networkBeatsNmf networks = [ { Text = "The network beats NMF"; Pairs = [ for name in networks -> name, "NMF" ] } ]
