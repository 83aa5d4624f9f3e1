using System.Runtime.InteropServices;

namespace FunctionalSeparation.Core;

/// <summary>What the C library does with memory that tensors no longer need.</summary>
public static class HostMemory
{
    // <malloc.h> of the GNU C library, <sys/mman.h> of Linux.
    private const int TrimThreshold = -1, MmapMax = -4, Never = -1, HugePages = 14;

    private const long HugePage = 1L << 21, MostReserved = 4L << 30;

    private static readonly Lazy<bool> Kept = new(KeepOnce);

    /// <summary>
    /// From now on freed memory stays in the process, for the next tensors. Left alone, the GNU C library gives large blocks back
    /// to the system, and work that makes and frees the same tensors again and again spends up to half of its time on fresh
    /// pages. The first 4 GB of the heap are of huge pages, where the system has them. Training and separators with networks of this
    /// library call this. Threads beside the main one gain less: their heaps are small. Any thread may call it, any number of times.
    /// <see cref="Release"/> gives back what is not used at the moment.
    /// </summary>
    /// <returns>Whether it took effect: false with another C library.</returns>
    public static bool Keep() => Kept.Value;

    /// <summary>Gives freed memory that was kept back to the system, as after a song. Without effect where nothing was kept.</summary>
    public static void Release()
    {
        if (Kept is not { IsValueCreated: true, Value: true }) return;
        _ = Trim(0);
        ReserveHugePages();
    }

    private static bool KeepOnce()
    {
        if (!OperatingSystem.IsLinux())
            return false;
        try
        {
            if (Set(MmapMax, 0) == 0 || Set(TrimThreshold, Never) == 0) return false;
            ReserveHugePages();
            return true;
        }
        catch (Exception failure) when (failure is DllNotFoundException or EntryPointNotFoundException)
        {
            return false;
        }
    }

    /// <summary>Takes addresses, not memory: it is there when it is first written to, in huge pages. Where there are none, all is as before.</summary>
    private static void ReserveHugePages()
    {
        var size = Math.Min(MostReserved, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 2);
        var start = Allocate((nuint)size);
        if (start == 0) return;
        var first = (start + (nint)HugePage - 1) / (nint)HugePage * (nint)HugePage;
        _ = Advise(first, (nuint)((start + size - first) / HugePage * HugePage), HugePages);
        Free(start);
    }

    [DllImport("libc", EntryPoint = "malloc")]
    private static extern nint Allocate(nuint size);

    [DllImport("libc", EntryPoint = "free")]
    private static extern void Free(nint start);

    [DllImport("libc", EntryPoint = "madvise")]
    private static extern int Advise(nint start, nuint length, int advice);

    [DllImport("libc", EntryPoint = "mallopt")]
    private static extern int Set(int parameter, int value);

    [DllImport("libc", EntryPoint = "malloc_trim")]
    private static extern int Trim(nuint pad);
}
