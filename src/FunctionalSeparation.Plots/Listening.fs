namespace FunctionalSeparation.Plots

open System
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

/// From separated sound to what a report shows of it.
[<RequireQualifiedAccess>]
module Listening =

    let private floor = 1e-9

    /// The highest frequency in a spectrogram of a clip, in Hz, as in the figures of Huang et al. (2014).
    let highestHertz = 4000.0

    /// The spectrogram of a sound in dB, from 0 Hz to half its rate: the mean power of its channels, so that none hides another
    /// and nothing cancels.
    let wholeSpectrogram (stft: Stft) (sound: AudioBuffer) : Spectrogram =
        Memory.plain (fun () ->
            let power (channel: float32[]) = (Spectra.magnitude stft (torch.tensor channel)).squared()
            let mean = (sound.Channels |> Seq.map power |> Seq.reduce (.+)).div(float sound.Channels.Count)
            let decibels = mean.sqrt().add(floor).log10().mul 20.0

            { Decibels = decibels.to_type(torch.float64).contiguous().data<float>().ToArray() |> Array.chunkBySize stft.Bins
              SecondsPerFrame = float stft.HopLength / float sound.SampleRate
              HertzPerBin = float sound.SampleRate / float stft.FftSize })

    /// The spectrogram of a mono signal in dB, up to `highestHertz`.
    let spectrogram (stft: Stft) (sampleRate: int) (samples: float32[]) : Spectrogram =
        let whole = wholeSpectrogram stft (AudioBuffer([| samples |], sampleRate))
        let shown = max 1 (int (ceil (highestHertz / whole.HertzPerBin)))
        { whole with Decibels = whole.Decibels |> Array.map (Array.truncate shown) }

    let private mono (audio: AudioBuffer) = audio.Channels[0]

    /// A clip with the panels of Huang et al. (2014): mixture, clean voice, recovered voice, clean music, recovered music, each
    /// to see and to hear; or those of any sources, given in the order of their corpus. The last comes first.
    let clip
        (stft: Stft)
        (name: string)
        (mixture: AudioBuffer)
        (sources: string list)
        (clean: string -> AudioBuffer)
        (recovered: string -> AudioBuffer)
        : ClipView =
        let sounds =
            [ "Mixture", mixture
              for source in Stems.lastFirst sources do
                  $"Clean {source}", clean source
                  $"Recovered {source}", recovered source ]

        { Name = name
          Panels = [ for label, sound in sounds -> label, spectrogram stft sound.SampleRate (mono sound) ]
          Audio = sounds }

    /// Scores of one system as the boxes of a figure: SDR, SIR, SAR and NSDR of each source, the last one first. Ratios without
    /// bound, such as the SAR of the mixture, are left out (`Evaluate.highestDecibels`).
    let scoreSets (system: string) (rows: ClipScores list) : ScoreSet list =
        [ for source, _ in Evaluate.summaries rows do
              for metric, value in
                  [ "SDR", (fun (scores: SourceScores) -> scores.Sdr); "SIR", _.Sir; "SAR", _.Sar; "NSDR", _.Nsdr ] do
                  let bounded = [ for row in rows -> value row[source] ] |> List.filter (fun db -> db <= Evaluate.highestDecibels)
                  { Source = source; Metric = metric; System = system; Decibels = bounded } ]

    /// Provenance as the pairs that a report lists; nested entries with dotted names.
    let provenance (json: Text.Json.Nodes.JsonObject) : (string * string) list =
        let rec flat prefix (node: Text.Json.Nodes.JsonNode) =
            match node with
            | :? Text.Json.Nodes.JsonObject as inner ->
                [ for entry in inner do
                      yield! flat (prefix + "." + entry.Key) entry.Value ]
            | leaf -> [ prefix.TrimStart '.', (if isNull leaf then "" else leaf.ToString()) ]

        flat "" json
