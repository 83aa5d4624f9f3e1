using System.Runtime.InteropServices;

namespace FunctionalSeparation.Core;

/// <summary>Controls how the C library treats memory that tensors have freed.</summary>
public static class HostMemory
{
    // <malloc.h> of the GNU C library, <sys/mman.h> of Linux.
    private const int TrimThreshold = -1, MmapMax = -4, Never = -1, HugePages = 14;

    private const long HugePage = 1L << 21, MostReserved = 4L << 30;

    private static readonly Lazy<bool> Kept = new(KeepOnce);

    private static int _reserved;

    /// <summary>
    /// Keeps freed memory in the process from now on, for the next tensors. By default the GNU C library gives large blocks back to the
    /// system. Work that makes and frees the same tensors again and again then spends up to half of its time on fresh pages. Training and
    /// separators with networks of this library call this. Any thread may call it, any number of times. <see cref="Release"/> gives back
    /// the memory that is not in use at the moment.
    /// </summary>
    /// <remarks>
    /// Threads other than the main one gain less: their heaps are small, and large blocks outside them are still given back. On the main
    /// thread, the call also makes the first 4 GB of its heap (at most half of the available memory) of huge pages, where the system has
    /// them.
    /// </remarks>
    /// <returns>Whether it took effect: false with another C library.</returns>
    public static bool Keep()
    {
        if (!Kept.Value) return false;
        ReserveHugePages();
        return true;
    }

    /// <summary>Gives freed memory that was kept back to the system, as after a song. Without effect where nothing was kept.</summary>
    public static void Release()
    {
        if (Kept is not { IsValueCreated: true, Value: true }) return;
        _ = Trim(0);
        Interlocked.Exchange(ref _reserved, 0);
        ReserveHugePages();
    }

    private static bool KeepOnce()
    {
        if (!OperatingSystem.IsLinux())
            return false;
        try
        {
            return Set(MmapMax, 0) != 0 && Set(TrimThreshold, Never) != 0 && CurrentThread() != 0;
        }
        catch (Exception failure) when (failure is DllNotFoundException or EntryPointNotFoundException)
        {
            return false;
        }
    }

    /// <summary>
    /// Makes the main thread's heap grow over addresses that ask for huge pages; memory is allocated when it is first written to. It does
    /// nothing on a system that counts addresses as memory.
    /// </summary>
    private static void ReserveHugePages()
    {
        var isMainThread = CurrentThread() == Environment.ProcessId;
        if (!isMainThread || CountsAddresses() || Interlocked.Exchange(ref _reserved, 1) == 1) return;
        var size = Math.Min(MostReserved, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 2);
        var start = Allocate((nuint)size);
        if (start == 0) return;
        var first = (start + (nint)HugePage - 1) / (nint)HugePage * (nint)HugePage;
        _ = Advise(first, (nuint)((start + size - first) / HugePage * HugePage), HugePages);
        Free(start);
    }

    private static bool CountsAddresses()
    {
        const string setting = "/proc/sys/vm/overcommit_memory";
        return !File.Exists(setting) || File.ReadAllText(setting).Trim() == "2";
    }

    [DllImport("libc", EntryPoint = "gettid")]
    private static extern int CurrentThread();

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
