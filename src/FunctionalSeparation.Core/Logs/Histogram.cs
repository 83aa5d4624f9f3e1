namespace FunctionalSeparation.Core;

/// <summary>How often values fall into buckets of equal width between the smallest and the largest, and their moments.</summary>
/// <param name="Min">The smallest value.</param>
/// <param name="Max">The largest value.</param>
/// <param name="Count">How many values there are.</param>
/// <param name="Sum">Their sum.</param>
/// <param name="SumOfSquares">The sum of their squares.</param>
/// <param name="Limits">The upper end of each bucket, rising; the last one is <paramref name="Max"/>.</param>
/// <param name="Buckets">The values in each bucket.</param>
public sealed record Histogram(
    double Min, double Max, long Count, double Sum, double SumOfSquares, double[] Limits, double[] Buckets)
{
    /// <summary>The upper end of each bucket, rising.</summary>
    public double[] Limits { get; init => field = Given(value, nameof(Limits)); } = Given(Limits, nameof(Limits));

    /// <summary>The values in each bucket.</summary>
    public double[] Buckets { get; init => field = Given(value, nameof(Buckets)); } = Given(Buckets, nameof(Buckets));

    /// <summary>Counts values; those that are no finite number are left out.</summary>
    /// <param name="values">The values.</param>
    /// <param name="buckets">How many buckets, at least 1; where all values are equal there is one.</param>
    /// <returns>The histogram; without buckets, and with zeros, where no value is finite.</returns>
    public static Histogram Of(ReadOnlySpan<float> values, int buckets = 30)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(buckets, 1);
        var (min, max, sum, squares, count) = (double.PositiveInfinity, double.NegativeInfinity, 0.0, 0.0, 0L);
        foreach (double value in values)
        {
            if (!double.IsFinite(value)) continue;
            (min, max) = (Math.Min(min, value), Math.Max(max, value));
            (sum, squares, count) = (sum + value, squares + value * value, count + 1);
        }
        return count == 0 ? new(0, 0, 0, 0, 0, [], [])
            : min == max ? new(min, max, count, sum, squares, [max], [count])
            : new(min, max, count, sum, squares, LimitsOf(min, max, buckets), CountsOf(values, min, max, buckets));
    }

    private static double[] Given(double[] values, string name)
    {
        ArgumentNullException.ThrowIfNull(values, name);
        return values;
    }

    private static double[] LimitsOf(double min, double max, int buckets) =>
        [.. Enumerable.Range(1, buckets).Select(i => i == buckets ? max : min + (max - min) * i / buckets)];

    private static double[] CountsOf(ReadOnlySpan<float> values, double min, double max, int buckets)
    {
        var counts = new double[buckets];
        var perUnit = buckets / (max - min);
        foreach (double value in values)
            if (double.IsFinite(value))
                counts[Math.Min(buckets - 1, (int)((value - min) * perUnit))]++;
        return counts;
    }
}
