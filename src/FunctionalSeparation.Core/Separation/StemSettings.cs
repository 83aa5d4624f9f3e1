using System.Globalization;
using System.Text.RegularExpressions;

namespace FunctionalSeparation.Core;

/// <summary>The part of a song to separate, and the files to write.</summary>
/// <param name="Stems">The stems to write; null: all.</param>
/// <param name="Format">The format of the files.</param>
/// <param name="Name">
/// The names of the files without the extension: {song} is the song's name without folder and extension, {stem} the name of the stem. A /
/// makes folders, all below the output folder.
/// </param>
/// <param name="From">Start of the part, in seconds into the song.</param>
/// <param name="To">End of the part, in seconds into the song; null: the end of the song.</param>
public sealed partial record StemSettings(
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

    /// <summary>Refuses settings that no song could meet, before the first song is read.</summary>
    /// <param name="separator">Whose stems they are.</param>
    /// <exception cref="InputException">
    /// An unknown stem, no stem, one name for several stems, or a part that ends before it begins.
    /// </exception>
    public void Validate(ISeparator separator)
    {
        ArgumentNullException.ThrowIfNull(separator);
        _ = Chosen(separator.Stems);
        if (!(From >= 0 && (To is not { } to || to > From)))
            throw new InputException($"{Span} is no part of a song: it begins at 0 s or later, and ends later than it begins.");
    }

    /// <summary>Refuses settings that would fail after a song has been separated.</summary>
    /// <exception cref="InputException">As <see cref="Validate"/>, <see cref="Targets"/> and <see cref="StemFormats.Require"/>.</exception>
    internal void Require(ISeparator separator, WavReader song, string folder)
    {
        Validate(separator);
        Format.Require(song);
        _ = Targets(separator, song, folder);
    }

    /// <summary>The file of each stem that is written.</summary>
    /// <exception cref="InputException">The name would have it outside the folder, or is that of a folder.</exception>
    internal Dictionary<string, string> Targets(ISeparator separator, WavReader song, string folder) =>
        Chosen(separator.Stems).ToDictionary(stem => stem, stem => Target(folder, song.Name, stem));

    /// <summary>Puts song and stem into the name, once: a song may be called {stem}.</summary>
    private string Target(string folder, string song, string stem)
    {
        var name = Placeholder().Replace(Name, match => match.Value == "{song}" ? song : stem);
        if (Path.GetFileName(name) == "")
            throw new InputException($"The name '{Name}' is that of a folder: say what the file in it is called, such as {{song}}/{{stem}}.");
        var target = Path.Combine(folder, name + Format.Extension());
        var below = Path.GetRelativePath(Path.GetFullPath(folder == "" ? "." : folder), Path.GetFullPath(target));
        if (Path.IsPathRooted(name) || Path.IsPathRooted(below) || below.Split(Path.DirectorySeparatorChar)[0] == "..")
            throw new InputException($"The name '{Name}' would have {target} outside {folder}: leave out / at its beginning and '..'.");
        return target;
    }

    /// <summary>The stems that are written, out of these.</summary>
    private IReadOnlyList<string> Chosen(IReadOnlyList<string> stems)
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
        // Compared in seconds: a sample number of more than 63 bits has none.
        if (From >= song.Info.Seconds)
            throw new InputException(FormattableString.Invariant($"{song.Path} ends after {song.Info.Seconds:0.###} s: nothing is there from {From} s on."));
        var start = (long)Math.Round(From * rate);
        var end = To is { } last && last < song.Info.Seconds ? (long)Math.Round(last * rate) : length;
        return (Math.Min(start, length - 1), Math.Max(1, end - start));
    }

    /// <summary>The name of the song, with the part of it.</summary>
    internal string Words(WavReader song) =>
        From == 0 && To is null ? Path.GetFileName(song.Path) : $"{Path.GetFileName(song.Path)} {Span}";

    private string Span => string.Create(CultureInfo.InvariantCulture, $"from {From} s to {End}");

    private string End => To is { } to ? string.Create(CultureInfo.InvariantCulture, $"{to} s") : "its end";

    [GeneratedRegex(@"\{song\}|\{stem\}")]
    private static partial Regex Placeholder();
}

/// <summary>A stem that has been written.</summary>
/// <param name="Path">The file.</param>
/// <param name="ClippedSamples">
/// Samples beyond full scale that the format could not hold: a stem can be louder than its song. 0 for <see cref="StemFormat.WavFloat32"/>.
/// </param>
public sealed record StemFile(string Path, long ClippedSamples)
{
    /// <summary>Whether a file says that it is a stem that this library wrote and nobody has changed since.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="InputException">It cannot be read.</exception>
    public static bool IsStem(string path)
    {
        try
        {
            return StemTag.Read(path) is not null;
        }
        catch (Exception cause) when (FileFailure.IsOfFiles(cause))
        {
            throw FileFailure.Reading(path, cause);
        }
    }

    /// <inheritdoc/>
    public override string ToString() => Path;
}
