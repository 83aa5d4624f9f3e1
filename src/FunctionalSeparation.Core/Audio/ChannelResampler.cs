namespace FunctionalSeparation.Core;

/// <summary>
/// Changes the sample rate of one channel piece by piece. The output pieces, joined, are to the last bit the output of
/// <see cref="Resampler"/> for the joined input pieces.
/// </summary>
/// <param name="filter">The filter of the change of rate.</param>
internal sealed class ChannelResampler(PolyphaseFilter filter)
{
    private const int BlockSamples = 1 << 15;

    /// <summary>Inputs from <see cref="_first"/> on, in double precision; zeros behind the last that has come.</summary>
    private readonly double[] _window = new double[BlockSamples + 2 * filter.Taps];

    private long _first = -filter.Before;
    private long _received;
    private long _given;

    /// <summary>
    /// Latency of the outputs in input samples: after n samples of input, all outputs before the time n minus this are out.
    /// </summary>
    public int Latency => filter.Before + 1;

    /// <summary>Takes samples in.</summary>
    /// <param name="samples">Any number.</param>
    /// <returns>The outputs that no later sample can change.</returns>
    public float[] Push(ReadOnlySpan<float> samples)
    {
        var target = new float[Settled(_received + samples.Length) - _given];
        var written = 0;
        while (samples.Length > 0)
        {
            var piece = samples[..Math.Min(samples.Length, BlockSamples)];
            samples = samples[piece.Length..];
            Append(piece);
            written += Compute(target.AsSpan(written), Settled(_received));
        }
        return target;
    }

    /// <summary>Ends the sound; silence is taken to follow it.</summary>
    /// <returns>The remaining outputs: all together are ceil(inputs × up / down).</returns>
    public float[] Finish()
    {
        var target = new float[Ceiling(_received) - _given];
        Compute(target, Ceiling(_received));
        return target;
    }

    private long Ceiling(long inputs) => (inputs * filter.Up + filter.Down - 1) / filter.Down;

    /// <summary>The number of outputs that are certain after <paramref name="inputs"/> inputs.</summary>
    private long Settled(long inputs) => Ceiling(Math.Max(0, inputs - Latency));

    private void Append(ReadOnlySpan<float> piece)
    {
        DropUnneeded();
        var end = (int)(_received - _first);
        for (var i = 0; i < piece.Length; i++) _window[end + i] = piece[i];
        _received += piece.Length;
    }

    /// <summary>Moves the samples that the next output still needs to the front.</summary>
    private void DropUnneeded()
    {
        var unneeded = (int)(_given * filter.Down / filter.Up - filter.Before - _first);
        var kept = (int)(_received - _first) - unneeded;
        Array.Copy(_window, unneeded, _window, 0, kept);
        Array.Clear(_window, kept, _window.Length - kept);
        _first += unneeded;
    }

    private int Compute(Span<float> target, long until)
    {
        var start = _given;
        for (; _given < until; _given++)
        {
            var (at, phase) = Math.DivRem(_given * filter.Down, filter.Up);
            var window = _window.AsSpan((int)(at - filter.Before - _first), filter.Taps);
            target[(int)(_given - start)] = (float)filter.Value(phase, window);
        }
        return (int)(_given - start);
    }
}
