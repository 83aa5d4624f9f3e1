using System.Collections.Concurrent;
using System.Runtime.CompilerServices;

namespace FunctionalSeparation.Core;

/// <summary>Separation of whole sounds and of files of any length, by any separator.</summary>
public static class SeparatorExtensions
{
    private const int PieceSamples = 1 << 18;

    /// <summary>Pieces that may wait between two stages.</summary>
    private const int Ahead = 2;

    /// <summary>Separates a mixture of any length, rate and number of channels.</summary>
    /// <param name="separator">The separator.</param>
    /// <param name="mixture">The mixture.</param>
    /// <param name="progress">Receives the share done, from 0 to 1; may be null.</param>
    /// <param name="cancellation">Stops the work between two pieces.</param>
    /// <returns>
    /// One buffer for each name in <see cref="ISeparator.Stems"/>, with the rate, channels and length of the mixture. The stems
    /// sum to the mixture.
    /// </returns>
    /// <exception cref="InputException">The mixture is empty or holds samples that are not finite numbers.</exception>
    /// <exception cref="OperationCanceledException">The work was cancelled.</exception>
    public static IReadOnlyDictionary<string, AudioBuffer> Separate(
        this ISeparator separator, AudioBuffer mixture, IProgress<double>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(separator);
        ArgumentNullException.ThrowIfNull(mixture);
        if (mixture.Length == 0) throw new InputException("The mixture is empty: there is nothing to separate.");
        StemStream.RequireFinite(mixture, 0);
        using var stream = separator.Open(mixture.SampleRate, mixture.Channels.Count, mixture.Level());
        var whole = separator.Stems.ToDictionary(stem => stem, _ => mixture.Channels.Select(_ => new float[mixture.Length]).ToArray());
        var done = 0;
        foreach (var stems in Run(stream, Pieces(mixture), cancellation))
        {
            foreach (var (stem, piece) in stems)
                for (var c = 0; c < piece.Channels.Count; c++) piece.Channels[c].CopyTo(whole[stem][c], done);
            done += stems[separator.Stems[0]].Length;
            progress?.Report((double)done / mixture.Length);
        }
        return whole.ToDictionary(stem => stem.Key, stem => new AudioBuffer(stem.Value, mixture.SampleRate));
    }

    /// <summary>
    /// Separates a sound that comes piece by piece, asynchronously. It gives each part of the stems when no later piece can change it, and
    /// the last part when the pieces have ended.
    /// </summary>
    /// <param name="separator">The separator.</param>
    /// <param name="pieces">The mixture, in pieces of any length, all of one rate and number of channels.</param>
    /// <param name="level">
    /// Level of the whole sound where it is known; null: it is measured as the sound comes (<see cref="ISeparator.Open"/>).
    /// </param>
    /// <param name="cancellation">Stops the work between two pieces.</param>
    /// <returns>For each piece, one buffer for each stem, which may be empty; all together are as long as the mixture.</returns>
    /// <exception cref="ArgumentException">A piece has another rate or number of channels than the first.</exception>
    /// <exception cref="InputException">A sample is not a finite number.</exception>
    /// <exception cref="OperationCanceledException">The work was cancelled.</exception>
    public static IAsyncEnumerable<IReadOnlyDictionary<string, AudioBuffer>> SeparateAsync(
        this ISeparator separator,
        IAsyncEnumerable<AudioBuffer> pieces,
        SoundLevel? level = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(separator);
        ArgumentNullException.ThrowIfNull(pieces);
        return SeparatePieces(separator, pieces, level, cancellation);
    }

    private static async IAsyncEnumerable<IReadOnlyDictionary<string, AudioBuffer>> SeparatePieces(
        ISeparator separator,
        IAsyncEnumerable<AudioBuffer> pieces,
        SoundLevel? level,
        [EnumeratorCancellation] CancellationToken cancellation)
    {
        StemStream? stream = null;
        try
        {
            await foreach (var piece in pieces.WithCancellation(cancellation).ConfigureAwait(false))
            {
                cancellation.ThrowIfCancellationRequested();
                ArgumentNullException.ThrowIfNull(piece, nameof(pieces));
                stream ??= separator.Open(piece.SampleRate, piece.Channels.Count, level);
                yield return await Task.Run(() => stream.Push(piece), cancellation).ConfigureAwait(false);
            }
            if (stream is not null) yield return await Task.Run(stream.Finish, cancellation).ConfigureAwait(false);
        }
        finally
        {
            stream?.Dispose();
        }
    }

    /// <summary>
    /// Opens a stream for live sound, such as a microphone's or a player's. Pieces of the stems are as long as the pieces of the mixture. A
    /// piece waits only where the separator is further behind than <paramref name="ahead"/>.
    /// </summary>
    /// <param name="separator">The separator; the stream's alone until the stream is disposed, which comes first.</param>
    /// <param name="sampleRate">The sound's sample rate in Hz, any.</param>
    /// <param name="channels">Its channels.</param>
    /// <param name="ahead">
    /// How far the separator may be behind before a piece waits for it. It is at least the time that the separator needs for the largest
    /// amount that it processes at once. That is some 40 ms for a network of the papers, which works frame by frame. It is ten seconds for
    /// the library's own network, which works in blocks of ten seconds (its first takes longest).
    /// </param>
    /// <param name="level">
    /// Level of the whole sound where it is known; null: it is measured as the sound comes (<see cref="ISeparator.Open"/>).
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException">
    /// A time below zero, or longer than a minute; else as <see cref="ISeparator.Open"/>.
    /// </exception>
    public static LiveStream OpenLive(
        this ISeparator separator, int sampleRate, int channels, TimeSpan ahead, SoundLevel? level = null)
    {
        ArgumentNullException.ThrowIfNull(separator);
        var stream = separator.Open(sampleRate, channels, level);
        try
        {
            return new LiveStream(stream, ahead);
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Separates an audio file into files, in memory that does not grow with its length. Reading, separating and writing run in parallel,
    /// on threads of their own. The file is read twice, first for its level and its fingerprint. On Linux
    /// <see cref="SeparateFile(ISeparator, string, string, StemSettings?, IProgress{double}?, CancellationToken)"/> on the main thread can
    /// be faster (see <see cref="HostMemory.Keep"/>).
    /// </summary>
    /// <remarks>
    /// Separating a song again into the same folder replaces its stems, but only when all are done. Two songs of one name (song.mp3 and
    /// song.wav, a/song.wav and b/song.wav) do not replace each other's stems: the second is refused. The tags of each stem identify its
    /// song, by a fingerprint of the samples. They do not use the path, because in containers and pipelines different songs often have the
    /// same path. A new mix of a song, or another part of it, is another song. A file without such tags (made by an older version, edited,
    /// or somebody else's) may be the only one of its kind: it is in the way too. A process that is stopped before the end leaves nothing
    /// behind: see <see cref="UnfinishedFiles"/>.
    /// </remarks>
    /// <param name="separator">The separator.</param>
    /// <param name="song">The file, of any format that <see cref="AudioFile.Open(string, DecoderLimits)"/> reads.</param>
    /// <param name="folder">Where to write; made where it is missing.</param>
    /// <param name="settings">Which part and which stems, in which format and under which names; null: all, as SONG_STEM.wav.</param>
    /// <param name="progress">
    /// Receives the share done, from 0 to 1, on the thread that writes; may be null. (<see cref="Progress{T}"/> hands reports to threads of
    /// its own, which may change their order: see <see cref="OrderedProgress"/>.)
    /// </param>
    /// <param name="cancellation">Stops the work between two pieces.</param>
    /// <returns>
    /// The file of each stem written, with the channels and length of the song and its rate (but for Opus). All stems in 32-bit float sum
    /// to the song.
    /// </returns>
    /// <exception cref="InputException">
    /// The song cannot be read, or the settings ask for something that is not there. A file that is not known to be a stem of this song is
    /// in the way, or a stem cannot be written. No stem is left half-written.
    /// </exception>
    /// <exception cref="OperationCanceledException">The work was cancelled.</exception>
    public static Task<IReadOnlyDictionary<string, StemFile>> SeparateFileAsync(
        this ISeparator separator,
        string song,
        string folder,
        StemSettings? settings = null,
        IProgress<double>? progress = null,
        CancellationToken cancellation = default) =>
        OwnThread.Run(() => separator.SeparateFile(song, folder, settings, progress, cancellation), cancellation);

    /// <summary>
    /// Separates a file that is open, or a sound that <see cref="AudioFile.Open(Stream, string, DecoderLimits)"/> took from a stream: see
    /// <see cref="SeparateFileAsync(ISeparator, string, string, StemSettings?, IProgress{double}?, CancellationToken)"/>.
    /// </summary>
    /// <param name="separator">The separator.</param>
    /// <param name="song">The file, whose <see cref="AudioInfo.Notes"/> the caller has shown. It stays open.</param>
    /// <param name="folder">Where to write; made where it is missing.</param>
    /// <param name="settings">Which files.</param>
    /// <param name="progress">Receives the share done.</param>
    /// <param name="cancellation">Stops the work between two pieces.</param>
    /// <returns>The files written; the song's name in theirs is <see cref="WavReader.Name"/>.</returns>
    /// <exception cref="InputException">As there.</exception>
    /// <exception cref="OperationCanceledException">The work was cancelled.</exception>
    public static Task<IReadOnlyDictionary<string, StemFile>> SeparateFileAsync(
        this ISeparator separator,
        WavReader song,
        string folder,
        StemSettings? settings = null,
        IProgress<double>? progress = null,
        CancellationToken cancellation = default) =>
        OwnThread.Run(() => separator.SeparateFile(song, folder, settings, progress, cancellation), cancellation);

    /// <summary>
    /// <see cref="SeparateFileAsync(ISeparator, string, string, StemSettings?, IProgress{double}?, CancellationToken)"/>, on this thread.
    /// </summary>
    /// <param name="separator">The separator.</param>
    /// <param name="song">The file.</param>
    /// <param name="folder">Where to write; made where it is missing.</param>
    /// <param name="settings">Which files.</param>
    /// <param name="progress">Receives the share done.</param>
    /// <param name="cancellation">Stops the work between two pieces.</param>
    /// <returns>As there.</returns>
    /// <exception cref="InputException">As there.</exception>
    /// <exception cref="OperationCanceledException">The work was cancelled.</exception>
    public static IReadOnlyDictionary<string, StemFile> SeparateFile(
        this ISeparator separator,
        string song,
        string folder,
        StemSettings? settings = null,
        IProgress<double>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(separator);
        ArgumentException.ThrowIfNullOrEmpty(song);
        ArgumentNullException.ThrowIfNull(folder);
        using var reader = AudioFile.OpenTrack(song, null, null, cancellation);
        return separator.SeparateFile(reader, folder, settings, progress, cancellation);
    }

    /// <summary>
    /// <see cref="SeparateFileAsync(ISeparator, WavReader, string, StemSettings?, IProgress{double}?, CancellationToken)"/>, on this
    /// thread.
    /// </summary>
    /// <param name="separator">The separator.</param>
    /// <param name="song">The file.</param>
    /// <param name="folder">Where to write; made where it is missing.</param>
    /// <param name="settings">Which files.</param>
    /// <param name="progress">Receives the share done.</param>
    /// <param name="cancellation">Stops the work between two pieces.</param>
    /// <returns>As there.</returns>
    /// <exception cref="InputException">As there.</exception>
    /// <exception cref="OperationCanceledException">The work was cancelled.</exception>
    public static IReadOnlyDictionary<string, StemFile> SeparateFile(
        this ISeparator separator,
        WavReader song,
        string folder,
        StemSettings? settings = null,
        IProgress<double>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(separator);
        ArgumentNullException.ThrowIfNull(song);
        ArgumentNullException.ThrowIfNull(folder);
        settings ??= new StemSettings();
        settings.Require(separator, song, folder);
        var part = settings.Part(song);
        var (level, fingerprint) = Listen(song, part, cancellation);
        using var files = new StemFiles(separator, song, fingerprint, folder, settings);
        using var stream = separator.Open(song.Info.SampleRate, song.Info.Channels, level);
        Pipeline(
            Pieces(song, part),
            (pieces, stop) => Run(stream, pieces, stop),
            stems =>
            {
                files.Write(stems);
                progress?.Report((double)files.Length / part.Length);
            },
            cancellation);
        files.Complete();
        return files.Files;
    }

    /// <summary>
    /// Whether a folder holds all files that separating a song into it would write, made by this separator from this song. The song is read
    /// once; nothing is separated.
    /// </summary>
    /// <param name="separator">The separator.</param>
    /// <param name="song">The song.</param>
    /// <param name="folder">The folder; it may be missing.</param>
    /// <param name="settings">Which files.</param>
    /// <param name="cancellation">Stops the reading.</param>
    /// <exception cref="InputException">The song or a stem cannot be read, or the settings ask for something that is not there.</exception>
    /// <exception cref="OperationCanceledException">The work was cancelled.</exception>
    public static bool IsSeparated(
        this ISeparator separator,
        WavReader song,
        string folder,
        StemSettings? settings = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(separator);
        ArgumentNullException.ThrowIfNull(song);
        ArgumentNullException.ThrowIfNull(folder);
        settings ??= new StemSettings();
        settings.Require(separator, song, folder);
        return StemFiles.AreThere(separator, song, Listen(song, settings.Part(song), cancellation).Fingerprint, folder, settings);
    }

    private static IEnumerable<IReadOnlyDictionary<string, AudioBuffer>> Run(
        StemStream stream, IEnumerable<AudioBuffer> pieces, CancellationToken cancellation)
    {
        foreach (var piece in pieces)
        {
            cancellation.ThrowIfCancellationRequested();
            yield return stream.Push(piece);
        }
        cancellation.ThrowIfCancellationRequested();
        yield return stream.Finish();
    }

    private static IEnumerable<AudioBuffer> Pieces(AudioBuffer mixture)
    {
        for (var (start, end) = (0, 0); start < mixture.Length; start = end)
        {
            end = start + Math.Min(mixture.Length - start, PieceSamples);
            yield return new AudioBuffer([.. mixture.Channels.Select(channel => channel[start..end])], mixture.SampleRate);
        }
    }

    private static IEnumerable<AudioBuffer> Pieces(WavReader reader, (long Start, long Length) part)
    {
        for (var done = 0L; done < part.Length; done += PieceSamples)
            yield return reader.Read(part.Start + done, (int)Math.Min(PieceSamples, part.Length - done));
    }

    /// <summary>A first pass over the file, for its level and the fingerprint of the song.</summary>
    private static (SoundLevel Level, string Fingerprint) Listen(
        WavReader reader, (long Start, long Length) part, CancellationToken cancellation)
    {
        using var fingerprint = new SongFingerprint(reader.Info.SampleRate, reader.Info.Channels);
        var level = SoundLevel.Of(Pieces(reader, part).Select(piece =>
        {
            cancellation.ThrowIfCancellationRequested();
            fingerprint.Add(piece);
            return piece;
        }));
        return (level, fingerprint.Finish());
    }

    /// <summary>
    /// Three stages in parallel: a source, a transformation on the caller's thread (whose memory may be the main one, see
    /// <see cref="HostMemory.Keep"/>) and a sink. Where one fails the others stop, and the caller gets its exception.
    /// </summary>
    private static void Pipeline<TIn, TOut>(
        IEnumerable<TIn> source,
        Func<IEnumerable<TIn>, CancellationToken, IEnumerable<TOut>> transform,
        Action<TOut> sink,
        CancellationToken cancellation)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        using var read = new BlockingCollection<TIn>(Ahead);
        using var transformed = new BlockingCollection<TOut>(Ahead);
        var reading = Beside(() => Fill(read, source, stop.Token), stop);
        var writing = Beside(() => { foreach (var result in transformed.GetConsumingEnumerable(stop.Token)) sink(result); }, stop);
        var work = Here(() => Fill(transformed, transform(read.GetConsumingEnumerable(stop.Token), stop.Token), stop.Token), stop);
        try
        {
            Task.WhenAll(reading, work, writing).GetAwaiter().GetResult();
        }
        catch (OperationCanceledException)
        {
            cancellation.ThrowIfCancellationRequested();
            throw;
        }
    }

    private static void Fill<T>(BlockingCollection<T> target, IEnumerable<T> items, CancellationToken stop)
    {
        foreach (var item in items) target.Add(item, stop);
        target.CompleteAdding();
    }

    /// <summary>Runs a stage on this thread, to its end.</summary>
    private static Task Here(Action work, CancellationTokenSource stop)
    {
        try
        {
            OrStop(work, stop);
            return Task.CompletedTask;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return Task.FromCanceled(stop.Token);
        }
        catch (Exception failure)
        {
            return Task.FromException(failure);
        }
    }

    /// <summary>A stage on a thread of its own.</summary>
    private static Task Beside(Action work, CancellationTokenSource stop) =>
        Task.Factory.StartNew(() => OrStop(work, stop), stop.Token, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private static void OrStop(Action work, CancellationTokenSource stop)
    {
        try
        {
            work();
        }
        catch
        {
            stop.Cancel();
            throw;
        }
    }
}
