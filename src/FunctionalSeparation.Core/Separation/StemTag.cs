namespace FunctionalSeparation.Core;

/// <summary>
/// The tags of a stem: the song's own tags (<see cref="SongTags"/>), the stem's name after the title, and a comment that identifies the
/// song and the separator. A WAV file also names the program that wrote it. Programs that edit a file put their own name there or
/// drop the chunk, so an edited stem is no longer ours. In other formats only the comment counts.
/// </summary>
/// <param name="Stem">The stem's name, such as voice.</param>
/// <param name="Song">The song's file name, without its folder: stems travel.</param>
/// <param name="Fingerprint">The song's <see cref="SongFingerprint"/>.</param>
/// <param name="Separator">The separator's <see cref="ISeparator.Fingerprint"/>.</param>
internal sealed record StemTag(string Stem, string Song, string Fingerprint, string Separator)
{
    private const string Program = "FunctionalSeparation";

    /// <summary>
    /// The labels in the comment before the fingerprint of the song, that of the separator, the stem and the song's name.
    /// </summary>
    private static readonly string[] Labels = ["song sha256 ", " separator ", " stem ", " file "];

    /// <summary>All texts of the stem, by ffmpeg's names.</summary>
    /// <param name="song">The song's.</param>
    public Dictionary<string, string> Texts(SongTags song) => new(song.Texts)
    {
        ["title"] = song.Texts.TryGetValue("title", out var title) ? $"{title} ({Stem})" : Stem,
        ["comment"] = string.Concat(Labels.Zip([Fingerprint, Separator, Stem, Song], (label, text) => label + text)),
    };

    /// <summary>The chunks of a WAV file.</summary>
    /// <param name="song">The song's tags.</param>
    public byte[] ToChunks(SongTags song) =>
        [.. song.Broadcast?.ToChunk() ?? [], .. InfoChunk.Build(new Dictionary<string, string>(Texts(song)) { [InfoChunk.Software] = Program })];

    /// <summary>The tag of a file; null where the file has none, or is no sound.</summary>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be read.</exception>
    public static StemTag? Read(string path)
    {
        using var file = File.OpenHandle(path);
        if (WavChunks.Of(file) is not { } chunks) return RandomAccess.GetLength(file) < 12 ? null : OfComment(ForeignAudio.Comment(path) ?? "");
        for (var at = chunks.First; chunks.At(at) is { Id: not "data" } chunk; at = chunks.After(chunk))
        {
            if (chunk.Id != "LIST" || chunk.Size is < 0 or > InfoChunk.LongestChunk) continue;
            var list = new byte[chunk.Size];
            if (chunks.Read(list, chunk.Start) && InfoChunk.Parse(list, chunks.BigEndian) is { } texts)
                return texts.GetValueOrDefault(InfoChunk.Software) == Program ? OfComment(texts.GetValueOrDefault("comment", "")) : null;
        }
        return null;
    }

    private static StemTag? OfComment(string comment)
    {
        if (!comment.StartsWith(Labels[0], StringComparison.Ordinal)) return null;
        var parts = new string[Labels.Length];
        var rest = comment[Labels[0].Length..];
        for (var i = 1; i < Labels.Length; i++)
        {
            var split = rest.Split(Labels[i], 2);
            (parts[i - 1], rest) = (split[0], split.ElementAtOrDefault(1) ?? "");
        }
        return new StemTag(parts[2], rest, parts[0], parts[1]);
    }
}
