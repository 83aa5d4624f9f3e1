using System.Buffers;
using Microsoft.Win32.SafeHandles;

namespace FunctionalSeparation.Core;

/// <summary>
/// Reads any part of a WAV file (RIFF, RIFX, RF64, BW64 or Wave64; 8 to 32-bit PCM, 32 and 64-bit float) in bounded memory.
/// Reading is stateless: several threads may read from one reader.
/// </summary>
public sealed class WavReader : IDisposable
{
    private const int BlockBytes = 1 << 16;

    private readonly SafeFileHandle _file;
    private readonly WavHeader _header;
    private readonly SampleFormat _format;
    private SongTags? _tags;

    /// <summary>Opens a WAV file and reads its header.</summary>
    /// <param name="path">The file; a pipe, or <c>-</c> for standard input, is first copied to a temporary file.</param>
    /// <exception cref="InputException">
    /// The file is missing, a folder or device, empty, no WAV file, damaged, of a coding other than PCM or float, or holds fewer
    /// samples than its header promises.
    /// </exception>
    public WavReader(string path) : this(SoundSource.OpenHandle(path), SoundSource.NameOf(path)) { }

    /// <summary>Takes over an open file.</summary>
    /// <param name="file">The open WAV file. It is closed with the reader, or at once if the header is invalid.</param>
    /// <param name="path">The name of the file in messages.</param>
    /// <param name="description">The text of <see cref="AudioInfo.Format"/>, instead of the WAV file's own coding.</param>
    /// <param name="notes">The notes for the user, given the length in seconds, instead of those from the header.</param>
    /// <param name="tags">The tags of the song, instead of those in the file's chunks.</param>
    internal WavReader(
        SafeFileHandle file, string path, string? description = null, Func<double, IReadOnlyList<string>>? notes = null,
        SongTags? tags = null)
    {
        (_file, Path, _tags) = (file, path, tags);
        try
        {
            (_header, _format, Info) = ReadHeader(file, path, description);
            if (notes is not null) Info = Info with { Notes = notes(Info.Seconds) };
        }
        catch (Exception cause) when (FileFailure.IsOfFiles(cause))
        {
            file.Dispose();
            throw FileFailure.Reading(path, cause);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>The file's name as it was given; <c>standard input</c> for <c>-</c>.</summary>
    public string Path { get; }

    /// <summary>
    /// The base name of files made from the sound: the file's name without folder and extension. It is <c>stdin</c> for standard input
    /// (<c>-</c>, <c>/dev/stdin</c>) and <c>pipe</c> for another descriptor (<c>/dev/fd/63</c>).
    /// </summary>
    public string Name => SoundSource.StemOf(Path);

    /// <summary>Sample rate, channels, length and coding.</summary>
    public AudioInfo Info { get; }

    /// <summary>The tags of the song.</summary>
    /// <exception cref="InputException">The disk fails.</exception>
    internal SongTags Tags => _tags ??= ReadTags();

    /// <summary>Loudspeakers of the channels: <see cref="WavHeader.ChannelMask"/>.</summary>
    internal uint ChannelMask => _header.ChannelMask;

    /// <summary>Reads a part of the file.</summary>
    /// <param name="offset">First sample frame, from 0.</param>
    /// <param name="length">Sample frames to read.</param>
    /// <returns>All channels, each <paramref name="length"/> samples long; integers scaled so that full scale = ±1.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A negative offset or length.</exception>
    /// <exception cref="ObjectDisposedException">The reader has been disposed.</exception>
    /// <exception cref="InputException">
    /// The part reaches beyond the end of the file, a sample is not a finite number, or the disk fails.
    /// </exception>
    public AudioBuffer Read(long offset, int length)
    {
        ObjectDisposedException.ThrowIf(_file.IsClosed, this);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        if (offset > Info.Length - length)
            throw new InputException(
                $"{Path} has {Info.Length} samples per channel: "
                + $"samples {offset} to {offset + length - 1} reach beyond its end, ask for fewer.");
        var channels = new float[Info.Channels][];
        for (var c = 0; c < channels.Length; c++) channels[c] = new float[length];
        ReadBlocks(offset, channels);
        if (SampleCodec.IsFloat(_format)) RequireFinite(offset, channels);
        return new AudioBuffer(channels, Info.SampleRate);
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => _file.Dispose();

    private SongTags ReadTags()
    {
        try
        {
            return SongTags.Of(WavChunks.Of(_file)!, _header);
        }
        catch (Exception cause) when (FileFailure.IsOfFiles(cause))
        {
            throw FileFailure.Reading(Path, cause);
        }
    }

    private static (WavHeader, SampleFormat, AudioInfo) ReadHeader(SafeFileHandle file, string path, string? description)
    {
        var chunks = WavChunks.Of(file) ?? throw new InputException($"{path} is not a WAV file: convert it to WAV.");
        var header = WavHeader.Read(chunks, path);
        if (header.Format is not { } format)
            throw new InputException(
                $"{path} has WAV coding 0x{header.Coding:X4}, which is neither PCM nor float: convert it to 16-bit PCM.");
        var promised = header.Data.Bytes / header.FrameBytes;
        var present = Math.Max(0, chunks.End - header.DataStart) / header.FrameBytes;
        if (present < promised)
            throw new InputException(
                $"{path} is truncated: its header promises {promised} samples per channel and {present} are present; "
                + "copy or download it again, or convert what is there with ffmpeg.");
        if (promised == 0) throw new InputException($"{path} holds no samples: get it again or leave it out.");
        var words = $"{header.Container}, {SampleCodec.Describe(format)}{(header.BigEndian ? ", big-endian" : "")}";
        var info = new AudioInfo(header.SampleRate, header.Channels, promised, description ?? words) { Notes = Notes(header) };
        return (header, format, info);
    }

    private static IReadOnlyList<string> Notes(WavHeader header)
    {
        var odd = header.Data.Bytes % header.FrameBytes;
        return odd == 0 ? header.Data.Notes : [.. header.Data.Notes, $"the last {odd} bytes are no whole sample and are left out"];
    }

    private void ReadBlocks(long offset, float[][] channels)
    {
        var frameBytes = _header.FrameBytes;
        var blockFrames = Math.Max(1, BlockBytes / frameBytes);
        var block = ArrayPool<byte>.Shared.Rent(blockFrames * frameBytes);
        try
        {
            for (int start = 0, frames; start < channels[0].Length; start += frames)
            {
                frames = Math.Min(blockFrames, channels[0].Length - start);
                var bytes = block.AsSpan(0, frames * frameBytes);
                Fill(bytes, _header.DataStart + (offset + start) * frameBytes);
                if (_header.BigEndian) SampleCodec.SwapBytes(_format, bytes);
                SampleCodec.Decode(_format, bytes, channels, start, frames);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(block);
        }
    }

    private void Fill(Span<byte> bytes, long position)
    {
        try
        {
            while (bytes.Length > 0)
            {
                var got = RandomAccess.Read(_file, bytes, position);
                if (got == 0) throw new InputException($"{Path} became shorter while it was read: leave it alone and read it again.");
                bytes = bytes[got..];
                position += got;
            }
        }
        catch (Exception cause) when (FileFailure.IsOfFiles(cause))
        {
            throw FileFailure.Reading(Path, cause);
        }
    }

    private void RequireFinite(long offset, float[][] channels)
    {
        if (FiniteSamples.FirstFault(channels, offset, Info.SampleRate) is { } fault)
            throw new InputException($"{Path} holds {fault}, which is not a finite number: mend or replace the file.");
    }
}
