using TorchSharp;
using static TorchSharp.torch;

namespace FunctionalSeparation.Core;

/// <summary>
/// The filters that project estimates on delayed sources of several channels, and their work on stretches of the signals. Signals
/// are [sources, channels, samples].
/// </summary>
internal sealed class ImageProjection : IDisposable
{
    // Channels that are multiples of each other within this share of their energy span one line.
    private const double LeastDifference = 1e-12;

    // Samples of output at a time: windows of a second at most sound rates in one piece, whole tracks in many.
    private const long Stretch = 1 << 16;

    private readonly int taps;
    private readonly int channels;

    // Rows (channels of sources) of the references that are projected on: all that sound, no two alike.
    private readonly int[] rows;
    private readonly int[][] rowsOfSource;

    // [estimate rows, rows, taps]; and of pair (source, estimate) [channels of the estimate, rows of the source, taps].
    private readonly Tensor joint;
    private readonly Dictionary<(int Source, int Estimate), Tensor> single = [];

    private (long Transform, Tensor Joint, Dictionary<(int, int), Tensor> Single)? spectra;

    /// <summary>Finds the filters that are best for these signals.</summary>
    internal ImageProjection(Tensor references, Tensor estimates, int taps, IEnumerable<(int Source, int Estimate)> pairs)
    {
        this.taps = taps;
        channels = (int)references.shape[1];
        using var scope = NewDisposeScope();
        var (sources, stems) = (references.flatten(0, 1), estimates.flatten(0, 1));
        var count = (int)sources.shape[0];
        var lags = Correlation.Lags(sources, cat([sources, stems]), taps).contiguous().data<double>().ToArray();
        var gram = new DelayedGram(lags, [], count, count, taps);
        rows = Independent(lags, Enumerable.Range(0, count), 2 * count);
        rowsOfSource = [.. Enumerable.Range(0, count / channels)
            .Select(source => Independent(lags, Enumerable.Range(source * channels, channels), 2 * count))];
        joint = FiltersOn(gram, rows).DetachFromDisposeScope();
        var ofSource = rowsOfSource.Select(chosen => FiltersOn(gram, chosen)).ToArray();
        foreach (var (source, estimate) in pairs)
            single[(source, estimate)] = ofSource[source].narrow(0, estimate * channels, channels).clone().DetachFromDisposeScope();
    }

    private static Tensor FiltersOn(DelayedGram gram, int[] chosen) =>
        chosen.Length == 0 ? zeros([gram.Estimates, 0, gram.Taps], dtype: float64) : (gram with { Chosen = chosen }).Filters();

    /// <summary>Rows that sound, the first of those that are multiples of each other.</summary>
    private int[] Independent(double[] lags, IEnumerable<int> candidates, int signals)
    {
        double At(int a, int b) => lags[(a * signals + b) * taps];
        var chosen = new List<int>();
        foreach (var row in candidates)
            if (At(row, row) > 0 && chosen.All(other => At(row, row) * At(other, other) - At(row, other) * At(row, other)
                    > LeastDifference * At(row, row) * At(other, other)))
                chosen.Add(row);
        return [.. chosen];
    }

    /// <summary>The energies of a window [sources, channels, samples] for pairs of a source and an estimate.</summary>
    internal Dictionary<(int Source, int Estimate), WindowEnergies> Energies(Tensor references, Tensor estimates)
    {
        var energies = single.Keys.ToDictionary(pair => pair, _ => default(WindowEnergies));
        using var scope = NewDisposeScope();
        // The output of the filters extends taps - 1 samples past the end of a window; their input starts taps - 1 samples before it.
        var (before, behind) = (taps - 1L, taps - 1L);
        var sources = nn.functional.pad(references.to(float64), [before, behind]);
        var stems = nn.functional.pad(estimates.to(float64), [before, behind]);
        var length = references.shape[2] + behind;
        var stretch = Math.Min(Stretch, length);
        for (long start = 0; start < length; start += stretch)
        {
            using var inner = NewDisposeScope();
            var count = Math.Min(stretch, length - start);
            AddStretch(energies, sources.narrow(2, start, count + before), stems.narrow(2, start, count + before), stretch + before);
        }
        return energies;
    }

    /// <summary>Adds the energies of a stretch, whose first taps - 1 samples are what the filters need.</summary>
    private void AddStretch(Dictionary<(int, int), WindowEnergies> energies, Tensor sources, Tensor stems, long longest)
    {
        var (transform, jointSpectra, singleSpectra) = SpectraFor(longest);
        var heard = fft.rfft(sources.flatten(0, 1), transform);
        var (skip, count) = (taps - 1L, sources.shape[2] - (taps - 1L));
        Tensor Filtered(Tensor filters, int[] chosen) =>
            fft.irfft((filters * heard.index_select(0, tensor(chosen.Select(row => (long)row).ToArray()))).sum(1), transform)
                .narrow(-1, skip, count);
        var explained = Filtered(jointSpectra, rows).unflatten(0, [-1, channels]);
        foreach (var (source, estimate) in single.Keys)
        {
            var own = Filtered(singleSpectra[(source, estimate)], rowsOfSource[source]);
            energies[(source, estimate)] += WindowEnergies.Of(
                sources[source].narrow(-1, skip, count), stems[estimate].narrow(-1, skip, count), own, explained[estimate]);
        }
    }

    /// <summary>The filters' spectra, made once for all stretches of a length.</summary>
    private (long, Tensor, Dictionary<(int, int), Tensor>) SpectraFor(long samples)
    {
        var transform = ProjectionEnergies.SmoothLength(samples);
        if (spectra is { } known && known.Transform == transform)
            return known;
        FreeSpectra();
        Tensor Spectrum(Tensor filters) => fft.rfft(filters, transform).DetachFromDisposeScope();
        spectra = (transform, Spectrum(joint), single.ToDictionary(entry => entry.Key, entry => Spectrum(entry.Value)));
        return spectra.Value;
    }

    private void FreeSpectra()
    {
        if (spectra is not { } known)
            return;
        known.Joint.Dispose();
        foreach (var filters in known.Single.Values)
            filters.Dispose();
        spectra = null;
    }

    public void Dispose()
    {
        FreeSpectra();
        joint.Dispose();
        foreach (var filters in single.Values)
            filters.Dispose();
    }
}
