namespace FunctionalSeparation.Core;

/// <summary>
/// The stems of a song as they become files, all or none. A file that is there already is replaced where its <see cref="StemTag"/> says
/// that it is a stem of the same song; any other is in the way, and nothing is written.
/// </summary>
internal sealed class StemFiles : IDisposable
{
    private readonly string _path;
    private readonly string _fingerprint;
    private readonly Dictionary<string, string> _targets;
    private readonly Dictionary<string, StemWriter> _writers = [];

    /// <summary>Starts the files.</summary>
    /// <param name="separator">Whose stems they are.</param>
    /// <param name="song">The song, whose rate and channels they have.</param>
    /// <param name="fingerprint">The song's <see cref="SongFingerprint"/>.</param>
    /// <param name="folder">Where to write; made where it is missing.</param>
    /// <param name="settings">Which files.</param>
    /// <exception cref="InputException">Another file is in the way, or a stem cannot be written.</exception>
    public StemFiles(ISeparator separator, WavReader song, string fingerprint, string folder, StemSettings settings)
    {
        (_path, _fingerprint) = (song.Path, fingerprint);
        settings.Require(separator, song, folder);
        _targets = settings.Targets(separator, song, folder);
        foreach (var target in _targets.Values) RequireName(target);
        RequireOwn();
        var tags = song.Tags.From(settings.Part(song).Start);
        StemWriter Start(string stem, string target) =>
            new(target, song, settings.Format, new StemTag(stem, settings.Words(song), _fingerprint, separator.Fingerprint), tags);
        try
        {
            foreach (var (stem, target) in _targets) _writers.Add(stem, Start(stem, target));
            if (settings.Format.Encoder() is null) return;
            using var trial = Start(_targets.First().Key, _targets.First().Value);
            TryOut(trial, song.Info);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The file of each stem that is written.</summary>
    public IReadOnlyDictionary<string, StemFile> Files => _writers.ToDictionary(writer => writer.Key, writer => writer.Value.File);

    /// <summary>Samples written to each channel of each stem so far.</summary>
    public long Length => _writers.Values.Min(writer => writer.Length);

    /// <summary>Whether all files are there, as this separator made them of this song.</summary>
    /// <param name="separator">The separator.</param>
    /// <param name="song">The song.</param>
    /// <param name="fingerprint">Its fingerprint.</param>
    /// <param name="folder">The folder.</param>
    /// <param name="settings">Which files.</param>
    public static bool AreThere(ISeparator separator, WavReader song, string fingerprint, string folder, StemSettings settings) =>
        settings.Targets(separator, song, folder).Values.All(target =>
            File.Exists(target)
            && TagOf(target) is { } tag
            && (tag.Fingerprint, tag.Separator) == (fingerprint, separator.Fingerprint));

    /// <summary>Appends a piece to each stem that is written.</summary>
    public void Write(IReadOnlyDictionary<string, AudioBuffer> stems)
    {
        foreach (var (stem, writer) in _writers) writer.Write(stems[stem]);
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

    /// <summary>An encoder that refuses such a sound, or is missing, says so before the work.</summary>
    private static void TryOut(StemWriter writer, AudioInfo info)
    {
        var silence = Enumerable.Range(0, info.Channels).Select(_ => new float[info.SampleRate / 10]);
        writer.Write(new AudioBuffer([.. silence], info.SampleRate));
        writer.Seal();
    }

    /// <summary>A name that the file system does not take, or that is a folder's, is known before the work.</summary>
    private static void RequireName(string target)
    {
        try
        {
            if (File.GetAttributes(target).HasFlag(FileAttributes.Directory)) throw new IOException("it is a folder");
        }
        catch (Exception cause) when (cause is FileNotFoundException or DirectoryNotFoundException)
        {
            // It is new.
        }
        catch (Exception cause) when (FileFailure.IsOfFiles(cause))
        {
            throw FileFailure.Writing(target, cause);
        }
    }

    /// <summary>Where one fails, those before it that replaced nothing go too.</summary>
    private void Place()
    {
        var added = new List<string>();
        try
        {
            foreach (var (stem, target) in _targets)
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
        var others = _targets.Values.Where(target => File.Exists(target) && TagOf(target)?.Fingerprint != _fingerprint).ToArray();
        if (others.Length == 0) return;
        var owner = TagOf(others[0]) is { } tag
            ? $"belong to another song{(tag.Song == "" ? "" : $", {tag.Song}")}"
            : "are not known to be stems of this song";
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
