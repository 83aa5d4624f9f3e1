using System.Collections.Concurrent;

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
    /// <param name="progress">Told the share done, from 0 to 1; may be null.</param>
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
    /// Separates an audio file into files, in memory that does not grow with its length: reading, separating and writing run
    /// side by side. The file is read twice, first for its level and its fingerprint.
    /// </summary>
    /// <remarks>
    /// Separating a song again into the same folder replaces its stems, when all are done, not before. Two songs of one name
    /// (song.mp3 and song.wav, a/song.wav and b/song.wav) do not replace each other's stems: the second is refused. Each stem says
    /// in a LIST chunk of which song it is, by a fingerprint of the samples and not by the path, because in containers and
    /// pipelines different songs often have the same one; a new mix of a song is another song. A file that says nothing (made by an
    /// older version, edited, or somebody else's) may be the only one of its kind: it is in the way too.
    /// A process that is told to stop on the way leaves nothing behind: see <see cref="UnfinishedFiles"/>.
    /// </remarks>
    /// <param name="separator">The separator.</param>
    /// <param name="song">The file, of any format that <see cref="AudioFile.Open"/> reads.</param>
    /// <param name="folder">Where to write; made where it is missing.</param>
    /// <param name="progress">Told the share done, from 0 to 1; may be null.</param>
    /// <param name="cancellation">Stops the work between two pieces.</param>
    /// <returns>
    /// For each name in <see cref="ISeparator.Stems"/> the file written: SONG_STEM.wav, 32-bit float, with the rate, channels and
    /// length of the song. They sum to the song.
    /// </returns>
    /// <exception cref="InputException">
    /// The song cannot be read, a file that is not known to be a stem of this song is in the way, or a stem cannot be written; no
    /// stem is left half-written.
    /// </exception>
    /// <exception cref="OperationCanceledException">The work was cancelled.</exception>
    public static IReadOnlyDictionary<string, string> SeparateFile(
        this ISeparator separator, string song, string folder, IProgress<double>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(separator);
        using var reader = AudioFile.Open(song);
        return separator.SeparateFile(reader, folder, progress, cancellation);
    }

    /// <summary>Separates a file that is open: see <see cref="SeparateFile(ISeparator, string, string, IProgress{double}?, CancellationToken)"/>.</summary>
    /// <param name="separator">The separator.</param>
    /// <param name="song">The file, whose <see cref="AudioInfo.Notes"/> the caller has shown. It stays open.</param>
    /// <param name="folder">Where to write; made where it is missing.</param>
    /// <param name="progress">Told the share done, from 0 to 1; may be null.</param>
    /// <param name="cancellation">Stops the work between two pieces.</param>
    /// <returns>The files written; SONG in their names is <see cref="WavReader.Name"/>.</returns>
    /// <exception cref="InputException">
    /// The song cannot be read, a file that is not known to be a stem of this song is in the way, or a stem cannot be written; no
    /// stem is left half-written.
    /// </exception>
    /// <exception cref="OperationCanceledException">The work was cancelled.</exception>
    public static IReadOnlyDictionary<string, string> SeparateFile(
        this ISeparator separator, WavReader song, string folder, IProgress<double>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(separator);
        ArgumentNullException.ThrowIfNull(song);
        var (rate, channels) = (song.Info.SampleRate, song.Info.Channels);
        var (level, fingerprint) = Listen(song, cancellation);
        using var stream = separator.Open(rate, channels, level);
        using var files = new StemFiles(separator.Stems, song, fingerprint, folder);
        Pipeline(
            Pieces(song),
            (pieces, stop) => Run(stream, pieces, stop),
            stems =>
            {
                files.Write(stems);
                progress?.Report((double)files.Length / song.Info.Length);
            },
            cancellation);
        files.Complete();
        return files.Targets;
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

    private static IEnumerable<AudioBuffer> Pieces(WavReader reader)
    {
        for (var start = 0L; start < reader.Info.Length; start += PieceSamples)
            yield return reader.Read(start, (int)Math.Min(PieceSamples, reader.Info.Length - start));
    }

    /// <summary>A first pass over the file: its level, and what tells the song.</summary>
    private static (SoundLevel Level, string Fingerprint) Listen(WavReader reader, CancellationToken cancellation)
    {
        using var fingerprint = new SongFingerprint(reader.Info.SampleRate, reader.Info.Channels);
        var level = SoundLevel.Of(Pieces(reader).Select(piece =>
        {
            cancellation.ThrowIfCancellationRequested();
            fingerprint.Add(piece);
            return piece;
        }));
        return (level, fingerprint.Finish());
    }

    /// <summary>
    /// Three stages side by side: a source, a transformation and a sink. Where one fails the others stop, and its exception is
    /// the caller's.
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
        Task[] stages =
        [
            Stage(() => Fill(read, source, stop.Token), stop),
            Stage(() => Fill(transformed, transform(read.GetConsumingEnumerable(stop.Token), stop.Token), stop.Token), stop),
            Stage(() => { foreach (var result in transformed.GetConsumingEnumerable(stop.Token)) sink(result); }, stop),
        ];
        try
        {
            Task.WhenAll(stages).GetAwaiter().GetResult();
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

    /// <summary>A thread of its own, in which native tensors may live from piece to piece.</summary>
    private static Task Stage(Action work, CancellationTokenSource stop) =>
        Task.Factory.StartNew(
            () =>
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
            },
            stop.Token,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default);
}
