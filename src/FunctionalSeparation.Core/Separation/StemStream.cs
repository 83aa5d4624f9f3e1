namespace FunctionalSeparation.Core;

/// <summary>
/// Separates a sound while it comes in. It takes pieces of the mixture and gives pieces of its stems, at the mixture's rate. The stems of
/// all pieces, joined, do not depend on how the sound was cut into pieces; they sum to the mixture. Memory does not grow with the length of
/// the sound. Used by one thread at a time. Disposing it leaves the separator as it is. Disposing the separator ends it: it then throws
/// <see cref="ObjectDisposedException"/> when it is used.
/// </summary>
public sealed class StemStream : IDisposable
{
    private readonly IEstimateStream _estimates;
    private readonly int _innerRate;
    private readonly SoundLevel _level;
    private readonly ChannelResampler[] _down;
    private readonly ChannelResampler[][] _up;
    private readonly SampleQueue[] _waiting;
    private long _received;
    private bool _finished;
    private bool _disposed;

    /// <summary>Starts a stream. Applications call <see cref="ISeparator.Open"/>.</summary>
    /// <param name="stems">Names of the stems, at least two. The first is the mixture minus the estimates of the others.</param>
    /// <param name="estimates">The running separator; disposed with the stream.</param>
    /// <param name="innerRate">Its sample rate in Hz.</param>
    /// <param name="sampleRate">The mixture's sample rate in Hz.</param>
    /// <param name="channels">The mixture's number of channels.</param>
    /// <param name="level">Its offsets do not reach the separator, and so stay in the first stem; null: no offsets are known.</param>
    public StemStream(
        IReadOnlyList<string> stems, IEstimateStream estimates, int innerRate, int sampleRate, int channels, SoundLevel? level)
    {
        ArgumentException.ThrowIfNullOrHasNull(stems);
        ArgumentNullException.ThrowIfNull(estimates);
        ArgumentOutOfRangeException.ThrowIfLessThan(stems.Count, 2);
        if (stems.Distinct().Count() < stems.Count)
            throw new ArgumentException($"Stems have names of their own, got {string.Join(", ", stems)}.", nameof(stems));
        ArgumentOutOfRangeException.ThrowIfLessThan(innerRate, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(sampleRate, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(channels, 1);
        level ??= SoundLevel.WithoutOffset(0);
        level.RequireChannels(channels);
        (Stems, _estimates, _innerRate, SampleRate, Channels, _level) = (stems, estimates, innerRate, sampleRate, channels, level);
        _waiting = Each(channels, () => new SampleQueue());
        _down = innerRate == sampleRate ? [] : Each(channels, () => Resampler.Channel(sampleRate, innerRate));
        _up = innerRate == sampleRate ? [] : Each(stems.Count - 1, () => Each(channels, () => Resampler.Channel(innerRate, sampleRate)));
        Latency = _up.Length == 0 ? estimates.Latency : _down[0].Latency + ToOwnRate(estimates.Latency + _up[0][0].Latency);
    }

    /// <summary>Names of the stems, in the order of the separator's.</summary>
    public IReadOnlyList<string> Stems { get; }

    /// <summary>Sample rate of mixture and stems in Hz.</summary>
    public int SampleRate { get; }

    /// <summary>Channels of the mixture and of each stem.</summary>
    public int Channels { get; }

    /// <summary>
    /// Latency of the stems in samples: after n samples of input, at least the first n minus this number are out. It is one window, the
    /// look-ahead and the waiting time of the network, and two filters where the sound is resampled for it.
    /// </summary>
    public int Latency { get; }

    /// <summary>Takes in a piece of the mixture.</summary>
    /// <param name="mixture">Any length, with the rate and channels of the stream.</param>
    /// <returns>One buffer for each stem, with the samples that no later piece can change. All have one length, which may be 0.</returns>
    /// <exception cref="ArgumentException">Another rate or number of channels.</exception>
    /// <exception cref="InvalidOperationException">The stream has been finished.</exception>
    /// <exception cref="ObjectDisposedException">The stream or its separator has been disposed.</exception>
    /// <exception cref="InputException">A sample is not a finite number.</exception>
    public IReadOnlyDictionary<string, AudioBuffer> Push(AudioBuffer mixture)
    {
        ArgumentNullException.ThrowIfNull(mixture);
        RequireOpen();
        Require(mixture, _received);
        _finished = true; // should the separator fail: what waits here and what it knows would no longer belong together
        _received += mixture.Length;
        foreach (var (queue, channel) in _waiting.Zip(mixture.Channels)) queue.Add(channel);
        var estimates = _estimates.Push(Convert(_down, _level.TakenOff(mixture), _innerRate, (filter, samples) => filter.Push(samples)));
        var stems = AllStems(Others(estimates, (filter, samples) => filter.Push(samples)));
        _finished = false;
        return stems;
    }

    /// <summary>Ends the mixture.</summary>
    /// <returns>The remaining stems: all together are as long as the mixture.</returns>
    /// <exception cref="InvalidOperationException">The stream has been finished.</exception>
    /// <exception cref="ObjectDisposedException">The stream or its separator has been disposed.</exception>
    public IReadOnlyDictionary<string, AudioBuffer> Finish()
    {
        RequireOpen();
        _finished = true;
        var nothing = new AudioBuffer(Each(Channels, Array.Empty<float>), SampleRate);
        var last = _estimates.Push(Convert(_down, nothing, _innerRate, (filter, _) => filter.Finish()));
        var estimates = last.Zip(_estimates.Finish(), (a, b) => new AudioBuffer([.. a.Channels.Zip(b.Channels, Join)], _innerRate));
        var others = Others([.. estimates], (filter, samples) => Join(filter.Push(samples), filter.Finish()));
        var missing = _waiting[0].Count;
        return AllStems([.. others.Select(channels => channels.Select(samples => Fitted(samples, missing)).ToArray())]);
    }

    /// <summary>Ends the stream. Further calls do nothing.</summary>
    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        _estimates.Dispose();
    }

    private static T[] Each<T>(int count, Func<T> make) => [.. Enumerable.Range(0, count).Select(_ => make())];

    private static float[] Join(float[] a, float[] b) => [.. a, .. b];

    private int ToOwnRate(int samples) => (int)(((long)samples * SampleRate + _innerRate - 1) / _innerRate);

    /// <summary>The estimates of all stems but the first at the mixture's rate, [stem][channel][samples].</summary>
    private float[][][] Others(IReadOnlyList<AudioBuffer> estimates, Func<ChannelResampler, float[], float[]> step) =>
        [.. estimates.Skip(1).Select((estimate, stem) =>
            Convert(_up.Length == 0 ? [] : _up[stem], estimate, SampleRate, step).Channels.ToArray())];

    private static AudioBuffer Convert(
        ChannelResampler[] filters, AudioBuffer audio, int rate, Func<ChannelResampler, float[], float[]> step) =>
        filters.Length == 0 ? audio : new AudioBuffer([.. filters.Zip(audio.Channels, step)], rate);

    /// <summary>Cut or padded to a length: resampling there and back can change it by a sample.</summary>
    private static float[] Fitted(float[] samples, int length)
    {
        if (samples.Length == length) return samples;
        var fitted = new float[length];
        samples.AsSpan(0, Math.Min(length, samples.Length)).CopyTo(fitted);
        return fitted;
    }

    /// <summary>
    /// Gives the first stem the mixture minus the estimates of the other stems, so that the stems sum to the mixture. The first stem thus
    /// receives the rounding errors and, if the separator works at a lower sample rate, everything above its band.
    /// </summary>
    private Dictionary<string, AudioBuffer> AllStems(float[][][] others)
    {
        var first = _waiting.Select((queue, channel) => Remainder(queue.Take(others[0][channel].Length), others, channel)).ToArray();
        return Stems.Zip([first, .. others]).ToDictionary(pair => pair.First, pair => new AudioBuffer(pair.Second, SampleRate));
    }

    private static float[] Remainder(ReadOnlySpan<float> mixture, float[][][] others, int channel)
    {
        var rest = mixture.ToArray();
        foreach (var other in others)
            for (var i = 0; i < rest.Length; i++) rest[i] -= other[channel][i];
        return rest;
    }

    /// <summary>
    /// Refuses a piece of another rate or number of channels, or with a sample that is not a finite number. <paramref name="offset"/> is
    /// where the piece begins.
    /// </summary>
    internal void Require(AudioBuffer mixture, long offset)
    {
        if (mixture.SampleRate != SampleRate || mixture.Channels.Count != Channels)
            throw new ArgumentException(
                $"The stream has {Channels} channels at {SampleRate} Hz, the piece {mixture.Channels.Count} at {mixture.SampleRate} Hz.",
                nameof(mixture));
        RequireFinite(mixture, offset);
    }

    private void RequireOpen()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_finished) throw new InvalidOperationException("The stream has been finished, or a piece failed: open another one.");
    }

    /// <summary>Refuses a sample that is not a finite number; <paramref name="offset"/> is where the piece begins.</summary>
    internal static void RequireFinite(AudioBuffer mixture, long offset)
    {
        if (FiniteSamples.FirstFault(mixture.Channels, offset, mixture.SampleRate) is { } fault)
            throw new InputException($"The mixture holds {fault}, which is not a finite number: export it again.");
    }
}
