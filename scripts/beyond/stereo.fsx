// Stereo with a network of one channel: each channel heard by itself, or middle and side. Clips of the training singers, voice and two
// musics at known places. Prints the SDR of the voice's image, 10 log10 |s|^2 / |s - e|^2 over both channels, in dB.
//   dotnet fsi scripts/beyond/stereo.fsx --data MIR-1K
#load "../load.fsx"

open System
open Argu
open TorchSharp
open FunctionalSeparation

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

let sdr (truth: torch.Tensor) (estimate: torch.Tensor) =
    let length = min truth.shape[1] estimate.shape[1]
    let energy (x: torch.Tensor) = x.squared().sum().item<float32>() |> float
    let truth, estimate = truth.narrow (1L, 0L, length), estimate.narrow (1L, 0L, length)
    10.0 * log10 (energy truth / energy (truth - estimate))

Experiment.main (fun () ->
    let arguments = Experiment.arguments<StereoArgument> fsi.CommandLineArgs
    let corpus = Mir1k.loadOrEmbedded (arguments.TryGetResult Data)

    let clips =
        corpus.Dev @ (corpus.Train |> List.chunkBySize 22 |> List.map List.head)
        |> List.truncate (arguments.GetResult(Clips, 13))
        |> Array.ofList

    let trained = DefaultModel.load torch.CPU

    /// [channels, samples] -> the voice in them.
    let voiceOf (sound: torch.Tensor) = (Separation.estimate trained Soft (sound.unsqueeze 1L)).select(1L, 1L).squeeze 1L

    let sources (clip: Clip) = Clip.sources Mixing.unitNorm (Clip.key clip) torch.float32 torch.CPU (Clip.read clip)

    let scores index stands =
        Memory.plain (fun () ->
            use _ = torch.no_grad ()
            let own, other = sources clips[index], sources clips[(index + 5) % clips.Length]
            let length = min own.shape[2] other.shape[2]
            let sounds = [ own[1L, 0L]; own[0L, 0L].mul 0.7; other[0L, 0L].mul 0.7 ]
            let images = List.map2 (fun place (sound: torch.Tensor) -> at place (sound.narrow (0L, 0L, length))) stands sounds
            let mixture = List.reduce (.+) images

            sdr images.Head (voiceOf mixture),
            sdr images.Head (Stereo.ofMiddleAndSide 0L (voiceOf (Stereo.toMiddleAndSide 0L mixture))))

    printfn "| places | each channel | middle and side |\n|---|---|---|"

    for name, stands in places do
        let each, middleAndSide = [ for index in 0 .. clips.Length - 1 -> scores index stands ] |> List.unzip
        Console.WriteLine(FormattableString.Invariant $"| {name} | {List.average each:F2} | {List.average middleAndSide:F2} |"))
