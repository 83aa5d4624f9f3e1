using System.Diagnostics;

namespace FunctionalSeparation.Core;

/// <summary>Ends the reading of one sound at its limits, and when it is cancelled.</summary>
/// <param name="name">The sound, for messages.</param>
/// <param name="limits">How much it may take; null: no limits.</param>
/// <param name="cancellation">Whether it is still wanted.</param>
internal sealed class DecoderWatch(string name, DecoderLimits? limits = null, CancellationToken cancellation = default)
{
    private long? _start;

    /// <summary>Whether the sound is still wanted.</summary>
    public CancellationToken Cancellation => cancellation;

    /// <summary>Checks a running decoder. Time counts from the first check.</summary>
    /// <exception cref="InputException">It has worked for too long, or takes too much memory.</exception>
    /// <exception cref="OperationCanceledException">The sound is not wanted any more.</exception>
    public void Check(Process decoder)
    {
        cancellation.ThrowIfCancellationRequested();
        if (limits is null) return;
        _start ??= Stopwatch.GetTimestamp();
        if (Stopwatch.GetElapsedTime(_start.Value) > limits.Time)
            throw Exceeded(FormattableString.Invariant($"takes more than {limits.Time.TotalSeconds:0.###} s to decode"), nameof(limits.Time));
        if (MemoryOf(decoder) > limits.Memory)
            throw Exceeded($"takes a decoder more than {limits.Memory} bytes of memory", nameof(limits.Memory));
    }

    /// <summary>Checks the number of bytes so far.</summary>
    /// <exception cref="InputException">It is too much.</exception>
    /// <exception cref="OperationCanceledException">The sound is not wanted any more.</exception>
    public void Check(long bytes)
    {
        cancellation.ThrowIfCancellationRequested();
        if (limits is not null && bytes > limits.Bytes)
            throw Exceeded($"comes to more than {limits.Bytes} bytes", nameof(limits.Bytes));
    }

    private InputException Exceeded(string what, string limit) =>
        new($"{name} {what}, the limit that was set ({nameof(DecoderLimits)}.{limit}): shorten it, or convert it to WAV.");

    private static long MemoryOf(Process process)
    {
        try
        {
            process.Refresh();
            return process.WorkingSet64;
        }
        catch (InvalidOperationException)
        {
            return 0; // it has ended
        }
    }
}
