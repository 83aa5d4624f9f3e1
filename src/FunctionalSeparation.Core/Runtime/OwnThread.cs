namespace FunctionalSeparation.Core;

/// <summary>Long work on a thread of its own, which leaves those of the thread pool to others.</summary>
internal static class OwnThread
{
    /// <summary>Runs it.</summary>
    /// <param name="work">The work.</param>
    /// <param name="cancellation">Where it is cancelled before it has begun, it does not begin.</param>
    public static Task<T> Run<T>(Func<T> work, CancellationToken cancellation) =>
        Task.Factory.StartNew(work, cancellation, TaskCreationOptions.LongRunning, TaskScheduler.Default);
}
