namespace FunctionalSeparation.Core;

/// <summary>What of a song is separated, and which files are made of it.</summary>
/// <param name="Stems">The stems that are written; null: all.</param>
/// <param name="Format">How they are stored.</param>
/// <param name="Name">
/// Their names without the ending: {song} is the song's name without folder and ending, {stem} the stem's. A / in it makes folders.
/// </param>
/// <param name="From">Seconds into the song at which it begins.</param>
/// <param name="To">Seconds into the song at which it ends; null: at its end.</param>
public sealed record StemSettings(
    IReadOnlyList<string>? Stems = null,
    StemFormat Format = StemFormat.WavFloat32,
    string Name = "{song}_{stem}",
    double From = 0,
    double? To = null)
{
    /// <summary>The stems that are written; null: all.</summary>
    /// <exception cref="ArgumentException">One of them is null.</exception>
    public IReadOnlyList<string>? Stems { get; init => field = Named(value); } = Named(Stems);

    /// <summary>How they are stored.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such format.</exception>
    public StemFormat Format { get; init => field = Defined(value); } = Defined(Format);

    /// <summary>Their names without the ending.</summary>
    /// <exception cref="ArgumentException">It is null or empty.</exception>
    public string Name { get; init => field = Given(value); } = Given(Name);

    /// <summary>The file of a stem.</summary>
    internal string Target(string folder, string song, string stem) =>
        Path.Combine(folder, Name.Replace("{song}", song).Replace("{stem}", stem) + Format.Extension());

    /// <summary>The stems that are written, of those that there are.</summary>
    /// <exception cref="InputException">One is not there, or several would have one file.</exception>
    internal IReadOnlyList<string> Chosen(IReadOnlyList<string> stems)
    {
        var chosen = Stems ?? stems;
        if (chosen.FirstOrDefault(name => !stems.Contains(name)) is { } unknown)
            throw new InputException($"There is no stem '{unknown}': choose among {string.Join(", ", stems)}.");
        if (chosen.Count == 0) throw new InputException($"No stem is to be written: choose among {string.Join(", ", stems)}.");
        if (chosen.Count > 1 && !Name.Contains("{stem}"))
            throw new InputException($"The name '{Name}' would be that of {chosen.Count} stems: put {{stem}} into it.");
        return [.. chosen.Distinct()];
    }

    private static IReadOnlyList<string>? Named(IReadOnlyList<string>? stems)
    {
        if (stems is not null) ArgumentException.ThrowIfNullOrHasNull(stems, nameof(Stems));
        return stems;
    }

    private static StemFormat Defined(StemFormat format)
    {
        ArgumentOutOfRangeException.ThrowIfUndefined(format, nameof(Format));
        return format;
    }

    private static string Given(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name, nameof(Name));
        return name;
    }

    /// <summary>The part of a song, in samples.</summary>
    /// <exception cref="InputException">It has no sample.</exception>
    internal (long Start, long Length) Part(WavReader song)
    {
        var (rate, length) = (song.Info.SampleRate, song.Info.Length);
        if (!(From >= 0 && (To is not { } to || to > From)))
            throw new InputException(FormattableString.Invariant($"{song.Path}: from {From} to {To} s is no part of a song."));
        // Compared in seconds: a sample number of more than 63 bits has none.
        if (From >= song.Info.Seconds)
            throw new InputException(FormattableString.Invariant($"{song.Path} ends after {song.Info.Seconds:0.###} s: nothing is there from {From} s on."));
        var start = (long)Math.Round(From * rate);
        var end = To is { } last && last < song.Info.Seconds ? (long)Math.Round(last * rate) : length;
        return (Math.Min(start, length - 1), Math.Max(1, end - start));
    }

    /// <summary>The song, or which part of it, in words.</summary>
    internal string Words(WavReader song) =>
        From == 0 && To is null
            ? Path.GetFileName(song.Path)
            : FormattableString.Invariant($"{Path.GetFileName(song.Path)} from {From} s to {(To is { } to ? $"{to} s" : "its end")}");
}

/// <summary>A stem that has been written.</summary>
/// <param name="Path">The file.</param>
/// <param name="ClippedSamples">
/// Samples beyond full scale that the format could not hold: a stem can be louder than its song. 0 for <see cref="StemFormat.WavFloat32"/>.
/// </param>
public sealed record StemFile(string Path, long ClippedSamples)
{
    /// <inheritdoc/>
    public override string ToString() => Path;
}
