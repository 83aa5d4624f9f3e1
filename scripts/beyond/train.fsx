// Trains a U-Net on data of one's own and scores it: folders of MIR-1K, of iKala, or with train, dev and test of a folder of
// stems a song (as MUSDB18-HQ), of any size: excerpts are read as they are drawn. At their rate and with their channels, two of
// which are heard together; several folders at once are brought to the rate of the first. A run that was stopped goes on when the
// same is started again. Then:
//   dotnet fsi scripts/separate.fsx SONG --model MODEL --out DIR
//   dotnet fsi scripts/beyond/train.fsx --data FOLDER [--data FOLDER] --out MODEL
#load "start.fsx"

open Argu
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core
open Start

type Size =
    | Small
    | Medium
    | Large

type OwnArgument =
    | [<AltCommandLine("-d")>] Data of folder: string
    | [<Mandatory>] Out of folder: string
    | Size of Size
    | Steps of count: int
    | Start of folder: string
    | Mono
    | Smoke

    interface IArgParserTemplate with
        member this.Usage =
            match this with
            | Data _ -> "folder of the data (may be given several times). Default: the generated band, four stems."
            | Out _ -> "folder of the model."
            | Size _ -> "small, medium or large. Default: medium."
            | Steps _ -> "steps of training. Default: 6500; on one thread a step of medium takes about a second."
            | Start _ ->
                "model folder whose weights training starts from, of the same size, channels and stems. Default: they are drawn."
            | Mono -> "train in one channel; stereo songs are then heard as middle and side."
            | Smoke -> "110 steps of a tiny network, to see that it works."

let load folder =
    if StemFolder.isIn folder then StemFolder.load folder
    elif IKala.isIn folder then IKala.load folder
    else Mir1k.load folder

/// All folders as one corpus at one rate.
let corpusOf folders isMono =
    let corpus =
        if List.isEmpty folders then
            Corpus.embeddedBand 0
        else
            Corpus.joined (List.map load folders)

    Experiment.tellLeftOut corpus
    let corpus = Inputs.usable (fun _ -> Clip.readableSamples >> ignore) corpus
    Corpus.require [ Split.Train; Split.Test ] corpus
    let first, clips = corpus.Train.Head, corpus.Train @ corpus.Dev @ corpus.Test

    let corpus =
        if clips |> List.exists (fun clip -> clip.SampleRate <> first.SampleRate) then
            Corpus.resampled first.SampleRate corpus
        else
            corpus

    if isMono then Corpus.mono corpus else corpus

/// The setting of the recipe at the rate of the data.
let specFor (clip: Clip) : SourceSpec =
    match FrontEnd.tryAtRate clip.SampleRate UNet.frontEnd with
    | Some frontEnd -> { FrontEnd = frontEnd; Channels = clip.Channels; Sources = clip.Sources }
    | None -> raise (InputException $"{clip.Name}: has {clip.SampleRate} Hz, where windows of 128 ms are not whole. Resample it.")

/// The bins that there are, of the 640 to 5 kHz: a multiple of 16, for the scales halve them four times.
let fitting (spec: SourceSpec) (settings: UNetSettings) =
    { settings with Bins = min settings.Bins (spec.FrontEnd.Stft.Bins / 16 * 16) }

Experiment.main (fun () ->
    let arguments = Experiment.arguments<OwnArgument> fsi.CommandLineArgs
    let isSmoke = arguments.Contains Smoke
    let steps = if isSmoke then 110 else arguments.GetResult(Steps, 6500)

    if steps <= warmUp then
        raise (InputException $"--steps {steps}: the rate rises for {warmUp} steps and then falls. Ask for more.")

    let corpus = corpusOf (arguments.GetResults Data) (arguments.Contains Mono)

    let settings =
        match arguments.GetResult(Size, Medium) with
        | Small -> UNet.small
        | Medium -> UNet.medium
        | Large -> UNet.large

    let spec = specFor corpus.Train.Head
    let fitted = fitting spec (if isSmoke then tiny settings else settings)
    let network = StereoUNet.family.Network { UNet = fitted; BandWidth = 0 } spec
    let sampler = Sampler.excerpts (if isSmoke then short excerpts else excerpts)

    let recipe =
        { Recipe.create network Loss.logErrorShare (muon 0.005 network) sampler (Length.Steps steps) with
            Mixing = corpus.Mixing
            Init = arguments.TryGetResult Start |> Option.map weightsOf
            Precision = (if isSmoke then Precision.Float32 else Precision.Bfloat16) }

    let scored = ScoredRun.make corpus (Run.create corpus (arguments.GetResult Out) recipe)
    printfn "%s" (Results.table (Results.header spec.Sources) [ Results.row network.Name scored.Scores ]))
