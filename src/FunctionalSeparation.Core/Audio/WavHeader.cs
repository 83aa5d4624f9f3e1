using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;

namespace FunctionalSeparation.Core;

/// <summary>
/// Where the samples of a WAV file lie and how they are stored. Read from RIFF, RF64 and BW64 files after Microsoft's
/// "Multimedia Programming Interface and Data Specifications 1.0" (1991), the notes on WAVE_FORMAT_EXTENSIBLE, and
/// EBU Tech 3306 (RF64).
/// </summary>
/// <param name="Format">How samples are stored; null for a coding that only a decoder can read (A-law, ADPCM, ...).</param>
/// <param name="Coding">The format tag, for messages.</param>
/// <param name="Channels">Number of channels.</param>
/// <param name="SampleRate">Sample rate in Hz.</param>
/// <param name="DataStart">Position of the first sample in the file, in bytes.</param>
/// <param name="DataBytes">Bytes of samples that the header promises, or up to the end of the file where it promises nothing.</param>
internal sealed record WavHeader(SampleFormat? Format, int Coding, int Channels, int SampleRate, long DataStart, long DataBytes)
{
    public const int Pcm = 1, Float = 3, Extensible = 0xFFFE;
    private const uint Unknown = 0xFFFFFFFF;

    /// <summary>What follows the format tag in the sub-format of WAVE_FORMAT_EXTENSIBLE: the rest of KSDATAFORMAT_SUBTYPE_*.</summary>
    public static ReadOnlySpan<byte> SubFormatTail => [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71];

    private readonly record struct Chunk(string Id, long Start, long Size)
    {
        public long Next => Start + Size + (Size & 1);
    }

    private readonly record struct Fmt(int Tag, int Channels, uint SampleRate, int BlockBytes, int Bits);

    /// <summary>Bytes of one sample frame (one sample of every channel).</summary>
    public int FrameBytes => Channels * SampleCodec.Bytes(Format!.Value);

    /// <summary>Whether the file begins as a WAV file does, whatever its name.</summary>
    public static bool Recognises(SafeFileHandle file)
    {
        Span<byte> head = stackalloc byte[12];
        return ReadFully(file, head, 0) && head[8..].SequenceEqual("WAVE"u8)
            && (head[..4].SequenceEqual("RIFF"u8) || head[..4].SequenceEqual("RF64"u8) || head[..4].SequenceEqual("BW64"u8));
    }

    /// <summary>Reads the header of a file that <see cref="Recognises"/> accepts.</summary>
    /// <param name="file">The open file.</param>
    /// <param name="name">Its name, for messages.</param>
    public static WavHeader Read(SafeFileHandle file, string name)
    {
        var end = RandomAccess.GetLength(file);
        long? longDataSize = null;
        Fmt? fmt = null;
        Chunk? data = null;
        for (long at = 12; (fmt is null || data is null) && ChunkAt(file, at) is { } chunk; at = chunk.Next)
        {
            if (chunk.Id == "ds64") longDataSize = ReadDataSize64(file, chunk);
            if (chunk.Id == "fmt ") fmt ??= ReadFmt(file, chunk, name);
            if (chunk.Id == "data" && data is null)
                data = chunk = chunk with { Size = DataSize(file, chunk, longDataSize, end) };
        }
        if (fmt is null) throw new InputException($"{name} has no format chunk: it is damaged, get it again or convert it.");
        if (data is null) throw new InputException($"{name} has no data chunk: it is damaged, get it again or convert it.");
        return From(fmt.Value, data.Value, name);
    }

    private static WavHeader From(Fmt fmt, Chunk data, string name)
    {
        if (fmt.Channels == 0)
            throw new InputException($"{name} says that it has 0 channels: its header is damaged, get it again or convert it.");
        if (fmt.SampleRate is 0 or > int.MaxValue)
            throw new InputException($"{name} says {fmt.SampleRate} Hz: its header is damaged, get it again or convert it.");
        return new(FormatOf(fmt), fmt.Tag, fmt.Channels, (int)fmt.SampleRate, data.Start, data.Size);
    }

    /// <summary>
    /// Containers are whole bytes with the sample at their top (12 bits lie in the upper part of 16), so the container's size
    /// alone says how to read it.
    /// </summary>
    private static SampleFormat? FormatOf(Fmt fmt)
    {
        var exact = fmt.BlockBytes > 0 && fmt.BlockBytes % fmt.Channels == 0;
        var bytes = exact ? fmt.BlockBytes / fmt.Channels : (fmt.Bits + 7) / 8;
        return (fmt.Tag, bytes) switch
        {
            (Pcm, 1) => SampleFormat.Pcm8,
            (Pcm, 2) => SampleFormat.Pcm16,
            (Pcm, 3) => SampleFormat.Pcm24,
            (Pcm, 4) => SampleFormat.Pcm32,
            (Float, 4) => SampleFormat.Float32,
            (Float, 8) => SampleFormat.Float64,
            _ => null,
        };
    }

    private static Chunk? ChunkAt(SafeFileHandle file, long at)
    {
        Span<byte> head = stackalloc byte[8];
        if (at < 0 || !ReadFully(file, head, at)) return null;
        return new(System.Text.Encoding.Latin1.GetString(head[..4]), at + 8, BinaryPrimitives.ReadUInt32LittleEndian(head[4..]));
    }

    private static Fmt ReadFmt(SafeFileHandle file, Chunk chunk, string name)
    {
        Span<byte> bytes = stackalloc byte[40];
        bytes = bytes[..(int)Math.Min(chunk.Size, bytes.Length)];
        if (bytes.Length < 16 || !ReadFully(file, bytes, chunk.Start))
            throw new InputException($"{name} has a format chunk that is too short: it is damaged, get it again or convert it.");
        int tag = BinaryPrimitives.ReadUInt16LittleEndian(bytes);
        if (tag == Extensible && bytes.Length == 40 && bytes[26..].SequenceEqual(SubFormatTail))
            tag = BinaryPrimitives.ReadUInt16LittleEndian(bytes[24..]);
        return new(
            tag,
            BinaryPrimitives.ReadUInt16LittleEndian(bytes[2..]),
            BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]),
            BinaryPrimitives.ReadUInt16LittleEndian(bytes[12..]),
            BinaryPrimitives.ReadUInt16LittleEndian(bytes[14..]));
    }

    private static long? ReadDataSize64(SafeFileHandle file, Chunk chunk)
    {
        Span<byte> sizes = stackalloc byte[16];
        return chunk.Size >= 16 && ReadFully(file, sizes, chunk.Start) ? BinaryPrimitives.ReadInt64LittleEndian(sizes[8..]) : null;
    }

    /// <summary>
    /// Programs that write to a pipe leave the size at 0 or 0xFFFFFFFF: the samples then go on to the end of the file. A size
    /// of 0 is believed where nothing but whole chunks follows.
    /// </summary>
    private static long DataSize(SafeFileHandle file, Chunk data, long? size64, long end) => data.Size switch
    {
        Unknown when size64 is > 0 => size64.Value,
        Unknown => end - data.Start,
        0 when !OnlyChunksFollow(file, data.Start, end) => end - data.Start,
        var stated => stated,
    };

    private static bool OnlyChunksFollow(SafeFileHandle file, long at, long end)
    {
        while (at < end && ChunkAt(file, at) is { } chunk && chunk.Id.All(c => c is >= ' ' and <= '~'))
            at = chunk.Next;
        return at == end || at == end + 1;
    }

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
