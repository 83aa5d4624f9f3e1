using TorchSharp;
using static TorchSharp.torch;

namespace FunctionalSeparation.Core;

/// <summary>
/// BSS Eval (Vincent, Gribonval and Févotte, "Performance measurement in blind audio source separation", 2006). It measures how much of an
/// estimate is its source, how much other sources, and how much neither. Always name the version with a figure: the two here differ by
/// several dB on the same signals.
/// </summary>
/// <remarks>
/// <para>Computed in float64 on the CPU, whatever type and device come in. Scores do not depend on the scale of any signal.</para>
/// <para>
/// Silence: a silent reference has NaN scores and is left out of the others' interference; a silent estimate (or one with
/// samples that are not finite) has NaN scores. Neither takes part in choosing the permutation.
/// References that are alike up to a filter are no error: the projection is then the least-squares one on what they span
/// (slower: it takes an eigenvalue decomposition).
/// A perfect estimate has scores near 300 dB, or +inf.
/// </para>
/// <para>
/// Memory is a few times that of the signals; where scores pass 60 dB or references are nearly dependent also
/// (sources × filter length)² numbers, 8 MB for two sources. Safe to call from several threads at once.
/// </para>
/// </remarks>
public static partial class BssEval
{
    /// <summary>The filter length of BSS Eval 3.0, in samples.</summary>
    public const int DefaultFilterLength = 512;

    /// <summary>Sources among which the best permutation is sought: more have too many permutations to try.</summary>
    public const int MostPermuted = 9;

    /// <summary>
    /// BSS Eval 3.0, <c>bss_eval_sources</c>: a source counts as recovered up to a time-invariant filter of
    /// <paramref name="filterLength"/> taps.
    /// </summary>
    /// <param name="references">The true sources of one clip, [S, N], or [N] for a single one.</param>
    /// <param name="estimates">Their estimates, of the same shape.</param>
    /// <param name="filterLength">Taps; 512 in the published measure.</param>
    /// <param name="permute">
    /// Whether to pair estimates with sources by the greatest mean SIR, as the original does; else in the order given.
    /// </param>
    /// <returns>Scores for each true source.</returns>
    /// <exception cref="ArgumentException">
    /// The shapes differ or are not [S, N], or there are no samples. There are more sources than samples, as in transposed signals, or
    /// fewer samples than taps. There are more sources than <see cref="MostPermuted"/> to permute. The signals are complex, or a reference
    /// has samples that are not finite.
    /// </exception>
    /// <exception cref="InputException">libtorch could not be loaded.</exception>
    public static BssEvalScores Version3(
        Tensor references, Tensor estimates, int filterLength = DefaultFilterLength, bool permute = true)
    {
        TorchRuntime.Initialize();
        ArgumentOutOfRangeException.ThrowIfLessThan(filterLength, 1);
        RequireSameShape(references, estimates, nameof(estimates));
        if (references.dim() > 2)
            throw new ArgumentException(
                $"One clip has the shape [S, N] or [N]; references are {Shape(references)}. For a batch use {nameof(Version3Batch)}.", nameof(references));
        return Score(references, estimates, filterLength, permute);
    }

    /// <summary>
    /// <see cref="Version3(Tensor, Tensor, int, bool)"/> for clips of several channels. Each channel is scored separately, like a mono
    /// clip. The result is the mean of the scores in dB over the channels, with equal weights. A channel in which a source is silent does
    /// not count in its scores. One permutation holds for all channels. It is not <c>bss_eval_images</c>, whose filters cross channels and
    /// whose spatial error (ISR) is not measured here.
    /// </summary>
    /// <param name="references">The true sources of one clip, [S, C, N].</param>
    /// <param name="estimates">Their estimates, of the same shape.</param>
    /// <param name="filterLength">Taps; 512 in the published measure.</param>
    /// <param name="permute">Whether to pair estimates with sources by the greatest mean SIR over sources and channels.</param>
    /// <returns>Scores for each true source; those of <see cref="Version3(Tensor, Tensor, int, bool)"/> for a single channel.</returns>
    /// <exception cref="ArgumentException">
    /// The shapes are not [S, C, N]; else as for <see cref="Version3(Tensor, Tensor, int, bool)"/>, of each channel.
    /// </exception>
    /// <exception cref="InputException">libtorch could not be loaded.</exception>
    public static BssEvalScores Version3Channels(
        Tensor references, Tensor estimates, int filterLength = DefaultFilterLength, bool permute = true)
    {
        TorchRuntime.Initialize();
        ArgumentOutOfRangeException.ThrowIfLessThan(filterLength, 1);
        RequireSameShape(references, estimates, nameof(estimates));
        if (references.dim() != 3)
            throw new ArgumentException($"One clip of several channels has the shape [S, C, N]; references are {Shape(references)}.", nameof(references));
        using var scope = NewDisposeScope();
        var channels = Enumerable.Range(0, (int)references.shape[1])
            .Select(channel => RatiosOf(references.select(1, channel), estimates.select(1, channel), filterLength, permute));
        return BssEvalScores.Of(BssEvalRatios.Mean([.. channels]), permute);
    }

    /// <summary><see cref="Version3(Tensor, Tensor, int, bool)"/> for clips of equal length.</summary>
    /// <param name="references">The true sources, [..., S, N].</param>
    /// <param name="estimates">Their estimates, of the same shape.</param>
    /// <param name="filterLength">Taps; 512 in the published measure.</param>
    /// <param name="permute">Whether to pair estimates with sources by the greatest mean SIR, clip by clip.</param>
    /// <returns>One entry a clip, leading dimensions in row-major order.</returns>
    /// <exception cref="ArgumentException">As for <see cref="Version3(Tensor, Tensor, int, bool)"/>.</exception>
    /// <exception cref="InputException">libtorch could not be loaded.</exception>
    public static IReadOnlyList<BssEvalScores> Version3Batch(
        Tensor references, Tensor estimates, int filterLength = DefaultFilterLength, bool permute = true)
    {
        TorchRuntime.Initialize();
        ArgumentOutOfRangeException.ThrowIfLessThan(filterLength, 1);
        return EachClip(references, estimates, filterLength, permute);
    }

    /// <summary>
    /// The decomposition of BSS Eval 2 that allows a gain only (<c>bss_decomp_gain</c>), without its noise term. Stricter than
    /// <see cref="Version3(Tensor, Tensor, int, bool)"/>: any filtering or delay is distortion.
    /// </summary>
    /// <param name="references">The true sources, [..., S, N].</param>
    /// <param name="estimates">Their estimates, of the same shape.</param>
    /// <param name="permute">Whether to pair estimates with sources by the greatest mean SIR; the original takes the order given.</param>
    /// <returns>One entry a clip, leading dimensions in row-major order; one entry for [S, N] and [N].</returns>
    /// <exception cref="ArgumentException">As for <see cref="Version3(Tensor, Tensor, int, bool)"/>.</exception>
    /// <exception cref="InputException">libtorch could not be loaded.</exception>
    public static IReadOnlyList<BssEvalScores> Version2GainOnly(Tensor references, Tensor estimates, bool permute = false)
    {
        TorchRuntime.Initialize();
        return EachClip(references, estimates, 1, permute);
    }

    private static List<BssEvalScores> EachClip(Tensor references, Tensor estimates, int taps, bool permute)
    {
        RequireSameShape(references, estimates, nameof(estimates));
        using var scope = NewDisposeScope();
        long[] clips = references.dim() == 1 ? [1, 1, references.shape[0]] : [-1, references.shape[^2], references.shape[^1]];
        var sources = references.reshape(clips);
        var stems = estimates.reshape(clips);
        var scores = new List<BssEvalScores>();
        for (var clip = 0L; clip < sources.shape[0]; clip++)
            scores.Add(Score(sources[clip], stems[clip], taps, permute));
        return scores;
    }

    private static BssEvalScores Score(Tensor references, Tensor estimates, int taps, bool permute) =>
        BssEvalScores.Of(RatiosOf(references, estimates, taps, permute), permute);

    /// <summary>The scores of every estimate against every source, [S, N] or [N].</summary>
    private static BssEvalRatios RatiosOf(Tensor references, Tensor estimates, int taps, bool permute)
    {
        RequireRoom(references.dim() == 1 ? 1 : references.shape[0], references.shape[^1], taps, permute);
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        var (sources, energies) = UnitRows(references);
        var (stems, _) = UnitRows(estimates);
        if (energies.Any(e => !double.IsFinite(e)))
            throw new ArgumentException("A reference has samples that are not finite numbers.", nameof(references));
        int[] audible = [.. Enumerable.Range(0, energies.Length).Where(j => energies[j] > 0)];
        if (audible.Length == 0)
            return BssEvalRatios.Nothing(energies.Length);
        var heard = audible.Length == energies.Length ? sources : stack(audible.Select(j => sources[j]));
        return BssEvalRatios.Of(ProjectionEnergies.Of(heard, stems, taps), audible, energies.Length);
    }

    /// <summary>Rows in float64 on the CPU with energy 1, or 0 where a row is silent or not finite; and the energies before.</summary>
    private static (Tensor Rows, double[] Energies) UnitRows(Tensor signals)
    {
        var rows = signals.detach().to(float64, CPU).reshape(-1, signals.shape[^1]);
        var energies = rows.Square().sum(-1);
        var usable = energies.isfinite() & energies.Gt(0);
        var unit = where(usable.unsqueeze(1), rows * energies.rsqrt().unsqueeze(1), 0.0);
        return (unit, energies.data<double>().ToArray());
    }

    /// <summary>Refuses filters that explain any signal, and too many permutations.</summary>
    private static void RequireRoom(long sources, long samples, int taps, bool permute)
    {
        if (taps > samples)
            throw new ArgumentException(
                $"Filters of {taps} taps explain any signal of {samples} samples: score longer signals, or with a shorter filter.");
        if (permute && sources > MostPermuted)
            throw new ArgumentException(
                $"The permutations of {sources} sources are too many to try (at most {MostPermuted} sources): give the estimates in the "
                + "order of the references and permute: false.");
    }

    /// <summary>Asks for references and estimates [..., S, N] or [N] of one shape, with samples along the last axis.</summary>
    internal static void RequireSameShape(Tensor references, Tensor estimates, string name)
    {
        ArgumentNullException.ThrowIfNull(references);
        ArgumentNullException.ThrowIfNull(estimates);
        if (!references.shape.AsSpan().SequenceEqual(estimates.shape))
            throw new ArgumentException($"References are {Shape(references)} but estimates {Shape(estimates)}; the shapes must be the same.", name);
        if (references.dim() == 0 || references.numel() == 0)
            throw new ArgumentException($"There is nothing to score in signals of the shape {Shape(references)}.", nameof(references));
        if (references.dim() > 1 && references.shape[^2] > references.shape[^1])
            throw new ArgumentException(
                $"Signals of the shape {Shape(references)} are {references.shape[^2]} sources of {references.shape[^1]} samples; transposed? "
                + "Sources come before samples, [..., sources, samples]; many short signals of one source are [signals, 1, samples].",
                nameof(references));
        foreach (var (signals, what) in new[] { (references, nameof(references)), (estimates, nameof(estimates)) })
            if (signals.is_complex())
                throw new ArgumentException($"Signals are real numbers, the {what} are {Shapes.Describe(signals)}.", what);
    }

    private static string Shape(Tensor tensor) => $"[{string.Join(", ", tensor.shape)}]";
}
