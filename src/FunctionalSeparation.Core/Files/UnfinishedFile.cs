using Microsoft.Win32.SafeHandles;

namespace FunctionalSeparation.Core;

/// <summary>
/// A file that is being written: open under a temporary name, <c>.funcsep-….part</c>, in the folder where it will stay, until
/// <see cref="MoveTo"/> gives it its name or <see cref="Dispose"/> deletes it. <see cref="UnfinishedFiles"/> describes its fate when the
/// process ends before that.
/// </summary>
internal sealed class UnfinishedFile : IDisposable
{
    private const int Attempts = 3;

    /// <summary>Makes the file, and its folder where that is missing; removes what ended processes left in the folder.</summary>
    /// <exception cref="IOException">The folder cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder may not be written.</exception>
    public UnfinishedFile(string folder)
    {
        Directory.CreateDirectory(folder);
        UnfinishedFiles.RemoveLeftovers(folder);
        (Path, Handle) = UnfinishedFiles.Atomically(() =>
        {
            var (path, handle) = Create(folder);
            UnfinishedFiles.Add(path);
            return (path, handle);
        });
    }

    /// <summary>The temporary name.</summary>
    public string Path { get; }

    /// <summary>The open file, to be read and written. While it is open it is locked.</summary>
    public SafeFileHandle Handle { get; }

    /// <summary>Gives the file its name and closes it.</summary>
    /// <param name="target">The name; in the same folder.</param>
    /// <param name="overwrite">Whether an older file of that name is replaced.</param>
    /// <exception cref="IOException">
    /// There is an older file that is not to be replaced, the folder is gone, or the file was removed because the process was
    /// told to stop.
    /// </exception>
    public void MoveTo(string target, bool overwrite = true)
    {
        UnfinishedFiles.Atomically(() =>
        {
            if (!UnfinishedFiles.IsKnown(Path))
                throw new IOException("the process was told to stop, and what it had not finished was removed");
            File.Move(Path, target, overwrite);
            UnfinishedFiles.Forget(Path);
            return true;
        });
        Handle.Dispose();
    }

    /// <summary>Closes the file and, without its name, deletes it. Never fails: what cannot be deleted now is by the next run.</summary>
    public void Dispose()
    {
        UnfinishedFiles.Remove(Path);
        Handle.Dispose();
    }

    /// <summary>
    /// Between making a file and locking it, another process may take it for a leftover: it then refuses the lock, or has
    /// removed the file. Another is made.
    /// </summary>
    private static (string, SafeFileHandle) Create(string folder)
    {
        for (var attempt = 1; ; attempt++)
        {
            var path = System.IO.Path.Combine(folder, $"{UnfinishedFiles.Prefix}{Guid.NewGuid():N}{UnfinishedFiles.Suffix}");
            try
            {
                var handle = File.OpenHandle(
                    path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
                if (File.Exists(path)) return (path, handle);
                handle.Dispose();
                if (attempt == Attempts) throw new IOException("what is written there is removed at once");
            }
            catch (IOException) when (attempt < Attempts) { }
        }
    }
}
