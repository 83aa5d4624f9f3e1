namespace FunctionalSeparation.Core;

/// <summary>
/// Takes a mixture apart. An application holds one for as long as it separates; a separator is used by one thread at a time.
/// </summary>
public interface ISeparator : IDisposable
{
    /// <summary>The name to display: model and corpus.</summary>
    string Name { get; }

    /// <summary>Tells it from others that would make other stems: a hash of what it is made of. Its name, where it has none.</summary>
    string Fingerprint => Name;

    /// <summary>The sample rate in Hz that it was made for; mixtures of any rate are accepted.</summary>
    int SampleRate { get; }

    /// <summary>Names of the stems, in a fixed order, such as music and voice.</summary>
    IReadOnlyList<string> Stems { get; }

    /// <summary>
    /// Starts to take one sound apart, piece by piece. For a whole sound or file see
    /// <see cref="SeparatorExtensions.Separate(ISeparator, AudioBuffer, IProgress{double}?, CancellationToken)"/> and
    /// <see cref="SeparatorExtensions.SeparateFile(ISeparator, string, string, StemSettings?, IProgress{double}?, CancellationToken)"/>.
    /// </summary>
    /// <param name="sampleRate">The sound's sample rate in Hz, any.</param>
    /// <param name="channels">
    /// Its channels. A network of one channel hears the two of a stereo sound as their middle and side, more than two each by itself.
    /// </param>
    /// <param name="level">
    /// Level of the whole sound (<see cref="AudioBuffer.Level"/>): it is brought to the level that the separator was trained
    /// at, and back; a constant offset of a channel goes to the first stem (the accompaniment) without passing through the
    /// separator. null: it is found on the way (<see cref="RunningLevel"/>), as for a live sound; what is to be expected of one can be
    /// said too (<see cref="SoundLevel.WithoutOffset"/>).
    /// </param>
    /// <returns>
    /// The stream; the caller disposes it before the separator. A stream whose separator has been disposed refuses to go on (an
    /// <see cref="ObjectDisposedException"/>) and can still be disposed.
    /// </returns>
    /// <exception cref="ArgumentOutOfRangeException">A rate or number of channels below 1; a level that is negative or not finite.</exception>
    /// <exception cref="ArgumentException">Offsets of another number of channels.</exception>
    /// <exception cref="ObjectDisposedException">The separator has been disposed.</exception>
    StemStream Open(int sampleRate, int channels, SoundLevel? level = null);
}
