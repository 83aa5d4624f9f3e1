namespace FunctionalSeparation.Core;

/// <summary>
/// The low-pass filter of a rational change of rate, one row of weights for each phase. With the input's sample spacing as the
/// unit of time it is h(t) = c sinc(c t) w(t / half), c = the cut-off as a share of the input's Nyquist frequency, w = Kaiser's
/// window (references at <see cref="Resampler"/>).
/// </summary>
internal sealed class PolyphaseFilter
{
    /// <summary>Rows are padded with zeros to a multiple of this: two vectors of up to eight doubles.</summary>
    public const int TapsMultiple = 16;

    private const double StopBand = 110; // dB, 10 more than promised
    private const double PassBand = 0.95; // of the smaller Nyquist frequency, where the stop band begins
    private const long MostKept = 1 << 22; // weights; odd pairs of rates have too many phases to keep every row

    private static readonly double Beta = 0.1102 * (StopBand - 8.7);
    private static readonly double BesselBeta = BesselI0(Beta);

    private readonly double _cutoff;
    private readonly double _half;
    private readonly double[]?[] _rows;

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
        _rows = (long)up * Taps <= MostKept ? new double[up][] : [];
    }

    /// <summary>Target rate, without common divisor.</summary>
    public int Up { get; }

    /// <summary>Source rate, without common divisor.</summary>
    public int Down { get; }

    /// <summary>Weights in a row.</summary>
    public int Taps { get; }

    /// <summary>How many samples before the one at or just before the output's time the first weight belongs to.</summary>
    public int Before { get; }

    /// <summary>The weights for an output at phase / <see cref="Up"/> after an input sample.</summary>
    public double[] Row(int phase) =>
        phase < _rows.Length ? _rows[phase] ??= MakeRow(phase) : MakeRow(phase);

    private double[] MakeRow(int phase)
    {
        var row = new double[Taps];
        for (var j = 0; j < 2 * (Before + 1); j++)
            row[j] = Impulse((double)phase / Up + Before - j);
        return row;
    }

    private double Impulse(double time)
    {
        var inside = 1 - time / _half * (time / _half);
        if (inside < 0) return 0;
        var angle = Math.PI * _cutoff * time;
        var sinc = angle == 0 ? 1 : Math.Sin(angle) / angle;
        return _cutoff * sinc * BesselI0(Beta * Math.Sqrt(inside)) / BesselBeta;
    }

    /// <summary>The modified Bessel function of the first kind and order 0, by its power series, sum of ((x/2)^k / k!)^2.</summary>
    private static double BesselI0(double x)
    {
        var (sum, term) = (1.0, 1.0);
        for (var k = 1; term > 1e-17 * sum; k++)
        {
            term *= x / (2 * k) * (x / (2 * k));
            sum += term;
        }
        return sum;
    }
}
