namespace FunctionalSeparation.Core;

/// <summary>
/// Separates a mixture. An application holds one for as long as it separates; a separator is used by one thread at a time.
/// </summary>
public interface ISeparator : IDisposable
{
    /// <summary>The name to display: model and corpus.</summary>
    string Name { get; }

    /// <summary>
    /// Distinguishes it from separators that would make other stems: a hash of its parts, or its name where it has no hash.
    /// </summary>
    string Fingerprint => Name;

    /// <summary>The sample rate in Hz that it was made for; mixtures of any rate are accepted.</summary>
    int SampleRate { get; }

    /// <summary>Names of the stems, in a fixed order, such as music and voice.</summary>
    IReadOnlyList<string> Stems { get; }

    /// <summary>
    /// Starts to separate one sound, piece by piece. For a whole sound or file see
    /// <see cref="SeparatorExtensions.Separate(ISeparator, AudioBuffer, IProgress{double}?, CancellationToken)"/> and
    /// <see cref="SeparatorExtensions.SeparateFile(ISeparator, string, string, StemSettings?, IProgress{double}?, CancellationToken)"/>.
    /// </summary>
    /// <param name="sampleRate">The sound's sample rate in Hz, any.</param>
    /// <param name="channels">
    /// Its channels. A network of one channel processes the two of a stereo sound as their middle and side, and more than two separately.
    /// </param>
    /// <param name="level">
    /// Level of the whole sound (<see cref="AudioBuffer.Level"/>). The sound is scaled to the level that the separator was trained at, and
    /// back. A constant offset of a channel goes to the first stem (the accompaniment) without passing through the separator. null: the
    /// level is measured as the sound comes (<see cref="RunningLevel"/>), as for a live sound. The expected level of a live sound can also
    /// be given (<see cref="SoundLevel.WithoutOffset"/>).
    /// </param>
    /// <returns>
    /// The stream; the caller disposes it before the separator. A stream whose separator has been disposed throws
    /// <see cref="ObjectDisposedException"/> when it is used, and can still be disposed.
    /// </returns>
    /// <exception cref="ArgumentOutOfRangeException">
    /// A rate or number of channels below 1; a level that is negative or not finite.
    /// </exception>
    /// <exception cref="ArgumentException">Offsets of another number of channels.</exception>
    /// <exception cref="ObjectDisposedException">The separator has been disposed.</exception>
    StemStream Open(int sampleRate, int channels, SoundLevel? level = null);
}
