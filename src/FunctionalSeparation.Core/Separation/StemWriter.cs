namespace FunctionalSeparation.Core;

/// <summary>The file of one stem on its way: a WAV file, and what ffmpeg makes of it where another format is wanted.</summary>
internal sealed class StemWriter : IDisposable
{
    private readonly string _target;
    private readonly StemFormat _format;
    private readonly WavWriter _wav;
    private UnfinishedFile? _encoded;

    /// <param name="target">The file that it becomes.</param>
    /// <param name="info">Sample rate and channels.</param>
    /// <param name="format">How it is stored.</param>
    /// <param name="tag">What it says of itself.</param>
    /// <exception cref="InputException">The folder cannot be written, or ffmpeg is wanted and not there.</exception>
    public StemWriter(string target, AudioInfo info, StemFormat format, StemTag tag)
    {
        (_target, _format) = (target, format);
        if (format.Encoder() is not null) ForeignAudio.RequireEncoder(target);
        var wav = format.Encoder() is null ? target : target + ".wav";
        _wav = new WavWriter(wav, info.SampleRate, info.Channels, format.Samples(), tag.ToChunk());
    }

    /// <summary>Samples written to each channel so far.</summary>
    public long Length => _wav.Length;

    /// <summary>The file with what was lost in it.</summary>
    public StemFile File => new(_target, _wav.ClippedSamples);

    /// <summary>Appends samples.</summary>
    public void Write(AudioBuffer audio) => _wav.Write(audio);

    /// <summary>Finishes the file under a temporary name: what is left to <see cref="Complete"/> is a change of name.</summary>
    public void Seal()
    {
        _wav.Seal();
        if (_format.Encoder() is { } encoder) _encoded = ForeignAudio.Encode(_wav.TemporaryPath, [.. encoder, "-ar", $"{_format.StoredRate(_wav.SampleRate)}"], _target);
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
