namespace FunctionalSeparation.Core;

/// <summary>
/// Where the samples of a WAV file lie and how they are stored. It is read from RIFF, RIFX, RF64, BW64 and Wave64 files. The formats are
/// those of Microsoft's "Multimedia Programming Interface and Data Specifications 1.0" (1991), the notes on WAVE_FORMAT_EXTENSIBLE, EBU
/// Tech 3306 (RF64), and Sony's "Wave64" format (2003).
/// </summary>
/// <param name="Format">How samples are stored; null for a coding that only a decoder can read (A-law, ADPCM, ...).</param>
/// <param name="Coding">The format tag, for messages.</param>
/// <param name="Channels">Number of channels.</param>
/// <param name="SampleRate">Sample rate in Hz.</param>
/// <param name="BigEndian">Whether samples are stored with the highest byte first.</param>
/// <param name="Container">WAV or Wave64.</param>
/// <param name="DataStart">Position of the first sample in the file, in bytes.</param>
/// <param name="Data">How many bytes of samples follow.</param>
/// <param name="ChannelMask">Loudspeakers of the channels, a bit each, as in WAVE_FORMAT_EXTENSIBLE; 0 where they are not given.</param>
internal sealed record WavHeader(
    SampleFormat? Format, int Coding, int Channels, int SampleRate, bool BigEndian, string Container, long DataStart, WavData Data,
    uint ChannelMask)
{
    public const int Pcm = 1, Float = 3, Extensible = 0xFFFE;

    /// <summary>In Hz: no audible sound has a lower rate (telephones have 8000 Hz).</summary>
    public const int LowestRate = 1000;

    /// <summary>In Hz: the fastest in use is 2 822 400 Hz, what ffmpeg makes of DSD512.</summary>
    public const int HighestRate = 3_000_000;

    /// <summary>The largest microphone arrays have about 1000.</summary>
    public const int MostChannels = 1024;

    private const int MostChunks = 4096;
    private const uint Unknown = 0xFFFFFFFF;

    /// <summary>The bytes after the format tag in the sub-format of WAVE_FORMAT_EXTENSIBLE: the rest of KSDATAFORMAT_SUBTYPE_*.</summary>
    public static ReadOnlySpan<byte> SubFormatTail => [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71];

    /// <summary>
    /// The same with the numbers of the identifier big-endian, as libsndfile writes it into RIFX; the tag is in its middle.
    /// </summary>
    private static ReadOnlySpan<byte> SubFormatTailSwapped => [0, 0, 0, 0x10, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71];

    private readonly record struct Fmt(int Tag, int Channels, uint SampleRate, int BlockBytes, int Bits, uint ChannelMask);

    /// <summary>Bytes of one sample frame (one sample of every channel).</summary>
    public int FrameBytes => Channels * SampleCodec.Bytes(Format!.Value);

    /// <summary>Reads the header.</summary>
    /// <param name="chunks">The file.</param>
    /// <param name="name">Its name, for messages.</param>
    public static WavHeader Read(WavChunks chunks, string name)
    {
        long? size64 = null;
        Fmt? fmt = null;
        (WavChunk Chunk, WavData Data)? data = null;
        var (at, count) = (chunks.First, 0);
        while ((fmt is null || data is null) && chunks.At(at) is { } chunk)
        {
            if (++count > MostChunks) throw Damaged(name, $"has more than {MostChunks} chunks before its samples");
            if (chunk.Id == "ds64") size64 = ReadDataSize64(chunks, chunk);
            if (chunk.Id == "fmt ") fmt ??= ReadFmt(chunks, chunk, name);
            if (chunk.Id == "data" && data is null)
            {
                if (chunk.Size is < 0 and not -WavChunks.WideHead) throw Damaged(name, "has a data chunk smaller than its own head");
                var long64 = chunk.Size == Unknown ? size64 : null;
                data = (chunk, WavData.Of(chunks, chunk, long64, fmt?.BlockBytes ?? 0));
                chunk = chunk with { Size = data.Value.Data.Bytes };
            }
            at = chunks.After(chunk);
        }
        if (fmt is null) throw Damaged(name, "has no format chunk");
        if (data is null) throw Damaged(name, "has no data chunk");
        return From(chunks, fmt.Value, data.Value.Chunk.Start, data.Value.Data, name);
    }

    private static InputException Damaged(string name, string what) =>
        new($"{name} {what}: it is damaged, get it again or convert it.");

    private static WavHeader From(WavChunks chunks, Fmt fmt, long start, WavData data, string name)
    {
        if (fmt.Channels is 0 or > MostChannels)
            throw Damaged(name, $"says that it has {fmt.Channels} channels (1 to {MostChannels} are read)");
        if (fmt.SampleRate is < LowestRate or > HighestRate)
            throw Damaged(name, $"says {fmt.SampleRate} Hz (rates from {LowestRate} to {HighestRate} Hz are read)");
        var format = FormatOf(fmt, name);
        if (format is null && chunks.BigEndian)
            throw new InputException($"{name} is a big-endian WAV file of coding 0x{fmt.Tag:X4}, which is not read: convert it to 16-bit PCM.");
        return new(
            format, fmt.Tag, fmt.Channels, (int)fmt.SampleRate, chunks.BigEndian, chunks.Wide ? "Wave64" : "WAV", start, data,
            fmt.ChannelMask);
    }

    /// <summary>
    /// Containers are whole bytes with the sample at their top (12 bits lie in the upper part of 16), so the container's size
    /// alone says how to read it. It is the smallest that holds the bits; 24 bits may lie in 32.
    /// </summary>
    private static SampleFormat? FormatOf(Fmt fmt, string name)
    {
        if (fmt.Tag is not (Pcm or Float)) return null;
        var bytes = fmt.BlockBytes / fmt.Channels;
        var fits = bytes * fmt.Channels == fmt.BlockBytes && (fmt.Bits + 7) / 8 is var least && least > 0
            && (bytes == least || (fmt.Tag, bytes, least) == (Pcm, 4, 3));
        if (!fits)
            throw Damaged(name, $"says {fmt.Bits} bits a sample and {fmt.BlockBytes} bytes for {fmt.Channels} of them, a contradiction");
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

    private static Fmt ReadFmt(WavChunks chunks, WavChunk chunk, string name)
    {
        Span<byte> bytes = stackalloc byte[40];
        bytes = bytes[..(int)Math.Clamp(chunk.Size, 0, bytes.Length)];
        if (bytes.Length < 16 || !chunks.Read(bytes, chunk.Start)) throw Damaged(name, "has a format chunk that is too short");
        int tag = chunks.U16(bytes);
        var isExtended = tag == Extensible && bytes.Length == 40;
        if (isExtended) tag = SubFormat(chunks, bytes[24..]) ?? tag;
        return new(
            tag, chunks.U16(bytes[2..]), chunks.U32(bytes[4..]), chunks.U16(bytes[12..]), chunks.U16(bytes[14..]),
            isExtended ? chunks.U32(bytes[20..]) : 0);
    }

    private static int? SubFormat(WavChunks chunks, ReadOnlySpan<byte> identifier) =>
        identifier[2..].SequenceEqual(SubFormatTail) ? chunks.U16(identifier)
        : chunks.BigEndian && identifier[4..].SequenceEqual(SubFormatTailSwapped) ? (int)Math.Min(chunks.U32(identifier), Extensible)
        : null;

    private static long? ReadDataSize64(WavChunks chunks, WavChunk chunk)
    {
        Span<byte> sizes = stackalloc byte[16];
        return chunk.Size >= 16 && chunks.Read(sizes, chunk.Start)
            ? WavChunks.Unsigned(System.Buffers.Binary.BinaryPrimitives.ReadInt64LittleEndian(sizes[8..]))
            : null;
    }
}
