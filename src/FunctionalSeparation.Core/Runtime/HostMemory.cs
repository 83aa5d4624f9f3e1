using System.Runtime.InteropServices;

namespace FunctionalSeparation.Core;

/// <summary>
/// Freed memory kept for the next tensors. The C library of Linux gives blocks above a threshold back to the system as they
/// are freed; work that makes and frees the same large tensors again and again then spends up to half of its time on fresh
/// pages.
/// </summary>
public static class HostMemory
{
    // <malloc.h> of the GNU C library.
    private const int TrimThreshold = -1, MmapThreshold = -3, MmapMax = -4;

    // What the library moves its thresholds to by itself, at most, and its own limit of mapped blocks.
    private const int LargestThreshold = 32 << 20, MappedBlocks = 65536;

    private static readonly Lock Gate = new();
    private static int holders;

    /// <summary>
    /// Keeps freed memory in the process until the result is disposed; with the last holder it goes back to the system. Without
    /// effect where the C library is another one. Any thread may call it.
    /// </summary>
    public static IDisposable Keep()
    {
        lock (Gate)
        {
            if (holders++ == 0)
                Try(() =>
                {
                    Set(MmapMax, 0);
                    Set(TrimThreshold, int.MaxValue);
                });
        }
        return new Holder();
    }

    private static void Release()
    {
        lock (Gate)
        {
            if (--holders == 0)
                Try(() =>
                {
                    Set(MmapMax, MappedBlocks);
                    Set(MmapThreshold, LargestThreshold);
                    Set(TrimThreshold, 2 * LargestThreshold);
                    _ = Trim(0);
                });
        }
    }

    private static void Try(Action act)
    {
        if (!OperatingSystem.IsLinux())
            return;
        try
        {
            act();
        }
        catch (Exception failure) when (failure is DllNotFoundException or EntryPointNotFoundException)
        {
            // Another C library, which has its own ways.
        }
    }

    [DllImport("libc", EntryPoint = "mallopt")]
    private static extern int Set(int parameter, int value);

    [DllImport("libc", EntryPoint = "malloc_trim")]
    private static extern int Trim(nuint pad);

    private sealed class Holder : IDisposable
    {
        private int disposed;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref disposed, 1) == 0)
                Release();
        }
    }
}
