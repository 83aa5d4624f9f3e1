namespace FunctionalSeparation.Core;

/// <summary>How one sample is stored in a WAV file. All are little-endian.</summary>
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

/// <summary>What a file says about its sound.</summary>
/// <param name="SampleRate">Sample rate in Hz.</param>
/// <param name="Channels">Number of channels, at least 1.</param>
/// <param name="Length">Samples in each channel, at least 1.</param>
/// <param name="Format">Container and coding in words, such as <c>WAV, 16-bit PCM</c> or <c>mp3, decoded by ffmpeg</c>.</param>
public sealed record AudioInfo(int SampleRate, int Channels, long Length, string Format)
{
    /// <summary>Duration in seconds.</summary>
    public double Seconds => (double)Length / SampleRate;
}
