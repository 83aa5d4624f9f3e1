namespace FunctionalSeparation

open TorchSharp
open FunctionalSeparation.Core

/// BSS Eval 3 scores of one source of one clip, in dB. NaN where a reference or the estimate is silent.
type SourceScores =
    {
        Sdr: float
        Sir: float
        Sar: float
        /// SDR of the estimate minus SDR of the mixture.
        Nsdr: float
    }

/// How estimates are paired with the sources that they are scored against.
type Pairing =
    /// By the greatest mean SIR, whatever they are called, as BSS Eval 3 does and the papers' tables have it: the row of the voice
    /// may then be that of the estimate called music (see `ClipScores.Estimates`).
    | ByBestSir
    /// Each with the source of its name.
    | ByName

/// Which estimates the scores of a clip belong to.
type Paired =
    /// Each source is scored by the estimate of its name.
    | AsNamed
    /// The voice is scored by the estimate called music, the music by that called voice.
    | Exchanged
    /// Scores of a file that was written before this was told.
    | NotRecorded

/// The scores of one clip.
type ClipScores =
    {
        Clip: string
        /// Length of the clip in samples: its weight in the means.
        Samples: int
        /// Which estimates these are the scores of.
        Estimates: Paired
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
        /// Clips without a score, by name: a reference is silent, or the estimate is silent or no finite number.
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

    let private unscored = { Sdr = nan; Sir = nan; Sar = nan; Nsdr = nan }

    /// SDR of the mixture as an estimate of one source, which is the only reference; over the whole clip.
    let private mixtureSdr (reference: torch.Tensor) (mixture: torch.Tensor) =
        BssEval.Version3(reference.unsqueeze 0L, mixture.unsqueeze 0L).Sdr[0]

    let private estimatesOf separator (sources: torch.Tensor) =
        match separator.Hearing with
        | Blind separate -> separate (sources.sum 0L)
        | Oracle separate -> separate sources

    let private bothScores pairing separator (sources: torch.Tensor) =
        let mixture = sources.sum (0L)
        let estimates = estimatesOf separator sources
        let references = sources.narrow (1L, 0L, estimates.shape[1])
        let scores = BssEval.Version3(references, estimates, BssEval.DefaultFilterLength, (pairing = ByBestSir))
        let paired = if scores.Permutation = [| 0; 1 |] then AsNamed else Exchanged
        paired, scoresAt 0 scores (mixtureSdr sources[0L] mixture), scoresAt 1 scores (mixtureSdr sources[1L] mixture)

    /// Scores one clip: sources at unit norm, their sum separated, the references cut to the length of the estimates for the
    /// estimates' scores but not for the mixture's. Where either source is silent there is nothing to separate, and no source
    /// has a score (NaN). Raises InputException, naming the clip, where its sample rate is not the separator's or it is
    /// shorter than a window.
    let clipBy
        (pairing: Pairing)
        (dtype: torch.ScalarType)
        (device: torch.Device)
        (separator: Separator)
        (clip: Clip)
        : ClipScores =
        Clip.requireRate separator.FrontEnd.SampleRate clip
        let stems = clip.Read()
        Clip.requireLength separator.FrontEnd.Stft clip stems

        let paired, music, voice =
            if Clip.isSilent stems then
                AsNamed, unscored, unscored
            else
                Memory.plain (fun () -> bothScores pairing separator (Clip.unitNorm dtype device stems))

        { Clip = clip.Name; Samples = stems.Voice.Length; Estimates = paired; Music = music; Voice = voice }

    /// `clipBy`, with the pairing of BSS Eval 3 and the papers' tables.
    let clip dtype device separator clip : ClipScores = clipBy ByBestSir dtype device separator clip

    /// Scores clips one after the other. `report` is told each result as it comes. Raises InputException as `clip`.
    let clipsBy
        (pairing: Pairing)
        dtype
        device
        (report: ClipScores -> unit)
        (separator: Separator)
        (clips: Clip list)
        : ClipScores list =
        [ for piece in clips do
              let scores = clipBy pairing dtype device separator piece
              report scores
              scores ]

    /// `clipsBy`, with the pairing of BSS Eval 3 and the papers' tables.
    let clips dtype device report separator clips : ClipScores list = clipsBy ByBestSir dtype device report separator clips

    /// The clips whose estimates were exchanged, by name.
    let exchanged (rows: ClipScores list) : string list =
        rows |> List.filter (fun row -> row.Estimates = Exchanged) |> List.map _.Clip

    /// STOI of the voice estimate of a clip (Taal et al. 2011): at most 1; NaN where the voice is silent or too short. Raises
    /// InputException as `clip`.
    let stoi (dtype: torch.ScalarType) (device: torch.Device) (separator: Separator) (clip: Clip) : float =
        Clip.requireRate separator.FrontEnd.SampleRate clip
        let stems = clip.Read()
        Clip.requireLength separator.FrontEnd.Stft clip stems

        let samples (signal: torch.Tensor) = signal.to_type(torch.float32).cpu().contiguous().data<float32>().ToArray()

        Memory.plain (fun () ->
            let sources = Clip.unitNorm dtype device stems
            let estimates = estimatesOf separator sources
            let voice = sources[1L].narrow(0L, 0L, estimates.shape[1])
            Stoi.Compute(samples voice, samples estimates[1L], clip.SampleRate))

    let private isScored (scores: SourceScores) = not (System.Double.IsNaN scores.Nsdr || System.Double.IsNaN scores.Sar)

    /// Means weighted by clip length, of the source that `pick` takes. Clips without a score are left out, counted and named; NaN
    /// where no clip has one.
    let summary (pick: ClipScores -> SourceScores) (rows: ClipScores list) : Summary =
        let scored, unscored = rows |> List.partition (pick >> isScored)
        let weight = scored |> List.sumBy (fun row -> float row.Samples)
        let mean score = (scored |> List.sumBy (fun row -> float row.Samples * score (pick row))) / weight

        { Gnsdr = mean _.Nsdr
          Gsir = mean _.Sir
          Gsar = mean _.Sar
          Clips = scored.Length
          Unscored = unscored |> List.map _.Clip }

    /// Mean, weighted by clip length, of any figure of the clips; NaN where one of them has none.
    let mean (figure: ClipScores -> float) (rows: ClipScores list) : float =
        (rows |> List.sumBy (fun row -> float row.Samples * figure row))
        / (rows |> List.sumBy (fun row -> float row.Samples))

    let private masked (stft: Stft) (mask: torch.Tensor -> torch.Tensor) (sources: torch.Tensor) =
        Memory.tensor (fun () ->
            let spectrograms = stft.Forward sources
            // [frames, sources, bins] for the masks, and back.
            let masks = (mask (spectrograms.abs().transpose(0L, 1L))).transpose(0L, 1L)
            stft.Inverse(masks * spectrograms.sum (0L, keepdim = true)))

    let private oracle name mask (frontEnd: FrontEnd) =
        { Name = name; FrontEnd = frontEnd; Hearing = Oracle(masked frontEnd.Stft mask) }

    /// A ceiling: the ideal binary mask of a front end.
    let idealBinaryMask (frontEnd: FrontEnd) : Separator = oracle "ideal binary mask" Mask.binary frontEnd

    /// A ceiling: the ideal ratio mask of magnitudes.
    let idealRatioMask (frontEnd: FrontEnd) : Separator = oracle "ideal ratio mask" Mask.ratio frontEnd

    /// A ceiling: the ideal ratio mask of powers.
    let wienerMask (frontEnd: FrontEnd) : Separator = oracle "ideal Wiener mask" Mask.wiener frontEnd

    let private mixturePhase (stft: Stft) (sources: torch.Tensor) =
        Memory.tensor (fun () ->
            let spectrograms = stft.Forward sources
            let mixture = spectrograms.sum (0L, keepdim = true)
            // A bin of silence has no phase, and the inverse needs none.
            stft.Inverse(spectrograms.abs () * mixture / mixture.abs().clamp_min(1e-30)))

    /// A ceiling of systems that estimate magnitudes without a mask: the true magnitudes with the mixture's phase.
    let trueMagnitude (frontEnd: FrontEnd) : Separator =
        { Name = "true magnitude with mixture phase"
          FrontEnd = frontEnd
          Hearing = Oracle(mixturePhase frontEnd.Stft) }

    /// The floor: the mixture as the estimate of every source. Its NSDR is 0.
    let mixture (frontEnd: FrontEnd) : Separator =
        { Name = "mixture"; FrontEnd = frontEnd; Hearing = Blind(fun mixture -> torch.stack [ mixture; mixture ]) }
