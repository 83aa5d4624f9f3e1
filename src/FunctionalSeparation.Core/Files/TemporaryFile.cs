namespace FunctionalSeparation.Core;

/// <summary>
/// A name in the folder for temporary files, and the only place that makes one: whatever is written under it is deleted by
/// <see cref="Dispose"/>. A handle opened before (with <see cref="FileShare.Delete"/>) goes on reading it.
/// </summary>
internal sealed class TemporaryFile : IDisposable
{
    /// <summary>The full name; no file is there yet.</summary>
    public string Path { get; } = System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"funcsep-{Guid.NewGuid():N}.tmp");

    /// <summary>Deletes the file, where there is one.</summary>
    public void Dispose() => File.Delete(Path);
}
