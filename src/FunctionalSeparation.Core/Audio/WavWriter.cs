using System.Buffers;

namespace FunctionalSeparation.Core;

/// <summary>
/// Writes a WAV file piece by piece, in bounded memory. The samples go to a temporary file in the target's folder, which
/// <see cref="Complete()"/> renames to the target. Without it the temporary file is deleted and an older target stays as it was. A file
/// beyond 4 GiB becomes RF64. Integer formats round to the nearest step, without dither.
/// </summary>
public sealed class WavWriter : IDisposable
{
    internal const int BlockBytes = 1 << 16;

    private readonly string _target;
    private readonly long _riffLimit;
    private readonly byte[] _info;
    private readonly uint _channelMask;
    private readonly UnfinishedFile _file;
    private long _position;
    private bool _sealed;
    private bool _completed;
    private bool _failed;
    private bool _disposed;

    /// <summary>Starts a file; a missing folder is created.</summary>
    /// <param name="path">The target, named .wav or .wave.</param>
    /// <param name="sampleRate">Sample rate in Hz, 1000 to 3 000 000.</param>
    /// <param name="channels">Number of channels, 1 to 1024.</param>
    /// <param name="format">How samples are stored.</param>
    /// <exception cref="ArgumentOutOfRangeException">A sample rate or number of channels that would not be read again.</exception>
    /// <exception cref="InputException">The name is not that of a WAV file, or the folder cannot be written.</exception>
    public WavWriter(string path, int sampleRate, int channels, SampleFormat format = SampleFormat.Float32)
        : this(path, sampleRate, channels, format, [], WavHeaderBytes.RiffLimit) { }

    /// <summary>
    /// As the public constructor, with whole chunks to stand before the samples, the RIFF size (bytes) beyond which the file becomes
    /// RF64, and the loudspeakers of the channels (<see cref="WavHeader.ChannelMask"/>).
    /// </summary>
    internal WavWriter(
        string path, int sampleRate, int channels, SampleFormat format, byte[] info, long riffLimit = WavHeaderBytes.RiffLimit,
        uint channelMask = 0)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentOutOfRangeException.ThrowIfLessThan(sampleRate, WavHeader.LowestRate);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(sampleRate, WavHeader.HighestRate);
        ArgumentOutOfRangeException.ThrowIfLessThan(channels, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(channels, WavHeader.MostChannels);
        ArgumentOutOfRangeException.ThrowIfUndefined(format);
        (Path, SampleRate, Channels, Format, _info, _riffLimit, _channelMask) = (path, sampleRate, channels, format, info, riffLimit, channelMask);
        RequireWavName(path);
        _target = System.IO.Path.GetFullPath(path);
        _file = Guard(() =>
            Directory.Exists(_target)
                ? throw new IOException("it is a folder")
                : new UnfinishedFile(System.IO.Path.GetDirectoryName(_target)!));
        try
        {
            Append(Header());
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The target's name as it was given.</summary>
    public string Path { get; }

    /// <summary>Sample rate in Hz.</summary>
    public int SampleRate { get; }

    /// <summary>Number of channels.</summary>
    public int Channels { get; }

    /// <summary>How samples are stored.</summary>
    public SampleFormat Format { get; }

    /// <summary>Samples written to each channel so far.</summary>
    public long Length { get; private set; }

    /// <summary>
    /// Samples (of all channels together) beyond ±1 that an integer format had to saturate so far; 0 for float formats, which
    /// keep them. A value within half a step of +1 takes the highest step, at most one step below it, and is not counted.
    /// </summary>
    public long ClippedSamples { get; private set; }

    /// <summary>Appends samples.</summary>
    /// <param name="audio">Channels and sample rate as those of the file; any length.</param>
    /// <exception cref="ArgumentException">Another number of channels or sample rate.</exception>
    /// <exception cref="InvalidOperationException">The file is complete.</exception>
    /// <exception cref="ObjectDisposedException">The writer has been disposed.</exception>
    /// <exception cref="InputException">
    /// The disk is full or fails, or a sample is not a finite number; what was written before is not complete.
    /// </exception>
    public void Write(AudioBuffer audio)
    {
        ArgumentNullException.ThrowIfNull(audio);
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_sealed) throw new InvalidOperationException($"{Path} is complete: open a new writer.");
        if (audio.Channels.Count != Channels || audio.SampleRate != SampleRate)
            throw new ArgumentException(
                $"{Path} has {Channels} channels at {SampleRate} Hz, the samples {audio.Channels.Count} at {audio.SampleRate} Hz.",
                nameof(audio));
        RequireFinite(audio, Path, Length);
        WriteBlocks(audio);
    }

    /// <summary>Finishes the header and gives the file its name, in place of an older one. Further calls do nothing.</summary>
    /// <exception cref="InvalidOperationException">Something failed to be written before.</exception>
    /// <exception cref="ObjectDisposedException">The writer was disposed before the file was complete.</exception>
    /// <exception cref="InputException">The disk is full or fails, or the target cannot be replaced.</exception>
    public void Complete() => Complete(overwrite: true);

    /// <summary>As <see cref="Complete()"/>; an older file is in the way where it is not to be replaced.</summary>
    internal void Complete(bool overwrite)
    {
        if (_completed) return;
        ObjectDisposedException.ThrowIf(_disposed, this);
        Seal();
        Guard(() =>
        {
            _file.MoveTo(_target, overwrite);
            return _completed = true;
        });
    }

    /// <summary>Finishes the file under its temporary name: <see cref="Complete()"/> only has to rename it.</summary>
    internal void Seal()
    {
        if (_sealed) return;
        if (_failed) throw new InvalidOperationException($"Writing {Path} failed before: what is there is not complete.");
        if ((_position & 1) == 1) Append([0]);
        Guard(() =>
        {
            RandomAccess.Write(_file.Handle, Header(), 0);
            return _sealed = true;
        });
    }

    /// <summary>Where the samples are until then.</summary>
    internal string TemporaryPath => _file.Path;

    /// <summary>Closes the file; deletes what was written unless <see cref="Complete()"/> was reached.</summary>
    public void Dispose()
    {
        _disposed = true;
        _file.Dispose();
    }

    /// <summary>The bytes of a whole file, piece by piece in one array, and how many samples of each piece are beyond full scale.</summary>
    /// <exception cref="InputException">A sample is not a finite number.</exception>
    internal static IEnumerable<(ReadOnlyMemory<byte> Bytes, long Clipped)> Blocks(AudioBuffer audio, SampleFormat format)
    {
        RequireFinite(audio, "the stream", 0);
        yield return (WavHeaderBytes.Build(format, audio.Channels.Count, audio.SampleRate, audio.Length, [], WavHeaderBytes.RiffLimit), 0);
        var frameBytes = audio.Channels.Count * SampleCodec.Bytes(format);
        var block = new byte[Math.Max(1, BlockBytes / frameBytes) * frameBytes];
        for (var (start, frames) = (0, 0); start < audio.Length; start += frames)
        {
            frames = Math.Min(block.Length / frameBytes, audio.Length - start);
            var clipped = SampleCodec.Encode(format, audio.Channels, start, frames, block);
            yield return (block.AsMemory(0, frames * frameBytes), clipped);
        }
        if ((audio.Length * (long)frameBytes & 1) == 1) yield return (new byte[1], 0);
    }

    private byte[] Header() => WavHeaderBytes.Build(Format, Channels, SampleRate, Length, _info, _riffLimit, _channelMask);

    private void WriteBlocks(AudioBuffer audio)
    {
        var frameBytes = Channels * SampleCodec.Bytes(Format);
        var blockFrames = Math.Max(1, BlockBytes / frameBytes);
        var block = ArrayPool<byte>.Shared.Rent(blockFrames * frameBytes);
        try
        {
            for (var start = 0; start < audio.Length; start += blockFrames)
            {
                var frames = Math.Min(blockFrames, audio.Length - start);
                var bytes = block.AsSpan(0, frames * frameBytes);
                var clipped = SampleCodec.Encode(Format, audio.Channels, start, frames, bytes);
                Append(bytes);
                (Length, ClippedSamples) = (Length + frames, ClippedSamples + clipped);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(block);
        }
    }

    private void Append(ReadOnlySpan<byte> bytes)
    {
        try
        {
            RandomAccess.Write(_file.Handle, bytes, _position);
            _position += bytes.Length;
        }
        catch (Exception cause) when (FileFailure.IsOfFiles(cause))
        {
            throw Failed(cause);
        }
    }

    private T Guard<T>(Func<T> action)
    {
        try
        {
            return action();
        }
        catch (Exception cause) when (FileFailure.IsOfFiles(cause))
        {
            throw Failed(cause);
        }
    }

    private InputException Failed(Exception cause)
    {
        _failed = true;
        return FileFailure.Writing(Path, cause);
    }

    /// <summary>Refuses samples that no reader would accept; <paramref name="offset"/> is where the samples begin.</summary>
    internal static void RequireFinite(AudioBuffer audio, string target, long offset)
    {
        if (FiniteSamples.FirstFault(audio.Channels, offset, audio.SampleRate) is { } fault)
            throw new InputException($"{target} would hold {fault}, which is not a finite number: look where it came from.");
    }

    private static void RequireWavName(string path)
    {
        var extension = System.IO.Path.GetExtension(path);
        if (!extension.Equals(".wav", StringComparison.OrdinalIgnoreCase)
            && !extension.Equals(".wave", StringComparison.OrdinalIgnoreCase))
            throw new InputException($"{path} would hold WAV samples: name it .wav.");
    }
}
