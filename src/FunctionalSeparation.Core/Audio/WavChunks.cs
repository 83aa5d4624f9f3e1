using System.Buffers.Binary;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace FunctionalSeparation.Core;

/// <summary>One chunk of a file.</summary>
/// <param name="Id">Its four letters.</param>
/// <param name="Start">Where its content starts, in bytes from the start of the file.</param>
/// <param name="Size">The size that it states, in bytes; negative where it states less than its own head.</param>
internal readonly record struct WavChunk(string Id, long Start, long Size);

/// <summary>
/// The chunks of a file of the WAV family: RIFF, RIFX (the same, big-endian), RF64 and BW64, and Sony's Wave64. Chunks of Wave64 have names
/// of 16 bytes and sizes of 8 bytes that include the chunk's head (the Sony Pictures Digital "Wave64" file format of 2003).
/// </summary>
internal sealed class WavChunks
{
    /// <summary>Bytes of the head of a Wave64 chunk, which its size counts.</summary>
    public const int WideHead = 24;

    private static readonly byte[] WideRiff = Convert.FromHexString("726966662E91CF11A5D628DB04C10000");
    private static readonly byte[] WideTail = Convert.FromHexString("F3ACD3118CD100C04F8EDB8A");

    private readonly SafeFileHandle _file;

    private WavChunks(SafeFileHandle file, bool bigEndian, bool wide) =>
        (_file, BigEndian, Wide, End) = (file, bigEndian, wide, RandomAccess.GetLength(file));

    /// <summary>Whether numbers, samples included, are stored with the highest byte first.</summary>
    public bool BigEndian { get; }

    /// <summary>Whether the file is Wave64, with sizes of 64 bits everywhere.</summary>
    public bool Wide { get; }

    /// <summary>Bytes in the file.</summary>
    public long End { get; }

    /// <summary>Where the first chunk is.</summary>
    public long First => Wide ? 40 : 12;

    /// <summary>Null for a file that does not begin as one of the family does, whatever its name.</summary>
    public static WavChunks? Of(SafeFileHandle file)
    {
        Span<byte> head = stackalloc byte[40];
        if (ReadFully(file, head, 0) && head[..16].SequenceEqual(WideRiff)
            && head[24..28].SequenceEqual("wave"u8) && head[28..].SequenceEqual(WideTail))
            return new(file, bigEndian: false, wide: true);
        if (!ReadFully(file, head[..12], 0) || !head[8..12].SequenceEqual("WAVE"u8)) return null;
        var id = head[..4];
        if (id.SequenceEqual("RIFX"u8)) return new(file, bigEndian: true, wide: false);
        var known = id.SequenceEqual("RIFF"u8) || id.SequenceEqual("RF64"u8) || id.SequenceEqual("BW64"u8);
        return known ? new(file, bigEndian: false, wide: false) : null;
    }

    /// <summary>The chunk at a position; null where no head of one lies before the end of the file.</summary>
    public WavChunk? At(long position)
    {
        Span<byte> head = stackalloc byte[WideHead];
        head = head[..(Wide ? WideHead : 8)];
        if (position < 0 || position > End - head.Length || !Read(head, position)) return null;
        if (Wide && !head[4..16].SequenceEqual(WideTail)) head[..4].Clear(); // a name that is none of the letters
        var size = Wide ? Unsigned(BinaryPrimitives.ReadInt64LittleEndian(head[16..])) - WideHead : U32(head[4..]);
        return new(Encoding.Latin1.GetString(head[..4]), position + head.Length, size);
    }

    /// <summary>Where the chunk after this one would be: beyond the end of the file where the chunk does not fit.</summary>
    public long After(WavChunk chunk)
    {
        if (chunk.Size < 0 || chunk.Size > End - chunk.Start) return long.MaxValue;
        var end = chunk.Start + chunk.Size;
        return Wide ? (end + 7) & ~7L : end + (chunk.Size & 1);
    }

    /// <summary>Fills the bytes; false where the file ends before.</summary>
    public bool Read(Span<byte> to, long at) => ReadFully(_file, to, at);

    /// <summary>The first two bytes as a number.</summary>
    public ushort U16(ReadOnlySpan<byte> from) =>
        BigEndian ? BinaryPrimitives.ReadUInt16BigEndian(from) : BinaryPrimitives.ReadUInt16LittleEndian(from);

    /// <summary>The first four bytes as a number.</summary>
    public uint U32(ReadOnlySpan<byte> from) =>
        BigEndian ? BinaryPrimitives.ReadUInt32BigEndian(from) : BinaryPrimitives.ReadUInt32LittleEndian(from);

    /// <summary>No file is longer than the largest signed number.</summary>
    public static long Unsigned(long size) => size < 0 ? long.MaxValue : size;

    private static bool ReadFully(SafeFileHandle file, Span<byte> to, long at)
    {
        while (to.Length > 0)
        {
            var got = RandomAccess.Read(file, to, at);
            if (got == 0) return false;
            to = to[got..];
            at += got;
        }
        return true;
    }
}
