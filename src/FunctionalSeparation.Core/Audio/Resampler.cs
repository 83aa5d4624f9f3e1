using System.Buffers;
using System.Collections.Concurrent;
using System.Numerics;

namespace FunctionalSeparation.Core;

/// <summary>
/// Changes the sample rate by a ratio of whole numbers, with a polyphase windowed-sinc filter without delay. The filter is flat to 0.95 of
/// the smaller Nyquist frequency, and from that Nyquist frequency on at least 100 dB down. The Kaiser window and the filter's length follow
/// J. F. Kaiser, "Nonrecursive digital filter design using the I0-sinh window function", ISCAS 1974, with the formulas as in Oppenheim and
/// Schafer, "Discrete-Time Signal Processing", section 7.5.3. Sums are in double precision; beyond its two ends the sound is taken as
/// silent.
/// </summary>
public static class Resampler
{
    /// <summary>Filters that are kept: files of one data set share their rates, augmented ones their speeds.</summary>
    private static readonly ConcurrentDictionary<(int Up, int Down), PolyphaseFilter> Filters = new();

    private const int MostFilters = 64;

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
        var length = LengthAt(samples.Length, sourceRate, targetRate);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Array.MaxLength, nameof(samples));
        var channel = Channel(sourceRate, targetRate);
        return [.. channel.Push(samples), .. channel.Finish()];
    }

    /// <summary>The number of samples that a sound has at another rate, as given by <see cref="Resample(float[], int, int)"/>.</summary>
    /// <param name="length">Samples at the source rate.</param>
    /// <param name="sourceRate">The sample rate in Hz.</param>
    /// <param name="targetRate">The new sample rate in Hz.</param>
    /// <returns>ceil(length × target rate / source rate).</returns>
    /// <exception cref="ArgumentOutOfRangeException">A negative length, or a sample rate below 1 Hz.</exception>
    public static long LengthAt(long length, int sourceRate, int targetRate)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfLessThan(sourceRate, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(targetRate, 1);
        return (length * targetRate + sourceRate - 1) / sourceRate;
    }

    /// <summary>
    /// A part of a channel at another rate, to the last bit as <see cref="Resample(float[], int, int)"/> gives it for the whole. It reads
    /// only the samples that the part depends on.
    /// </summary>
    /// <param name="length">Samples of the whole channel at the source rate.</param>
    /// <param name="sourceRate">The sample rate in Hz.</param>
    /// <param name="targetRate">The new sample rate in Hz.</param>
    /// <param name="start">First sample of the part, at the target rate.</param>
    /// <param name="target">Takes the part; it ends within the whole.</param>
    /// <param name="read">Reads samples within the whole at the source rate, given the first one and their number.</param>
    /// <exception cref="ArgumentOutOfRangeException">A sample rate below 1 Hz, or a part that is not within the whole.</exception>
    public static void ResamplePart(
        long length, int sourceRate, int targetRate, long start, Span<float> target, Func<long, int, float[]> read)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(sourceRate, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(targetRate, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentNullException.ThrowIfNull(read);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(start + target.Length, LengthAt(length, sourceRate, targetRate), nameof(target));
        if (target.Length == 0) return;
        if (sourceRate == targetRate)
        {
            read(start, target.Length).CopyTo(target);
            return;
        }
        var filter = FilterFor(sourceRate, targetRate);
        // Inputs from here to there; those beyond the two ends are silence.
        var first = start * filter.Down / filter.Up - filter.Before;
        var behind = (start + target.Length - 1) * filter.Down / filter.Up - filter.Before + filter.Taps;
        var (from, until) = (Math.Max(first, 0), Math.Min(behind, length));
        var samples = until > from ? read(from, (int)(until - from)) : [];
        var window = ArrayPool<double>.Shared.Rent((int)(behind - first));
        try
        {
            Array.Clear(window, 0, (int)(behind - first));
            for (var i = 0; i < samples.Length; i++) window[i + from - first] = samples[i];
            for (var i = 0; i < target.Length; i++)
            {
                var (at, phase) = Math.DivRem((start + i) * filter.Down, filter.Up);
                target[i] = (float)filter.Value(phase, window.AsSpan((int)(at - filter.Before - first), filter.Taps));
            }
        }
        finally
        {
            ArrayPool<double>.Shared.Return(window);
        }
    }

    /// <summary>One channel that comes piece by piece. The rates differ.</summary>
    internal static ChannelResampler Channel(int sourceRate, int targetRate) => new(FilterFor(sourceRate, targetRate));

    private static PolyphaseFilter FilterFor(int sourceRate, int targetRate)
    {
        var divisor = (int)BigInteger.GreatestCommonDivisor(sourceRate, targetRate);
        if (Filters.Count > MostFilters) Filters.Clear();
        return Filters.GetOrAdd((targetRate / divisor, sourceRate / divisor), static rates => new PolyphaseFilter(rates.Up, rates.Down));
    }
}
