using System.Numerics;
using System.Runtime.InteropServices;

namespace FunctionalSeparation.Core;

/// <summary>
/// One channel of a change of sample rate, piece by piece: the pieces that come out, joined, are what <see cref="Resampler"/>
/// makes of the pieces that went in, joined, to the last bit.
/// </summary>
/// <param name="filter">The filter of the change of rate.</param>
internal sealed class ChannelResampler(PolyphaseFilter filter)
{
    private const int BlockSamples = 1 << 15;

    /// <summary>Inputs from <see cref="_first"/> on, in double precision; zeros behind the last that has come.</summary>
    private readonly double[] _window = new double[BlockSamples + 2 * filter.Taps];

    private long _first = -filter.Before;
    private long _received;
    private long _given;

    /// <summary>Input samples that outputs stay behind: after n samples in, all outputs before n minus this time are out.</summary>
    public int Latency => filter.Before + 1;

    /// <summary>Takes samples in.</summary>
    /// <param name="samples">Any number.</param>
    /// <returns>The outputs that no later sample can change.</returns>
    public float[] Push(ReadOnlySpan<float> samples)
    {
        var target = new float[Settled(_received + samples.Length) - _given];
        var written = 0;
        while (samples.Length > 0)
        {
            var piece = samples[..Math.Min(samples.Length, BlockSamples)];
            samples = samples[piece.Length..];
            Append(piece);
            written += Compute(target.AsSpan(written), Settled(_received));
        }
        return target;
    }

    /// <summary>Ends the sound; silence is taken to follow it.</summary>
    /// <returns>The outputs still missing: all together are ceil(inputs × up / down).</returns>
    public float[] Finish()
    {
        var target = new float[Ceiling(_received) - _given];
        Compute(target, Ceiling(_received));
        return target;
    }

    private long Ceiling(long inputs) => (inputs * filter.Up + filter.Down - 1) / filter.Down;

    /// <summary>How many outputs so many inputs settle.</summary>
    private long Settled(long inputs) => Ceiling(Math.Max(0, inputs - Latency));

    private void Append(ReadOnlySpan<float> piece)
    {
        DropUnneeded();
        var end = (int)(_received - _first);
        for (var i = 0; i < piece.Length; i++) _window[end + i] = piece[i];
        _received += piece.Length;
    }

    /// <summary>Moves what the next output still looks at to the front.</summary>
    private void DropUnneeded()
    {
        var unneeded = (int)(_given * filter.Down / filter.Up - filter.Before - _first);
        var kept = (int)(_received - _first) - unneeded;
        Array.Copy(_window, unneeded, _window, 0, kept);
        Array.Clear(_window, kept, _window.Length - kept);
        _first += unneeded;
    }

    private int Compute(Span<float> target, long until)
    {
        var start = _given;
        for (; _given < until; _given++)
        {
            var (at, phase) = Math.DivRem(_given * filter.Down, filter.Up);
            var window = _window.AsSpan((int)(at - filter.Before - _first), filter.Taps);
            target[(int)(_given - start)] = (float)Value(phase, window);
        }
        return (int)(_given - start);
    }

    private double Value(long phase, ReadOnlySpan<double> window)
    {
        if (filter.HasAllPhases) return Dot(filter.Row((int)phase), window);
        var (row, rest) = Math.DivRem(phase * filter.Rows, filter.Up);
        var (before, after) = Dots(filter.Row((int)row), filter.Row((int)row + 1), window);
        return before + (double)rest / filter.Up * (after - before);
    }

    /// <summary>Both have the same length, a multiple of <see cref="PolyphaseFilter.TapsMultiple"/>.</summary>
    private static double Dot(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        var va = MemoryMarshal.Cast<double, Vector<double>>(a);
        var vb = MemoryMarshal.Cast<double, Vector<double>>(b);
        // Four sums at once, for each waits for what was added before.
        var (s0, s1, s2, s3) = (Vector<double>.Zero, Vector<double>.Zero, Vector<double>.Zero, Vector<double>.Zero);
        for (var i = 0; i + 3 < va.Length && i + 3 < vb.Length; i += 4)
        {
            s0 = Vector.FusedMultiplyAdd(va[i], vb[i], s0);
            s1 = Vector.FusedMultiplyAdd(va[i + 1], vb[i + 1], s1);
            s2 = Vector.FusedMultiplyAdd(va[i + 2], vb[i + 2], s2);
            s3 = Vector.FusedMultiplyAdd(va[i + 3], vb[i + 3], s3);
        }
        return Vector.Sum(s0 + s1 + (s2 + s3));
    }

    /// <summary>The products of two rows with one window, of which all have the same length.</summary>
    private static (double, double) Dots(ReadOnlySpan<double> a, ReadOnlySpan<double> b, ReadOnlySpan<double> window)
    {
        var va = MemoryMarshal.Cast<double, Vector<double>>(a);
        var vb = MemoryMarshal.Cast<double, Vector<double>>(b);
        var vw = MemoryMarshal.Cast<double, Vector<double>>(window);
        var (sumA, sumB) = (Vector<double>.Zero, Vector<double>.Zero);
        for (var i = 0; i < va.Length && i < vb.Length && i < vw.Length; i++)
        {
            sumA = Vector.FusedMultiplyAdd(va[i], vw[i], sumA);
            sumB = Vector.FusedMultiplyAdd(vb[i], vw[i], sumB);
        }
        return (Vector.Sum(sumA), Vector.Sum(sumB));
    }
}
