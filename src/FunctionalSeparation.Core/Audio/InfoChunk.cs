using System.Buffers.Binary;
using System.Text;
using System.Text.Unicode;

namespace FunctionalSeparation.Core;

/// <summary>
/// The LIST chunk of kind INFO of a WAV file (Microsoft's "Multimedia Programming Interface and Data Specifications 1.0"). It holds texts
/// under names of four letters; they are read and written under the names that ffmpeg has for them in all formats.
/// </summary>
internal static class InfoChunk
{
    /// <summary>The name of the program that wrote the file.</summary>
    public const string Software = "software";

    /// <summary>A longer chunk is no list of texts.</summary>
    public const int LongestChunk = 1 << 16; // bytes

    /// <summary>The names in the chunk. Some programs look for the track's number under one name, some under the other.</summary>
    private static readonly (string Id, string Name)[] Names =
    [
        ("ISFT", Software), ("INAM", "title"), ("IART", "artist"), ("IPRD", "album"), ("ICRD", "date"), ("IGNR", "genre"), ("IPRT", "track"),
        ("ITRK", "track"), ("IMUS", "composer"), ("ICOP", "copyright"), ("ILNG", "language"), ("ICMT", "comment"),
    ];

    /// <summary>The texts that have a place in the chunk, as a whole chunk of even size.</summary>
    /// <param name="texts">Texts by ffmpeg's names.</param>
    public static byte[] Build(IReadOnlyDictionary<string, string> texts)
    {
        var parts = Names
            .Where(name => texts.ContainsKey(name.Name))
            .SelectMany(name => Chunk(name.Id, [.. Encoding.UTF8.GetBytes(texts[name.Name]), 0]));
        return Chunk("LIST", [.. "INFO"u8, .. parts]);
    }

    /// <summary>The texts of a chunk's content; null where it is not of kind INFO. UTF-8, or Latin-1 as older programs write.</summary>
    /// <param name="body">The bytes behind the chunk's head.</param>
    /// <param name="bigEndian">Whether sizes are stored with the highest byte first, as in RIFX files.</param>
    public static Dictionary<string, string>? Parse(ReadOnlySpan<byte> body, bool bigEndian = false)
    {
        if (!body.StartsWith("INFO"u8)) return null;
        var found = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        for (var rest = body[4..]; rest.Length >= 8;)
        {
            var size = bigEndian ? BinaryPrimitives.ReadUInt32BigEndian(rest[4..]) : BinaryPrimitives.ReadUInt32LittleEndian(rest[4..]);
            if (size > rest.Length - 8) break;
            var id = Encoding.Latin1.GetString(rest[..4]);
            var name = Array.Find(Names, name => name.Id == id).Name;
            if (name is not null) found.TryAdd(name, Text(rest.Slice(8, (int)size)));
            rest = rest[Math.Min(rest.Length, 8 + (int)(size + (size & 1)))..];
        }
        return found;
    }

    private static string Text(ReadOnlySpan<byte> bytes) =>
        (Utf8.IsValid(bytes) ? Encoding.UTF8 : Encoding.Latin1).GetString(bytes).TrimEnd('\0');

    private static byte[] Chunk(string id, byte[] body)
    {
        var chunk = new byte[8 + body.Length + (body.Length & 1)];
        Encoding.ASCII.GetBytes(id).CopyTo(chunk, 0);
        BinaryPrimitives.WriteInt32LittleEndian(chunk.AsSpan(4), body.Length);
        body.CopyTo(chunk, 8);
        return chunk;
    }
}
