using System.Buffers.Binary;
using System.Numerics;

namespace FunctionalSeparation.Core;

/// <summary>
/// The framing of TFRecord files: length (8 bytes), masked CRC of the length (4), payload, masked CRC of the payload (4), all
/// little endian.
/// </summary>
internal static class RecordFile
{
    private const int Head = 12, Tail = 4;

    /// <summary>CRC-32C (Castagnoli, RFC 3720 appendix B.4).</summary>
    public static uint Crc32C(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        foreach (var value in bytes) crc = BitOperations.Crc32C(crc, value);
        return ~crc;
    }

    /// <summary>The CRC rotated and shifted, so that a CRC over bytes that hold CRCs stays a good one (TensorFlow's crc32c.h).</summary>
    public static uint MaskedCrc(ReadOnlySpan<byte> bytes) => BitOperations.RotateRight(Crc32C(bytes), 15) + 0xA282EAD8;

    public static void Append(Stream to, ReadOnlySpan<byte> payload)
    {
        Span<byte> head = stackalloc byte[Head];
        BinaryPrimitives.WriteInt64LittleEndian(head, payload.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(head[8..], MaskedCrc(head[..8]));
        to.Write(head);
        to.Write(payload);
        Span<byte> tail = stackalloc byte[Tail];
        BinaryPrimitives.WriteUInt32LittleEndian(tail, MaskedCrc(payload));
        to.Write(tail);
    }

    /// <summary>The bytes of all records before the first one that is not wanted, damaged or cut off.</summary>
    /// <param name="from">The file, at its start.</param>
    /// <param name="keep">Whether a payload is wanted.</param>
    public static long LengthWhile(Stream from, Func<byte[], bool> keep)
    {
        for (var kept = 0L; ; kept = from.Position)
            if (Read(from) is not { } payload || !keep(payload))
                return kept;
    }

    /// <summary>The next payload; null at the end and where a record is cut off or damaged.</summary>
    private static byte[]? Read(Stream from)
    {
        Span<byte> head = stackalloc byte[Head];
        if (from.ReadAtLeast(head, Head, throwOnEndOfStream: false) < Head || !IsIntact(head[..8], head[8..])) return null;
        var length = BinaryPrimitives.ReadInt64LittleEndian(head);
        if (length > from.Length - from.Position - Tail) return null;
        var payload = new byte[length];
        from.ReadExactly(payload);
        Span<byte> tail = stackalloc byte[Tail];
        from.ReadExactly(tail);
        return IsIntact(payload, tail) ? payload : null;
    }

    private static bool IsIntact(ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> crc) =>
        MaskedCrc(bytes) == BinaryPrimitives.ReadUInt32LittleEndian(crc);
}
