using System.Buffers.Binary;

namespace FunctionalSeparation.Core;

/// <summary>One way to store a sample; implemented by empty structs, so that the loops below are compiled for each.</summary>
internal interface ISampleCodec
{
    static abstract int Bytes { get; }
    static abstract float Read(ReadOnlySpan<byte> from);
    static abstract void Write(Span<byte> to, float value);
}

/// <summary>Interleaved bytes to planar float32 channels and back.</summary>
internal static class SampleCodec
{
    public static int Bytes(SampleFormat format) => format switch
    {
        SampleFormat.Pcm8 => Pcm8.Bytes,
        SampleFormat.Pcm16 => Pcm16.Bytes,
        SampleFormat.Pcm24 => Pcm24.Bytes,
        SampleFormat.Pcm32 => Pcm32.Bytes,
        SampleFormat.Float32 => Float32.Bytes,
        SampleFormat.Float64 => Float64.Bytes,
        _ => throw new ArgumentOutOfRangeException(nameof(format), format, "No such sample format."),
    };

    public static bool IsFloat(SampleFormat format) => format is SampleFormat.Float32 or SampleFormat.Float64;

    public static string Describe(SampleFormat format) =>
        $"{8 * Bytes(format)}-bit {(IsFloat(format) ? "float" : "PCM")}";

    /// <summary>Turns the bytes of every sample round: big-endian to little-endian.</summary>
    public static void SwapBytes(SampleFormat format, Span<byte> bytes)
    {
        var size = Bytes(format);
        for (var at = 0; at < bytes.Length; at += size) bytes.Slice(at, size).Reverse();
    }

    /// <summary>Fills samples start .. start + frames - 1 of every channel.</summary>
    public static void Decode(SampleFormat format, ReadOnlySpan<byte> from, float[][] channels, int start, int frames)
    {
        switch (format)
        {
            case SampleFormat.Pcm8: Decode<Pcm8>(from, channels, start, frames); break;
            case SampleFormat.Pcm16: Decode<Pcm16>(from, channels, start, frames); break;
            case SampleFormat.Pcm24: Decode<Pcm24>(from, channels, start, frames); break;
            case SampleFormat.Pcm32: Decode<Pcm32>(from, channels, start, frames); break;
            case SampleFormat.Float32: Decode<Float32>(from, channels, start, frames); break;
            default: Decode<Float64>(from, channels, start, frames); break;
        }
    }

    /// <summary>Stores samples start .. start + frames - 1 of every channel; gives how many lay beyond ±1 and were saturated.</summary>
    public static long Encode(SampleFormat format, IReadOnlyList<float[]> channels, int start, int frames, Span<byte> to)
    {
        switch (format)
        {
            case SampleFormat.Pcm8: Encode<Pcm8>(channels, start, frames, to); break;
            case SampleFormat.Pcm16: Encode<Pcm16>(channels, start, frames, to); break;
            case SampleFormat.Pcm24: Encode<Pcm24>(channels, start, frames, to); break;
            case SampleFormat.Pcm32: Encode<Pcm32>(channels, start, frames, to); break;
            case SampleFormat.Float32: Encode<Float32>(channels, start, frames, to); break;
            default: Encode<Float64>(channels, start, frames, to); break;
        }
        return IsFloat(format) ? 0 : CountBeyondFullScale(channels, start, frames);
    }

    private static void Decode<TCodec>(ReadOnlySpan<byte> from, float[][] channels, int start, int frames)
        where TCodec : struct, ISampleCodec
    {
        var step = channels.Length * TCodec.Bytes;
        for (var c = 0; c < channels.Length; c++)
        {
            var channel = channels[c].AsSpan(start, frames);
            for (int i = 0, at = c * TCodec.Bytes; i < channel.Length; i++, at += step)
                channel[i] = TCodec.Read(from.Slice(at, TCodec.Bytes));
        }
    }

    private static void Encode<TCodec>(IReadOnlyList<float[]> channels, int start, int frames, Span<byte> to)
        where TCodec : struct, ISampleCodec
    {
        var step = channels.Count * TCodec.Bytes;
        for (var c = 0; c < channels.Count; c++)
        {
            var channel = channels[c].AsSpan(start, frames);
            for (int i = 0, at = c * TCodec.Bytes; i < channel.Length; i++, at += step)
                TCodec.Write(to.Slice(at, TCodec.Bytes), channel[i]);
        }
    }

    private static long CountBeyondFullScale(IReadOnlyList<float[]> channels, int start, int frames)
    {
        long count = 0;
        foreach (var channel in channels)
            foreach (var value in channel.AsSpan(start, frames))
                if (MathF.Abs(value) > 1) count++;
        return count;
    }

    /// <summary>The nearest code of a signed integer format (ties to even), saturated at its two ends.</summary>
    private static int Code(float value, double fullScale) =>
        (int)Math.Clamp(Math.Round(value * fullScale, MidpointRounding.ToEven), -fullScale, fullScale - 1);

    private readonly struct Pcm8 : ISampleCodec
    {
        public static int Bytes => 1;
        public static float Read(ReadOnlySpan<byte> from) => (from[0] - 128) / 128f;
        public static void Write(Span<byte> to, float value) => to[0] = (byte)(Code(value, 128) + 128);
    }

    private readonly struct Pcm16 : ISampleCodec
    {
        public static int Bytes => 2;
        public static float Read(ReadOnlySpan<byte> from) => BinaryPrimitives.ReadInt16LittleEndian(from) / 32768f;
        public static void Write(Span<byte> to, float value) =>
            BinaryPrimitives.WriteInt16LittleEndian(to, (short)Code(value, 32768));
    }

    private readonly struct Pcm24 : ISampleCodec
    {
        public static int Bytes => 3;
        public static float Read(ReadOnlySpan<byte> from) =>
            ((from[0] << 8 | from[1] << 16 | from[2] << 24) >> 8) / 8388608f;

        public static void Write(Span<byte> to, float value)
        {
            var code = Code(value, 8388608);
            (to[0], to[1], to[2]) = ((byte)code, (byte)(code >> 8), (byte)(code >> 16));
        }
    }

    private readonly struct Pcm32 : ISampleCodec
    {
        public static int Bytes => 4;
        public static float Read(ReadOnlySpan<byte> from) =>
            (float)(BinaryPrimitives.ReadInt32LittleEndian(from) / 2147483648.0);
        public static void Write(Span<byte> to, float value) =>
            BinaryPrimitives.WriteInt32LittleEndian(to, Code(value, 2147483648));
    }

    private readonly struct Float32 : ISampleCodec
    {
        public static int Bytes => 4;
        public static float Read(ReadOnlySpan<byte> from) => BinaryPrimitives.ReadSingleLittleEndian(from);
        public static void Write(Span<byte> to, float value) => BinaryPrimitives.WriteSingleLittleEndian(to, value);
    }

    private readonly struct Float64 : ISampleCodec
    {
        public static int Bytes => 8;
        public static float Read(ReadOnlySpan<byte> from) => (float)BinaryPrimitives.ReadDoubleLittleEndian(from);
        public static void Write(Span<byte> to, float value) => BinaryPrimitives.WriteDoubleLittleEndian(to, value);
    }
}
