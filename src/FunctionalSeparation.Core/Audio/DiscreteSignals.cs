using NWaves.Signals;

namespace FunctionalSeparation.Core;

/// <summary>Sound to and from NWaves, whose signals have one channel. The samples are shared, not copied.</summary>
public static class DiscreteSignals
{
    /// <summary>One channel as a signal of NWaves.</summary>
    /// <param name="audio">The sound.</param>
    /// <param name="channel">The channel, from 0.</param>
    /// <exception cref="ArgumentException">The sound has no such channel.</exception>
    public static DiscreteSignal ToSignal(this AudioBuffer audio, int channel = 0)
    {
        ArgumentNullException.ThrowIfNull(audio);
        if (channel < 0 || channel >= audio.Channels.Count)
            throw new ArgumentException($"A sound of {audio.Channels.Count} channels has no channel {channel}, counted from 0.", nameof(channel));
        return new DiscreteSignal(audio.SampleRate, audio.Channels[channel]);
    }

    /// <summary>Signals of NWaves as the channels of one sound.</summary>
    /// <param name="channels">One signal a channel, all of one length and sample rate.</param>
    /// <exception cref="ArgumentException">No signal, a null one, unequal lengths or sample rates.</exception>
    public static AudioBuffer FromSignals(params IReadOnlyList<DiscreteSignal> channels)
    {
        ArgumentNullException.ThrowIfNull(channels);
        if (channels.Any(c => c is null))
            throw new ArgumentException("A signal of an audio buffer is null.", nameof(channels));
        var rates = channels.Select(c => c.SamplingRate).Distinct().ToArray();
        if (rates.Length > 1)
            throw new ArgumentException(
                $"All channels of an audio buffer have one sample rate, got {string.Join(" and ", rates)} Hz: resample first.", nameof(channels));
        return new AudioBuffer([.. channels.Select(c => c.Samples)], rates.FirstOrDefault(1));
    }
}
