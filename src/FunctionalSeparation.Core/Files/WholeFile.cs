using Microsoft.Win32.SafeHandles;

namespace FunctionalSeparation.Core;

/// <summary>Files that are written whole or not at all, and read with errors that name them.</summary>
public static class WholeFile
{
    /// <summary>
    /// Writes a file under a temporary name beside the target, flushes it to the disk and renames it into place. An older
    /// file of that name stays as it was until then, whatever happens. Missing folders are made.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="write">Writes the content.</param>
    /// <exception cref="InputException">The file cannot be written, for example because the disk is full.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(write);
        try
        {
            var full = Path.GetFullPath(path);
            using var file = new UnfinishedFile(Path.GetDirectoryName(full)!);
            using var stream = new FileStream(file.Handle, FileAccess.Write);
            write(stream);
            stream.Flush(flushToDisk: true);
            file.MoveTo(full);
        }
        catch (Exception cause) when (FileFailure.IsOfFiles(cause))
        {
            throw FileFailure.Writing(path, cause);
        }
    }

    /// <summary>Writes a text in UTF-8.</summary>
    /// <param name="path">The file.</param>
    /// <param name="text">The content.</param>
    /// <exception cref="InputException">The file cannot be written.</exception>
    public static void Write(string path, string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        Write(path, stream => stream.Write(System.Text.Encoding.UTF8.GetBytes(text)));
    }

    /// <summary>
    /// Appends a text to a file, either all of it or nothing. Creates the file and its folders if they are missing.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="text">The text to append.</param>
    /// <exception cref="InputException">The file cannot be written; its content is unchanged.</exception>
    public static void Append(string path, string text)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(text);
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
            using var file = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.Read);
            AppendOrRestore(file, System.Text.Encoding.UTF8.GetBytes(text));
        }
        catch (Exception cause) when (FileFailure.IsOfFiles(cause))
        {
            throw FileFailure.Writing(path, cause);
        }
    }

    /// <summary>Opens a file, reads it and closes it.</summary>
    /// <param name="path">The file.</param>
    /// <param name="read">Reads the content; the stream can seek.</param>
    /// <typeparam name="T">The type of the result.</typeparam>
    /// <returns>The result of <paramref name="read"/>.</returns>
    /// <exception cref="InputException">The file is missing, is a folder, or cannot be read.</exception>
    public static T Read<T>(string path, Func<Stream, T> read)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(read);
        try
        {
            using var stream = File.OpenRead(path);
            return read(stream);
        }
        catch (Exception cause) when (FileFailure.IsOfFiles(cause))
        {
            throw FileFailure.Reading(path, cause);
        }
    }

    /// <summary>The bytes of a file.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="InputException">The file is missing, is a folder, or cannot be read.</exception>
    public static byte[] Read(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        try
        {
            return File.ReadAllBytes(path);
        }
        catch (Exception cause) when (FileFailure.IsOfFiles(cause))
        {
            throw FileFailure.Reading(path, cause);
        }
    }

    private static void AppendOrRestore(SafeFileHandle file, byte[] bytes)
    {
        var end = RandomAccess.GetLength(file);
        try
        {
            RandomAccess.Write(file, bytes, end);
        }
        catch
        {
            RandomAccess.SetLength(file, end);
            throw;
        }
    }
}
