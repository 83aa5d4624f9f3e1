namespace FunctionalSeparation.Core;

/// <summary>The file of one stem while it is written: a WAV file, which ffmpeg encodes where another format is wanted.</summary>
internal sealed class StemWriter : IDisposable
{
    private readonly string _target;
    private readonly StemFormat _format;
    private readonly StemTag _tag;
    private readonly SongTags _song;
    private readonly WavWriter _wav;
    private UnfinishedFile? _encoded;

    /// <param name="target">The path of the finished file.</param>
    /// <param name="song">The song, which determines the sample rate and the channels.</param>
    /// <param name="format">The format of the file.</param>
    /// <param name="tag">The tag that identifies the stem.</param>
    /// <param name="tags">The tags of the song.</param>
    /// <exception cref="InputException">The folder cannot be written, or ffmpeg is needed and not installed.</exception>
    public StemWriter(string target, WavReader song, StemFormat format, StemTag tag, SongTags tags)
    {
        (_target, _format, _tag, _song) = (target, format, tag, tags);
        if (format.Encoder() is not null) ForeignAudio.RequireEncoder(target);
        var wav = format.Encoder() is null ? target : target + ".wav";
        _wav = new WavWriter(
            wav, song.Info.SampleRate, song.Info.Channels, format.Samples(), tag.ToChunks(tags),
            channelMask: format.HasLoudspeakers() ? song.ChannelMask : 0);
    }

    /// <summary>Samples written to each channel so far.</summary>
    public long Length => _wav.Length;

    /// <summary>The file, with the number of clipped samples.</summary>
    public StemFile File => new(_target, _wav.ClippedSamples);

    /// <summary>Appends samples.</summary>
    public void Write(AudioBuffer audio) => _wav.Write(audio);

    /// <summary>Finishes the file under a temporary name: <see cref="Complete"/> only has to rename it.</summary>
    public void Seal()
    {
        _wav.Seal();
        if (_format.Encoder() is { } encoder) _encoded = Encode(encoder);
    }

    /// <summary>A picture that ffmpeg does not understand does not keep the sound from being written.</summary>
    private UnfinishedFile Encode(string[] encoder)
    {
        try
        {
            return Encode(encoder, _song.Cover);
        }
        catch (InputException) when (_song.Cover is not null)
        {
            return Encode(encoder, null);
        }
    }

    private UnfinishedFile Encode(string[] encoder, Cover? cover)
    {
        var texts = _tag.Texts(_song);
        if (_format.HasLoudspeakers())
            foreach (var (name, text) in _song.Broadcast?.Texts() ?? []) texts[name] = text;
        if (_format == StemFormat.Opus && cover is not null) texts["METADATA_BLOCK_PICTURE"] = cover.ToPictureBlock();
        using var tags = new EncodedTags(
            Path.GetDirectoryName(Path.GetFullPath(_target))!, texts, _format == StemFormat.Opus ? null : cover);
        return ForeignAudio.Encode(
            _wav.TemporaryPath, [.. tags.Arguments, .. encoder, "-ar", $"{_format.StoredRate(_wav.SampleRate)}"], _target);
    }

    /// <summary>Gives the file its name.</summary>
    /// <param name="overwrite">Whether an older file is replaced.</param>
    public void Complete(bool overwrite)
    {
        if (_encoded is null)
        {
            _wav.Complete(overwrite);
            return;
        }
        try
        {
            _encoded.MoveTo(Path.GetFullPath(_target), overwrite);
        }
        catch (Exception cause) when (FileFailure.IsOfFiles(cause))
        {
            throw FileFailure.Writing(_target, cause);
        }
    }

    /// <summary>Closes the file; without its name it is deleted.</summary>
    public void Dispose()
    {
        _wav.Dispose();
        _encoded?.Dispose();
    }
}
