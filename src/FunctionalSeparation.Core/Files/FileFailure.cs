namespace FunctionalSeparation.Core;

/// <summary>Turns an error of the file system into one line that names the file and says what to do.</summary>
internal static class FileFailure
{
    public static InputException Reading(string path, Exception cause) => cause switch
    {
        _ when Directory.Exists(path) => new InputException($"{path} is a folder: name a file.", cause),
        FileNotFoundException or DirectoryNotFoundException when path.Contains(NotUtf8) =>
            new InputException($"{path} has a name that is not in UTF-8, by which no file is found: rename it.", cause),
        FileNotFoundException or DirectoryNotFoundException => new InputException($"{path} does not exist: check the path.", cause),
        UnauthorizedAccessException => new InputException($"{path} may not be read: check its permissions.", cause),
        _ when IsNoFile(cause) => new InputException($"{path} is a socket or a device: name an audio file, or pipe the sound in.", cause),
        _ => new InputException($"{path} cannot be read ({OneLine(cause.Message)}): check the disk and try again.", cause),
    };

    public static InputException Writing(string path, Exception cause) => cause switch
    {
        _ when IsDiskFull(cause) =>
            new InputException($"No space left on the disk to write {path}: free some space or write to another disk.", cause),
        _ when Directory.Exists(path) => new InputException($"{path} is a folder: name a file to write.", cause),
        UnauthorizedAccessException =>
            new InputException($"{path} may not be written: check the permissions of the file and its folder.", cause),
        _ => new InputException($"{path} cannot be written ({OneLine(cause.Message)}): check the path and the disk.", cause),
    };

    /// <summary>
    /// The character that .NET puts in place of the bytes of a name that are not UTF-8, such as the letters of a name in Latin-1.
    /// </summary>
    public const char NotUtf8 = '\uFFFD';

    /// <summary>Whether a change of files, permissions or disks can remove the cause.</summary>
    public static bool IsOfFiles(Exception cause) => cause is IOException or UnauthorizedAccessException;

    /// <summary>ENXIO, the error of opening a Unix socket.</summary>
    private static bool IsNoFile(Exception cause) => !OperatingSystem.IsWindows() && cause is IOException && cause.HResult == 6;

    public static string OneLine(string message) => message.ReplaceLineEndings(" ").Trim().TrimEnd('.');

    /// <summary>
    /// ENOSPC and EDQUOT as Linux (28, 122) and macOS (28, 69) number them; of Windows ERROR_DISK_FULL and
    /// ERROR_HANDLE_DISK_FULL.
    /// </summary>
    public static bool IsDiskFull(Exception cause) =>
        cause is IOException
        && (OperatingSystem.IsWindows()
            ? (cause.HResult & 0xFFFF) is 112 or 39
            : cause.HResult is 28 || cause.HResult == (OperatingSystem.IsMacOS() ? 69 : 122));
}
