namespace FunctionalSeparation.Core;

/// <summary>
/// Hands reports to an action at once, on the thread that does the work, in their order. <see cref="Progress{T}"/> posts them to the
/// context that it was made in instead. That is right for a window, but without a context the reports of a fast job overtake each other.
/// </summary>
/// <param name="report">Receives the share done, from 0 to 1. It should be quick: the work waits for it.</param>
public sealed class OrderedProgress(Action<double> report) : IProgress<double>
{
    private readonly Action<double> _report = report ?? throw new ArgumentNullException(nameof(report));

    /// <inheritdoc/>
    public void Report(double value) => _report(value);
}
