// A hiss from 9 to 16 kHz that comes and goes with the voice, as sibilants do: the part of it that the library's own model
// gives to the voice (the projection of the voice's stem on it). Development clips of MIR-1K at 44.1 kHz, voice and music as they
// are.
//   dotnet fsi scripts/beyond/hiss.fsx --data MIR-1K
#load "../load.fsx"

open System
open Argu
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

type HissArgument =
    | Data of folder: string

    interface IArgParserTemplate with
        member this.Usage =
            match this with
            | Data _ -> "folder of MIR-1K. Default: the embedded corpus."

let rate = 44100

/// The band of a sound between two frequencies.
let between low high (sound: torch.Tensor) =
    let spectrum = torch.fft.rfft sound
    let hertz = float rate / float sound.shape[0]
    let isInside bin = float bin * hertz >= low && float bin * hertz <= high
    let kept = [| for bin in 0L .. spectrum.shape[0] - 1L -> if isInside bin then 1.0f else 0.0f |]
    torch.fft.irfft (spectrum * torch.tensor kept, sound.shape[0])

/// Level of a sound in pieces of 20 ms, drawn out to its length.
let envelope (sound: torch.Tensor) =
    let levels = sound.squared().unfold(0L, 882L, 882L).mean([| 1L |]).sqrt().repeat_interleave(882L, 0L)
    torch.nn.functional.pad (levels, [| 0L; sound.shape[0] - levels.shape[0] |])

let norm (sound: torch.Tensor) = sound.norm().item<float32>() |> float

let partInVoice (separator: ISeparator) (clip: Clip) =
    Memory.plain (fun () ->
        let at name = torch.tensor (Resampler.Resample(Stems.find name (Clip.read clip), rate)).Channels[0]
        let voice, music = at "voice", at "music"
        let noise = (Key.uniformTensor -1.0 1.0 [ voice.shape[0] ] (Clip.key clip)).``to`` torch.float32
        let hiss = between 9000.0 16000.0 (noise * envelope voice)
        let hiss = hiss.mul (0.3 * norm voice / norm hiss)
        let mixture = AudioBuffer([| (voice .+ music .+ hiss).data<float32>().ToArray() |], rate)
        let heard = torch.tensor (separator.Separate mixture).["voice"].Channels[0]
        (heard * hiss).sum().item<float32>() / (hiss * hiss).sum().item<float32>())

Experiment.main (fun () ->
    let arguments = Experiment.arguments<HissArgument> fsi.CommandLineArgs
    let corpus = Mir1k.loadOrEmbedded (arguments.TryGetResult Data)
    use separator = Separators.Default "cpu"

    for clip in corpus.Dev do
        Console.WriteLine(
            FormattableString.Invariant $"{clip.Name}: {partInVoice separator clip:F2} of the hiss goes with the voice"
        ))
