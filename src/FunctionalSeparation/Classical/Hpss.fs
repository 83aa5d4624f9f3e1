namespace FunctionalSeparation

open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// Settings of voice separation by two harmonic/percussive separations.
[<NoComparison>]
type Hpss =
    {
        /// Hz.
        SampleRate: int
        /// A window so long that a sung note, which is never steady, is spread over bins: the voice is percussive.
        Long: Stft
        /// A window so short that it is narrow in time alone: the voice is harmonic.
        Short: Stft
        /// Frames on each side that the median over time looks at.
        Frames: int
        /// Bins on each side that the median over frequency looks at.
        Bins: int
        /// How a bin is shared between harmonic and percussive.
        Rule: MaskRule
        /// Hz: bins below belong to the music, for no voice sings there. 0 for none.
        VoiceFrom: float
    }

/// Harmonic/percussive separation by median filters (FitzGerald, DAFx 2010), applied twice. With a long window the voice is in
/// the percussive part. With a short window it is in the harmonic part, where there are no drums (FitzGerald and Gainza, ISAST
/// Transactions 2010, after Tachibana et al., ICASSP 2010). NWaves has one such separation, but compares its two medians half a
/// filter's length apart in time. For four clicks a second beside a tone (17 frames, 17 bins, n_fft 1024), it separates the
/// clicks at 6 dB and the tone at 28 dB. The medians here, which are tensors, give 23 and 46 dB.
[<RequireQualifiedAccess>]
module Hpss =

    let private owner = "HPSS"

    /// The medians of each row with the rows around it, `reach` on each side, of a matrix [rows, columns]; beyond the ends the
    /// first and last rows are repeated. Raises ArgumentException for a negative reach and where there is no row.
    let internal medians (reach: int) (matrix: torch.Tensor) : torch.Tensor =
        Numbers.atLeast 0 owner (nameof reach) reach
        Shapes.Require(owner, "magnitudes", matrix, [| Axis.Any "rows"; Axis.Any "columns" |])

        Memory.tensor (fun () ->
            let around = (Spectra.withMargins (int64 reach) matrix).unfold(0L, 2L * int64 reach + 1L, 1L)
            let struct (middle, _) = around.kthvalue (int64 reach + 1L, -1L)
            middle)

    /// Magnitudes [frames, bins] as harmonic sound (the medians over time, called music here) and percussive sound (those over
    /// frequency, called voice), as with a long window. Raises ArgumentException for magnitudes that are no finite matrix.
    let internal decompose (frames: int) (bins: int) (magnitudes: torch.Tensor) : Decomposition =
        Decomposition.requireMagnitudes owner magnitudes

        Memory.scoped Decomposition.tensors (fun () ->
            { MusicPart = medians frames magnitudes; VoicePart = (magnitudes.t () |> medians bins).t().contiguous() })

    let private exchanged (decomposition: Decomposition) =
        { MusicPart = decomposition.VoicePart; VoicePart = decomposition.MusicPart }

    /// The voice is the harmonic part, by the short window, of the percussive part, by the long window; the music is the rest.
    let private render (settings: Hpss) (mixture: torch.Tensor) =
        let voiceOf stft decompose (sound: torch.Tensor) =
            let rendering =
                { SampleRate = settings.SampleRate; Stft = stft; Rule = settings.Rule; VoiceFrom = settings.VoiceFrom }

            (Decomposition.render rendering decompose sound)[1L]

        Memory.tensor (fun () ->
            let decompose = decompose settings.Frames settings.Bins
            let voice = mixture |> voiceOf settings.Long decompose |> voiceOf settings.Short (decompose >> exchanged)
            torch.stack [ mixture - voice; voice ])

    /// A separator of mixtures at the settings' rate, whose transforms are centred. It raises ArgumentException for settings out
    /// of range.
    let separator (name: string) (settings: Hpss) : Separator =
        if not (settings.Long.Centred && settings.Short.Centred) then
            invalidArg (nameof settings) $"{owner} needs centred transforms, whose inverses are as long as the sound."

        { Name = name
          FrontEnd = { SampleRate = settings.SampleRate; Stft = settings.Long }
          Sources = Stems.musicAndVoice
          Estimator = Estimator.eachChannel (render settings) }
