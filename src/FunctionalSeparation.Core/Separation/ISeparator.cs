namespace FunctionalSeparation.Core;

/// <summary>
/// Takes a mixture apart. An application holds one for as long as it separates; a separator is used by one thread at a time.
/// </summary>
public interface ISeparator : IDisposable
{
    /// <summary>What it is, for people: model and corpus.</summary>
    string Name { get; }

    /// <summary>The sample rate in Hz that it works at inside; mixtures of any rate are accepted.</summary>
    int SampleRate { get; }

    /// <summary>Names of the stems, in a fixed order, such as music and voice.</summary>
    IReadOnlyList<string> Stems { get; }

    /// <summary>Separates a mixture of any length, rate and number of channels (each channel by itself).</summary>
    /// <param name="mixture">The mixture.</param>
    /// <param name="progress">Told the share done, from 0 to 1; may be null.</param>
    /// <param name="cancellation">Stops the work between two blocks.</param>
    /// <returns>
    /// One buffer for each name in <see cref="Stems"/>, with the rate, channels and length of the mixture. The stems sum to
    /// the mixture.
    /// </returns>
    /// <exception cref="InputException">The mixture is empty or holds samples that are not finite numbers.</exception>
    /// <exception cref="OperationCanceledException">The work was cancelled.</exception>
    IReadOnlyDictionary<string, AudioBuffer> Separate(
        AudioBuffer mixture, IProgress<double>? progress = null, CancellationToken cancellation = default);
}
