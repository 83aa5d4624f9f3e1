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
    /// <summary>Scores of given energies, with the assignment of estimates to sources chosen or as given.</summary>
    /// <param name="energies">Energies for the audible references only.</param>
    /// <param name="audible">The index of each of these among all references.</param>
    /// <param name="sources">Number of all references.</param>
    /// <param name="permute">Whether to choose the permutation with the greatest mean SIR.</param>
    internal static BssEvalScores Of(ProjectionEnergies energies, int[] audible, int sources, bool permute)
    {
        var sdr = Nothing(sources);
        var sir = Nothing(sources);
        var sar = Nothing(sources);
        for (var j = 0; j < audible.Length; j++)
            for (var e = 0; e < sources; e++)
            {
                var target = energies.Target[e, j];
                var interference = energies.Interference[e, j];
                sdr[e, audible[j]] = Decibels(target, energies.Distortion[e, j]);
                sir[e, audible[j]] = Decibels(target, interference);
                sar[e, audible[j]] = Decibels(target + interference, energies.Artifacts[e, j]);
            }
        var order = permute ? BestPermutation(sir) : [.. Enumerable.Range(0, sources)];
        double[] Chosen(double[,] scores) => [.. order.Select((e, j) => scores[e, j])];
        return new BssEvalScores(Chosen(sdr), Chosen(sir), Chosen(sar), order);
    }

    /// <summary>10 log10 of a ratio of energies; +inf over 0, NaN for 0 / 0. Rounding below 0 counts as 0.</summary>
    internal static double Decibels(double signal, double error) => 10 * Math.Log10(Math.Max(signal, 0) / Math.Max(error, 0));

    /// <summary>
    /// The estimate for each source (column) such that the mean of the scores is greatest. A score that does not exist has
    /// no say; an infinite one counts as a very great one. Of equals the first in lexicographic order wins.
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

    private static double[,] Nothing(int sources)
    {
        var scores = new double[sources, sources];
        for (var e = 0; e < sources; e++)
            for (var j = 0; j < sources; j++)
                scores[e, j] = double.NaN;
        return scores;
    }
}
