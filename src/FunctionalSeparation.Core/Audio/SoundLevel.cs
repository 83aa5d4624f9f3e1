namespace FunctionalSeparation.Core;

/// <summary>How loud a sound is, and what constant offset (DC) it has.</summary>
/// <param name="RootMeanSquare">Root mean square over all channels of what is left without the offsets; 0 for silence.</param>
/// <param name="Offsets">The mean of each channel: it is not audible, but would count as loudness.</param>
/// <exception cref="ArgumentOutOfRangeException">A level that is negative or not finite, or an offset that is not finite.</exception>
public sealed record SoundLevel(double RootMeanSquare, IReadOnlyList<double> Offsets)
{
    /// <summary>Root mean square over all channels of what is left without the offsets; 0 for silence.</summary>
    public double RootMeanSquare { get; } = double.IsFinite(RootMeanSquare) && RootMeanSquare >= 0
        ? RootMeanSquare
        : throw new ArgumentOutOfRangeException(nameof(RootMeanSquare), RootMeanSquare, "A level is a root mean square.");

    /// <summary>The mean of each channel.</summary>
    public IReadOnlyList<double> Offsets { get; init => field = Finite(value); } = Finite(Offsets);

    /// <summary>The level of a sound that is expected to have no offset, such as a live one that is not known yet.</summary>
    /// <param name="rootMeanSquare">Its root mean square; 0 for silence.</param>
    public static SoundLevel WithoutOffset(double rootMeanSquare) => new(rootMeanSquare, []);

    /// <summary>Refuses offsets of another number of channels; none at all fit any number.</summary>
    /// <param name="channels">Channels of the sound.</param>
    /// <exception cref="ArgumentException">There are offsets, and not one for each channel.</exception>
    public void RequireChannels(int channels)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(channels, 1);
        if (Offsets.Count != 0 && Offsets.Count != channels)
            throw new ArgumentException($"The sound has {channels} channels, its level has offsets of {Offsets.Count}: measure the level of this sound.");
    }

    private static IReadOnlyList<double> Finite(IReadOnlyList<double> offsets)
    {
        ArgumentNullException.ThrowIfNull(offsets, nameof(Offsets));
        foreach (var offset in offsets) ArgumentOutOfRangeException.ThrowIfNotFinite(offset, nameof(Offsets));
        return offsets;
    }

    /// <summary>The level of a sound that comes in pieces, all with the same channels.</summary>
    internal static SoundLevel Of(IEnumerable<AudioBuffer> pieces)
    {
        var count = 0L;
        double[] sums = [], squares = [];
        foreach (var piece in pieces)
        {
            if (count == 0) (sums, squares) = (new double[piece.Channels.Count], new double[piece.Channels.Count]);
            count += piece.Length;
            for (var c = 0; c < sums.Length; c++)
                foreach (double sample in piece.Channels[c])
                    (sums[c], squares[c]) = (sums[c] + sample, squares[c] + sample * sample);
        }
        if (count == 0) return WithoutOffset(0);
        double[] means = [.. sums.Select(sum => sum / count)];
        // A constant leaves nothing but rounding: that is silence, not a sound to be made loud.
        var energies = squares.Zip(means, (square, mean) => square / count > (1 + 1e-12) * mean * mean ? square / count - mean * mean : 0);
        return new(Math.Sqrt(energies.Average()), means);
    }

    /// <summary>The sound without the offsets.</summary>
    internal AudioBuffer TakenOff(AudioBuffer sound) =>
        Offsets.All(offset => offset == 0)
            ? sound
            : new AudioBuffer([.. sound.Channels.Zip(Offsets, (channel, offset) => Array.ConvertAll(channel, x => (float)(x - offset)))], sound.SampleRate);
}
