namespace FunctionalSeparation

open FunctionalSeparation.Core

/// SDR of stems in consecutive windows of a second, and the windows in which a source is active. The SDR is that of BSS Eval 4,
/// 10 log10 |s|^2 / |s - e|^2 over all channels; its filters play no part in it. Sounds have one rate, number of channels and
/// length.
[<RequireQualifiedAccess>]
module WindowedSdr =

    /// Energies of a sound over its channels, one for each second. A sound shorter than a second is one window; a shorter rest at
    /// the end is dropped.
    let private energies (sound: AudioBuffer) : float[] =
        let size = min sound.SampleRate sound.Length

        let ofWindow index =
            sound.Channels
            |> Seq.sumBy (fun channel ->
                let mutable energy = 0.0

                for n in index * size .. (index + 1) * size - 1 do
                    energy <- energy + float channel[n] * float channel[n]

                energy)

        Array.init (if size = 0 then 0 else sound.Length / size) ofWindow

    /// Root mean square of a sound over its channels in dB relative to full scale, one for each second; -inf where it is silent.
    /// Raises ArgumentNullException where there is no sound.
    let levels (sound: AudioBuffer) : float[] =
        let samples = float (min sound.SampleRate sound.Length * sound.Channels.Count)
        energies sound |> Array.map (fun energy -> 10.0 * log10 (energy / samples))

    /// The difference of two sounds of one shape.
    let private difference (first: AudioBuffer) (second: AudioBuffer) =
        AudioBuffer(Seq.map2 (Array.map2 (-)) first.Channels second.Channels |> Array.ofSeq, first.SampleRate)

    /// SDR of an estimate in dB, one for each second; NaN where the reference is silent. Raises ArgumentException for sounds of
    /// different shape.
    let ofEstimate (reference: AudioBuffer) (estimate: AudioBuffer) : float[] =
        Array.map2
            (fun source error -> if source = 0.0 then nan else 10.0 * log10 (source / error))
            (energies reference)
            (energies (difference reference estimate))

    /// The median of values over the windows in which the reference is louder than `level`, in dB relative to full scale. NaN
    /// where there is no such window.
    let medianAbove (level: float) (reference: AudioBuffer) (values: float[]) : float =
        Array.zip (levels reference) values
        |> Array.filter (fun (loud, _) -> loud > level)
        |> Array.map snd
        |> BssEvalWindowScores.Median
