using System.Diagnostics;
using System.Text;

namespace FunctionalSeparation.Core;

/// <summary>A run of ffmpeg or ffprobe that has ended.</summary>
/// <param name="ExitCode">0 where all went well.</param>
/// <param name="Log">The lines of its log, as far as they are kept.</param>
internal sealed record DecoderRun(int ExitCode, string[] Log)
{
    /// <summary>Between two looks at a program at work.</summary>
    private const int Interval = 20; // ms

    /// <summary>The most that is kept of a log, in characters: a damaged file of hours can complain without end.</summary>
    private const int MostLog = 1 << 20;

    /// <summary>
    /// Runs a program to its end. Where its output cannot be taken, a limit is reached or the work is cancelled, it is killed: no
    /// process is left behind.
    /// </summary>
    /// <param name="program">ffmpeg or ffprobe.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="take">Reads its standard output to the end, on a thread of its own.</param>
    /// <param name="watch">Looks at it meanwhile.</param>
    public static DecoderRun Of(string program, IEnumerable<string> arguments, Action<Stream> take, DecoderWatch watch)
    {
        using var process = Start(program, arguments);
        var output = OwnThread.Run(() => { take(process.StandardOutput.BaseStream); return true; }, CancellationToken.None);
        var log = OwnThread.Run(() => Beginning(process.StandardError), CancellationToken.None);
        try
        {
            do watch.Check(process);
            while (Task.WaitAny([output], Interval) < 0);
            output.GetAwaiter().GetResult();
            while (!process.WaitForExit(Interval)) watch.Check(process);
            return new(process.ExitCode, log.Result.Split('\n', StringSplitOptions.TrimEntries));
        }
        finally
        {
            if (!process.HasExited) process.Kill(entireProcessTree: true);
            Task.WhenAny(Task.WhenAll(output, log)).Wait(); // neither reads from then on; how they ended is known
        }
    }

    /// <summary>Reads an output and discards it.</summary>
    public static void Ignore(Stream output) => output.CopyTo(Stream.Null);

    private static Process Start(string program, IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment.Remove("AV_LOG_FORCE_COLOR"); // its log is read here, not shown
        return Process.Start(start)!;
    }

    private static string Beginning(StreamReader log)
    {
        var text = new StringBuilder();
        var block = new char[4096];
        for (int count; (count = log.Read(block)) > 0;)
            text.Append(block, 0, Math.Min(count, MostLog - text.Length));
        return text.ToString();
    }
}
