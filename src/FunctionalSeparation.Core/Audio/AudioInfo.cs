namespace FunctionalSeparation.Core;

/// <summary>How one sample is stored in a WAV file. All are little-endian, but for RIFX files.</summary>
public enum SampleFormat
{
    /// <summary>Unsigned 8-bit integer; silence is 128.</summary>
    Pcm8,

    /// <summary>Signed 16-bit integer.</summary>
    Pcm16,

    /// <summary>Signed 24-bit integer, three bytes a sample.</summary>
    Pcm24,

    /// <summary>Signed 32-bit integer.</summary>
    Pcm32,

    /// <summary>IEEE 754 single precision; full scale = ±1, larger values are kept.</summary>
    Float32,

    /// <summary>IEEE 754 double precision; full scale = ±1, larger values are kept.</summary>
    Float64,
}

/// <summary>The shape of a sound according to the header of its file; the sound itself is not read.</summary>
/// <param name="SampleRate">Sample rate in Hz.</param>
/// <param name="Channels">Number of channels, at least 1.</param>
/// <param name="Length">
/// Samples in each channel: exact for WAV files, otherwise stated by the header or estimated from it; 0 if unknown.
/// </param>
/// <param name="IsWav">Whether it is a WAV file whose parts are read in place.</param>
public readonly record struct AudioShape(int SampleRate, int Channels, long Length = 0, bool IsWav = false);

/// <summary>The properties of the sound in a file.</summary>
/// <param name="SampleRate">Sample rate in Hz.</param>
/// <param name="Channels">Number of channels, at least 1.</param>
/// <param name="Length">Samples in each channel, at least 1.</param>
/// <param name="Format">Container and coding as text, such as <c>WAV, 16-bit PCM</c> or <c>mp3, decoded by ffmpeg</c>.</param>
public sealed record AudioInfo(int SampleRate, int Channels, long Length, string Format)
{
    /// <summary>Duration in seconds.</summary>
    public double Seconds => (double)Length / SampleRate;

    /// <summary>
    /// Notes for the user on how the file was read, one line each; usually there are none. They report further sound tracks that are left
    /// out, a sound that starts later than its file, a header that leaves the length open, and damage that the decoder found.
    /// </summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>Whether all fields and the notes, one by one, are equal.</summary>
    public bool Equals(AudioInfo? other) =>
        other is not null
        && (SampleRate, Channels, Length, Format) == (other.SampleRate, other.Channels, other.Length, other.Format)
        && Notes.SequenceEqual(other.Notes);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(SampleRate, Channels, Length, Format);
}
