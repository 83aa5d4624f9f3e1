using FFMpegCore;
using FFMpegCore.Exceptions;

namespace FunctionalSeparation.Core;

/// <summary>
/// Files that are no plain WAV: the ffmpeg program decodes their first audio stream to a temporary float WAV file, which is
/// then read in bounded memory and gone when the reader is closed. What was left out, shifted or damaged is in the notes.
/// </summary>
internal static class ForeignAudio
{
    /// <param name="source">The file.</param>
    /// <param name="searchPath">Folders to look for the programs in, as in the environment variable PATH.</param>
    public static WavReader Open(SoundSource source, string searchPath)
    {
        var path = source.Name;
        RequireProgram(GlobalFFOptions.GetFFMpegBinaryPath(), path, searchPath);
        RequireProgram(GlobalFFOptions.GetFFProbeBinaryPath(), path, searchPath);
        if (source.Location.Contains('"') || source.Location.EndsWith('\\'))
            throw new InputException($"{path} has a name that cannot be handed to ffmpeg: rename it without quotes and backslashes.");
        return Decode(source, Probe(source));
    }

    private static void RequireProgram(string program, string path, string searchPath)
    {
        string[] names = OperatingSystem.IsWindows() ? [program, program + ".exe"] : [program];
        var folders = searchPath.Split(System.IO.Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        if (!names.Any(name => folders.Any(folder => File.Exists(System.IO.Path.Combine(folder, name)))))
            throw new InputException(
                $"{System.IO.Path.GetFileName(program)} is not on the PATH: install ffmpeg or convert {path} to WAV.");
    }

    private static ForeignTracks Probe(SoundSource source)
    {
        try
        {
            var analysis = FFProbe.Analyse(System.IO.Path.GetFullPath(source.Location));
            if (analysis.PrimaryAudioStream is { } stream) return new(analysis.Format, stream, analysis.AudioStreams.Count);
        }
        catch (FFProbeProcessException cause)
        {
            throw Undecodable(source, cause.StandardError, cause);
        }
        catch (FFMpegException cause)
        {
            throw Undecodable(source, [cause.Message], cause);
        }
        throw new InputException($"{source.Name} has no audio in it: name an audio file.");
    }

    private static WavReader Decode(SoundSource source, ForeignTracks tracks)
    {
        using var wav = new TemporaryFile();
        var log = DecoderLog.Of(Run(source, wav.Path));
        var length = Length(wav.Path, source.Name);
        if (tracks.IsCut(length))
            throw new InputException(
                $"{source.Name} is truncated: its header promises {tracks.Seconds:F1} s and {length:F1} s are present; "
                + "copy or download it again, or convert what is there with ffmpeg.");
        string[] notes = [.. tracks.Notes(length), .. log.Notes];
        return new(SoundSource.OpenHandle(wav.Path, source.Name), source.Name, $"{tracks.Codec}, decoded by ffmpeg", notes);
    }

    /// <summary>Damaged frames are told about, not decoded in silence: checksums are looked at, and the log names changes of format.</summary>
    private static IReadOnlyList<string> Run(SoundSource source, string wav)
    {
        try
        {
            var result = FFMpegArguments
                .FromFileInput(
                    System.IO.Path.GetFullPath(source.Location),
                    verifyExists: true,
                    o => o.WithCustomArgument($"-nostdin -nostats -loglevel {DecoderLog.Level} -err_detect crccheck"))
                .OutputToFile(wav, true, o => o.WithCustomArgument("-map 0:a:0 -c:a pcm_f32le -f wav -rf64 auto"))
                .ProcessSynchronously(throwOnError: false);
            return result.Success ? result.StandardError : throw Undecodable(source, result.StandardError, null);
        }
        catch (FFMpegException cause)
        {
            throw Undecodable(source, [cause.Message], cause);
        }
    }

    private static double Length(string wav, string name)
    {
        using var decoded = new WavReader(SoundSource.OpenHandle(wav, name), name, null, []);
        return decoded.Info.Seconds;
    }

    private static InputException Undecodable(SoundSource source, IReadOnlyList<string> report, Exception? cause)
    {
        if (report.Any(line => line.Contains("No space left", StringComparison.Ordinal)))
            return new InputException($"No space left in {System.IO.Path.GetTempPath()} to decode {source.Name}: free some space.");
        var reason = DecoderLog.FirstComplaint(report).Replace(System.IO.Path.GetFullPath(source.Location) + ": ", "");
        var message = $"{source.Name} cannot be decoded by ffmpeg ({FileFailure.OneLine(reason)}): "
            + "check that it is a whole audio file, or convert it to WAV.";
        return cause is null ? new InputException(message) : new InputException(message, cause);
    }
}
