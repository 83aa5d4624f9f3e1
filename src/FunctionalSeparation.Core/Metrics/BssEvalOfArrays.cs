using TorchSharp;
using static TorchSharp.torch;

namespace FunctionalSeparation.Core;

public static partial class BssEval
{
    /// <summary><see cref="Version3(Tensor, Tensor, int, bool)"/> of samples in arrays.</summary>
    /// <param name="references">The true sources of one clip, all of one length.</param>
    /// <param name="estimates">Their estimates, of the same number and length.</param>
    /// <param name="filterLength">Taps; 512 in the published measure.</param>
    /// <param name="permute">Whether to pair estimates with sources by the greatest mean SIR.</param>
    /// <returns>Scores for each true source.</returns>
    /// <exception cref="ArgumentException">Lengths or numbers differ; else as there.</exception>
    /// <exception cref="InputException">libtorch could not be loaded.</exception>
    public static BssEvalScores Version3(
        IReadOnlyList<float[]> references,
        IReadOnlyList<float[]> estimates,
        int filterLength = DefaultFilterLength,
        bool permute = true)
    {
        TorchRuntime.Initialize();
        using var scope = NewDisposeScope();
        return Version3(Stacked(references, nameof(references)), Stacked(estimates, nameof(estimates)), filterLength, permute);
    }

    /// <summary><see cref="InWindows(Tensor, Tensor, BssEvalSettings)"/> of sounds.</summary>
    /// <param name="references">The true sources, all of one length, rate and number of channels.</param>
    /// <param name="estimates">Their estimates, of the same number, length, rate and number of channels.</param>
    /// <param name="settings">
    /// Windows, filters, and what counts as a source; null: <see cref="BssEvalSettings.Version4"/> at their rate.
    /// </param>
    /// <returns>Scores of each source in each window.</returns>
    /// <exception cref="ArgumentException">Lengths, rates or numbers differ; else as there.</exception>
    /// <exception cref="InputException">libtorch could not be loaded.</exception>
    public static BssEvalWindowScores InWindows(
        IReadOnlyList<AudioBuffer> references, IReadOnlyList<AudioBuffer> estimates, BssEvalSettings? settings = null)
    {
        TorchRuntime.Initialize();
        using var scope = NewDisposeScope();
        var sounds = (Images(references, nameof(references)), Images(estimates, nameof(estimates)));
        if (references[0].SampleRate != estimates[0].SampleRate)
            throw new ArgumentException(
                $"References have {references[0].SampleRate} Hz, estimates {estimates[0].SampleRate} Hz: resample one of them.", nameof(estimates));
        return InWindows(sounds.Item1, sounds.Item2, settings ?? BssEvalSettings.Version4(references[0].SampleRate));
    }

    private static Tensor Stacked(IReadOnlyList<float[]> signals, string name)
    {
        ArgumentException.ThrowIfNullOrHasNull(signals, name);
        if (signals.Count == 0) throw new ArgumentException("There is nothing to score.", name);
        if (signals.FirstOrDefault(signal => signal.Length != signals[0].Length) is { } other)
            throw new ArgumentException($"Signals are of one length, got {signals[0].Length} and {other.Length} samples.", name);
        return stack(signals.Select(signal => tensor(signal)));
    }

    private static Tensor Images(IReadOnlyList<AudioBuffer> sounds, string name)
    {
        ArgumentException.ThrowIfNullOrHasNull(sounds, name);
        if (sounds.Count == 0) throw new ArgumentException("There is nothing to score.", name);
        static string Words(AudioBuffer sound) => $"{sound.Channels.Count} channels of {sound.Length} samples at {sound.SampleRate} Hz";
        if (sounds.FirstOrDefault(sound => Words(sound) != Words(sounds[0])) is { } other)
            throw new ArgumentException($"Sounds are alike, got {Words(sounds[0])} and {Words(other)}.", name);
        return stack(sounds.Select(sound => sound.ToTensor()));
    }
}
