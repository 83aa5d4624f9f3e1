namespace FunctionalSeparation.Core;

/// <summary>The scores of one clip in dB, one entry for each true source, in the order of the references.</summary>
/// <param name="Sdr">Source to distortion ratio.</param>
/// <param name="Sir">Source to interference ratio; +inf with a single reference, which leaves nothing to interfere.</param>
/// <param name="Sar">Source to artifacts ratio.</param>
/// <param name="Permutation">For each true source the index, from 0, of the estimate that was scored against it.</param>
/// <remarks>
/// NaN means that there is no score: the reference, or the estimate that went with it, is silent (or, for an estimate, has
/// samples that are not finite numbers).
/// </remarks>
public sealed record BssEvalScores(double[] Sdr, double[] Sir, double[] Sar, int[] Permutation)
{
    /// <inheritdoc/>
    public override string ToString() =>
        string.Join("; ", Sdr.Select((_, source) =>
            FormattableString.Invariant($"source {source + 1}: SDR {Sdr[source]:F2}, SIR {Sir[source]:F2}, SAR {Sar[source]:F2} dB")));

    /// <summary>The scores of each source, with the assignment of estimates to sources chosen or as given.</summary>
    /// <param name="ratios">Of every estimate against every source.</param>
    /// <param name="permute">Whether to choose the permutation with the greatest mean SIR.</param>
    internal static BssEvalScores Of(BssEvalRatios ratios, bool permute)
    {
        var order = permute ? BestPermutation(ratios.Sir) : [.. Enumerable.Range(0, ratios.Sir.GetLength(0))];
        double[] Chosen(double[,] scores) => [.. order.Select((e, j) => scores[e, j])];
        return new BssEvalScores(Chosen(ratios.Sdr), Chosen(ratios.Sir), Chosen(ratios.Sar), order);
    }

    /// <summary>
    /// The estimate for each source (column) such that the mean of the scores is greatest. A missing score does not count; an infinite one
    /// counts as a very great one. In a tie the first in lexicographic order wins.
    /// </summary>
    internal static int[] BestPermutation(double[,] scores)
    {
        var sources = scores.GetLength(1);
        var best = (Sum: double.NegativeInfinity, Order: Array.Empty<int>());
        var order = new int[sources];
        var taken = new bool[sources];
        void Assign(int source, double sum)
        {
            if (source == sources)
            {
                if (sum > best.Sum)
                    best = (sum, [.. order]);
                return;
            }
            for (var e = 0; e < sources; e++)
            {
                if (taken[e])
                    continue;
                (order[source], taken[e]) = (e, true);
                Assign(source + 1, sum + (double.IsNaN(scores[e, source]) ? 0 : Math.Clamp(scores[e, source], -1e6, 1e6)));
                taken[e] = false;
            }
        }
        Assign(0, 0);
        return best.Order;
    }
}
