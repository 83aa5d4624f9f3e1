namespace FunctionalSeparation.Core;

/// <summary>
/// The scores of every estimate against every source in dB, indexed [estimate, source]; NaN where there is no score.
/// </summary>
/// <param name="Sdr">Source to distortion ratios.</param>
/// <param name="Sir">Source to interference ratios.</param>
/// <param name="Sar">Source to artifacts ratios.</param>
internal sealed record BssEvalRatios(double[,] Sdr, double[,] Sir, double[,] Sar)
{
    /// <summary>The ratios of given energies.</summary>
    /// <param name="energies">Energies for the audible references only.</param>
    /// <param name="audible">The index of each of these among all references.</param>
    /// <param name="sources">Number of all references.</param>
    public static BssEvalRatios Of(ProjectionEnergies energies, int[] audible, int sources)
    {
        var ratios = Nothing(sources);
        for (var j = 0; j < audible.Length; j++)
            for (var e = 0; e < sources; e++)
            {
                var target = energies.Target[e, j];
                var interference = energies.Interference[e, j];
                ratios.Sdr[e, audible[j]] = Decibels(target, energies.Distortion[e, j]);
                ratios.Sir[e, audible[j]] = Decibels(target, interference);
                ratios.Sar[e, audible[j]] = Decibels(target + interference, energies.Artifacts[e, j]);
            }
        return ratios;
    }

    /// <summary>No score at all: all sources are silent.</summary>
    /// <param name="sources">Their number.</param>
    public static BssEvalRatios Nothing(int sources) => new(Unscored(sources), Unscored(sources), Unscored(sources));

    /// <summary>The mean of the scores in dB over the channels of one clip; a channel without a score does not count.</summary>
    /// <param name="channels">One entry a channel, at least one.</param>
    public static BssEvalRatios Mean(IReadOnlyList<BssEvalRatios> channels) =>
        new(MeanOf(channels, ratios => ratios.Sdr), MeanOf(channels, ratios => ratios.Sir), MeanOf(channels, ratios => ratios.Sar));

    private static double[,] MeanOf(IReadOnlyList<BssEvalRatios> channels, Func<BssEvalRatios, double[,]> pick)
    {
        var sources = pick(channels[0]).GetLength(0);
        var means = Unscored(sources);
        for (var e = 0; e < sources; e++)
            for (var j = 0; j < sources; j++)
                means[e, j] = channels.Select(ratios => pick(ratios)[e, j]).Where(score => !double.IsNaN(score)).DefaultIfEmpty(double.NaN).Average();
        return means;
    }

    /// <summary>10 log10 of a ratio of energies; +inf over 0, NaN for 0 / 0. Rounding below 0 counts as 0.</summary>
    internal static double Decibels(double signal, double error) => 10 * Math.Log10(Math.Max(signal, 0) / Math.Max(error, 0));

    private static double[,] Unscored(int sources)
    {
        var scores = new double[sources, sources];
        for (var e = 0; e < sources; e++)
            for (var j = 0; j < sources; j++)
                scores[e, j] = double.NaN;
        return scores;
    }
}
