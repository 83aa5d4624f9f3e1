using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace FunctionalSeparation.Core;

/// <summary>
/// The files that this process is still writing: each is named <c>.funcsep-….part</c> and lies beside its target. None of them
/// outlives its process for long.
/// </summary>
/// <remarks>
/// The process deletes its unfinished files when it returns, exits or fails with an unhandled exception. It also deletes them on
/// SIGINT (Ctrl-C), SIGTERM, SIGHUP or SIGQUIT, unless it was started to ignore that signal (nohup). The signal then has its usual
/// effect: the exit code is 128 plus the number of the signal.
/// The next process that writes into the folder deletes the files that a killed process left there. A file is locked while its writer
/// runs, on this machine or on another that shares the folder, and a locked file is not deleted. The system releases the locks of
/// a process that ends. On a file system without locks, nothing shows whether the writer still runs, and all files stay.
/// </remarks>
public static class UnfinishedFiles
{
    internal const string Prefix = ".funcsep-", Suffix = ".part";

    /// <summary>How long a process that was told to stop neither begins nor finishes a file: by then it has ended, or continues.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(1);

    private static readonly PosixSignal[] Signals = [PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP, PosixSignal.SIGQUIT];

    private static readonly Lock Gate = new();
    private static readonly HashSet<string> Paths = [];
    private static readonly HashSet<string> CleanFolders = [];
    private static readonly List<PosixSignalRegistration> Registrations = [];
    private static DateTime goesOn = DateTime.MinValue;

    static UnfinishedFiles()
    {
        AppDomain.CurrentDomain.ProcessExit += (_, _) => RemoveAll();
        AppDomain.CurrentDomain.UnhandledException += (_, failure) => { if (failure.IsTerminating) RemoveAll(); };
        foreach (var signal in Signals) Registrations.Add(PosixSignalRegistration.Create(signal, OnSignal));
    }

    /// <summary>
    /// Whether a signal to stop removes the unfinished files at once; true unless set. An application that cancels such signals to finish
    /// its current work first (a web service, say) sets it to false. Otherwise that work fails, with one line that says why.
    /// </summary>
    public static bool RemovedOnSignals { get; set; } = true;

    /// <summary>
    /// Runs work that the end of the process must not interrupt. After a signal to stop it waits for that end, or for the moment when the
    /// process evidently continues.
    /// </summary>
    internal static T Atomically<T>(Func<T> work)
    {
        for (; ; )
        {
            lock (Gate)
            {
                if (DateTime.UtcNow >= goesOn) return work();
            }
            Thread.Sleep(Grace / 20);
        }
    }

    /// <summary>Makes a file without a name in the folder for temporary files: the system frees it when it is closed, however.</summary>
    /// <returns>The open file, to be read and written.</returns>
    internal static SafeFileHandle CreateNameless()
    {
        var path = Path.Combine(Path.GetTempPath(), $"{Prefix}{Guid.NewGuid():N}{Suffix}");
        var isWindows = OperatingSystem.IsWindows();
        var file = File.OpenHandle(
            path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Delete, isWindows ? FileOptions.DeleteOnClose : FileOptions.None);
        if (!isWindows) File.Delete(path);
        return file;
    }

    internal static void Add(string path) => Paths.Add(path);

    internal static bool IsKnown(string path) => Paths.Contains(path);

    internal static void Forget(string path) => Paths.Remove(path);

    /// <summary>Deletes a file of this process, where it is still there.</summary>
    internal static void Remove(string path)
    {
        lock (Gate)
        {
            if (Paths.Remove(path)) TryDelete(path);
        }
    }

    /// <summary>Deletes what processes that have ended left in a folder; looks once.</summary>
    internal static void RemoveLeftovers(string folder)
    {
        lock (Gate)
        {
            if (!CleanFolders.Add(Path.GetFullPath(folder))) return;
        }
        try
        {
            foreach (var path in Directory.GetFiles(folder, $"{Prefix}*{Suffix}")) RemoveUnlessLocked(path);
        }
        catch (Exception cause) when (FileFailure.IsOfFiles(cause))
        {
            // A folder that may be written, not read.
        }
    }

    private static void RemoveUnlessLocked(string path)
    {
        try
        {
            using (OpenExclusively(path, FileOptions.None))
            {
                if (!IsLocked(path)) return; // a file system without locks
            }
            OpenExclusively(path, FileOptions.DeleteOnClose).Dispose();
        }
        catch (Exception cause) when (FileFailure.IsOfFiles(cause))
        {
            // Its writer lives, or it is another user's.
        }
    }

    private static bool IsLocked(string path)
    {
        try
        {
            OpenExclusively(path, FileOptions.None).Dispose();
            return false;
        }
        catch (IOException)
        {
            return true;
        }
    }

    private static SafeFileHandle OpenExclusively(string path, FileOptions options) =>
        File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None, options);

    /// <summary>A signal that a handler of the application has cancelled already does not stop the process.</summary>
    private static void OnSignal(PosixSignalContext context)
    {
        if (RemovedOnSignals && !context.Cancel) RemoveAll();
    }

    private static void RemoveAll()
    {
        lock (Gate)
        {
            goesOn = DateTime.UtcNow + Grace;
            foreach (var path in Paths) TryDelete(path);
            Paths.Clear();
        }
    }

    private static void TryDelete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception cause) when (FileFailure.IsOfFiles(cause))
        {
            // Its folder is gone, or may not be written any more.
        }
    }
}
