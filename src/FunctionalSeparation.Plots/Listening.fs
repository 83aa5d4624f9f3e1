namespace FunctionalSeparation.Plots

open System
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Core

/// From separated sound to what a report shows of it.
[<RequireQualifiedAccess>]
module Listening =

    let private floor = 1e-9

    /// The spectrogram of a mono signal in dB.
    let spectrogram (stft: Stft) (sampleRate: int) (samples: float32[]) : Spectrogram =
        Memory.plain (fun () ->
            let magnitude = Spectra.magnitude stft (torch.tensor samples)
            let levels = magnitude.add(floor).log10().mul(20.0).to_type(torch.float64).contiguous().data<float>().ToArray()
            let bins = stft.Bins

            { Decibels = Array.chunkBySize bins levels
              SecondsPerFrame = float stft.HopLength / float sampleRate
              HertzPerBin = float sampleRate / float stft.FftSize })

    let private mono (audio: AudioBuffer) = audio.Channels[0]

    /// A clip with the panels of Huang et al. (2014): mixture, clean voice, recovered voice, clean music, recovered music, each
    /// to see and to hear.
    let clip
        (stft: Stft)
        (name: string)
        (mixture: AudioBuffer)
        (clean: string -> AudioBuffer)
        (recovered: string -> AudioBuffer)
        : ClipView =
        let sounds =
            [ "Mixture", mixture
              "Clean voice", clean "voice"
              "Recovered voice", recovered "voice"
              "Clean music", clean "music"
              "Recovered music", recovered "music" ]

        { Name = name
          Panels = [ for label, sound in sounds -> label, spectrogram stft sound.SampleRate (mono sound) ]
          Audio = sounds }

    /// Scores of one system as the boxes of a figure: SDR, SIR, SAR and NSDR of voice and music.
    let scoreSets (system: string) (rows: ClipScores list) : ScoreSet list =
        [ for source, pick in [ "voice", (fun (row: ClipScores) -> row.Voice); "music", (fun (row: ClipScores) -> row.Music) ] do
              for metric, value in
                  [ "SDR", (fun (scores: SourceScores) -> scores.Sdr); "SIR", _.Sir; "SAR", _.Sar; "NSDR", _.Nsdr ] ->
                  { Source = source; Metric = metric; System = system; Decibels = [ for row in rows -> value (pick row) ] } ]

    /// Provenance as the pairs that a report lists; nested entries with dotted names.
    let provenance (json: Text.Json.Nodes.JsonObject) : (string * string) list =
        let rec flat prefix (node: Text.Json.Nodes.JsonNode) =
            match node with
            | :? Text.Json.Nodes.JsonObject as inner ->
                [ for entry in inner do
                      yield! flat (prefix + "." + entry.Key) entry.Value ]
            | leaf -> [ prefix.TrimStart '.', (if isNull leaf then "" else leaf.ToString()) ]

        flat "" json
