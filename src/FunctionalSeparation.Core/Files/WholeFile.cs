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
        ArgumentNullException.ThrowIfNull(write);
        var temporary = $"{path}.{Guid.NewGuid():N}.part";
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
            try
            {
                using (var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write))
                {
                    write(stream);
                    stream.Flush(flushToDisk: true);
                }
                File.Move(temporary, path, overwrite: true);
            }
            finally
            {
                File.Delete(temporary);
            }
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
    public static void Write(string path, string text) => Write(path, stream => stream.Write(System.Text.Encoding.UTF8.GetBytes(text)));

    /// <summary>Adds a text to the end of a file; a missing file and its folders are made.</summary>
    /// <param name="path">The file.</param>
    /// <param name="text">What to add.</param>
    /// <exception cref="InputException">The file cannot be written.</exception>
    public static void Append(string path, string text)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
            File.AppendAllText(path, text);
        }
        catch (Exception cause) when (FileFailure.IsOfFiles(cause))
        {
            throw FileFailure.Writing(path, cause);
        }
    }

    /// <summary>Opens a file, reads it and closes it.</summary>
    /// <param name="path">The file.</param>
    /// <param name="read">Reads the content; the stream can seek.</param>
    /// <typeparam name="T">What is read.</typeparam>
    /// <returns>What <paramref name="read"/> gives.</returns>
    /// <exception cref="InputException">The file is missing, is a folder, or cannot be read.</exception>
    public static T Read<T>(string path, Func<Stream, T> read)
    {
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
        try
        {
            return File.ReadAllBytes(path);
        }
        catch (Exception cause) when (FileFailure.IsOfFiles(cause))
        {
            throw FileFailure.Reading(path, cause);
        }
    }

    /// <summary>Removes the temporary files that killed processes left beside a file.</summary>
    /// <param name="path">The file; its folder exists.</param>
    public static void RemoveLeftovers(string path)
    {
        var full = Path.GetFullPath(path);
        foreach (var left in Directory.GetFiles(Path.GetDirectoryName(full)!, Path.GetFileName(full) + ".*.part"))
            File.Delete(left);
    }
}
