namespace FunctionalSeparation

open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// Decomposition of the magnitudes of a mixture into two matrices [frames, bins]. Their signs are ignored.
[<NoEquality; NoComparison>]
type Decomposition =
    {
        /// The part attributed to the music, [frames, bins].
        MusicPart: torch.Tensor
        /// The part attributed to the voice, [frames, bins].
        VoicePart: torch.Tensor
    }

/// How a bin of the mixture is shared between the two sources of a decomposition.
[<RequireQualifiedAccess>]
type MaskRule =
    /// All of it to the voice where |voice| > gain |music|, else to the music.
    | Binary of gain: float
    /// The voice's share is |voice|^p / (|voice|^p + |music|^p): 1 for magnitudes, 2 for powers.
    | Ratio of exponent: float

/// From sound to magnitudes, and from a decomposition back to sound.
[<NoComparison>]
type Rendering =
    {
        /// Hz.
        SampleRate: int
        /// The transform that magnitudes come from.
        Stft: Stft
        /// How each bin is shared.
        Rule: MaskRule
        /// Hz: bins below belong to the music, for no voice sings there. 0 for none.
        VoiceFrom: float
    }

/// Systems that decompose a magnitude spectrogram and mask the mixture with the result.
[<RequireQualifiedAccess>]
module Decomposition =

    /// The two matrices of a decomposition, [frames, bins] each.
    let tensors (decomposition: Decomposition) = [ decomposition.MusicPart; decomposition.VoicePart ]

    let private voiceShare rule (decomposition: Decomposition) =
        let music, voice = decomposition.MusicPart.abs (), decomposition.VoicePart.abs ()

        match rule with
        | MaskRule.Binary gain -> voice.gt(music.mul gain).to_type voice.dtype
        | MaskRule.Ratio exponent ->
            let louder = torch.maximum(music, voice).clamp_min(1e-30)
            let power (source: torch.Tensor) = (source / louder).pow(exponent)
            // Relative to the louder one: small magnitudes do not vanish below a constant.
            power voice / (power voice .+ power music).clamp_min(1e-30)

    let private isVoiced rendering (like: torch.Tensor) =
        let hertz = float rendering.SampleRate / float rendering.Stft.FftSize
        let bins = Arithmetic.Integers(0L, like.shape[1], like.device).to_type like.dtype
        bins.mul(hertz).ge(rendering.VoiceFrom).to_type like.dtype

    let private require rendering (decomposition: Decomposition) =
        let owner = "A mask of a decomposition"
        Numbers.notNegative owner "VoiceFrom" rendering.VoiceFrom
        Shapes.RequireSame(owner, "music", decomposition.MusicPart, "voice", decomposition.VoicePart)

        match rendering.Rule with
        | MaskRule.Binary gain -> Numbers.notNegative owner (nameof gain) gain
        | MaskRule.Ratio exponent -> Numbers.positive owner (nameof exponent) exponent

    /// Requires magnitudes that the algorithms of this folder can process.
    let internal requireMagnitudes (owner: string) (magnitudes: torch.Tensor) =
        Shapes.Require(owner, "magnitudes", magnitudes, [| Axis.Any "frames"; Axis.Any "bins" |])
        let isUsable = Memory.plain (fun () -> magnitudes.numel () > 0L && magnitudes.isfinite().all().item<bool>())

        if not isUsable then
            invalidArg
                (nameof magnitudes)
                $"{owner}: wants finite magnitudes, got {Shapes.Describe magnitudes} with others, or none."

    /// Masks [2, frames, bins], music first, of a decomposition: in [0, 1], and they sum to one. Bins that both leave empty
    /// belong to the music. Raises ArgumentException for parts of two shapes and for a rule out of range.
    let internal masks (rendering: Rendering) (decomposition: Decomposition) : torch.Tensor =
        require rendering decomposition

        Memory.tensor (fun () ->
            let voice = voiceShare rendering.Rule decomposition * isVoiced rendering decomposition.VoicePart
            torch.stack [ voice.rsub 1.0; voice ])

    /// The estimates [2, samples], music first, of a mixture [samples].
    let internal render rendering decompose (mixture: torch.Tensor) =
        Memory.tensor (fun () ->
            use _ = torch.no_grad ()
            let spectrogram = rendering.Stft.Forward mixture
            let masks: torch.Tensor = spectrogram.abs () |> decompose |> masks rendering
            let estimates = masks.to_type mixture.dtype * spectrogram

            if rendering.Stft.Centred then
                rendering.Stft.Inverse(estimates, mixture.shape[0])
            else
                rendering.Stft.Inverse estimates)

    /// A separator that decomposes the magnitudes [frames, bins] of the mixture, each channel by itself, and shares its bins by
    /// the rendering's rule. Its estimates are called music and voice.
    let separator (name: string) (rendering: Rendering) (decompose: torch.Tensor -> Decomposition) : Separator =
        { Name = name
          FrontEnd = { SampleRate = rendering.SampleRate; Stft = rendering.Stft }
          Sources = Stems.musicAndVoice
          Estimator = Estimator.eachChannel (render rendering decompose) }
