namespace FunctionalSeparation.Core;

/// <summary>
/// A separator that processes one sound piece by piece, at its own sample rate. <see cref="StemStream"/> makes stems at the mixture's rate
/// from its estimates. Used by one thread at a time.
/// </summary>
public interface IEstimateStream : IDisposable
{
    /// <summary>
    /// Latency of the estimates in samples: after n samples of input, at least the first n minus this number are out.
    /// </summary>
    int Latency { get; }

    /// <summary>Takes in a piece of the mixture.</summary>
    /// <param name="mixture">Any length, at that rate.</param>
    /// <returns>The estimates that no later piece can change, one buffer a stem, all of the same length (it may be 0).</returns>
    IReadOnlyList<AudioBuffer> Push(AudioBuffer mixture);

    /// <summary>Ends the mixture.</summary>
    /// <returns>The rest of the estimates. All estimates together are as long as the mixture.</returns>
    IReadOnlyList<AudioBuffer> Finish();
}
