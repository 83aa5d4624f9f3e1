using System.Diagnostics;
using System.Globalization;
using FFMpegCore;
using FFMpegCore.Exceptions;
using Microsoft.Win32.SafeHandles;

namespace FunctionalSeparation.Core;

/// <summary>
/// Files that are no plain WAV: the ffmpeg program decodes their first audio stream to a temporary float WAV file, which is
/// then read in bounded memory. It has no name: it is gone with the reader, or with the process, however that ends.
/// </summary>
internal static class ForeignAudio
{
    /// <summary>
    /// Containers whose header states the length, so that a shorter decoded length means a cut file; elsewhere (mp3, aac) the
    /// stated length is often a guess from the bit rate.
    /// </summary>
    private static readonly string[] StatesLength = ["flac", "mov", "aiff", "caf", "w64", "wv", "ape", "tta", "au"];

    private const int BlockBytes = 1 << 16;

    private const double LengthTolerance = 0.5; // seconds; encoders pad and trim by a few frames

    /// <param name="path">An existing file.</param>
    /// <param name="searchPath">Folders to look for the programs in, as in the environment variable PATH.</param>
    public static WavReader Open(string path, string searchPath)
    {
        RequireProgram(GlobalFFOptions.GetFFMpegBinaryPath(), path, searchPath);
        RequireProgram(GlobalFFOptions.GetFFProbeBinaryPath(), path, searchPath);
        if (path.Contains('"') || path.EndsWith('\\'))
            throw new InputException($"{path} has a name that cannot be handed to ffmpeg: rename it without quotes and backslashes.");
        var (analysis, stream) = Probe(path);
        var reader = Decode(path, $"{stream.CodecName}, decoded by ffmpeg");
        if (IsCut(analysis, stream, reader.Info))
        {
            reader.Dispose();
            throw new InputException(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{path} is truncated: its header promises {stream.Duration.TotalSeconds:F1} s and {reader.Info.Seconds:F1} s are present; ")
                + "copy or download it again, or convert what is there with ffmpeg.");
        }
        return reader;
    }

    private static void RequireProgram(string program, string path, string searchPath)
    {
        string[] names = OperatingSystem.IsWindows() ? [program, program + ".exe"] : [program];
        var folders = searchPath.Split(System.IO.Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        if (!names.Any(name => folders.Any(folder => File.Exists(System.IO.Path.Combine(folder, name)))))
            throw new InputException(
                $"{System.IO.Path.GetFileName(program)} is not on the PATH: install ffmpeg or convert {path} to WAV.");
    }

    private static (IMediaAnalysis, AudioStream) Probe(string path)
    {
        try
        {
            var analysis = FFProbe.Analyse(System.IO.Path.GetFullPath(path));
            if (analysis.PrimaryAudioStream is { } stream) return (analysis, stream);
        }
        catch (FFProbeProcessException cause)
        {
            throw Undecodable(path, cause.StandardError, cause);
        }
        catch (FFMpegException cause)
        {
            throw Undecodable(path, [cause.Message], cause);
        }
        throw new InputException($"{path} has no audio in it: name an audio file.");
    }

    private static WavReader Decode(string path, string description)
    {
        var wav = CreateTemporary(path);
        try
        {
            Decode(path, wav);
            return new WavReader(wav, path, description);
        }
        catch
        {
            wav.Dispose();
            throw;
        }
    }

    /// <summary>ffmpeg writes into a pipe, so it ends with this process.</summary>
    private static void Decode(string path, SafeFileHandle wav)
    {
        string[] arguments =
            ["-v", "error", "-nostdin", "-i", System.IO.Path.GetFullPath(path), "-map", "0:a:0", "-c:a", "pcm_f32le", "-f", "wav", "-"];
        var start = new ProcessStartInfo(GlobalFFOptions.GetFFMpegBinaryPath(), arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var ffmpeg = Process.Start(start)!;
        try
        {
            var report = ffmpeg.StandardError.ReadToEndAsync();
            Copy(ffmpeg.StandardOutput.BaseStream, wav, path);
            ffmpeg.WaitForExit();
            if (ffmpeg.ExitCode != 0) throw Undecodable(path, report.Result.Split('\n'), null);
        }
        finally
        {
            ffmpeg.Kill();
        }
    }

    private static void Copy(Stream from, SafeFileHandle wav, string path)
    {
        var block = new byte[BlockBytes];
        var position = 0L;
        for (int count; (count = from.Read(block)) > 0; position += count)
        {
            try
            {
                RandomAccess.Write(wav, block.AsSpan(0, count), position);
            }
            catch (Exception cause) when (FileFailure.IsOfFiles(cause))
            {
                throw Temporary(path, cause);
            }
        }
    }

    private static SafeFileHandle CreateTemporary(string path)
    {
        try
        {
            return UnfinishedFiles.CreateNameless();
        }
        catch (Exception cause) when (FileFailure.IsOfFiles(cause))
        {
            throw Temporary(path, cause);
        }
    }

    private static bool IsCut(IMediaAnalysis analysis, MediaStream stream, AudioInfo decoded) =>
        analysis.Format.FormatName.Split(',').Any(StatesLength.Contains)
        && decoded.Seconds < stream.Duration.TotalSeconds - LengthTolerance;

    private static InputException Undecodable(string path, IReadOnlyList<string> report, Exception? cause)
    {
        var reason = report.FirstOrDefault(line => line.Length > 0) ?? "no reason given";
        var text = FileFailure.OneLine(reason.Replace(System.IO.Path.GetFullPath(path) + ": ", ""));
        var message = $"{path} cannot be decoded by ffmpeg ({text}): check that it is a whole audio file, or convert it to WAV.";
        return cause is null ? new InputException(message) : new InputException(message, cause);
    }

    private static InputException Temporary(string path, Exception cause)
    {
        var folder = System.IO.Path.GetTempPath();
        return FileFailure.IsDiskFull(cause)
            ? new InputException($"No space left in {folder} to decode {path}: free some space.", cause)
            : new InputException(
                $"{folder} cannot be written ({FileFailure.OneLine(cause.Message)}) to decode {path}: "
                + "check it, or name another folder in TMPDIR.",
                cause);
    }
}
