using System.Buffers.Binary;
using System.Text;

namespace FunctionalSeparation.Core;

/// <summary>
/// What a stem says of itself, in a LIST chunk of kind INFO (Microsoft's "Multimedia Programming Interface and Data
/// Specifications 1.0") before its samples: the program (ISFT), the stem (INAM), the file that it was taken from (ISRC, without its
/// folder: stems travel) and the fingerprints of song and separator (ICMT). Programs that edit a file put their own name into ISFT or
/// drop the chunk, so an edited stem is no longer ours. In other formats, into which ffmpeg carries the texts, the comment is what counts.
/// </summary>
/// <param name="Stem">The stem's name, such as voice.</param>
/// <param name="Song">The song's file name.</param>
/// <param name="Fingerprint">The song's <see cref="SongFingerprint"/>.</param>
/// <param name="Separator">What took it apart: <see cref="ISeparator.Fingerprint"/>.</param>
internal sealed record StemTag(string Stem, string Song, string Fingerprint, string Separator)
{
    private const string Program = "FunctionalSeparation";
    private const string FingerprintLabel = "song sha256 ";
    private const string SeparatorLabel = " separator ";
    private const int LongestChunk = 1 << 16;

    /// <summary>The whole chunk, of even size.</summary>
    public byte[] ToChunk()
    {
        byte[] texts = [.. Text("ISFT", Program), .. Text("INAM", Stem), .. Text("ISRC", Song), .. Text("ICMT", FingerprintLabel + Fingerprint + SeparatorLabel + Separator)];
        return [.. Chunk("LIST", [.. "INFO"u8, .. texts])];
    }

    /// <summary>The tag of a file; null where it has none, or is no sound.</summary>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be read.</exception>
    public static StemTag? Read(string path)
    {
        using var file = File.OpenRead(path);
        var head = new byte[12];
        if (file.ReadAtLeast(head, head.Length, throwOnEndOfStream: false) < head.Length) return null;
        if (!head.AsSpan(8).SequenceEqual("WAVE"u8)) return OfComment("", "", ForeignAudio.Comment(path) ?? "");
        while (Next(file) is (var id, var size) && id != "data")
        {
            if (id == "LIST" && size <= LongestChunk && Body(file, size) is { } list && list.AsSpan().StartsWith("INFO"u8))
                return Parse(list.AsSpan(4));
            file.Position += id == "LIST" && size <= LongestChunk ? size & 1 : size + (size & 1);
        }
        return null;
    }

    private static StemTag? Parse(ReadOnlySpan<byte> texts)
    {
        var found = new Dictionary<string, string>();
        while (texts.Length >= 8)
        {
            var size = BinaryPrimitives.ReadUInt32LittleEndian(texts[4..]);
            if (size > texts.Length - 8) break;
            found[Encoding.Latin1.GetString(texts[..4])] = Encoding.UTF8.GetString(texts.Slice(8, (int)size)).TrimEnd('\0');
            texts = texts[Math.Min(texts.Length, 8 + (int)(size + (size & 1)))..];
        }
        string Of(string id) => found.GetValueOrDefault(id, "");
        return Of("ISFT") == Program ? OfComment(Of("INAM"), Of("ISRC"), Of("ICMT")) : null;
    }

    private static StemTag? OfComment(string stem, string song, string comment)
    {
        if (!comment.StartsWith(FingerprintLabel, StringComparison.Ordinal)) return null;
        var parts = comment[FingerprintLabel.Length..].Split(SeparatorLabel, 2);
        return new StemTag(stem, song, parts[0], parts.ElementAtOrDefault(1) ?? "");
    }

    private static (string Id, long Size)? Next(Stream file)
    {
        var head = new byte[8];
        return file.ReadAtLeast(head, head.Length, throwOnEndOfStream: false) < head.Length
            ? null
            : (Encoding.Latin1.GetString(head, 0, 4), BinaryPrimitives.ReadUInt32LittleEndian(head.AsSpan(4)));
    }

    private static byte[]? Body(Stream file, long size)
    {
        var body = new byte[size];
        return file.ReadAtLeast(body, body.Length, throwOnEndOfStream: false) < body.Length ? null : body;
    }

    private static byte[] Text(string id, string text) => Chunk(id, [.. Encoding.UTF8.GetBytes(text), 0]);

    private static byte[] Chunk(string id, byte[] body)
    {
        var chunk = new byte[8 + body.Length + (body.Length & 1)];
        Encoding.ASCII.GetBytes(id).CopyTo(chunk, 0);
        BinaryPrimitives.WriteInt32LittleEndian(chunk.AsSpan(4), body.Length);
        body.CopyTo(chunk, 8);
        return chunk;
    }
}
