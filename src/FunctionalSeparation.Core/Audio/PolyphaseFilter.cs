using System.Numerics;
using System.Runtime.InteropServices;

namespace FunctionalSeparation.Core;

/// <summary>
/// The low-pass filter of a rational change of rate, one row of weights for each phase. Where there are too many phases, there are fewer
/// rows, and values between two rows are interpolated linearly. With the input's sample spacing as the unit of time the filter is
/// h(t) = c sinc(c t) w(t / half). c is the cut-off as a share of the input's Nyquist frequency, w is Kaiser's window (references at
/// <see cref="Resampler"/>).
/// </summary>
/// <remarks>
/// NWaves' designs take no parameter of Kaiser's window. From its sinc and its window, of float32, one can make the filter from 44.1 to
/// 16 kHz with the same stop band (109.5 dB down). Its weights are then 6e-8 of the largest away from these. All 125 385 of them are made
/// at once, where rows here are made when they are needed. NWaves' own resampler lets 9 kHz through 49 dB down in that conversion.
/// </remarks>
internal sealed class PolyphaseFilter
{
    /// <summary>Rows are padded with zeros to a multiple of this: four vectors of up to eight doubles.</summary>
    public const int TapsMultiple = 32;

    private const double StopBand = 110; // dB, 10 more than promised
    private const double PassBand = 0.95; // of the smaller Nyquist frequency, where the stop band begins
    private const long MostKept = 1 << 20; // weights; odd pairs of rates have too many phases to keep every row

    /// <summary>
    /// Rows for each period of the smaller rate where not every phase has its own. The error of linear interpolation between neighbours is
    /// at most (π / rows)² / 8 of the loudest sample. That is 118 dB down, less than the filter lets pass.
    /// </summary>
    private const int RowsBetween = 1024;

    private static readonly double Beta = 0.1102 * (StopBand - 8.7);
    private static readonly double BesselBeta = BesselI0(new Vector<double>(Beta))[0];

    private readonly double _cutoff;
    private readonly double _half;
    private readonly double[]?[] _rows; // one more than Rows: the last is the first of the next sample

    /// <param name="up">Target rate, without common divisor.</param>
    /// <param name="down">Source rate, without common divisor.</param>
    public PolyphaseFilter(int up, int down)
    {
        (Up, Down) = (up, down);
        var smaller = Math.Min(1.0, (double)up / down);
        var transition = Math.PI * (1 - PassBand) * smaller; // radians a sample
        _cutoff = smaller * (1 + PassBand) / 2;
        _half = (StopBand - 7.95) / (2.285 * transition) / 2;
        Before = (int)Math.Ceiling(_half) - 1;
        var taps = 2 * (Before + 1);
        Taps = (taps + TapsMultiple - 1) / TapsMultiple * TapsMultiple;
        HasAllPhases = (long)up * Taps <= MostKept;
        Rows = HasAllPhases ? up : Math.Max(2, (int)Math.Ceiling(RowsBetween * smaller));
        _rows = new double[Rows + 1][];
    }

    /// <summary>Target rate, without common divisor.</summary>
    public int Up { get; }

    /// <summary>Source rate, without common divisor.</summary>
    public int Down { get; }

    /// <summary>Weights in a row.</summary>
    public int Taps { get; }

    /// <summary>How many samples before the one at or just before the output's time the first weight belongs to.</summary>
    public int Before { get; }

    /// <summary>Rows for the time from one input sample to the next.</summary>
    public int Rows { get; }

    /// <summary>Whether each phase has its own row, so that there are <see cref="Up"/>.</summary>
    public bool HasAllPhases { get; }

    /// <summary>The weights for an output at index / <see cref="Rows"/> after an input sample; index = 0 to <see cref="Rows"/>.</summary>
    public double[] Row(int index) =>
        _rows[index] ??= HasAllPhases || 2 * index <= Rows ? MakeRow((double)index / Rows) : Reversed(Row(Rows - index));

    /// <summary>The output whose time lies <paramref name="phase"/> / <see cref="Up"/> after an input sample.</summary>
    /// <param name="phase">From 0 to <see cref="Up"/> - 1.</param>
    /// <param name="window"><see cref="Taps"/> inputs, from <see cref="Before"/> before that sample on.</param>
    public double Value(long phase, ReadOnlySpan<double> window)
    {
        if (HasAllPhases) return Dot(Row((int)phase), window);
        var (row, rest) = Math.DivRem(phase * Rows, Up);
        var (before, after) = Dots(Row((int)row), Row((int)row + 1), window);
        return before + (double)rest / Up * (after - before);
    }

    /// <summary>Both have the same length, a multiple of <see cref="TapsMultiple"/>.</summary>
    private static double Dot(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        var va = MemoryMarshal.Cast<double, Vector<double>>(a);
        var vb = MemoryMarshal.Cast<double, Vector<double>>(b);
        // Four sums at once, since each waits for its previous addition.
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

    /// <summary>The filter is symmetric: half of the rows are the others, backwards.</summary>
    private double[] Reversed(double[] row)
    {
        var reversed = row.ToArray();
        Array.Reverse(reversed, 0, 2 * (Before + 1));
        return reversed;
    }

    private double[] MakeRow(double time)
    {
        var row = new double[Taps];
        Span<double> roots = stackalloc double[Vector<double>.Count];
        for (var first = 0; first < 2 * (Before + 1); first += roots.Length)
        {
            var lanes = Math.Min(roots.Length, 2 * (Before + 1) - first);
            for (var i = 0; i < lanes; i++) roots[i] = Math.Sqrt(Math.Max(0, Inside(time + Before - (first + i))));
            var window = BesselI0(Beta * new Vector<double>(roots));
            for (var i = 0; i < lanes; i++) row[first + i] = Impulse(time + Before - (first + i), window[i]);
        }
        return row;
    }

    /// <summary>Negative where the window has ended.</summary>
    private double Inside(double time) => 1 - time / _half * (time / _half);

    private double Impulse(double time, double window)
    {
        if (Inside(time) < 0) return 0;
        var angle = Math.PI * _cutoff * time;
        var sinc = angle == 0 ? 1 : Math.Sin(angle) / angle;
        return _cutoff * sinc * window / BesselBeta;
    }

    /// <summary>The modified Bessel function of the first kind and order 0, by its power series, sum of ((x/2)^k / k!)^2.</summary>
    private static Vector<double> BesselI0(Vector<double> x)
    {
        var (sum, term) = (Vector<double>.One, Vector<double>.One);
        for (var k = 1; Vector.GreaterThanAny(term, 1e-17 * sum); k++)
        {
            var ratio = x / new Vector<double>(2 * k);
            term *= ratio * ratio;
            sum += term;
        }
        return sum;
    }
}
