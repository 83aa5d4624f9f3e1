namespace FunctionalSeparation.Core;

/// <summary>
/// The stems of a song as they become files: SONG_STEM.wav, all or none. A file that is there already is replaced where its
/// <see cref="StemTag"/> says that it is a stem of the same song; any other is in the way, and nothing is written.
/// </summary>
internal sealed class StemFiles : IDisposable
{
    private readonly string _song;
    private readonly string _path;
    private readonly string _fingerprint;
    private readonly Dictionary<string, WavWriter> _writers = [];

    /// <summary>Starts the files.</summary>
    /// <param name="stems">Names of the stems.</param>
    /// <param name="song">The song, whose rate and channels they have.</param>
    /// <param name="fingerprint">The song's <see cref="SongFingerprint"/>.</param>
    /// <param name="folder">Where to write; made where it is missing.</param>
    /// <exception cref="InputException">Another file is in the way, or a stem cannot be written.</exception>
    public StemFiles(IReadOnlyList<string> stems, WavReader song, string fingerprint, string folder)
    {
        (_song, _path, _fingerprint) = (Path.GetFileName(song.Path), song.Path, fingerprint);
        Targets = stems.ToDictionary(stem => stem, stem => Path.Combine(folder, $"{song.Name}_{stem}.wav"));
        RequireOwn();
        try
        {
            foreach (var (stem, target) in Targets)
            {
                var tag = new StemTag(stem, _song, _fingerprint).ToChunk();
                _writers.Add(stem, new WavWriter(target, song.Info.SampleRate, song.Info.Channels, SampleFormat.Float32, tag));
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The file of each stem.</summary>
    public IReadOnlyDictionary<string, string> Targets { get; }

    /// <summary>Samples written to each channel of each stem so far.</summary>
    public long Length => _writers.Values.Min(writer => writer.Length);

    /// <summary>Appends a piece to each stem.</summary>
    public void Write(IReadOnlyDictionary<string, AudioBuffer> stems)
    {
        foreach (var (stem, piece) in stems) _writers[stem].Write(piece);
    }

    /// <summary>Gives all files their names, in place of older stems of the song.</summary>
    /// <exception cref="InputException">A file has come in the way, or the disk fails; the stems are not there.</exception>
    public void Complete()
    {
        // All are whole before the first takes the place of an older one.
        foreach (var writer in _writers.Values) writer.Seal();
        UnfinishedFiles.Atomically(() =>
        {
            RequireOwn();
            Place();
            return true;
        });
    }

    /// <summary>Closes the files; those without their names are deleted.</summary>
    public void Dispose()
    {
        foreach (var writer in _writers.Values) writer.Dispose();
    }

    /// <summary>Where one fails, those before it that replaced nothing go too.</summary>
    private void Place()
    {
        var added = new List<string>();
        try
        {
            foreach (var (stem, target) in Targets)
            {
                var isNew = !File.Exists(target);
                _writers[stem].Complete(overwrite: !isNew);
                if (isNew) added.Add(target);
            }
        }
        catch
        {
            foreach (var target in added) File.Delete(target);
            throw;
        }
    }

    private void RequireOwn()
    {
        var others = Targets.Values.Where(target => File.Exists(target) && TagOf(target)?.Fingerprint != _fingerprint).ToArray();
        if (others.Length == 0) return;
        var owner = TagOf(others[0]) is { } tag ? $"belong to another song, {tag.Song}" : "are not known to be stems of this song";
        throw new InputException(
            $"{_path}: nothing was written, for files in the way {owner}: {string.Join(", ", others)}. "
            + "Choose another folder, rename the song, or move those files away.");
    }

    private static StemTag? TagOf(string path)
    {
        try
        {
            return StemTag.Read(path);
        }
        catch (Exception cause) when (FileFailure.IsOfFiles(cause))
        {
            throw FileFailure.Reading(path, cause);
        }
    }
}
