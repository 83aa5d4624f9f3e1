namespace FunctionalSeparation

open TorchSharp
open FunctionalSeparation.Core

/// BSS Eval 3 scores of one source of one clip, in dB. NaN where the reference or the estimate is silent.
type SourceScores =
    {
        Sdr: float
        Sir: float
        Sar: float
        /// SDR of the estimate minus SDR of the mixture.
        Nsdr: float
    }

/// The scores of one clip.
type ClipScores =
    {
        Clip: string
        /// Length of the clip in samples: its weight in the means.
        Samples: int
        Music: SourceScores
        Voice: SourceScores
    }

/// Length-weighted means over the clips that have scores, in dB.
type Summary =
    {
        /// Mean NSDR.
        Gnsdr: float
        /// Mean SIR.
        Gsir: float
        /// Mean SAR.
        Gsar: float
        /// Clips in the means.
        Clips: int
        /// Clips without a score, by name: their reference or estimate is silent.
        Unscored: string list
    }

/// Scores as folds over immutable values (Huang et al. 2014, section 3.1; BSS Eval 3.0, 512 taps).
[<RequireQualifiedAccess>]
module Evaluate =

    let private scoresAt index (scores: BssEvalScores) mixtureSdr =
        { Sdr = scores.Sdr[index]
          Sir = scores.Sir[index]
          Sar = scores.Sar[index]
          Nsdr = scores.Sdr[index] - mixtureSdr }

    /// SDR of the mixture as an estimate of one source, which is the only reference; over the whole clip.
    let private mixtureSdr (reference: torch.Tensor) (mixture: torch.Tensor) =
        BssEval.Version3(reference.unsqueeze 0L, mixture.unsqueeze 0L).Sdr[0]

    let private separate separator (sources: torch.Tensor) (mixture: torch.Tensor) =
        match separator with
        | Blind(_, separate) -> separate mixture
        | Oracle(_, separate) -> separate sources

    /// Scores one clip: sources at unit norm, their sum separated, the references cut to the length of the estimates for the
    /// estimates' scores but not for the mixture's.
    let clip (dtype: torch.ScalarType) (device: torch.Device) (separator: Separator) (clip: Clip) : ClipScores =
        Memory.plain (fun () ->
            let stems = clip.Read()
            let sources = Clip.unitNorm dtype device stems
            let mixture = sources.sum (0L)
            let estimates = separate separator sources mixture
            let scores = BssEval.Version3(sources.narrow (1L, 0L, estimates.shape[1]), estimates)

            { Clip = clip.Name
              Samples = stems.Voice.Length
              Music = scoresAt 0 scores (mixtureSdr sources[0L] mixture)
              Voice = scoresAt 1 scores (mixtureSdr sources[1L] mixture) })

    /// Scores clips one after the other. `report` is told each result as it comes.
    let clips dtype device (report: ClipScores -> unit) (separator: Separator) (clips: Clip list) : ClipScores list =
        [ for piece in clips do
              let scores = clip dtype device separator piece
              report scores
              scores ]

    let private isScored (scores: SourceScores) = not (System.Double.IsNaN scores.Nsdr || System.Double.IsNaN scores.Sar)

    /// Means weighted by clip length, of the source that `pick` takes. Clips without a score are left out, counted and named.
    let summary (pick: ClipScores -> SourceScores) (rows: ClipScores list) : Summary =
        let scored, unscored = rows |> List.partition (pick >> isScored)
        let weight = scored |> List.sumBy (fun row -> float row.Samples)
        let mean score = (scored |> List.sumBy (fun row -> float row.Samples * score (pick row))) / weight

        { Gnsdr = mean _.Nsdr
          Gsir = mean _.Sir
          Gsar = mean _.Sar
          Clips = scored.Length
          Unscored = unscored |> List.map _.Clip }

    /// Ceilings and floors of a front end: every table shows them.
    let private masked (stft: Stft) (mask: torch.Tensor -> torch.Tensor) (sources: torch.Tensor) =
        Memory.tensor (fun () ->
            let spectrograms = stft.Forward sources
            // [frames, sources, bins] for the masks, and back.
            let masks = (mask (spectrograms.abs().transpose(0L, 1L))).transpose(0L, 1L)
            stft.Inverse(masks * spectrograms.sum (0L, keepdim = true)))

    /// Ideal binary mask.
    let idealBinaryMask stft = Oracle("ideal binary mask", masked stft Mask.binary)

    /// Ideal ratio mask of magnitudes.
    let idealRatioMask stft = Oracle("ideal ratio mask", masked stft Mask.ratio)

    /// Ideal ratio mask of powers.
    let wienerMask stft = Oracle("ideal Wiener mask", masked stft Mask.wiener)

    /// The mixture as the estimate of every source: NSDR 0, up to the samples the STFT drops.
    let mixture = Blind("mixture", fun mixture -> torch.stack [ mixture; mixture ])
