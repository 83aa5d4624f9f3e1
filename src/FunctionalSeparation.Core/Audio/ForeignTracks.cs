using FFMpegCore;

namespace FunctionalSeparation.Core;

/// <summary>A file and the sound track that is read from it, as ffprobe describes them.</summary>
/// <param name="format">The container.</param>
/// <param name="stream">The track that is read.</param>
/// <param name="others">The number of other sound tracks that are left out without the caller's choice.</param>
/// <param name="pictures">The video streams, among them the cover.</param>
internal sealed class ForeignTracks(MediaFormat format, AudioStream stream, int others, IReadOnlyList<VideoStream> pictures)
{
    /// <summary>
    /// Containers whose header states the length, so that a shorter decoded length means a cut file; elsewhere (mp3, aac) the
    /// stated length is often a guess from the bit rate.
    /// </summary>
    private static readonly string[] StatesLength = ["flac", "mov", "aiff", "wv", "ape", "tta", "au"];

    /// <summary>Containers with a time line that players begin at 0, and others whose clock begins anywhere.</summary>
    private static readonly string[] FromZero = ["mov", "matroska", "avi", "asf", "flv"], FromAnywhere = ["mpegts", "mpeg"];

    /// <summary>Bytes of samples that SoX and others state in the header of a file that they write to a pipe.</summary>
    private static readonly long[] StreamingMarks = [0x7F000000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF];

    private const double CutTolerance = 0.5; // seconds; encoders pad and trim by a few frames
    private const double NoteTolerance = 0.1;
    private const double StartTolerance = 0.05; // encoder delay, and less than eye and ear tell apart (EBU R 37)
    private const int MarkTolerance = 1 << 16; // bytes

    private static readonly Dictionary<string, string> None = [];

    private readonly string[] _format = format.FormatName.Split(',');

    /// <summary>The coding.</summary>
    public string Codec => stream.CodecName ?? "sound of an unknown coding";

    /// <summary>Sample rate and channels; null where the header leaves them open.</summary>
    public AudioShape? Shape => stream is { SampleRateHz: > 0 and var rate, Channels: > 0 and var channels }
        ? new(rate, channels, Math.Max(0, (long)(Seconds * rate)))
        : null;

    /// <summary>The length that the header states or ffprobe guesses, in seconds; 0 or less where it does neither.</summary>
    public double Seconds => stream.Duration.TotalSeconds - (Is("matroska") ? stream.StartTime.TotalSeconds : 0);

    /// <summary>The tags of the song: of the whole file (most formats) or of the track (Ogg).</summary>
    /// <param name="path">The file.</param>
    /// <param name="watch">Ends the reading of the cover.</param>
    /// <exception cref="InputException">The cover takes more than the limits.</exception>
    public SongTags Tags(string path, DecoderWatch watch)
    {
        var cover = pictures.FirstOrDefault(picture => picture.Disposition?.GetValueOrDefault("attached_pic") == true);
        return SongTags.Of((format.Tags ?? None).Concat(stream.Tags ?? None), cover is null ? null : Cover.Read(path, cover.Index, watch));
    }

    /// <summary>Whether the header promises more than was decoded.</summary>
    /// <param name="decoded">Seconds.</param>
    public bool IsCut(double decoded) => Is(StatesLength) && !LengthIsOpen && decoded < Seconds - CutTolerance;

    /// <summary>Notes for the user.</summary>
    /// <param name="decoded">The decoded length in seconds.</param>
    public IEnumerable<string> Notes(double decoded)
    {
        if (others > 0) yield return $"{others + 1} sound tracks: the first ({Description}) is taken";
        if (Start > StartTolerance)
            yield return FormattableString.Invariant(
                $"the sound starts {Start:0.###} s into the file's time line; what is read begins with the sound");
        if (LengthIsOpen)
            yield return "its header leaves the length open, as programs do that write to a pipe: it is read to the end of the file";
        else if (decoded < Seconds - NoteTolerance)
            yield return FormattableString.Invariant(
                $"{Seconds:F1} s were expected and {decoded:F1} s are present: parts may be missing");
    }

    private string Description
    {
        get
        {
            var language = string.IsNullOrEmpty(stream.Language) ? "" : $", {stream.Language}";
            return $"{Codec}{language}, {stream.Channels} channel{(stream.Channels == 1 ? "" : "s")}";
        }
    }

    private double Start =>
        Is(FromZero) ? stream.StartTime.TotalSeconds
        : Is(FromAnywhere) ? (stream.StartTime - format.StartTime).TotalSeconds
        : 0;

    private bool LengthIsOpen
    {
        get
        {
            var bytes = Seconds * (stream.BitRate ?? 0) / 8;
            return StreamingMarks.Any(mark => Math.Abs(bytes - mark) < MarkTolerance);
        }
    }

    private bool Is(params string[] names) => _format.Any(names.Contains);
}
