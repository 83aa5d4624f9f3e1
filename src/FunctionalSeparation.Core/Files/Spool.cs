using Microsoft.Win32.SafeHandles;

namespace FunctionalSeparation.Core;

/// <summary>Keeps the contents of a stream, which can be read only once, in a temporary file.</summary>
internal static class Spool
{
    private const int BlockBytes = 1 << 16;

    /// <summary>Makes a temporary file.</summary>
    /// <param name="make">Makes it.</param>
    /// <param name="name">The sound that it is for, for messages.</param>
    /// <exception cref="InputException">The folder for temporary files cannot be written.</exception>
    public static T Open<T>(Func<T> make, string name)
    {
        try
        {
            return make();
        }
        catch (Exception cause) when (FileFailure.IsOfFiles(cause))
        {
            throw Failure(name, cause);
        }
    }

    /// <summary>Copies a stream to its end.</summary>
    /// <param name="from">The stream; what its reading throws comes through.</param>
    /// <param name="to">The temporary file, empty.</param>
    /// <param name="name">The sound, for messages.</param>
    /// <param name="watch">Ends it, at a limit or when it is cancelled.</param>
    /// <exception cref="InputException">There is no room for the copy, or too much comes.</exception>
    public static void Copy(Stream from, SafeFileHandle to, string name, DecoderWatch watch)
    {
        var block = new byte[BlockBytes];
        var position = 0L;
        for (int count; (count = from.Read(block)) > 0; position += count) Append(to, block.AsSpan(0, count), position, name, watch);
    }

    /// <summary>Copies a stream to its end, without waiting for it.</summary>
    /// <param name="from">The stream; what its reading throws comes through.</param>
    /// <param name="to">The temporary file, empty.</param>
    /// <param name="name">The sound, for messages.</param>
    /// <param name="watch">Ends it, at a limit or when it is cancelled.</param>
    /// <exception cref="InputException">There is no room for the copy, or too much comes.</exception>
    public static async Task CopyAsync(Stream from, SafeFileHandle to, string name, DecoderWatch watch)
    {
        var block = new byte[BlockBytes];
        var position = 0L;
        for (int count; (count = await from.ReadAsync(block, watch.Cancellation).ConfigureAwait(false)) > 0; position += count)
            Append(to, block.AsSpan(0, count), position, name, watch);
    }

    private static void Append(SafeFileHandle to, ReadOnlySpan<byte> block, long position, string name, DecoderWatch watch)
    {
        watch.Check(position + block.Length);
        try
        {
            RandomAccess.Write(to, block, position);
        }
        catch (Exception cause) when (FileFailure.IsOfFiles(cause))
        {
            throw Failure(name, cause);
        }
    }

    private static InputException Failure(string name, Exception cause)
    {
        var folder = Path.GetTempPath();
        return FileFailure.IsDiskFull(cause)
            ? new InputException($"No space left in {folder} to decode {name}: free some space, or name another folder in TMPDIR.", cause)
            : new InputException(
                $"{folder} cannot be written ({FileFailure.OneLine(cause.Message)}) to decode {name}: "
                + "check it, or name another folder in TMPDIR.",
                cause);
    }
}
