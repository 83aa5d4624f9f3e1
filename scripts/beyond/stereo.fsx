// Stereo with a network of one channel: the mask of the sum for both channels, each channel heard by itself, or middle and side.
// Clips of the training singers, voice and two musics at known places. Prints BSS Eval 4 of the voice's image (medians of windows
// of a second, means over clips), in dB.
//   dotnet fsi scripts/beyond/stereo.fsx --data MIR-1K
#load "../load.fsx"

open System
open Argu
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

type StereoArgument =
    | Data of folder: string
    | Clips of count: int

    interface IArgParserTemplate with
        member this.Usage =
            match this with
            | Data _ -> "folder of MIR-1K. Default: the embedded corpus."
            | Clips _ -> "so many clips. Default: 13."

/// Gains of left and right.
let middle, left, right, opposite = (0.707, 0.707), (0.95, 0.31), (0.31, 0.95), (0.707, -0.707)

/// Where the voice and the two musics stand.
let places =
    [ "voice in the middle, a music on each side", [ middle; left; right ]
      "voice in the middle, one music out of phase", [ middle; opposite; middle ]
      "all in the middle", [ middle; middle; middle ]
      "voice on one side, musics in the middle and on the other", [ left; right; middle ] ]

let at (l: float, r: float) (sound: torch.Tensor) = torch.stack [| sound.mul l; sound.mul r |]

/// SDR, ISR, SIR and SAR of the first image, of images [channels, samples].
let scoresOf (truths: torch.Tensor list) (estimates: torch.Tensor list) =
    let length = truths @ estimates |> List.map (fun image -> image.shape[1]) |> List.min
    let stacked images = torch.stack [| for image: torch.Tensor in images -> image.narrow (1L, 0L, length) |]

    let scores =
        BssEval.InWindows(stacked truths, stacked estimates, BssEvalSettings.Version4 UNet.frontEnd.SampleRate)

    [ for figure in [ scores.Sdr; scores.Isr; scores.Sir; scores.Sar ] -> BssEvalWindowScores.Median figure[0] ]

Experiment.main (fun () ->
    let arguments = Experiment.arguments<StereoArgument> fsi.CommandLineArgs
    let corpus = Mir1k.loadOrEmbedded (arguments.TryGetResult Data)

    let clips =
        corpus.Dev @ (corpus.Train |> List.chunkBySize 22 |> List.map List.head)
        |> List.truncate (arguments.GetResult(Clips, 13))
        |> Array.ofList

    let trained = DefaultModel.load torch.CPU

    let stft = trained.Network.Spec.FrontEnd.Stft

    /// Mixtures [channels, samples] as a batch of one channel each -> their voices [channels, samples].
    let eachChannel (sound: torch.Tensor) = (Separation.estimate trained Soft (sound.unsqueeze 1L)).select(1L, 1L).squeeze 1L

    let middleAndSide = Stereo.toMiddleAndSide 0L >> eachChannel >> Stereo.ofMiddleAndSide 0L

    let maskOfSum (sound: torch.Tensor) =
        let views (sound: torch.Tensor) = Views.ofSpectrum stft (stft.Forward(sound.unsqueeze 1L))
        let heard = Network.input trained.Network (views (sound.mean ([| 0L |], keepdim = true)))
        let outputs = (Model.apply trained.Network.Model trained.Parameters (Activations.ofImages heard)).Value
        let voices = (Network.estimates trained.Network (views sound) (outputs.expand (2L, -1L, -1L, -1L))).Spectrum
        stft.Inverse(voices.select(1L, 1L).squeeze 1L)

    let hearings = [ "mask of the sum", maskOfSum; "each channel", eachChannel; "middle and side", middleAndSide ]

    let sources (clip: Clip) = Clip.sources Mixing.unitNorm (Clip.key clip) torch.float32 torch.CPU (Clip.read clip)

    /// Of each hearing the scores of the voice.
    let scores stands index =
        Memory.plain (fun () ->
            use _ = torch.no_grad ()
            let own, other = sources clips[index], sources clips[(index + 5) % clips.Length]
            let length = min own.shape[2] other.shape[2]
            let sounds = [ own[1L, 0L]; own[0L, 0L].mul 0.7; other[0L, 0L].mul 0.7 ]
            let images = List.map2 (fun place (sound: torch.Tensor) -> at place (sound.narrow (0L, 0L, length))) stands sounds
            let voice, music = images.Head, List.reduce (.+) images.Tail
            let mixture = voice .+ music

            [ for _, hear in hearings do
                  let heard: torch.Tensor = hear mixture
                  let rest = mixture.narrow (1L, 0L, heard.shape[1]) - heard
                  scoresOf [ voice; music ] [ heard; rest ] ])

    printfn "| places | heard as | SDR | ISR | SIR | SAR |\n|---|---|---|---|---|---|"

    for name, stands in places do
        let ofClips = List.map (scores stands) [ 0 .. clips.Length - 1 ]

        for number, (hearing, _) in List.indexed hearings do
            let mean figure = ofClips |> List.averageBy (fun clip -> clip[number][figure])

            Console.WriteLine(
                FormattableString.Invariant $"| {name} | {hearing} | {mean 0:F2} | {mean 1:F2} | {mean 2:F2} | {mean 3:F2} |"
            ))
