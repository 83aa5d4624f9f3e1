namespace FunctionalSeparation

open FunctionalSeparation.Core

/// Systems that learn nothing, with the settings that were chosen on training clips of MIR-1K at 16 kHz
/// (`papers/huang2014/notes.md`).
[<RequireQualifiedAccess>]
module ClassicalSystems =

    let private rate = 16000

    let private stft = lazy Stft(1024, 256, StftWindow.Hann, true)

    /// Ratio masks with the exponent 1.5; the voice has nothing below 120 Hz.
    let rendering () : Rendering = { SampleRate = rate; Stft = stft.Value; Rule = MaskRule.Ratio 1.5; VoiceFrom = 120.0 }

    /// Settings of the robust principal component analysis.
    let rpcaSettings: Rpca = { Rpca.huang2012 with Sparsity = 1.25; Tolerance = 1e-3 }

    /// Settings of the harmonic/percussive separation, at two resolutions.
    let hpssSettings () : Hpss =
        { SampleRate = rate
          Long = Stft(8192, 2048, StftWindow.Hann, true)
          Short = Stft(512, 128, StftWindow.Hann, true)
          Frames = 8
          Bins = 8
          Rule = MaskRule.Ratio 1.5
          VoiceFrom = 120.0 }

    /// Robust principal component analysis: the music is of low rank, the voice sparse (Huang et al. 2012).
    let rpca () : Separator = Decomposition.separator "RPCA" (rendering ()) (Rpca.decompose rpcaSettings)

    /// RPCA with a harmonic prior on the voice (Yang 2012).
    let rpcaHarmonic () : Separator =
        HarmonicPrior.decompose rpcaSettings HarmonicPrior.standard rate stft.Value
        |> Decomposition.separator "RPCAh" (rendering ())

    /// Harmonic/percussive separation (Tachibana et al. 2010; Fitzgerald 2010).
    let hpss () : Separator = Hpss.separator "HPSS" (hpssSettings ())

    /// The systems by the names that applications open them by.
    let byName: (string * (unit -> Separator)) list = [ "rpca", rpca; "rpcah", rpcaHarmonic; "hpss", hpss ]

    /// Systems that need more than a song, and the reason.
    let internal unavailable: (string * string) list =
        let dictionaries = "needs dictionaries that are learnt from training clips. See scripts/huang2014/earlier.fsx"
        let sources = "needs the true sources of the song"

        [ "nmf", dictionaries
          "rnmf", dictionaries
          "mlrr", dictionaries
          "ideal-binary-mask", sources
          "ideal-ratio-mask", sources ]
