using Microsoft.Win32.SafeHandles;

namespace FunctionalSeparation.Core;

/// <summary>
/// A sound of which any part can be read: the file itself, or a temporary copy of the contents of a pipe. A pipe is a FIFO, standard input,
/// or <c>/dev/fd/N</c> of a process substitution. Disposing deletes the copy; a handle that was opened before can still read it.
/// </summary>
internal sealed class SoundSource : IDisposable
{
    private const string StandardInput = "standard input";
    private static readonly string[] StandardInputs = ["-", StandardInput, "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"];
    private static readonly string[] Descriptors = ["/dev/fd/", "/proc/self/fd/"];
    private static readonly string[] DeviceFoldersOfFiles = [.. Descriptors, "/dev/stdin", "/dev/shm/"];

    private readonly UnfinishedFile? _copy;

    private SoundSource(string name, string location, UnfinishedFile? copy) => (Name, Location, _copy) = (name, location, copy);

    /// <summary>The name of the sound in messages: the path as given, <c>standard input</c> for <c>-</c>.</summary>
    public string Name { get; }

    /// <summary>The file to read.</summary>
    public string Location { get; }

    /// <param name="path">A file, a pipe, or <c>-</c> for standard input, which is read to its end.</param>
    /// <param name="watch">Ends the copying.</param>
    /// <exception cref="InputException">
    /// It is missing, a folder, a socket, a device or a terminal, or there is no room for a copy.
    /// </exception>
    public static SoundSource From(string path, DecoderWatch? watch = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        try
        {
            RefuseDevice(path);
            using var stream = path == "-"
                ? Console.OpenStandardInput()
                : new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, 1);
            return path != "-" && stream.CanSeek ? new(path, path, null) : Copy(stream, NameOf(path), watch ?? new(NameOf(path)));
        }
        catch (Exception cause) when (FileFailure.IsOfFiles(cause))
        {
            throw FileFailure.Reading(path, cause);
        }
    }

    /// <summary>Copies a stream, up to its end, to a temporary file.</summary>
    /// <param name="bytes">The stream; exceptions of its read method are passed on.</param>
    /// <param name="name">The name of the sound in messages.</param>
    /// <param name="watch">Ends the copying.</param>
    /// <exception cref="InputException">There is no room for a copy, or the stream exceeds the limits.</exception>
    public static SoundSource From(Stream bytes, string name, DecoderWatch watch) => Copy(bytes, name, watch);

    /// <summary>As <see cref="From(Stream, string, DecoderWatch)"/>, without waiting for the stream.</summary>
    /// <param name="bytes">The stream.</param>
    /// <param name="name">The name that messages give it.</param>
    /// <param name="watch">Ends the copying.</param>
    /// <exception cref="InputException">As there.</exception>
    public static async Task<SoundSource> FromAsync(Stream bytes, string name, DecoderWatch watch)
    {
        var copy = NewCopy(name);
        try
        {
            await Spool.CopyAsync(bytes, copy.Handle, name, watch).ConfigureAwait(false);
            return new(name, copy.Path, copy);
        }
        catch
        {
            copy.Dispose();
            throw;
        }
    }

    /// <summary>Opens what <see cref="From(string, DecoderWatch)"/> finds at a path; a copy is gone when the handle is closed.</summary>
    public static SafeFileHandle OpenHandle(string path)
    {
        using var source = From(path);
        return source.OpenHandle();
    }

    /// <summary>Opens it for reading; nothing to read is an input error.</summary>
    public SafeFileHandle OpenHandle() => OpenHandle(Location, Name);

    /// <summary>Opens a file for reading; one of 0 bytes and one without permission are input errors.</summary>
    /// <param name="location">The file.</param>
    /// <param name="name">Its name for messages.</param>
    public static SafeFileHandle OpenHandle(string location, string name)
    {
        try
        {
            const FileShare share = FileShare.Read | FileShare.Delete;
            var file = File.OpenHandle(location, FileMode.Open, FileAccess.Read, share, FileOptions.RandomAccess);
            if (RandomAccess.GetLength(file) > 0) return file;
            file.Dispose();
        }
        catch (Exception cause) when (FileFailure.IsOfFiles(cause))
        {
            throw FileFailure.Reading(name, cause);
        }
        throw new InputException($"{name} is empty (0 bytes): get it again.");
    }

    /// <summary>The name in messages of the sound at a path.</summary>
    public static string NameOf(string path) => path == "-" ? StandardInput : path;

    /// <summary>
    /// The base name of files made from the sound: the file's name without folder and extension, <c>stdin</c> for standard
    /// input, <c>pipe</c> for another descriptor.
    /// </summary>
    public static string StemOf(string name) =>
        StandardInputs.Contains(name) ? "stdin"
        : Descriptors.Any(folder => name.StartsWith(folder, StringComparison.Ordinal)) ? "pipe"
        : Path.GetFileNameWithoutExtension(name);

    /// <inheritdoc/>
    public void Dispose() => _copy?.Dispose();

    private static UnfinishedFile NewCopy(string name) => Spool.Open(() => new UnfinishedFile(Path.GetTempPath()), name);

    private static SoundSource Copy(Stream stream, string name, DecoderWatch watch)
    {
        var copy = NewCopy(name);
        try
        {
            Spool.Copy(stream, copy.Handle, name, watch);
            return new(name, copy.Path, copy);
        }
        catch
        {
            copy.Dispose();
            throw;
        }
    }

    private static void RefuseDevice(string path)
    {
        if (path is "-" or "/dev/stdin" && !Console.IsInputRedirected)
            throw new InputException("Standard input is a terminal: pipe a sound into it or name a file.");
        if (OperatingSystem.IsWindows() || !File.Exists(path)) return;
        var full = Path.GetFullPath(File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path);
        if (IsDevice(Path.GetFullPath(path)) || IsDevice(full))
            throw new InputException($"{path} is a device: name a file, or pipe the sound in.");
    }

    private static bool IsDevice(string full) =>
        full.StartsWith("/dev/", StringComparison.Ordinal)
        && !DeviceFoldersOfFiles.Any(folder => full.StartsWith(folder, StringComparison.Ordinal));
}
