namespace FunctionalSeparation

open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// BSS Eval 3 scores of one source of one clip, in dB. NaN where a reference or the estimate is silent.
type SourceScores =
    {
        /// Signal to distortion.
        Sdr: float
        /// Signal to interference: how little is left of the other sources.
        Sir: float
        /// Signal to artefacts: how little there is of what was in no source.
        Sar: float
        /// SDR of the estimate minus SDR of the mixture.
        Nsdr: float
    }

/// How estimates are paired with the sources that they are scored against.
type Pairing =
    /// By the greatest mean SIR, whatever their names, as in BSS Eval 3 and the papers' tables. The row of the voice may then be
    /// that of the estimate called music (see `ClipScores.Estimates`).
    | ByBestSir
    /// Each with the source of its name.
    | ByName

/// How clips are mixed and scored.
[<NoEquality; NoComparison>]
type Scoring =
    {
        /// How sources become a mixture.
        Mixing: Mixing
        /// Which estimate a source is scored by.
        Pairing: Pairing
    }

/// Usual ways to score.
[<RequireQualifiedAccess>]
module Scoring =

    /// The papers' tables: each source at unit norm, estimates paired by BSS Eval 3.
    let papers: Scoring = { Mixing = Mixing.unitNorm; Pairing = ByBestSir }

    /// Mixtures as the corpus has them, estimates paired by BSS Eval 3.
    let ofCorpus (corpus: Corpus) : Scoring = { Mixing = corpus.Mixing; Pairing = ByBestSir }

/// Which estimates the scores of a clip belong to.
type Paired =
    /// Each source is scored by the estimate of its name.
    | AsNamed
    /// A source is scored by an estimate of another name: the voice by the one called music, say.
    | Exchanged
    /// Scores of a file that was written before this was recorded.
    | NotRecorded

/// The scores of one clip.
type ClipScores =
    {
        /// The name of the clip.
        Clip: string
        /// Length of the clip in samples: its weight in the means.
        Samples: int
        /// Which estimates these are the scores of.
        Estimates: Paired
        /// Each source by name, in the order of the corpus.
        Sources: (string * SourceScores) list
    }

    /// The scores of a source. Raises ArgumentException, naming those there are, where it is not among them.
    member row.Item
        with get (source: string): SourceScores =
            match List.tryFind (fst >> (=) source) row.Sources with
            | Some(_, scores) -> scores
            | None ->
                let known = row.Sources |> List.map fst |> String.concat ", "
                invalidArg (nameof source) $"{row.Clip}: there are no scores of '{source}', but of {known}."

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

    /// Ratios above this, in dB, are only rounding errors: the mixture has no artifacts, yet its SAR comes to some 150 dB.
    let highestDecibels = 100.0

    let private scoresAt index (scores: BssEvalScores) mixtureSdr =
        { Sdr = scores.Sdr[index]
          Sir = scores.Sir[index]
          Sar = scores.Sar[index]
          Nsdr = scores.Sdr[index] - mixtureSdr }

    let private unscored = { Sdr = nan; Sir = nan; Sar = nan; Nsdr = nan }

    /// SDR of the mixture [channels, samples] as an estimate of one source, which is the only reference; over the whole clip.
    let private mixtureSdr (reference: torch.Tensor) (mixture: torch.Tensor) =
        BssEval.Version3Channels(reference.unsqueeze 0L, mixture.unsqueeze 0L).Sdr[0]

    /// Estimates [sources, channels, samples'] in the order of these sources.
    let private inOrder (separator: Separator) (names: string list) (estimates: torch.Tensor) =
        if separator.Sources.IsEmpty || separator.Sources = names then
            estimates
        else
            let place name = List.findIndex ((=) name) separator.Sources
            torch.stack [ for name in names -> estimates[int64 (place name)] ]

    /// Estimates of the sources of a clip, in its order.
    let private estimatesOf (separator: Separator) (clip: Clip) (sources: torch.Tensor) =
        match separator.Estimator with
        | Blind separate -> separate (sources.sum 0L)
        | Oracle separate -> separate sources
        |> inOrder separator clip.Sources

    let private scoresOf pairing separator (clip: Clip) (sources: torch.Tensor) =
        let mixture = sources.sum 0L
        let estimates = estimatesOf separator clip sources
        let references = sources.narrow (2L, 0L, estimates.shape[2])
        let scores = BssEval.Version3Channels(references, estimates, BssEval.DefaultFilterLength, (pairing = ByBestSir))
        let isAsNamed = scores.Permutation = [| 0 .. clip.Sources.Length - 1 |]

        (if isAsNamed then AsNamed else Exchanged),
        [ for index, name in List.indexed clip.Sources -> name, scoresAt index scores (mixtureSdr sources[int64 index] mixture) ]

    /// Reads the sources of a clip, and checks that the separator can process it.
    let private soundFor (separator: Separator) (clip: Clip) =
        Clip.requireRate separator.FrontEnd.SampleRate clip
        Clip.requireSources separator.Sources clip
        let stems = Clip.read clip
        Clip.requireLength separator.FrontEnd.Stft clip stems
        stems

    /// Scores one clip: mixes its sources and separates the mixture. The references are cut to the length of the estimates for
    /// the estimates' scores, but not for the mixture's. Several channels are scored separately, and the means of their scores in
    /// dB count (`BssEval.Version3Channels`). Where fewer than two sources sound there is nothing to separate, and no source has
    /// a score (NaN). A silent source among several has no score. Raises InputException, naming the clip, where its sample rate
    /// or its sources are not the separator's or it is shorter than a window.
    let clip
        (scoring: Scoring)
        (dtype: torch.ScalarType)
        (device: torch.Device)
        (separator: Separator)
        (clip: Clip)
        : ClipScores =
        let stems = soundFor separator clip

        let paired, scores =
            if Clip.isMixture stems then
                Memory.plain (fun () ->
                    scoresOf scoring.Pairing separator clip (Clip.sources scoring.Mixing (Clip.key clip) dtype device stems))
            else
                AsNamed, [ for name in clip.Sources -> name, unscored ]

        { Clip = clip.Name; Samples = Stems.length stems; Estimates = paired; Sources = scores }

    /// <summary>
    /// Scores clips one after the other. `report` receives each result when it is ready. Raises InputException as `clip`.
    /// </summary>
    /// <example><code lang="fsharp">
    /// let song = Synthetic.song 2.0 "song" (Key.ofSeed 0)
    /// let clip = Clip.create song.Name 16000 1 Stems.musicAndVoice (fun () -> song.Stems)
    /// let ceiling = Evaluate.idealRatioMask FrontEnd.huang2014
    /// let rows = Evaluate.clips Scoring.papers torch.float32 torch.CPU ignore ceiling [ clip ]
    /// let voice = Evaluate.summary "voice" rows // voice.Gnsdr in dB
    /// </code></example>
    let clips
        (scoring: Scoring)
        dtype
        device
        (report: ClipScores -> unit)
        (separator: Separator)
        (clips: Clip list)
        : ClipScores list =
        [ for piece in clips do
              let scores = clip scoring dtype device separator piece
              report scores
              scores ]

    /// The clips whose estimates were exchanged, by name.
    let exchanged (rows: ClipScores list) : string list =
        rows |> List.filter (fun row -> row.Estimates = Exchanged) |> List.map _.Clip

    /// The true sources of a clip as they are mixed, and the separator's estimates from their sum, [sources, channels, samples]
    /// each. They are in the clip's order; the estimates may be shorter. Both belong to the caller. Raises InputException as
    /// `clip`.
    let estimates
        (mixing: Mixing)
        (dtype: torch.ScalarType)
        (device: torch.Device)
        (separator: Separator)
        (clip: Clip)
        : torch.Tensor * torch.Tensor =
        let stems = soundFor separator clip

        Memory.scoped (fun (sources, estimates) -> [ sources; estimates ]) (fun () ->
            let sources = Clip.sources mixing (Clip.key clip) dtype device stems
            sources, estimatesOf separator clip sources)

    /// STOI of the estimate of a source by its name (Taal et al. 2011), the mean over the channels: at most 1; NaN where the
    /// source is silent or too short. Raises InputException as `clip`, and ArgumentException where the clip has no such source.
    let stoi
        (mixing: Mixing)
        (dtype: torch.ScalarType)
        (device: torch.Device)
        (separator: Separator)
        (source: string)
        (clip: Clip)
        : float =
        let place =
            match List.tryFindIndex ((=) source) clip.Sources with
            | Some place -> int64 place
            | None ->
                invalidArg (nameof source) $"""{clip.Name}: has no source '{source}', but {String.concat ", " clip.Sources}."""

        let samples (signal: torch.Tensor) = signal.to_type(torch.float32).cpu().contiguous().data<float32>().ToArray()

        Memory.plain (fun () ->
            let sources, estimates = estimates mixing dtype device separator clip
            let reference = sources[place].narrow(1L, 0L, estimates.shape[2])

            [ for channel in 0 .. clip.Channels - 1 ->
                  let at (sound: torch.Tensor) = samples sound[int64 channel]
                  Stoi.Compute(at reference, at estimates[place], clip.SampleRate) ]
            |> List.average)

    let private isScored (scores: SourceScores) = not (System.Double.IsNaN scores.Nsdr || System.Double.IsNaN scores.Sar)

    /// Means weighted by clip length, of a source by its name. Clips without a score are left out, counted and named; NaN where
    /// no clip has one. Raises ArgumentException, naming those there are, where a clip has no such source.
    let summary (source: string) (rows: ClipScores list) : Summary =
        let scoresOf (row: ClipScores) = row[source]
        let scored, unscored = rows |> List.partition (scoresOf >> isScored)
        let weight = scored |> List.sumBy (fun row -> float row.Samples)
        let mean score = (scored |> List.sumBy (fun row -> float row.Samples * score (scoresOf row))) / weight

        { Gnsdr = mean _.Nsdr
          Gsir = mean _.Sir
          Gsar = mean _.Sar
          Clips = scored.Length
          Unscored = unscored |> List.map _.Clip }

    /// The summaries of all sources, by name, in the order of tables: the last source first.
    let summaries (rows: ClipScores list) : (string * Summary) list =
        match rows with
        | [] -> []
        | first :: _ -> [ for name, _ in Stems.lastFirst first.Sources -> name, summary name rows ]

    /// Mean, weighted by clip length, of any figure of the clips; NaN where one of them has none.
    let mean (figure: ClipScores -> float) (rows: ClipScores list) : float =
        (rows |> List.sumBy (fun row -> float row.Samples * figure row))
        / (rows |> List.sumBy (fun row -> float row.Samples))

    /// Estimates of true sources [sources, channels, samples], made channel by channel from [sources, samples].
    let private eachChannel (estimate: torch.Tensor -> torch.Tensor) : Estimator =
        let ofChannels (sources: torch.Tensor) =
            Memory.tensor (fun () ->
                torch.stack ([ for channel in 0L .. sources.shape[1] - 1L -> estimate (sources.select (1L, channel)) ], 1L))

        Oracle ofChannels

    let private masked (stft: Stft) (mask: torch.Tensor -> torch.Tensor) (sources: torch.Tensor) =
        Memory.tensor (fun () ->
            let spectrograms = stft.Forward sources
            // [frames, sources, bins] for the masks, and back.
            let masks = (mask (spectrograms.abs().transpose(0L, 1L))).transpose(0L, 1L)
            stft.Inverse(masks * spectrograms.sum (0L, keepdim = true)))

    let private oracle name mask (frontEnd: FrontEnd) =
        { Name = name; FrontEnd = frontEnd; Sources = []; Estimator = eachChannel (masked frontEnd.Stft mask) }

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
          Sources = []
          Estimator = eachChannel (mixturePhase frontEnd.Stft) }

    /// The floor: the mixture as the estimate of every source. Its NSDR is 0.
    let mixture (frontEnd: FrontEnd) : Separator =
        { Name = "mixture"
          FrontEnd = frontEnd
          Sources = []
          Estimator = Oracle(fun sources -> sources.sum(0L, keepdim = true).expand_as sources) }
