using System.Globalization;
using System.Text.Json;
using FFMpegCore;
using FFMpegCore.Exceptions;
using Microsoft.Win32.SafeHandles;

namespace FunctionalSeparation.Core;

/// <summary>
/// Files other than plain WAV. The ffmpeg program decodes one of their audio streams to a temporary float WAV file, which is
/// then read in bounded memory. That file has no name, so it disappears with the reader, or with the process, however that ends.
/// The notes tell what was left out, shifted or damaged.
/// </summary>
internal static class ForeignAudio
{
    /// <param name="source">The file.</param>
    /// <param name="searchPath">Folders to look for the programs in, as in the environment variable PATH.</param>
    /// <param name="track">Which of its sound tracks, from 0; null for the first, with a note where there are others.</param>
    /// <param name="watch">Ends the decoding.</param>
    public static WavReader Open(SoundSource source, string searchPath, int? track = null, DecoderWatch? watch = null)
    {
        watch ??= new(source.Name);
        RequirePrograms(source, searchPath);
        return Decode(source, Probe(source, track, watch), track ?? 0, watch);
    }

    /// <summary>Sample rate and channels of the first sound track, by its header.</summary>
    /// <param name="source">The file.</param>
    /// <param name="searchPath">As for <see cref="Open"/>.</param>
    public static AudioShape Shape(SoundSource source, string searchPath)
    {
        RequirePrograms(source, searchPath);
        return Probe(source, null, new(source.Name)).Shape
            ?? throw new InputException($"{source.Name} does not tell its sample rate and channels: convert it to WAV.");
    }

    /// <summary>Refuses to begin work whose result could not be encoded.</summary>
    /// <param name="target">The file that ffmpeg is to write.</param>
    /// <exception cref="InputException">ffmpeg is not there.</exception>
    public static void RequireEncoder(string target)
    {
        if (!IsOnPath(GlobalFFOptions.GetFFMpegBinaryPath(), AudioFile.SearchPath))
            throw new InputException($"ffmpeg is not on the PATH: install it to write {target}, or choose a WAV format.");
    }

    /// <summary>Encodes a WAV file, whose tags go with it unless others are given.</summary>
    /// <param name="wav">The file.</param>
    /// <param name="encoder">Further inputs of our own (<see cref="EncodedTags"/>), and what ffmpeg is to make.</param>
    /// <param name="target">The file that it will become; the result lies beside it.</param>
    /// <exception cref="InputException">ffmpeg fails, or the folder cannot be written.</exception>
    public static UnfinishedFile Encode(string wav, string[] encoder, string target)
    {
        var encoded = new UnfinishedFile(System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(target))!);
        try
        {
            string[] arguments = ["-nostdin", "-nostats", "-loglevel", "error", "-y", .. DecoderInput.Of(wav), .. encoder, encoded.Path];
            var run = DecoderRun.Of(GlobalFFOptions.GetFFMpegBinaryPath(), arguments, DecoderRun.Ignore, new(target));
            if (run.ExitCode == 0) return encoded;
            var reason = DecoderLog.FirstComplaint(run.Log).Replace(encoded.Path, target);
            throw new InputException($"{target} cannot be encoded by ffmpeg ({FileFailure.OneLine(reason)}): choose a WAV format.");
        }
        catch
        {
            encoded.Dispose();
            throw;
        }
    }

    /// <summary>The comment that a file of another format than WAV carries; null where it has none or is no sound.</summary>
    public static string? Comment(string path)
    {
        if (!IsOnPath(GlobalFFOptions.GetFFProbeBinaryPath(), AudioFile.SearchPath)) return null;
        try
        {
            var analysis = Analyse(path, path, new(path));
            var tags = analysis.AudioStreams.Select(stream => stream.Tags).Prepend(analysis.Format.Tags).OfType<Dictionary<string, string>>();
            return tags.SelectMany(some => some).FirstOrDefault(tag => tag.Key.Equals("comment", StringComparison.OrdinalIgnoreCase)).Value;
        }
        catch (InputException)
        {
            return null;
        }
    }

    private static void RequirePrograms(SoundSource source, string searchPath)
    {
        var path = source.Name;
        RequireProgram(GlobalFFOptions.GetFFMpegBinaryPath(), path, searchPath);
        RequireProgram(GlobalFFOptions.GetFFProbeBinaryPath(), path, searchPath);
    }

    private static void RequireProgram(string program, string path, string searchPath)
    {
        if (!IsOnPath(program, searchPath))
            throw new InputException(
                $"{System.IO.Path.GetFileName(program)} is not on the PATH: install ffmpeg or convert {path} to WAV.");
    }

    private static bool IsOnPath(string program, string searchPath)
    {
        string[] names = OperatingSystem.IsWindows() ? [program, program + ".exe"] : [program];
        var folders = searchPath.Split(System.IO.Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        return names.Any(name => folders.Any(folder => File.Exists(System.IO.Path.Combine(folder, name))));
    }

    private static ForeignTracks Probe(SoundSource source, int? track, DecoderWatch watch)
    {
        var analysis = Analyse(source.Location, source.Name, watch);
        AudioStream[] streams = [.. analysis.AudioStreams.OrderBy(stream => stream.Index)];
        if (streams.Length == 0) throw new InputException($"{source.Name} has no audio in it: name an audio file.");
        if (track >= streams.Length)
            throw new InputException($"{source.Name} has {streams.Length} sound track(s): track {track}, counted from 0, is not there.");
        return new(analysis.Format, streams[track ?? 0], track is null ? streams.Length - 1 : 0, analysis.VideoStreams);
    }

    /// <summary>Asks ffprobe about a file. FFMpegCore reads its answer; its own run of ffprobe has no limits.</summary>
    private static IMediaAnalysis Analyse(string location, string name, DecoderWatch watch)
    {
        string[] arguments =
        [
            "-loglevel", "level+warning", "-print_format", "json", "-show_format", "-sexagesimal", "-show_streams", "-show_chapters",
            .. DecoderInput.Of(location),
        ];
        var json = "";
        void Take(Stream output) => json = new StreamReader(output).ReadToEnd();
        var run = DecoderRun.Of(GlobalFFOptions.GetFFProbeBinaryPath(), arguments, Take, watch);
        if (run.ExitCode != 0 || DecoderLog.Refused(run.Log) is not null) throw Undecodable(location, name, run.Log);
        try
        {
            return FFProbe.FromJson(json);
        }
        catch (Exception cause) when (cause is FFMpegException or JsonException)
        {
            throw Undecodable(location, name, [cause.Message]);
        }
    }

    private static WavReader Decode(SoundSource source, ForeignTracks tracks, int track, DecoderWatch watch)
    {
        var wav = Spool.Open(UnfinishedFiles.CreateNameless, source.Name);
        DecoderLog log;
        SongTags tags;
        try
        {
            log = DecoderLog.Of(Run(source, track, wav, watch));
            tags = tracks.Tags(source.Location, watch);
        }
        catch
        {
            wav.Dispose();
            throw;
        }
        var reader = new WavReader(
            wav, source.Name, $"{tracks.Codec}, decoded by ffmpeg", seconds => [.. tracks.Notes(seconds), .. log.Notes],
            tags);
        if (!tracks.IsCut(reader.Info.Seconds)) return reader;
        reader.Dispose();
        throw new InputException(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{source.Name} is truncated: its header promises {tracks.Seconds:F1} s and {reader.Info.Seconds:F1} s are present; ")
            + "copy or download it again, or convert what is there with ffmpeg.");
    }

    /// <summary>
    /// Damaged frames are reported, not decoded silently: checksums are verified, and the log names changes of format. ffmpeg writes into a
    /// pipe, so it ends with this process.
    /// </summary>
    private static string[] Run(SoundSource source, int track, SafeFileHandle wav, DecoderWatch watch)
    {
        string[] arguments =
        [
            "-nostdin", "-nostats", "-loglevel", DecoderLog.Level, "-err_detect", "crccheck",
            .. DecoderInput.Of(source.Location), "-map", $"0:a:{track}", "-c:a", "pcm_f32le", "-f", "wav", "-",
        ];
        var run = DecoderRun.Of(
            GlobalFFOptions.GetFFMpegBinaryPath(), arguments, output => Spool.Copy(output, wav, source.Name, watch), watch);
        return run.ExitCode == 0 ? run.Log : throw Undecodable(source.Location, source.Name, run.Log);
    }

    private static InputException Undecodable(string location, string name, IReadOnlyList<string> log)
    {
        if (DecoderLog.Refused(log) is { } format)
            return new InputException(
                $"{name} has no audio of its own that is read (ffmpeg finds: {format}), and other files that it may name are not opened: "
                + "name an audio file.");
        var reason = DecoderLog.FirstComplaint(log).Replace(System.IO.Path.GetFullPath(location) + ": ", "");
        return new InputException(
            $"{name} cannot be decoded by ffmpeg ({FileFailure.OneLine(reason)}): check that it is a whole audio file, or convert it to WAV.");
    }
}
