using System.Text;

namespace FunctionalSeparation.Core;

/// <summary>
/// Writes the header of a WAV file. Its size depends on the coding and on further chunks, never on the length, so the header can be written
/// again when the length is known. A JUNK chunk keeps the place of the ds64 chunk that turns the file into RF64 (EBU Tech 3306).
/// </summary>
internal static class WavHeaderBytes
{
    private const uint Unknown = 0xFFFFFFFF;
    private const int Ds64Bytes = 28;
    private const uint Centre = 4, LeftAndRight = 3;

    /// <summary>The largest RIFF size that plain RIFF can hold.</summary>
    public const long RiffLimit = Unknown - 1;

    /// <param name="format">How samples are stored.</param>
    /// <param name="channels">Number of channels.</param>
    /// <param name="sampleRate">Sample rate in Hz.</param>
    /// <param name="frames">Samples in each channel.</param>
    /// <param name="info">Whole chunks, of even size, to stand before the samples.</param>
    /// <param name="riffLimit">The RIFF size from which on the file becomes RF64, in bytes.</param>
    /// <param name="channelMask">Loudspeakers of the channels, a bit each; 0 where they belong to none.</param>
    public static byte[] Build(
        SampleFormat format, int channels, int sampleRate, long frames, ReadOnlySpan<byte> info, long riffLimit, uint channelMask = 0)
    {
        using var stream = new MemoryStream();
        using var to = new BinaryWriter(stream, Encoding.ASCII);
        var dataBytes = frames * channels * SampleCodec.Bytes(format);
        var riffBytes = HeaderBytes(format, channels, channelMask) + info.Length - 8 + dataBytes + (dataBytes & 1);
        var rf64 = riffBytes > riffLimit;
        Id(to, rf64 ? "RF64" : "RIFF");
        to.Write(rf64 ? Unknown : (uint)riffBytes);
        Id(to, "WAVE");
        if (rf64) WriteDs64(to, riffBytes, dataBytes, frames);
        else WriteJunk(to);
        WriteFmt(to, format, channels, sampleRate, channelMask);
        if (SampleCodec.IsFloat(format)) WriteFact(to, rf64 ? Unknown : (uint)frames);
        to.Write(info);
        Id(to, "data");
        to.Write(rf64 ? Unknown : (uint)dataBytes);
        return stream.ToArray();
    }

    private static int HeaderBytes(SampleFormat format, int channels, uint channelMask) =>
        12 + 8 + Ds64Bytes + 8 + FmtBytes(format, channels, channelMask) + (SampleCodec.IsFloat(format) ? 12 : 0) + 8;

    /// <summary>
    /// More than two channels, and one or two at other than their usual loudspeakers, ask for WAVE_FORMAT_EXTENSIBLE; codings other than
    /// PCM for the extension's size.
    /// </summary>
    private static int FmtBytes(SampleFormat format, int channels, uint channelMask) =>
        channels > 2 || channelMask != 0 && (channels, channelMask) is not ((1, Centre) or (2, LeftAndRight)) ? 40
        : SampleCodec.IsFloat(format) ? 18
        : 16;

    private static void WriteDs64(BinaryWriter to, long riffBytes, long dataBytes, long frames)
    {
        Id(to, "ds64");
        to.Write(Ds64Bytes);
        to.Write(riffBytes);
        to.Write(dataBytes);
        to.Write(frames);
        to.Write(0); // no table of further long chunks
    }

    private static void WriteJunk(BinaryWriter to)
    {
        Id(to, "JUNK");
        to.Write(Ds64Bytes);
        to.Write(new byte[Ds64Bytes]);
    }

    private static void WriteFmt(BinaryWriter to, SampleFormat format, int channels, int sampleRate, uint channelMask)
    {
        var sampleBytes = SampleCodec.Bytes(format);
        var tag = SampleCodec.IsFloat(format) ? WavHeader.Float : WavHeader.Pcm;
        var size = FmtBytes(format, channels, channelMask);
        Id(to, "fmt ");
        to.Write(size);
        to.Write((ushort)(size == 40 ? WavHeader.Extensible : tag));
        to.Write((ushort)channels);
        to.Write(sampleRate);
        to.Write((uint)Math.Min((long)sampleRate * channels * sampleBytes, Unknown));
        to.Write((ushort)(channels * sampleBytes));
        to.Write((ushort)(8 * sampleBytes));
        if (size > 16) to.Write((ushort)(size - 18));
        if (size == 40) WriteExtension(to, tag, sampleBytes, channelMask);
    }

    private static void WriteExtension(BinaryWriter to, int tag, int sampleBytes, uint channelMask)
    {
        to.Write((ushort)(8 * sampleBytes)); // every bit of the container is valid
        to.Write(channelMask);
        to.Write((ushort)tag);
        to.Write(WavHeader.SubFormatTail);
    }

    private static void WriteFact(BinaryWriter to, uint frames)
    {
        Id(to, "fact");
        to.Write(4);
        to.Write(frames);
    }

    private static void Id(BinaryWriter to, string id) => to.Write(Encoding.ASCII.GetBytes(id));
}
