using System.Numerics;
using System.Runtime.InteropServices;

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
    private const int BlockSamples = 1 << 15;

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
        var divisor = (int)BigInteger.GreatestCommonDivisor(sourceRate, targetRate);
        var filter = FilterFor(targetRate / divisor, sourceRate / divisor);
        var length = ((long)samples.Length * filter.Up + filter.Down - 1) / filter.Down;
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Array.MaxLength, nameof(samples));
        var result = new float[length];
        Run(filter, samples, result);
        return result;
    }

    /// <summary>The last filter is kept: files of one data set share their rates.</summary>
    private static PolyphaseFilter FilterFor(int up, int down)
    {
        if (s_last is { } last && last.Up == up && last.Down == down) return last;
        return s_last = new PolyphaseFilter(up, down);
    }

    /// <summary>Block by block, so that the double copy of the input that the sums run over stays small.</summary>
    private static void Run(PolyphaseFilter filter, float[] samples, float[] result)
    {
        var blockOutputs = Math.Max(1, (int)((long)BlockSamples * filter.Up / filter.Down));
        blockOutputs = Math.Min(blockOutputs, BlockSamples);
        var window = new double[(long)blockOutputs * filter.Down / filter.Up + 1 + filter.Taps];
        for (var start = 0; start < result.Length; start += blockOutputs)
        {
            var outputs = result.AsSpan(start, Math.Min(blockOutputs, result.Length - start));
            var first = (long)start * filter.Down / filter.Up - filter.Before;
            Widen(samples, first, window);
            for (var i = 0; i < outputs.Length; i++)
            {
                var (at, phase) = Math.DivRem((start + (long)i) * filter.Down, filter.Up);
                outputs[i] = (float)Dot(filter.Row((int)phase), window.AsSpan((int)(at - filter.Before - first), filter.Taps));
            }
        }
    }

    /// <summary>window[j] = samples[first + j], and 0 outside.</summary>
    private static void Widen(float[] samples, long first, double[] window)
    {
        Array.Clear(window);
        var from = Math.Max(first, 0);
        var to = Math.Min(first + window.Length, samples.Length);
        for (var k = from; k < to; k++) window[k - first] = samples[k];
    }

    /// <summary>Both have the same length, a multiple of <see cref="PolyphaseFilter.TapsMultiple"/>.</summary>
    private static double Dot(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        var va = MemoryMarshal.Cast<double, Vector<double>>(a);
        var vb = MemoryMarshal.Cast<double, Vector<double>>(b);
        var (even, odd) = (Vector<double>.Zero, Vector<double>.Zero);
        for (var i = 0; i + 1 < va.Length && i + 1 < vb.Length; i += 2)
        {
            even = Vector.FusedMultiplyAdd(va[i], vb[i], even);
            odd = Vector.FusedMultiplyAdd(va[i + 1], vb[i + 1], odd);
        }
        return Vector.Sum(even + odd);
    }
}
