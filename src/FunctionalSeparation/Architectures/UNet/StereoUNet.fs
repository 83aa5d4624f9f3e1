namespace FunctionalSeparation

open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// A U-Net that processes two channels together, as middle and side, and reads the bins above its own in bands.
type StereoUNetSettings =
    {
        /// Its scales, and the bins that it reads one by one.
        UNet: UNetSettings
        /// Bins of each band above these, up to half the sample rate; a band has one mask. 0: no bands, and the bins above follow
        /// those below (see `HighBand`).
        BandWidth: int
    }

/// The family of the U-Nets for songs in stereo.
[<RequireQualifiedAccess>]
module StereoUNet =

    /// `UNet.medium` up to 8 kHz, above 5 kHz in 48 bands of 62.5 Hz, for songs at the usual level.
    let medium: StereoUNetSettings = { UNet = { UNet.medium with InputScale = 0.4 }; BandWidth = 8 }

    /// `UNet.small`, the same.
    let small: StereoUNetSettings = { medium with UNet = { UNet.small with InputScale = 0.4 } }

    let private plan (settings: StereoUNetSettings) (spec: SourceSpec) : NetworkPlan =
        Numbers.atLeast 0 "A U-Net" (nameof settings.BandWidth) settings.BandWidth
        let plan = UNet.planWith settings.BandWidth settings.UNet spec
        let bands = UNet.bandsAbove settings.UNet settings.BandWidth spec.FrontEnd.Stft

        if bands % plan.Stride <> 0 then
            invalidArg
                (nameof settings)
                $"A U-Net needs a multiple of {plan.Stride} bands above its bins, got {bands} of {settings.BandWidth} bins."

        { plan with MiddleSide = true }

    /// The family of U-Nets in stereo: networks of settings for a front end, channels and sources. The first source is what the
    /// others leave of the mixture, so estimates sum to it. Raises ArgumentException for settings that contradict each other or
    /// the front end.
    let family: Family<StereoUNetSettings> = Family.define "stereo-unet" plan
