namespace FunctionalSeparation.Core;

/// <summary>The part of an estimate that counts as a source.</summary>
public enum BssEvalTarget
{
    /// <summary>
    /// The source as it sounds in each channel (<c>bss_eval_images</c>): filtering it is an error, the spatial one, whose ratio is
    /// ISR.
    /// </summary>
    Images,

    /// <summary>Any filtering of the source (<c>bss_eval_sources</c>): there is no ISR.</summary>
    Sources,
}

/// <summary>
/// Settings for scores in windows (<see cref="BssEval.InWindows(TorchSharp.torch.Tensor, TorchSharp.torch.Tensor, BssEvalSettings)"/>).
/// </summary>
/// <param name="Window">Samples of a window; null: one window, the whole signal.</param>
/// <param name="Hop">Samples from one window to the next; null: as long as a window.</param>
/// <param name="FilterLength">Taps of the filters; 512 in the published measures.</param>
/// <param name="FiltersOfEachWindow">
/// Whether each window has filters of its own, as in version 3. If false, one filter holds for the whole signal, as in version 4.
/// </param>
/// <param name="Target">The part of an estimate that counts as a source.</param>
/// <param name="Permute">
/// Whether to pair estimates with sources by the highest mean SIR: over all windows, or window by window if each has filters of
/// its own. If false, the order is as given.
/// </param>
public sealed record BssEvalSettings(
    long? Window = null,
    long? Hop = null,
    int FilterLength = BssEval.DefaultFilterLength,
    bool FiltersOfEachWindow = false,
    BssEvalTarget Target = BssEvalTarget.Images,
    bool Permute = false)
{
    /// <summary>The part of an estimate that counts as a source.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such target.</exception>
    public BssEvalTarget Target { get; init => field = Defined(value); } = Defined(Target);

    /// <summary>
    /// BSS Eval 4 as in the evaluation campaign of 2018 (Stöter, Liutkus and Ito, "The 2018 Signal Separation Evaluation Campaign"). It
    /// scores images in consecutive windows of one second, with one filter for the whole track, in the order given.
    /// </summary>
    /// <param name="sampleRate">Samples a second.</param>
    public static BssEvalSettings Version4(int sampleRate)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(sampleRate, 1);
        return new BssEvalSettings(Window: sampleRate);
    }

    /// <summary>The windows of a signal: first sample and length of each. A signal shorter than a window is one.</summary>
    /// <param name="samples">Length of the signal.</param>
    internal IReadOnlyList<(long Start, long Length)> Windows(long samples)
    {
        if (Window is not { } window || window >= samples)
            return [(0, samples)];
        var hop = Hop ?? window;
        return [.. Enumerable.Range(0, (int)((samples - window + hop) / hop)).Select(index => (index * hop, window))];
    }

    /// <summary>Refuses meaningless settings, and filters that explain any window.</summary>
    internal void Require(long samples)
    {
        foreach (var (name, value) in new[] { (nameof(FilterLength), FilterLength), (nameof(Window), Window ?? 1), (nameof(Hop), Hop ?? 1) })
            if (value < 1)
                throw new ArgumentException($"{name} is at least 1 sample, got {value}.", name);
        var explained = FiltersOfEachWindow ? Math.Min(Window ?? samples, samples) : samples;
        if (FilterLength > explained)
            throw new ArgumentException(
                $"Filters of {FilterLength} taps explain any signal of {explained} samples: score longer ones, or with a shorter filter.");
    }

    private static BssEvalTarget Defined(BssEvalTarget target)
    {
        ArgumentOutOfRangeException.ThrowIfUndefined(target, nameof(Target));
        return target;
    }
}
