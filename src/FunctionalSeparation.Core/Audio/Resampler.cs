using System.Numerics;

namespace FunctionalSeparation.Core;

/// <summary>
/// Changes the sample rate by a ratio of whole numbers, with a polyphase windowed-sinc filter without delay: flat to 0.95 of
/// the smaller Nyquist frequency, and from that Nyquist frequency on at least 100 dB down. The Kaiser window and the filter's
/// length follow J. F. Kaiser, "Nonrecursive digital filter design using the I0-sinh window function", ISCAS 1974, with the
/// formulas as in Oppenheim and Schafer, "Discrete-Time Signal Processing", section 7.5.3. Sums are in double precision; beyond
/// its two ends the sound is taken as silent.
/// </summary>
public static class Resampler
{
    private static volatile PolyphaseFilter? s_last;

    /// <summary>Changes the sample rate of all channels.</summary>
    /// <param name="audio">Any length.</param>
    /// <param name="targetRate">The new sample rate in Hz.</param>
    /// <returns>
    /// ceil(length × target rate / rate) samples a channel, sample 0 at the time of the input's sample 0; at the same rate the
    /// input itself.
    /// </returns>
    /// <exception cref="ArgumentOutOfRangeException">A sample rate below 1 Hz, or a result too long for an array.</exception>
    public static AudioBuffer Resample(AudioBuffer audio, int targetRate)
    {
        ArgumentNullException.ThrowIfNull(audio);
        if (audio.SampleRate == targetRate) return audio;
        return new AudioBuffer([.. audio.Channels.Select(channel => Resample(channel, audio.SampleRate, targetRate))], targetRate);
    }

    /// <summary>Changes the sample rate of one channel.</summary>
    /// <param name="samples">Any length.</param>
    /// <param name="sourceRate">The sample rate in Hz.</param>
    /// <param name="targetRate">The new sample rate in Hz.</param>
    /// <returns>
    /// ceil(length × target rate / source rate) samples, sample 0 at the time of the input's sample 0; at the same rate the
    /// input itself.
    /// </returns>
    /// <exception cref="ArgumentOutOfRangeException">A sample rate below 1 Hz, or a result too long for an array.</exception>
    public static float[] Resample(float[] samples, int sourceRate, int targetRate)
    {
        ArgumentNullException.ThrowIfNull(samples);
        ArgumentOutOfRangeException.ThrowIfLessThan(sourceRate, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(targetRate, 1);
        if (sourceRate == targetRate) return samples;
        var length = ((long)samples.Length * targetRate + sourceRate - 1) / sourceRate;
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Array.MaxLength, nameof(samples));
        var channel = Channel(sourceRate, targetRate);
        return [.. channel.Push(samples), .. channel.Finish()];
    }

    /// <summary>One channel that comes piece by piece. The rates differ.</summary>
    internal static ChannelResampler Channel(int sourceRate, int targetRate)
    {
        var divisor = (int)BigInteger.GreatestCommonDivisor(sourceRate, targetRate);
        return new ChannelResampler(FilterFor(targetRate / divisor, sourceRate / divisor));
    }

    /// <summary>The last filter is kept: files of one data set share their rates.</summary>
    private static PolyphaseFilter FilterFor(int up, int down)
    {
        if (s_last is { } last && last.Up == up && last.Down == down) return last;
        return s_last = new PolyphaseFilter(up, down);
    }
}
