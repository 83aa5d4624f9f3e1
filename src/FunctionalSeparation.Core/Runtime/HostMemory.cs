using System.Runtime.InteropServices;

namespace FunctionalSeparation.Core;

/// <summary>What the C library does with memory that tensors no longer need.</summary>
public static class HostMemory
{
    // <malloc.h> of the GNU C library.
    private const int TrimThreshold = -1, MmapMax = -4;

    private static readonly Lazy<bool> Kept = new(KeepOnce);

    /// <summary>
    /// From now on freed memory stays in the process, for the next tensors. Left alone, the GNU C library gives large blocks back
    /// to the system, and work that makes and frees the same tensors again and again spends up to half of its time on fresh
    /// pages. Training and separators with networks of this library call this. Threads beside the main one gain less: their heaps
    /// are small. Any thread may call it, any number of times. <see cref="Release"/> gives back what is not used at the moment.
    /// </summary>
    /// <returns>Whether it took effect: false with another C library.</returns>
    public static bool Keep() => Kept.Value;

    /// <summary>Gives freed memory that was kept back to the system, as after a song. Without effect where nothing was kept.</summary>
    public static void Release()
    {
        if (Kept is { IsValueCreated: true, Value: true })
            _ = Trim(0);
    }

    private static bool KeepOnce()
    {
        if (!OperatingSystem.IsLinux())
            return false;
        try
        {
            return Set(MmapMax, 0) != 0 && Set(TrimThreshold, int.MaxValue) != 0;
        }
        catch (Exception failure) when (failure is DllNotFoundException or EntryPointNotFoundException)
        {
            return false;
        }
    }

    [DllImport("libc", EntryPoint = "mallopt")]
    private static extern int Set(int parameter, int value);

    [DllImport("libc", EntryPoint = "malloc_trim")]
    private static extern int Trim(nuint pad);
}
