using Microsoft.Win32.SafeHandles;

namespace FunctionalSeparation.Core;

/// <summary>
/// Audio files of any common format. WAV files (RIFF, RIFX, RF64, BW64, Wave64; recognised by their content, not their name) are read
/// directly. All others, and WAV files of a compressed coding, are read through the ffmpeg program where it is installed.
/// </summary>
public static class AudioFile
{
    /// <summary>
    /// The extensions of audio files, to find them in a folder by name. They stand for the containers and codings in common use for
    /// sound that ffmpeg decodes.
    /// </summary>
    public static IReadOnlyList<string> Extensions { get; } =
    [
        ".wav", ".wave", ".flac", ".mp3", ".m4a", ".aac", ".ogg", ".oga", ".opus", ".aif", ".aiff", ".aifc", ".caf", ".w64", ".rf64",
        ".wv", ".ape", ".tta", ".au", ".snd", ".wma", ".mka", ".ac3", ".amr", ".mp4", ".webm", ".m4b", ".mkv", ".mov", ".mp2", ".mpc", ".spx", ".3gp", ".dsf",
    ];

    /// <summary>Whether a file is audio by its name, in upper or lower case. Its content may say otherwise.</summary>
    /// <param name="path">The file.</param>
    public static bool HasAudioName(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        return Extensions.Contains(System.IO.Path.GetExtension(path), StringComparer.OrdinalIgnoreCase);
    }

    /// <summary>
    /// Opens a file to read it piece by piece in bounded memory. A file that ffmpeg must decode takes its decoded size (4 bytes
    /// a sample and channel) in the folder for temporary files until the reader is closed. Input from a pipe is stored there too. Of
    /// several audio streams, the first is read. <see cref="AudioInfo.Notes"/> holds the notes for the user.
    /// </summary>
    /// <param name="path">The file; a FIFO or <c>/dev/fd/63</c>; or <c>-</c> for standard input, which is read to its end.</param>
    /// <param name="limits">The limits for a file from an untrusted source; null: no limits.</param>
    /// <returns>A reader that the caller disposes.</returns>
    /// <exception cref="InputException">
    /// The file is missing, a folder, a socket, a device, empty, truncated, damaged or undecodable. It refers to other files instead of
    /// holding sound, as a playlist does: only the one file is opened, and no network. It needs ffmpeg, which is not installed, or it
    /// exceeds the limits.
    /// </exception>
    public static WavReader Open(string path, DecoderLimits? limits = null) =>
        OpenTrack(path, null, limits, CancellationToken.None);

    /// <summary>As <see cref="Open(string, DecoderLimits)"/>, on a thread of its own.</summary>
    /// <param name="path">The file.</param>
    /// <param name="limits">How much it may take.</param>
    /// <param name="cancellation">Ends the reading and the decoder.</param>
    /// <returns>A reader that the caller disposes.</returns>
    /// <exception cref="InputException">As there.</exception>
    /// <exception cref="OperationCanceledException">The work was cancelled; nothing is left of it.</exception>
    public static Task<WavReader> OpenAsync(string path, DecoderLimits? limits = null, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return OwnThread.Run(() => OpenTrack(path, null, limits, cancellation), cancellation);
    }

    /// <summary>Opens a sound from a stream of bytes, such as an upload. The stream is read to its end, into a temporary file.</summary>
    /// <param name="bytes">The bytes of a file of any format. The stream stays open.</param>
    /// <param name="name">The name of the sound in messages, and the base name of files made from it.</param>
    /// <param name="limits">The limits for the sound; null: no limits.</param>
    /// <returns>A reader that the caller disposes.</returns>
    /// <exception cref="InputException">
    /// As <see cref="Open(string, DecoderLimits)"/>; also if the folder for temporary files has no room.
    /// </exception>
    public static WavReader Open(Stream bytes, string name, DecoderLimits? limits = null)
    {
        ArgumentNullException.ThrowIfNull(bytes);
        ArgumentException.ThrowIfNullOrEmpty(name);
        var watch = new DecoderWatch(name, limits);
        using var source = SoundSource.From(bytes, name, watch);
        return OpenSource(source, null, watch);
    }

    /// <summary>As <see cref="Open(string, DecoderLimits)"/>, for one sound track of a file that may hold several.</summary>
    /// <param name="path">The file.</param>
    /// <param name="track">Which of its sound tracks, from 0; null: the first, and a note tells of the others.</param>
    /// <param name="limits">How much it may take.</param>
    /// <returns>A reader that the caller disposes.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A negative track.</exception>
    /// <exception cref="InputException">As there; also a track that is not there.</exception>
    public static WavReader OpenTrack(string path, int? track, DecoderLimits? limits = null)
    {
        if (track is { } number) ArgumentOutOfRangeException.ThrowIfNegative(number, nameof(track));
        return OpenTrack(path, track, limits, CancellationToken.None);
    }

    /// <summary>
    /// As <see cref="Open(Stream, string, DecoderLimits)"/>, but reads the stream asynchronously. It suits servers, whose streams allow
    /// only that, and graphical user interfaces. If the sound must be decoded, that happens on a thread of its own.
    /// </summary>
    /// <param name="bytes">The bytes of a file of any format. The stream stays open.</param>
    /// <param name="name">The name of the sound in messages, and the base name of files made from it.</param>
    /// <param name="limits">The limits for the sound; null: no limits.</param>
    /// <param name="cancellation">Ends the reading and the decoder.</param>
    /// <returns>A reader that the caller disposes.</returns>
    /// <exception cref="InputException">As there.</exception>
    /// <exception cref="OperationCanceledException">The work was cancelled; nothing is left of it.</exception>
    public static async Task<WavReader> OpenAsync(
        Stream bytes, string name, DecoderLimits? limits = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(bytes);
        ArgumentException.ThrowIfNullOrEmpty(name);
        var watch = new DecoderWatch(name, limits, cancellation);
        using var source = await SoundSource.FromAsync(bytes, name, watch).ConfigureAwait(false);
        return await OwnThread.Run(() => OpenSource(source, null, watch), cancellation).ConfigureAwait(false);
    }

    /// <summary>As <see cref="OpenAsync(string, DecoderLimits, CancellationToken)"/>, on this thread; of several tracks one.</summary>
    internal static WavReader OpenTrack(string path, int? track, DecoderLimits? limits, CancellationToken cancellation)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var watch = new DecoderWatch(SoundSource.NameOf(path), limits, cancellation);
        using var source = SoundSource.From(path, watch);
        return OpenSource(source, track, watch);
    }

    private static WavReader OpenSource(SoundSource source, int? track, DecoderWatch watch)
    {
        var file = source.OpenHandle();
        if (NeedsDecoder(file, source.Name)) return ForeignAudio.Open(source, SearchPath, track, watch);
        if (track is null or 0) return new WavReader(file, source.Name);
        file.Dispose();
        throw new InputException($"{source.Name} has 1 sound track: track {track}, counted from 0, is not there.");
    }

    /// <summary>Sample rate, channels, exact length and coding. A file that ffmpeg must decode is decoded for it.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="InputException">As <see cref="Open(string, DecoderLimits)"/>.</exception>
    public static AudioInfo Info(string path)
    {
        using var reader = Open(path);
        return reader.Info;
    }

    /// <summary>
    /// Sample rate, channels and length as the header states them, of the first sound track where there are several. Nothing is decoded.
    /// </summary>
    /// <param name="path">The file; no pipe, which could not be read again.</param>
    /// <exception cref="InputException">As <see cref="Open(string, DecoderLimits)"/>, but for damage beyond the header.</exception>
    public static AudioShape Shape(string path)
    {
        using var source = SoundSource.From(path);
        var file = source.OpenHandle();
        if (NeedsDecoder(file, source.Name)) return ForeignAudio.Shape(source, SearchPath);
        using var reader = new WavReader(file, source.Name);
        return new(reader.Info.SampleRate, reader.Info.Channels, reader.Info.Length, true);
    }

    internal static string SearchPath => Environment.GetEnvironmentVariable("PATH") ?? "";

    /// <summary>Reads a whole file.</summary>
    /// <param name="path">The file.</param>
    /// <returns>All its channels at its own sample rate, full scale = ±1.</returns>
    /// <exception cref="InputException">
    /// As <see cref="Open(string, DecoderLimits)"/>; also a sample that is not a finite number, or a file too long for one array.
    /// </exception>
    public static AudioBuffer Read(string path)
    {
        using var reader = Open(path);
        return Whole(reader);
    }

    /// <summary>
    /// Reads a whole sound track of a file that may hold several (mp4, mkv, mov), such as a part of a <c>.stem.mp4</c>.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="track">Which of its sound tracks, from 0. Pictures do not count.</param>
    /// <returns>All channels of the track at its own sample rate, full scale = ±1.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A negative track.</exception>
    /// <exception cref="InputException">As <see cref="Read(string)"/>; also a track that is not there.</exception>
    public static AudioBuffer ReadTrack(string path, int track)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(track);
        using var reader = OpenTrack(path, track, null, CancellationToken.None);
        return Whole(reader);
    }

    private static AudioBuffer Whole(WavReader reader)
    {
        if (reader.Info.Length > Array.MaxLength)
            throw new InputException(
                $"{reader.Path} has {reader.Info.Length} samples per channel, too many for memory: read it in parts.");
        return reader.Read(0, (int)reader.Info.Length);
    }

    /// <summary>Reads a part of a file. For many parts of one file, <see cref="Open(string, DecoderLimits)"/> it once.</summary>
    /// <param name="path">The file.</param>
    /// <param name="offset">First sample frame, from 0.</param>
    /// <param name="length">Sample frames to read.</param>
    /// <returns>All its channels, each <paramref name="length"/> samples long, full scale = ±1.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A negative offset or length.</exception>
    /// <exception cref="InputException">
    /// As <see cref="Open(string, DecoderLimits)"/>; also a part that reaches beyond the end, or a sample that is not a finite number.
    /// </exception>
    public static AudioBuffer Read(string path, long offset, int length)
    {
        using var reader = Open(path);
        return reader.Read(offset, length);
    }

    /// <summary>Writes a WAV file whole or not at all; an older file of that name is replaced, a missing folder created.</summary>
    /// <param name="path">The target, named .wav or .wave.</param>
    /// <param name="audio">The samples.</param>
    /// <param name="format">How samples are stored; integers are rounded to the nearest step, without dither.</param>
    /// <returns>How many samples beyond ±1 an integer format had to saturate: see <see cref="WavWriter.ClippedSamples"/>.</returns>
    /// <exception cref="InputException">
    /// The name is not that of a WAV file, a sample is not a finite number, or the disk is full or cannot be written.
    /// </exception>
    public static long Write(string path, AudioBuffer audio, SampleFormat format = SampleFormat.Float32)
    {
        ArgumentNullException.ThrowIfNull(audio);
        using var writer = new WavWriter(path, audio.SampleRate, audio.Channels.Count, format);
        writer.Write(audio);
        writer.Complete();
        return writer.ClippedSamples;
    }

    /// <summary>Writes a WAV file into a stream, such as an answer to a request, without seeking in it.</summary>
    /// <param name="to">The stream. It stays open.</param>
    /// <param name="audio">The samples.</param>
    /// <param name="format">As <see cref="Write(string, AudioBuffer, SampleFormat)"/>.</param>
    /// <returns>As <see cref="Write(string, AudioBuffer, SampleFormat)"/>.</returns>
    /// <exception cref="InputException">A sample is not a finite number.</exception>
    public static long Write(Stream to, AudioBuffer audio, SampleFormat format = SampleFormat.Float32)
    {
        ArgumentNullException.ThrowIfNull(to);
        ArgumentNullException.ThrowIfNull(audio);
        ArgumentOutOfRangeException.ThrowIfUndefined(format);
        var clipped = 0L;
        foreach (var (bytes, beyond) in WavWriter.Blocks(audio, format))
        {
            to.Write(bytes.Span);
            clipped += beyond;
        }
        return clipped;
    }

    /// <summary>As <see cref="Write(Stream, AudioBuffer, SampleFormat)"/>, without waiting for the stream.</summary>
    /// <param name="to">The stream. It stays open.</param>
    /// <param name="audio">The samples.</param>
    /// <param name="format">How samples are stored.</param>
    /// <param name="cancellation">Ends the writing.</param>
    /// <returns>As there.</returns>
    /// <exception cref="InputException">A sample is not a finite number; nothing is written.</exception>
    /// <exception cref="OperationCanceledException">The work was cancelled; part of it is written.</exception>
    public static async Task<long> WriteAsync(
        Stream to, AudioBuffer audio, SampleFormat format = SampleFormat.Float32, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(to);
        ArgumentNullException.ThrowIfNull(audio);
        ArgumentOutOfRangeException.ThrowIfUndefined(format);
        var clipped = 0L;
        foreach (var (bytes, beyond) in WavWriter.Blocks(audio, format))
        {
            await to.WriteAsync(bytes, cancellation).ConfigureAwait(false);
            clipped += beyond;
        }
        return clipped;
    }

    /// <summary>Leaves the file open where it needs none.</summary>
    private static bool NeedsDecoder(SafeFileHandle file, string name)
    {
        var plain = false;
        try
        {
            plain = WavChunks.Of(file) is { } chunks && WavHeader.Read(chunks, name).Format is not null;
            return !plain;
        }
        catch (Exception cause) when (FileFailure.IsOfFiles(cause))
        {
            throw FileFailure.Reading(name, cause);
        }
        finally
        {
            if (!plain) file.Dispose();
        }
    }
}
