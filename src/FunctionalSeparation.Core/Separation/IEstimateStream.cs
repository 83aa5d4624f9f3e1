namespace FunctionalSeparation.Core;

/// <summary>
/// A separator at work on one sound that comes piece by piece, at the rate that it hears it at. <see cref="StemStream"/> makes
/// stems at the mixture's rate of it. Used by one thread at a time.
/// </summary>
public interface IEstimateStream : IDisposable
{
    /// <summary>
    /// Samples that the estimates stay behind: after n samples in, the first n minus this many are out, or more.
    /// </summary>
    int Latency { get; }

    /// <summary>Takes a piece of the mixture in.</summary>
    /// <param name="mixture">Any length, at that rate.</param>
    /// <returns>The estimates that no later piece can change, one buffer a stem, all of the same length (it may be 0).</returns>
    IReadOnlyList<AudioBuffer> Push(AudioBuffer mixture);

    /// <summary>Ends the mixture.</summary>
    /// <returns>The rest of the estimates. All estimates together are as long as the mixture.</returns>
    IReadOnlyList<AudioBuffer> Finish();
}
