namespace FunctionalSeparation.Core;

/// <summary>
/// The number of bytes of samples in a file. The header states it correctly only if the writer could return to the header at the end,
/// and if 32 bits are enough.
/// </summary>
/// <param name="Bytes">Bytes of samples; more than are present if the file is truncated.</param>
/// <param name="Notes">Notes for the user.</param>
internal sealed record WavData(long Bytes, IReadOnlyList<string> Notes)
{
    private const long Wrap = 1L << 32;
    private const int MostChunks = 4096;

    /// <summary>
    /// Sizes that stand for "unknown" where a program writes to a pipe. In order, they are those of SoX, mpv and eSpeak; of older arecord;
    /// of LAME and relatives of opusenc; of arecord; and of ffmpeg. The size 0 is that of GStreamer and flac. Sizes are also seen minus the
    /// header (0xFFFFFFFF - 36), and rounded down to whole frames.
    /// </summary>
    private static readonly long[] StreamingMarks = [0x7FFFF000, 0x7FFFFF00, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF];

    /// <param name="chunks">The file.</param>
    /// <param name="data">Its data chunk.</param>
    /// <param name="size64">The size in the ds64 chunk, where there is one that counts.</param>
    /// <param name="frameBytes">Bytes of a sample frame, 0 where the header has not said it yet.</param>
    public static WavData Of(WavChunks chunks, WavChunk data, long? size64, int frameBytes)
    {
        var present = chunks.End - data.Start;
        var stated = size64 ?? data.Size;
        var after = Behind(chunks, data with { Size = stated });
        var wide = chunks.Wide || size64 is not null;
        if (IsOpen(stated, wide, Math.Max(data.Start, frameBytes)) && !after.IsChunks)
            return new(present, ["its header leaves the length open, as programs do that write to a pipe: it is read to the end of the file"]);
        if (stated > present) return new(stated, []);
        if (wide || present - stated < Wrap || after.IsChunks) return new(stated, after.Notes(frameBytes));
        var bytes = stated + (present - stated) / Wrap * Wrap;
        return new(bytes, ["its header has too few bits for its length, which the size of the file tells"]);
    }

    private static bool IsOpen(long stated, bool wide, long slack) => wide
        ? stated is 0 or -WavChunks.WideHead || stated >= long.MaxValue - WavChunks.WideHead - slack
        : stated == 0 || StreamingMarks.Any(mark => stated <= mark && stated >= mark - slack);

    /// <summary>
    /// The data after the samples: the number of bytes that belong to no chunk, and the first chunk that begins another sound.
    /// </summary>
    private readonly record struct Rest(long Bytes, string? Sound)
    {
        public bool IsChunks => Bytes == 0;

        public IReadOnlyList<string> Notes(int frameBytes)
        {
            List<string> notes = [];
            if (Sound is not null) notes.Add($"a second sound (chunk '{Sound}') follows the first and is left out");
            if (Bytes >= Math.Max(1, frameBytes)) notes.Add($"{Bytes} bytes behind the samples belong to no chunk and are left out");
            return notes;
        }
    }

    private static Rest Behind(WavChunks chunks, WavChunk data)
    {
        var at = chunks.After(data);
        if (at == long.MaxValue) return new(1, null);
        string? sound = null;
        for (var count = 0; at < chunks.End && count < MostChunks; count++)
        {
            if (chunks.At(at) is not { } chunk || !chunk.Id.All(c => c is >= ' ' and <= '~')) break;
            var next = chunks.After(chunk);
            if (next == long.MaxValue) break;
            if (chunk.Id is "data" or "RIFF" or "RIFX" or "RF64" or "BW64" or "riff") sound ??= chunk.Id;
            at = next;
        }
        return new(Math.Max(0, chunks.End - at), sound);
    }
}
