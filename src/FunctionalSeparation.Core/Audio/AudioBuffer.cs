namespace FunctionalSeparation.Core;

/// <summary>Sound in memory: planar float32 channels of equal length, full scale = ±1.</summary>
public sealed class AudioBuffer
{
    /// <summary>Wraps the channels, without copying them.</summary>
    /// <param name="channels">One array a channel, all of the same length (samples).</param>
    /// <param name="sampleRate">Sample rate in Hz.</param>
    /// <exception cref="ArgumentException">No channel, a null one, unequal lengths, or a sample rate below 1 Hz.</exception>
    public AudioBuffer(IReadOnlyList<float[]> channels, int sampleRate)
    {
        ArgumentNullException.ThrowIfNull(channels);
        if (channels.Count == 0)
            throw new ArgumentException("An audio buffer needs at least one channel.", nameof(channels));
        if (channels.Any(c => c is null))
            throw new ArgumentException("A channel of an audio buffer is null.", nameof(channels));
        if (channels.Any(c => c.Length != channels[0].Length))
            throw new ArgumentException("All channels of an audio buffer must have the same length.", nameof(channels));
        if (sampleRate < 1)
            throw new ArgumentException($"A sample rate of {sampleRate} Hz makes no sense.", nameof(sampleRate));
        Channels = channels;
        SampleRate = sampleRate;
    }

    /// <summary>The channels, each <see cref="Length"/> samples long.</summary>
    public IReadOnlyList<float[]> Channels { get; }

    /// <summary>Sample rate in Hz.</summary>
    public int SampleRate { get; }

    /// <summary>Samples in each channel.</summary>
    public int Length => Channels[0].Length;

    /// <summary>Duration in seconds.</summary>
    public double Seconds => (double)Length / SampleRate;

    /// <summary>How loud the sound is, and what constant offset its channels have.</summary>
    public SoundLevel Level() => SoundLevel.Of([this]);

    /// <summary>Rate, channels, duration and level as text.</summary>
    public override string ToString()
    {
        var level = Level().RootMeanSquare;
        var loud = level > 0 ? FormattableString.Invariant($"{20 * Math.Log10(level):F1} dB RMS") : "silence";
        var channels = Channels.Count == 1 ? "mono" : Channels.Count == 2 ? "stereo" : $"{Channels.Count} channels";
        return FormattableString.Invariant($"sound of {Seconds:0.###} s, {channels}, {SampleRate} Hz, {loud}");
    }
}
