namespace FunctionalSeparation.Core;

/// <summary>Scores of one track in windows, in dB, [source][window], sources in the order of the references.</summary>
/// <param name="Sdr">Source to distortion ratio.</param>
/// <param name="Isr">Source image to spatial distortion ratio; NaN where any filtering of a source counts as the source.</param>
/// <param name="Sir">Source to interference ratio.</param>
/// <param name="Sar">Source to artifacts ratio.</param>
/// <param name="Permutation">
/// [source][window], or [source][0] where one holds for all windows: the index, from 0, of the estimate that was scored.
/// </param>
/// <remarks>
/// NaN: in the window one of the references or estimates is silent, so that it has no scores at all. +inf: there is no such error.
/// </remarks>
public sealed record BssEvalWindowScores(double[][] Sdr, double[][] Isr, double[][] Sir, double[][] Sar, int[][] Permutation)
{
    /// <summary>
    /// The median over the windows that have a score, as tracks are compared (Stöter et al. 2018); NaN where none has one.
    /// </summary>
    /// <param name="scores">Scores of one source, such as <c>Sdr[1]</c>.</param>
    public static double Median(IEnumerable<double> scores)
    {
        ArgumentNullException.ThrowIfNull(scores);
        double[] sorted = [.. scores.Where(score => !double.IsNaN(score)).Order()];
        if (sorted.Length == 0)
            return double.NaN;
        double low = sorted[(sorted.Length - 1) / 2], high = sorted[sorted.Length / 2];
        return low == high ? low : (low + high) / 2;
    }

    /// <inheritdoc/>
    public override string ToString() =>
        string.Join("; ", Sdr.Select((_, source) =>
            FormattableString.Invariant(
                $"source {source + 1}: SDR {Median(Sdr[source]):F2}, ISR {Median(Isr[source]):F2}, SIR {Median(Sir[source]):F2}, SAR {Median(Sar[source]):F2} dB")));
}
