namespace FunctionalSeparation.Core;

/// <summary>
/// The tags of a song that are true of each of its stems too. Its loudness (ReplayGain, R128, iTunNORM), its encoder and its
/// identifiers (ISRC, UMID) are not.
/// </summary>
/// <param name="Texts">Artist, album, title and their like, by ffmpeg's names; see <see cref="Kept"/>.</param>
/// <param name="Cover">The picture; null where there is none.</param>
/// <param name="Broadcast">Where the recording lies in time; null where that is not given.</param>
internal sealed record SongTags(IReadOnlyDictionary<string, string> Texts, Cover? Cover = null, BroadcastExtension? Broadcast = null)
{
    private const int LongestText = 1000; // characters: nobody's name is longer
    private const int MostChunks = 4096;

    /// <summary>The names that are kept. The list says what is allowed, since there is no end to the names that a file may hold.</summary>
    public static IReadOnlyList<string> Kept { get; } =
    [
        "title", "artist", "album", "album_artist", "date", "track", "tracktotal", "disc", "disctotal", "genre", "composer", "lyricist",
        "performer", "conductor", "publisher", "copyright", "language",
    ];

    /// <summary>Tags of a file that ffmpeg has read.</summary>
    /// <param name="tags">By its names, in upper or lower case; of one name the first counts.</param>
    /// <param name="cover">The picture.</param>
    public static SongTags Of(IEnumerable<KeyValuePair<string, string>> tags, Cover? cover)
    {
        var all = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (var (name, text) in tags) all.TryAdd(name, text);
        if (all.TryGetValue("year", out var year)) all.TryAdd("date", year);
        var kept = Kept.Where(name => all.GetValueOrDefault(name) is { Length: > 0 and <= LongestText }).ToDictionary(name => name, name => all[name]);
        return new(kept, cover, BroadcastExtension.Of(all));
    }

    /// <summary>Tags of a file of the WAV family: of its INFO and bext chunks, before and behind its samples.</summary>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static SongTags Of(WavChunks chunks, WavHeader header)
    {
        var texts = new Dictionary<string, string>();
        BroadcastExtension? broadcast = null;
        var at = chunks.First;
        for (var count = 0; count < MostChunks && chunks.At(at) is { } chunk; count++)
        {
            if (chunk.Id == "LIST" && Body(chunks, chunk, InfoChunk.LongestChunk) is { } list)
                texts = InfoChunk.Parse(list, chunks.BigEndian) ?? texts;
            if (chunk.Id == "bext" && Body(chunks, chunk with { Size = Math.Min(chunk.Size, BroadcastExtension.Bytes) }, BroadcastExtension.Bytes) is { } body)
                broadcast = BroadcastExtension.Parse(body, chunks);
            at = chunks.After(chunk.Start == header.DataStart ? chunk with { Size = header.Data.Bytes } : chunk);
        }
        return Of(texts, null) with { Broadcast = broadcast };
    }

    /// <summary>The tags of the part of the song that begins <paramref name="samples"/> samples after its start.</summary>
    public SongTags From(long samples) => this with { Broadcast = Broadcast?.From(samples) };

    private static byte[]? Body(WavChunks chunks, WavChunk chunk, int longest)
    {
        if (chunk.Size < 0 || chunk.Size > longest) return null;
        var body = new byte[chunk.Size];
        return chunks.Read(body, chunk.Start) ? body : null;
    }
}
