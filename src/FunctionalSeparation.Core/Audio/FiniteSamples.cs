namespace FunctionalSeparation.Core;

/// <summary>Samples that are no finite numbers, which no network, filter or file can work with.</summary>
internal static class FiniteSamples
{
    /// <summary>
    /// The first of them, such as <c>NaN at sample 4 of channel 0 (both counted from 0; 0.00025 s)</c>; null where all are finite.
    /// </summary>
    /// <param name="channels">The samples.</param>
    /// <param name="offset">Where they begin, in samples of the whole.</param>
    /// <param name="sampleRate">In Hz.</param>
    public static string? FirstFault(IReadOnlyList<float[]> channels, long offset, int sampleRate)
    {
        for (var c = 0; c < channels.Count; c++)
        {
            var bad = Array.FindIndex(channels[c], value => !float.IsFinite(value));
            if (bad < 0) continue;
            var (sample, value) = (offset + bad, channels[c][bad]);
            return FormattableString.Invariant(
                $"{value} at sample {sample} of channel {c} (both counted from 0; {(double)sample / sampleRate:0.#####} s)");
        }
        return null;
    }
}
