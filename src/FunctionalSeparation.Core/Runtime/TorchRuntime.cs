using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.Loader;
using TorchSharp;

namespace FunctionalSeparation.Core;

/// <summary>The tensor library, as the provenance of a result records it.</summary>
/// <param name="TorchSharp">Version of TorchSharp.</param>
/// <param name="LibTorch">Version of libtorch, from the files around it.</param>
/// <param name="Folder">The folder libtorch was loaded from.</param>
/// <param name="TorchSharpLibrary">TorchSharp's native library as loaded (a patched copy on older Linux systems).</param>
/// <param name="CudaDevices">Number of CUDA devices that can be used; 0 without CUDA.</param>
/// <param name="CudaProblem">Why CUDA cannot be used; null where it can.</param>
/// <param name="Threads">Threads that one tensor operation may use.</param>
public sealed record TorchRuntimeInfo(
    string TorchSharp, string LibTorch, string Folder, string TorchSharpLibrary, int CudaDevices, string? CudaProblem, int Threads);

/// <summary>
/// Finds and loads libtorch, so that TorchSharp works from applications, tests and <c>dotnet fsi</c> alike, without
/// packages that copy half a gigabyte beside every output.
/// </summary>
/// <remarks>
/// The first place searched is the folder that the environment variable FUNCSEP_LIBTORCH names: the lib folder of an installed PyTorch or
/// libtorch. Where it is set nothing else is tried. The next places are the folders of the application (beside it, and where a single file
/// unpacks its libraries), then the NuGet package folder. Every entry of this library that uses tensors calls <see cref="Initialize"/>.
/// Code that calls TorchSharp directly needs no call once it has touched anything of this assembly: TorchSharp's first use of its native
/// library then ends here too. A script that starts with <c>torch.*</c> calls <see cref="Initialize"/> first.
/// </remarks>
public static class TorchRuntime
{
    private static readonly Lock Gate = new();
    private static volatile LoadedLibraries? loaded;

    /// <summary>Loads libtorch where that has not been done. Cheap after the first call; any thread may call it.</summary>
    /// <exception cref="InputException">
    /// The libraries were not found or do not load. The message says what was tried, why it failed and what to do. A later
    /// call tries again.
    /// </exception>
    public static void Initialize() => Libraries();

    /// <summary>Versions, origin, CUDA and threads, as they are now.</summary>
    /// <exception cref="InputException">The libraries were not found or do not load.</exception>
    public static TorchRuntimeInfo Info()
    {
        var libraries = Libraries();
        var search = NativeSearch.OfProcess();
        var (devices, problem) = Devices.CountCuda();
        return new TorchRuntimeInfo(
            search.TorchSharpVersion, VersionOf(libraries.Folder, search) ?? "of unknown version", libraries.Folder,
            libraries.TorchSharpLibrary, devices, problem, torch.get_num_threads());
    }

    /// <summary>A few lines for people: where the libraries came from, versions, CUDA, threads.</summary>
    /// <exception cref="InputException">The libraries were not found or do not load.</exception>
    public static string Describe()
    {
        var info = Info();
        var patched = Libraries().Patched ? " (copy patched for this system's older libstdc++)" : "";
        var cuda = info.CudaProblem ?? (info.CudaDevices == 1 ? "1 device" : $"{info.CudaDevices} devices");
        return $"""
            TorchSharp  {info.TorchSharp}, {info.TorchSharpLibrary}{patched}
            libtorch    {info.LibTorch}, {info.Folder}
            CUDA        {cuda}
            threads     {info.Threads.ToString(CultureInfo.InvariantCulture)}
            """;
    }

    /// <summary>The loaded libraries, loading them where needed.</summary>
    internal static LoadedLibraries Libraries()
    {
        if (loaded is { } done)
            return done;
        lock (Gate)
            return loaded ??= NativeLibraries.Load(NativeSearch.OfProcess());
    }

    /// <summary>
    /// Only registers: when TorchSharp (or a P/Invoke of it) asks for a native library that the runtime does not find by
    /// name, the answer comes from here. Nothing is loaded, and nothing can fail, before that.
    /// </summary>
#pragma warning disable CA2255 // Meant for applications; here it makes plain torch.* calls work in scripts, and cannot fail.
    [ModuleInitializer]
#pragma warning restore CA2255
    internal static void Register()
    {
        var torchSharp = typeof(torch).Assembly;
        if (AssemblyLoadContext.GetLoadContext(torchSharp) is { } context)
            context.ResolvingUnmanagedDll += (assembly, name) =>
                assembly == torchSharp && Libraries().Handles.TryGetValue(name, out var handle) ? handle : IntPtr.Zero;
    }

    // An installed libtorch says its version in ../build-version, PyTorch in ../version.py, a package by its own version.
    private static string? VersionOf(string folder, NativeSearch search)
    {
        var parent = Path.GetDirectoryName(folder) ?? folder;
        if (File.Exists(Path.Combine(parent, "build-version")))
            return File.ReadAllText(Path.Combine(parent, "build-version")).Trim();
        if (File.Exists(Path.Combine(parent, "version.py")))
            return File.ReadLines(Path.Combine(parent, "version.py"))
                .FirstOrDefault(line => line.StartsWith("__version__", StringComparison.Ordinal))?.Split('\'', '"').ElementAtOrDefault(1);
        return string.IsNullOrEmpty(search.Setting) ? search.LibTorchVersion : null;
    }
}
