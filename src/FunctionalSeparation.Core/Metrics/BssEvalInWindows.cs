using TorchSharp;
using static TorchSharp.torch;

namespace FunctionalSeparation.Core;

public static partial class BssEval
{
    /// <summary>
    /// Scores in windows of a track of any channels, with its sources as images or up to a filter. These are BSS Eval 4
    /// (<see cref="BssEvalSettings.Version4"/>; Stöter, Liutkus and Ito 2018), and version 3 in windows. Filters cross channels: an
    /// estimate's channel is projected on the delayed channels of all sources.
    /// </summary>
    /// <param name="references">The true sources, [S, C, N].</param>
    /// <param name="estimates">Their estimates, of the same shape.</param>
    /// <param name="settings">Windows, filters, and what counts as a source.</param>
    /// <returns>Scores of each source in each window; windows in which a reference or an estimate is silent have none.</returns>
    /// <exception cref="ArgumentException">
    /// The shapes differ or are not [S, C, N]; meaningless settings; fewer samples than taps; complex signals; more sources than
    /// <see cref="MostPermuted"/> to permute; samples that are not finite.
    /// </exception>
    /// <exception cref="InputException">libtorch could not be loaded.</exception>
    public static BssEvalWindowScores InWindows(Tensor references, Tensor estimates, BssEvalSettings settings)
    {
        TorchRuntime.Initialize();
        ArgumentNullException.ThrowIfNull(settings);
        RequireSameShape(references, estimates, nameof(estimates));
        if (references.dim() != 3)
            throw new ArgumentException($"A track has the shape [S, C, N]; references are {Shape(references)}.", nameof(references));
        var samples = references.shape[2];
        settings.Require(samples);
        RequireRoom(references.shape[0], samples, settings.FilterLength, settings.Permute);
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        var (sources, stems) = (OnCpu(references, nameof(references)), OnCpu(estimates, nameof(estimates)));
        var energies = EnergiesOf(sources, stems, settings);
        return settings.FiltersOfEachWindow
            ? ScoresOf([.. energies.Select(window => (IReadOnlyList<Dictionary<(int, int), WindowEnergies>?>)[window])], sources.shape[0], settings)
            : ScoresOf([energies], sources.shape[0], settings);
    }

    private static Tensor OnCpu(Tensor signals, string name)
    {
        var real = signals.detach().to(CPU);
        if (!real.isfinite().all().item<bool>())
            throw new ArgumentException($"The {name} have samples that are not finite numbers.", name);
        return real;
    }

    /// <summary>The energies of each pair of a source and an estimate, by window; null for windows with silence.</summary>
    private static List<Dictionary<(int, int), WindowEnergies>?> EnergiesOf(Tensor references, Tensor estimates, BssEvalSettings settings)
    {
        var sources = (int)references.shape[0];
        (int, int)[] pairs = settings.Permute
            ? [.. from source in Enumerable.Range(0, sources) from estimate in Enumerable.Range(0, sources) select (source, estimate)]
            : [.. Enumerable.Range(0, sources).Select(source => (source, source))];
        using var whole = settings.FiltersOfEachWindow ? null : new ImageProjection(references, estimates, settings.FilterLength, pairs);
        var energies = new List<Dictionary<(int, int), WindowEnergies>?>();
        foreach (var (start, length) in settings.Windows(references.shape[2]))
        {
            using var scope = NewDisposeScope();
            var (heard, made) = (references.narrow(2, start, length), estimates.narrow(2, start, length));
            if (HasSilence(heard) || HasSilence(made))
            {
                energies.Add(null);
                continue;
            }
            using var own = whole is null ? new ImageProjection(heard, made, settings.FilterLength, pairs) : null;
            energies.Add((whole ?? own)!.Energies(heard, made));
        }
        return energies;
    }

    /// <summary>Whether one of the sources is silent in all of its channels.</summary>
    private static bool HasSilence(Tensor signals) => !signals.Ne(0).flatten(1, 2).any(1).all().item<bool>();

    /// <summary>The scores of groups of windows, each group with the permutation that is best for it.</summary>
    private static BssEvalWindowScores ScoresOf(
        IReadOnlyList<IReadOnlyList<Dictionary<(int, int), WindowEnergies>?>> groups, long sources, BssEvalSettings settings)
    {
        var count = (int)sources;
        int[][] orders = [.. groups.Select(group => OrderOf(group, count, settings.Permute))];
        double[][] Scores(Func<WindowEnergies, double> score) =>
        [
            .. Enumerable.Range(0, count).Select(source => groups.SelectMany((group, index) => group.Select(window =>
                window is null ? double.NaN : score(window[(source, orders[index][source])]))).ToArray()),
        ];
        return new BssEvalWindowScores(
            Scores(window => window.Sdr(settings.Target)), Scores(window => window.Isr(settings.Target)),
            Scores(window => window.Sir), Scores(window => window.Sar),
            [.. Enumerable.Range(0, count).Select(source => orders.Select(order => order[source]).ToArray())]);
    }

    /// <summary>The estimate for each source: that given, or by the greatest mean SIR over the windows that have scores.</summary>
    private static int[] OrderOf(IReadOnlyList<Dictionary<(int, int), WindowEnergies>?> windows, int sources, bool permute)
    {
        if (!permute)
            return [.. Enumerable.Range(0, sources)];
        var mean = new double[sources, sources];
        foreach (var ((source, estimate), _) in windows.FirstOrDefault(window => window is not null) ?? [])
            mean[estimate, source] = windows.Where(window => window is not null).Average(window => window![(source, estimate)].Sir);
        return BssEvalScores.BestPermutation(mean);
    }
}
