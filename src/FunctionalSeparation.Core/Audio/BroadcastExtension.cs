using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace FunctionalSeparation.Core;

/// <summary>
/// The bext chunk of a Broadcast Wave file (EBU Tech 3285): where a recording comes from and where it lies in time. Its
/// loudness, identifier and coding history are those of the song and not of a stem: they are not kept.
/// </summary>
/// <param name="Description">Of the recording; at most 256 characters.</param>
/// <param name="Originator">Who made it; at most 32 characters.</param>
/// <param name="OriginatorReference">The name that the originator gives it; at most 32 characters.</param>
/// <param name="Date">When, yyyy-mm-dd.</param>
/// <param name="Time">When, hh:mm:ss.</param>
/// <param name="TimeReference">Samples from midnight to the first sample.</param>
internal sealed record BroadcastExtension(
    string Description, string Originator, string OriginatorReference, string Date, string Time, long TimeReference)
{
    /// <summary>Bytes of the chunk's content without a coding history.</summary>
    public const int Bytes = 602;

    private const int ReferenceAt = 338, VersionAt = 346;
    private const string ReferenceName = "time_reference";

    /// <summary>The lengths of the texts, in the order of the chunk.</summary>
    private static readonly int[] Widths = [256, 32, 32, 10, 8];

    /// <summary>
    /// Names for the texts, in the order of the chunk. For a WAV file ffmpeg gives some of them under the names that all formats have.
    /// </summary>
    private static readonly (string Own, string Common)[] Names =
    [
        ("description", "comment"), ("originator", "encoded_by"), ("originator_reference", "originator_reference"),
        ("origination_date", "date"), ("origination_time", "creation_time"),
    ];

    private string[] Fields => [Description, Originator, OriginatorReference, Date, Time];

    /// <summary>Reads the content of a chunk, at least as far as the time reference.</summary>
    /// <param name="body">The first bytes of the content.</param>
    /// <param name="chunks">The file, for the order of its bytes.</param>
    public static BroadcastExtension? Parse(ReadOnlySpan<byte> body, WavChunks chunks)
    {
        if (body.Length < VersionAt) return null;
        var fields = new string[Widths.Length];
        for (int i = 0, at = 0; i < fields.Length; at += Widths[i++])
            fields[i] = Encoding.Latin1.GetString(body.Slice(at, Widths[i])).Split('\0')[0];
        var reference = (long)chunks.U32(body[(ReferenceAt + 4)..]) << 32 | chunks.U32(body[ReferenceAt..]);
        return Of(fields, reference);
    }

    /// <summary>The same under the names that ffmpeg has for it; null where there is no time reference.</summary>
    public static BroadcastExtension? Of(IReadOnlyDictionary<string, string> texts) =>
        long.TryParse(texts.GetValueOrDefault(ReferenceName), NumberStyles.None, CultureInfo.InvariantCulture, out var reference)
            ? Of([.. Names.Select(name => texts.GetValueOrDefault(name.Own) ?? texts.GetValueOrDefault(name.Common, ""))], reference)
            : null;

    /// <summary>Its texts and its time reference by name, but for the description: elsewhere that is the comment.</summary>
    public IEnumerable<(string Name, string Text)> Texts() =>
        Names.Select(name => name.Own).Zip(Fields).Skip(1).Where(text => text.Second != "")
            .Append((ReferenceName, TimeReference.ToString(CultureInfo.InvariantCulture)));

    /// <summary>The extension of the part that begins <paramref name="samples"/> samples later.</summary>
    public BroadcastExtension From(long samples) => this with { TimeReference = TimeReference + samples };

    /// <summary>The whole chunk, of version 1.</summary>
    public byte[] ToChunk()
    {
        var chunk = new byte[8 + Bytes];
        "bext"u8.CopyTo(chunk);
        BinaryPrimitives.WriteInt32LittleEndian(chunk.AsSpan(4), Bytes);
        var body = chunk.AsSpan(8);
        var at = 0;
        foreach (var (field, width) in Fields.Zip(Widths))
        {
            var text = Encoding.Latin1.GetBytes(field);
            text.AsSpan(0, Math.Min(text.Length, width)).CopyTo(body[at..]);
            at += width;
        }
        BinaryPrimitives.WriteInt64LittleEndian(body[ReferenceAt..], TimeReference);
        BinaryPrimitives.WriteUInt16LittleEndian(body[VersionAt..], 1);
        return chunk;
    }

    private static BroadcastExtension? Of(string[] fields, long reference) =>
        reference < 0 ? null : new(fields[0], fields[1], fields[2], fields[3], fields[4], reference);
}
