using TorchSharp;
using static TorchSharp.torch;

namespace FunctionalSeparation.Core;

/// <summary>
/// The scale-invariant signal to distortion ratio (Le Roux, Wisdom, Erdogan and Hershey, "SDR - half-baked or well done?",
/// 2019), in dB.
/// </summary>
public static class SiSdr
{
    /// <summary>
    /// 10 log10(|a s|² / |a s - e|²) where a = ⟨e, s⟩ / |s|², of reference s and estimate e, computed in float64.
    /// </summary>
    /// <param name="references">The true signals, [..., N].</param>
    /// <param name="estimates">Their estimates, of the same shape.</param>
    /// <param name="zeroMean">
    /// Whether to take the mean off both signals first, as some implementations do; the paper assumes signals without one.
    /// </param>
    /// <returns>
    /// One score for each signal, leading dimensions in row-major order. NaN where reference or estimate is silent (or, for an estimate,
    /// has samples that are not finite). It is -inf where they are orthogonal, and about 300 or +inf where they are equal up to scale.
    /// </returns>
    /// <exception cref="ArgumentException">
    /// The shapes differ, or there are no samples. There are more signals than samples along the last two axes, as in transposed signals.
    /// The signals are complex, or a reference has samples that are not finite.
    /// </exception>
    /// <exception cref="InputException">libtorch could not be loaded.</exception>
    public static double[] Compute(Tensor references, Tensor estimates, bool zeroMean = false)
    {
        TorchRuntime.Initialize();
        BssEval.RequireSameShape(references, estimates, nameof(estimates));
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        var reference = Rows(references, zeroMean);
        if (!reference.isfinite().all().item<bool>())
            throw new ArgumentException("A reference has samples that are not finite numbers.", nameof(references));
        var estimate = Rows(estimates, zeroMean);
        var scale = (estimate * reference).sum(-1, keepdim: true) / reference.Square().sum(-1, keepdim: true);
        var target = scale * reference;
        var signal = target.Square().sum(-1).data<double>().ToArray();
        var error = (target - estimate).Square().sum(-1).data<double>().ToArray();
        return [.. signal.Zip(error, BssEvalRatios.Decibels)];
    }

    /// <summary>The ratio of one signal: see <see cref="Compute(Tensor, Tensor, bool)"/>.</summary>
    /// <param name="reference">The true signal.</param>
    /// <param name="estimate">Its estimate, as long.</param>
    /// <param name="zeroMean">Whether to take the mean off both signals first.</param>
    /// <exception cref="ArgumentException">As there.</exception>
    /// <exception cref="InputException">libtorch could not be loaded.</exception>
    public static double Compute(ReadOnlySpan<float> reference, ReadOnlySpan<float> estimate, bool zeroMean = false)
    {
        TorchRuntime.Initialize();
        using var scope = NewDisposeScope();
        return Compute(tensor(reference.ToArray()), tensor(estimate.ToArray()), zeroMean)[0];
    }

    private static Tensor Rows(Tensor signals, bool zeroMean)
    {
        var rows = signals.detach().to(float64, CPU).reshape(-1, signals.shape[^1]);
        return zeroMean ? rows - rows.mean([-1], keepdim: true) : rows;
    }
}
