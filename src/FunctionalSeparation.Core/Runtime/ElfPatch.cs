using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace FunctionalSeparation.Core;

/// <summary>
/// Lets <c>libLibTorchSharp.so</c> load where libstdc++ is older than GCC 13's. The file asks for symbol version GLIBCXX_3.4.32 because of
/// one marker symbol that is never called. With the WEAK flag on that entry of the ELF version-needs table the loader continues without it.
/// Only copies are changed, never the package's file.
/// </summary>
internal static class ElfPatch
{
    /// <summary>The symbol version whose absence is harmless.</summary>
    internal const string HarmlessVersion = "GLIBCXX_3.4.32";

    private const ushort WeakFlag = 0x2;
    private const uint LoadSegment = 1, DynamicSegment = 2;
    private const ulong StringTable = 5, VersionNeeds = 0x6ffffffe, VersionNeedsCount = 0x6fffffff;

    private readonly record struct Segment(uint Kind, ulong FileOffset, ulong Address, ulong Size);

    /// <summary>
    /// Marks one needed symbol version as weak, in place. Returns the offset of the changed 16-bit field, or -1 where the
    /// version is not named or is weak already.
    /// </summary>
    /// <exception cref="BadImageFormatException">Not a 64-bit little-endian ELF file with a dynamic section.</exception>
    internal static int MarkVersionWeak(Span<byte> image, string version)
    {
        if (image.Length < 64 || !image[..4].SequenceEqual("\u007fELF"u8) || image[4] != 2 || image[5] != 1)
            throw new BadImageFormatException("Not a 64-bit little-endian ELF file.");
        try
        {
            var segments = ReadSegments(image);
            var (strings, needs, count) = ReadDynamic(image, segments);
            return MarkVersionWeak(image, version, strings, needs, count);
        }
        catch (ArgumentOutOfRangeException cause)
        {
            throw new BadImageFormatException("The ELF file is cut off or its tables point outside it.", cause);
        }
    }

    /// <summary>The bytes of <paramref name="library"/>, patched.</summary>
    internal static byte[] Patched(string library)
    {
        var image = File.ReadAllBytes(library);
        return MarkVersionWeak(image, HarmlessVersion) >= 0
            ? image
            : throw new BadImageFormatException($"{library} does not name {HarmlessVersion}: nothing to patch.");
    }

    /// <summary>
    /// Writes a patched copy of <paramref name="library"/> below <paramref name="cacheFolder"/>, in a folder named after
    /// the file's hash, and returns its path. Several processes may do so at once: each writes a name of its own and
    /// renames it, which is atomic.
    /// </summary>
    internal static string WritePatchedCopy(string library, string cacheFolder)
    {
        var image = Patched(library);
        var hash = Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(library)))[..16];
        var copy = Path.Combine(cacheFolder, hash, Path.GetFileName(library));
        if (!File.Exists(copy) || !File.ReadAllBytes(copy).AsSpan().SequenceEqual(image))
            WholeFile.Write(copy, stream => stream.Write(image));
        return copy;
    }

    private static List<Segment> ReadSegments(ReadOnlySpan<byte> image)
    {
        var table = checked((int)U64(image, 32));
        int entrySize = U16(image, 54), count = U16(image, 56);
        var segments = new List<Segment>(count);
        for (var i = 0; i < count; i++)
        {
            var entry = image[(table + i * entrySize)..];
            segments.Add(new Segment(U32(entry, 0), U64(entry, 8), U64(entry, 16), U64(entry, 32)));
        }
        return segments;
    }

    private static (int Strings, int Needs, int Count) ReadDynamic(ReadOnlySpan<byte> image, List<Segment> segments)
    {
        var dynamic = segments.Find(s => s.Kind == DynamicSegment);
        ulong strings = 0, needs = 0, count = 0;
        for (var offset = (int)dynamic.FileOffset; offset < (int)(dynamic.FileOffset + dynamic.Size); offset += 16)
        {
            var value = U64(image, offset + 8);
            switch (U64(image, offset))
            {
                case StringTable: strings = value; break;
                case VersionNeeds: needs = value; break;
                case VersionNeedsCount: count = value; break;
            }
        }
        if (strings == 0)
            throw new BadImageFormatException("The ELF file has no dynamic section.");
        return (FileOffset(segments, strings), count == 0 ? 0 : FileOffset(segments, needs), (int)count);
    }

    private static int FileOffset(List<Segment> segments, ulong address)
    {
        foreach (var s in segments)
            if (s.Kind == LoadSegment && address >= s.Address && address < s.Address + s.Size)
                return checked((int)(address - s.Address + s.FileOffset));
        throw new BadImageFormatException($"No loaded segment holds address 0x{address:x}.");
    }

    // Verneed: version, cnt (16 bit), file, aux, next (32 bit). Vernaux: hash (32), flags, other (16), name, next (32).
    private static int MarkVersionWeak(Span<byte> image, string version, int strings, int need, int count)
    {
        for (var i = 0; i < count; i++)
        {
            var entry = need + (int)U32(image, need + 8);
            for (var j = 0; j < U16(image, need + 2); j++)
            {
                var flags = U16(image, entry + 4);
                if ((flags & WeakFlag) == 0 && Name(image, strings + (int)U32(image, entry + 8)) == version)
                {
                    BinaryPrimitives.WriteUInt16LittleEndian(image[(entry + 4)..], (ushort)(flags | WeakFlag));
                    return entry + 4;
                }
                entry += (int)U32(image, entry + 12);
            }
            need += (int)U32(image, need + 12);
        }
        return -1;
    }

    private static string Name(ReadOnlySpan<byte> image, int offset)
    {
        var rest = image[offset..];
        return Encoding.ASCII.GetString(rest[..rest.IndexOf((byte)0)]);
    }

    private static ushort U16(ReadOnlySpan<byte> image, int offset) => BinaryPrimitives.ReadUInt16LittleEndian(image[offset..]);

    private static uint U32(ReadOnlySpan<byte> image, int offset) => BinaryPrimitives.ReadUInt32LittleEndian(image[offset..]);

    private static ulong U64(ReadOnlySpan<byte> image, int offset) => BinaryPrimitives.ReadUInt64LittleEndian(image[offset..]);
}
