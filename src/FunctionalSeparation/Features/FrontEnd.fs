namespace FunctionalSeparation

open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// How sound becomes spectrograms, and at which rate.
[<NoComparison>]
type FrontEnd =
    {
        /// Hz. Audio of another rate is resampled, transformed with windows as long in seconds, or refused, never reinterpreted.
        SampleRate: int
        /// Window, its length and hop in samples, and whether frames are centred.
        Stft: Stft
    }

/// Front ends: made, checked, and brought to other rates.
[<RequireQualifiedAccess>]
module FrontEnd =

    /// The setting of Huang et al. (ISMIR 2014) at 16 kHz: 64 ms windows every 32 ms.
    let huang2014: FrontEnd = { SampleRate = 16000; Stft = Stft.Huang2014 }

    /// Centred Hann windows of `fftSize` samples every `hop` samples, at a rate in Hz.
    let create (sampleRate: int) (fftSize: int) (hop: int) : FrontEnd =
        { SampleRate = sampleRate; Stft = Stft(fftSize, hop, StftWindow.Hann, true) }

    /// The front end for sound of another rate: windows as long, and as far apart, in seconds. None where that is not a whole
    /// number of samples to within 0.2 %. None also beyond 16 times the own rate, where windows would be too large for memory.
    let tryAtRate (sampleRate: int) (frontEnd: FrontEnd) : FrontEnd option =
        let stft = frontEnd.Stft
        let exact = float stft.HopLength * float sampleRate / float frontEnd.SampleRate
        let hop = round exact
        let fftSize = float (stft.FftSize / stft.HopLength) * hop

        if hop < 1.0 || abs (hop / exact - 1.0) > 0.002 || fftSize % 2.0 <> 0.0 || sampleRate / 16 > frontEnd.SampleRate then
            None
        else
            Some { SampleRate = sampleRate; Stft = Stft(int fftSize, int hop, stft.Window, stft.Centred) }

    /// Raises ArgumentException for settings that make no spectrogram.
    let require (frontEnd: FrontEnd) : unit =
        Numbers.atLeast 1 "A front end" "SampleRate" frontEnd.SampleRate
        frontEnd.Stft.Validate()

    /// Checks, before hours of work, that all clips can be scored by a system with these sources (none: any) and this front end.
    /// It reads all clips; of those that can be read in parts, only the last sample. Raises InputException, naming the clip,
    /// where one cannot be read, has another sample rate, other sources or is shorter than one window. Raises it also where there
    /// is no clip, or none in which two sources sound.
    let requireScorable (sources: string list) (frontEnd: FrontEnd) (clips: Clip list) : unit =
        let isScorable clip =
            Clip.requireRate frontEnd.SampleRate clip
            Clip.requireSources sources clip

            match clip.Parts with
            | Some _ ->
                Clip.readableSamples clip |> Clip.requireSamples frontEnd.Stft clip
                true
            | None ->
                let stems = Clip.read clip
                Clip.requireLength frontEnd.Stft clip stems
                Clip.isMixture stems

        // Filtered, not searched: every clip is looked at.
        if (List.filter isScorable clips).IsEmpty then
            match clips with
            | [] -> raise (InputException "There are no clips to score. Give data that has some.")
            | first :: _ ->
                raise (
                    InputException(
                        $"{first.Name}: in this clip and all {clips.Length} of "
                        + "its part all sources but one are silent, so there is "
                        + "nothing to score. Give clips in which several sources sound."
                    )
                )
