namespace FunctionalSeparation.Core;

/// <summary>
/// The input that ffmpeg and ffprobe may open: one file, of a format that holds its sound itself. Playlists, concatenation scripts,
/// sequences of pictures and descriptions of streams, whatever their file names, refer to files of the machine or addresses in the network.
/// The programs would open these and hand out their sound; no such format is among those listed. The list says what is allowed: a format
/// that a newer ffmpeg adds is not read until it is named here.
/// </summary>
internal static class DecoderInput
{
    /// <summary>
    /// Formats as ffmpeg names them. None opens a second file: QuickTime could (external references of its tracks), but ffmpeg
    /// leaves them alone unless it is told otherwise.
    /// </summary>
    public static IReadOnlyList<string> Formats { get; } =
    [
        "aac", "ac3", "aiff", "amr", "amrnb", "amrwb", "ape", "asf", "au", "avi", "caf", "dsf", "dts", "dtshd", "eac3", "flac", "flv",
        "gsm", "iff", "ilbc", "ircam", "loas", "matroska", "mlp", "mov", "mp3", "mpc", "mpc8", "mpeg", "mpegts", "mxf", "nistsphere",
        "nut", "ogg", "oma", "pvf", "qcp", "rm", "shn", "sox", "spdif", "tak", "truehd", "tta", "voc", "w64", "wav", "wsd", "wv", "xwma",
    ];

    /// <summary>The arguments that name an input.</summary>
    /// <param name="location">The file.</param>
    public static string[] Of(string location) =>
        ["-protocol_whitelist", "file", "-format_whitelist", string.Join(',', Formats), "-i", Path.GetFullPath(location)];

    /// <summary>The arguments that name an input of one format, whatever it holds: a file that this library wrote.</summary>
    /// <param name="location">The file.</param>
    /// <param name="format">ffmpeg's name of its format.</param>
    public static string[] As(string location, string format) =>
        ["-protocol_whitelist", "file", "-format_whitelist", format, "-f", format, "-i", Path.GetFullPath(location)];
}
