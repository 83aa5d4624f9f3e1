using TorchSharp;
using static TorchSharp.torch;

namespace FunctionalSeparation.Core;

/// <summary>
/// The energies from which BSS Eval computes its scores. Each estimate e is projected onto the delayed copies of one reference (P_j e)
/// and onto those of all references (P e). All arrays are indexed [estimate, reference]; energies are relative to the estimate's energy.
/// </summary>
/// <param name="Target">|P_j e|²: what the reference explains, after the best filter.</param>
/// <param name="Interference">|P e - P_j e|²: what the other references explain beyond that.</param>
/// <param name="Artifacts">|e - P e|²: what no reference explains.</param>
/// <param name="Distortion">|e - P_j e|².</param>
internal sealed record ProjectionEnergies(double[,] Target, double[,] Interference, double[,] Artifacts, double[,] Distortion)
{
    // Below this share of the estimate's energy a difference of energies has lost too many digits: measure it instead.
    private const double SmallestDifference = 1e-6;

    private ProjectionEnergies(int estimates, int sources)
        : this(new double[estimates, sources], new double[estimates, sources], new double[estimates, sources], new double[estimates, sources]) { }

    /// <summary>Projects, in closed form where that is exact enough.</summary>
    /// <param name="references">[S, N] float64, rows of unit energy.</param>
    /// <param name="estimates">[E, N] float64, rows of unit energy or all zero.</param>
    /// <param name="taps">Length of the filters, in samples.</param>
    internal static ProjectionEnergies Of(Tensor references, Tensor estimates, int taps)
    {
        int sources = (int)references.shape[0], count = (int)estimates.shape[0];
        var lags = Correlation.Lags(references, cat([references, estimates]), taps).contiguous().data<double>().ToArray();
        var joint = new DelayedGram(lags, [.. Enumerable.Range(0, sources)], sources, count, taps);
        DelayedGram[] single = [.. Enumerable.Range(0, sources).Select(j => joint with { Chosen = [j] })];
        var own = estimates.Square().sum(-1).data<double>().ToArray();
        return FromDifferences(joint, single, own) ?? Measured(references, estimates, joint, single);
    }

    /// <summary>Projections are orthogonal, so that energies subtract. Null where a difference would be inexact.</summary>
    internal static ProjectionEnergies? FromDifferences(DelayedGram joint, DelayedGram[] single, double[] own)
    {
        if (joint.ProjectedEnergies() is not { } all)
            return null;
        var result = new ProjectionEnergies(own.Length, single.Length);
        for (var j = 0; j < single.Length; j++)
        {
            var alone = single.Length == 1 ? all : single[j].ProjectedEnergies();
            if (alone is null)
                return null;
            for (var e = 0; e < own.Length; e++)
            {
                result.Target[e, j] = alone[e];
                result.Interference[e, j] = all[e] - alone[e];
                result.Artifacts[e, j] = own[e] - all[e];
                result.Distortion[e, j] = own[e] - alone[e];
                var least = SmallestDifference * own[e];
                if (own[e] - all[e] < least || own[e] - alone[e] < least || (single.Length > 1 && all[e] - alone[e] < least))
                    return null;
            }
        }
        return result;
    }

    /// <summary>The energies of the filtered signals themselves: slower, but exact where scores are very high.</summary>
    internal static ProjectionEnergies Measured(Tensor references, Tensor estimates, DelayedGram joint, DelayedGram[] single)
    {
        int sources = single.Length, count = (int)estimates.shape[0];
        var transform = SmoothLength(references.shape[1] + joint.Taps - 1);
        var spectra = fft.rfft(references, transform);
        var jointFilters = joint.Filters();
        Tensor[] singleFilters = sources == 1 ? [jointFilters] : [.. single.Select(gram => gram.Filters())];
        double Energy(Tensor spectrum) => fft.irfft(spectrum, transform).Square().sum().item<double>();
        var result = new ProjectionEnergies(count, sources);
        for (var e = 0; e < count; e++)
        {
            using var scope = NewDisposeScope();
            var estimate = fft.rfft(estimates[e], transform);
            var all = (fft.rfft(jointFilters[e], transform) * spectra).sum(dim: 0);
            var artifacts = Energy(estimate - all);
            for (var j = 0; j < sources; j++)
            {
                using var inner = NewDisposeScope();
                var target = fft.rfft(singleFilters[j][e, 0], transform) * spectra[j];
                result.Target[e, j] = Energy(target);
                result.Interference[e, j] = sources == 1 ? 0 : Energy(all - target);
                result.Artifacts[e, j] = artifacts;
                result.Distortion[e, j] = Energy(estimate - target);
            }
        }
        return result;
    }

    /// <summary>The least length from <paramref name="least"/> on that has no prime factor above 5: its FFT is fast.</summary>
    internal static long SmoothLength(long least)
    {
        for (var length = least; ; length++)
        {
            var rest = length;
            foreach (var prime in (ReadOnlySpan<long>)[2, 3, 5])
                while (rest % prime == 0)
                    rest /= prime;
            if (rest == 1)
                return length;
        }
    }
}
