namespace FunctionalSeparation.Core;

/// <summary>Samples of one channel that wait, first in, first out.</summary>
internal sealed class SampleQueue
{
    private float[] _samples = [];
    private int _start;

    /// <summary>Samples that wait.</summary>
    public int Count { get; private set; }

    /// <summary>Adds samples at the end.</summary>
    public void Add(ReadOnlySpan<float> samples)
    {
        if (_start + Count + samples.Length > _samples.Length) MakeRoom(samples.Length);
        samples.CopyTo(_samples.AsSpan(_start + Count));
        Count += samples.Length;
    }

    /// <summary>Takes the first samples out. They are valid until the next call.</summary>
    public ReadOnlySpan<float> Take(int count)
    {
        var taken = _samples.AsSpan(_start, count);
        _start += count;
        Count -= count;
        return taken;
    }

    private void MakeRoom(int more)
    {
        var target = Count + more > _samples.Length ? new float[2 * (Count + more)] : _samples;
        _samples.AsSpan(_start, Count).CopyTo(target);
        (_samples, _start) = (target, 0);
    }
}
