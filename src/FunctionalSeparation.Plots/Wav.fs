namespace FunctionalSeparation.Plots

open System
open System.IO
open FunctionalSeparation.Core

/// Sound inside a page.
[<RequireQualifiedAccess>]
module internal Wav =

    /// The sound times `gain` as a 16-bit RIFF WAVE file; what then exceeds full scale is clipped.
    let bytes (gain: float32) (audio: AudioBuffer) =
        let channels = audio.Channels.Count
        let dataLength = 2 * channels * audio.Length
        use stream = new MemoryStream(44 + dataLength)
        use writer = new BinaryWriter(stream)
        writer.Write "RIFF"B
        writer.Write(36 + dataLength)
        writer.Write "WAVEfmt "B
        writer.Write 16
        writer.Write 1s
        writer.Write(int16 channels)
        writer.Write audio.SampleRate
        writer.Write(2 * channels * audio.SampleRate)
        writer.Write(int16 (2 * channels))
        writer.Write 16s
        writer.Write "data"B
        writer.Write dataLength

        for i in 0 .. audio.Length - 1 do
            for channel in audio.Channels do
                writer.Write(int16 (MathF.Round(32767.0f * Math.Clamp(gain * channel[i], -1.0f, 1.0f))))

        stream.ToArray()

    /// The sound times `gain` as a data URI that an audio element plays.
    let dataUri gain audio = "data:audio/wav;base64," + Convert.ToBase64String(bytes gain audio)

    /// The largest magnitude in the sound; 1 = full scale.
    let peak (audio: AudioBuffer) = audio.Channels |> Seq.fold (Array.fold (fun most x -> max most (abs x))) 0.0f
