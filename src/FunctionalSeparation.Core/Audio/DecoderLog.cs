using System.Text.RegularExpressions;

namespace FunctionalSeparation.Core;

/// <summary>The log of ffmpeg while it decodes: damage that it finds, and changes of sample rate or channels within a sound.</summary>
/// <param name="Notes">Notes for the user; none if there is nothing to report.</param>
internal sealed partial record DecoderLog(IReadOnlyList<string> Notes)
{
    /// <summary>ffmpeg's option for its log: lines carry their weight, and the form of the sound is reported each time it is set.</summary>
    public const string Level = "level+verbose";

    /// <summary>Reads the lines of a log of this level.</summary>
    public static DecoderLog Of(IReadOnlyList<string> lines)
    {
        List<string> notes = [];
        string[] complaints = [.. lines.Select(Complaint).OfType<string>()];
        if (complaints.Length > 0)
            notes.Add(
                $"ffmpeg met damage while it decoded ({complaints.Length} complaints, the first: {FileFailure.OneLine(complaints[0])}): "
                + "parts may be missing or wrong, and what follows them may come early");
        string[] forms = [.. lines.Select(line => FormOfSound().Match(line)).Where(match => match.Success).Select(Words).Distinct()];
        if (forms.Length > 1)
            notes.Add($"the sound changes its form on the way ({string.Join(", then ", forms)}): all is converted to the first");
        return new(notes);
    }

    /// <summary>The first line that says what is wrong, of a log of any level.</summary>
    public static string FirstComplaint(IReadOnlyList<string> lines) =>
        lines.Select(Complaint).OfType<string>().FirstOrDefault()
        ?? lines.FirstOrDefault(line => line.Length > 0 && !Weight().IsMatch(line))
        ?? "no reason given";

    /// <summary>
    /// The format of a file that ffmpeg refuses: none of the formats of <see cref="DecoderInput"/>, or one whose tracks lie in other files.
    /// null where the log tells of neither.
    /// </summary>
    public static string? Refused(IReadOnlyList<string> lines)
    {
        var isRefused = lines.FirstOrDefault(line => line.Contains("Format not on whitelist", StringComparison.Ordinal));
        if (isRefused is not null) return Context().Match(isRefused) is { Success: true } match ? match.Groups[1].Value : "another format";
        return lines.Any(line => line.Contains("Skipped opening external track", StringComparison.Ordinal)) ? "tracks in other files" : null;
    }

    private static string? Complaint(string line)
    {
        var match = Weight().Match(line);
        var heavy = match.Success && match.Groups[1].Value is "error" or "fatal" or "panic";
        return heavy || match.Success && line.Contains("corrupt", StringComparison.OrdinalIgnoreCase)
            ? line[(match.Index + match.Length)..]
            : null;
    }

    private static string Words(Match form) => $"{form.Groups[1].Value} Hz {form.Groups[2].Value}";

    [GeneratedRegex(@"\[(\w+)\] ")]
    private static partial Regex Weight();

    [GeneratedRegex(@"^\[([^ \]]+) @ ")]
    private static partial Regex Context();

    [GeneratedRegex(@"tb:\S+ samplefmt:\S+ samplerate:(\d+) chlayout:(\S+)")]
    private static partial Regex FormOfSound();
}
