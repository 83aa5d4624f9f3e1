using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text;
using TorchSharp;

namespace FunctionalSeparation.Core;

/// <summary>Where native libraries are looked for: everything the search depends on, as one value.</summary>
/// <param name="Setting">The value of FUNCSEP_LIBTORCH; null or empty where unset.</param>
/// <param name="ApplicationFolders">Folders of the application, in order of preference.</param>
/// <param name="NuGetFolder">The NuGet package folder; null where the user has none.</param>
/// <param name="LibTorchVersion">The libtorch version this library was built for.</param>
/// <param name="TorchSharpVersion">The version of the TorchSharp assembly.</param>
/// <param name="CacheFolder">Where patched copies are kept; null where the user has no folder for such things.</param>
internal sealed record NativeSearch(
    string? Setting,
    IReadOnlyList<string> ApplicationFolders,
    string? NuGetFolder,
    string LibTorchVersion,
    string TorchSharpVersion,
    string? CacheFolder)
{
    internal const string SettingName = "FUNCSEP_LIBTORCH";

    /// <summary>The search of this process: environment, application and package folders.</summary>
    internal static NativeSearch OfProcess()
    {
        var core = typeof(NativeSearch).Assembly;
        var torchSharp = typeof(torch).Assembly;
        string[] folders = [AppContext.BaseDirectory, FolderOf(core), FolderOf(torchSharp)];
        return new NativeSearch(
            Environment.GetEnvironmentVariable(SettingName),
            [.. FoldersOfHost().Concat(folders.Where(f => f != "").SelectMany(WithRuntimes))
                .Select(Path.TrimEndingDirectorySeparator).Distinct()],
            PackagesOfUser(
                Environment.GetEnvironmentVariable("NUGET_PACKAGES"), Environment.GetFolderPath(Environment.SpecialFolder.UserProfile)),
            core.GetCustomAttributes<AssemblyMetadataAttribute>().First(a => a.Key == "LibTorchVersion").Value ?? "",
            PackageVersion(torchSharp),
            CacheOfUser());
    }

    /// <summary>Folders that may hold libtorch. A setting is an order: where it is made, nothing else is tried.</summary>
    internal IReadOnlyList<string> LibTorchFolders =>
        Setting is { Length: > 0 } setting
            ? [Path.GetFullPath(setting)]
            : [.. ApplicationFolders, .. PackageFolders($"libtorch-cpu-{Platform.Rid}", LibTorchVersion)];

    /// <summary>Folders that may hold TorchSharp's own native library.</summary>
    internal IReadOnlyList<string> TorchSharpFolders => [.. ApplicationFolders, .. PackageFolders("torchsharp", TorchSharpVersion)];

    /// <summary>
    /// The package folder that a setting or a home names. Where neither is a whole path (no HOME, say) there is none. Nothing is loaded
    /// from below the current folder, which may be anybody's.
    /// </summary>
    /// <param name="setting">The value of NUGET_PACKAGES.</param>
    /// <param name="home">The user's folder; empty where there is none.</param>
    internal static string? PackagesOfUser(string? setting, string home) =>
        Path.IsPathFullyQualified(setting ?? "") ? setting
        : Path.IsPathFullyQualified(home) ? Path.Combine(home, ".nuget", "packages")
        : null;

    private static string? CacheOfUser() =>
        Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify)
            is { } folder && Path.IsPathFullyQualified(folder) ? Path.Combine(folder, "FunctionalSeparation", "native") : null;

    /// <summary>Where the host itself looks for native libraries: among them where a single file unpacks what it holds.</summary>
    private static IEnumerable<string> FoldersOfHost() =>
        AppContext.GetData("NATIVE_DLL_SEARCH_DIRECTORIES") is string folders
            ? folders.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            : [];

    /// <summary>The folder of an assembly; empty for one inside a single file.</summary>
    [UnconditionalSuppressMessage("SingleFile", "IL3000", Justification = "No folder is an answer, too.")]
    private static string FolderOf(Assembly assembly) => Path.GetDirectoryName(assembly.Location) ?? "";

    private static IEnumerable<string> WithRuntimes(string folder) =>
        [folder, Path.Combine(folder, "runtimes", Platform.Rid, "native")];

    private string[] PackageFolders(string package, string version) =>
        NuGetFolder is null ? [] : [Path.Combine(NuGetFolder, package, version, "runtimes", Platform.Rid, "native")];

    private static string PackageVersion(Assembly assembly)
    {
        var version = assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion
            ?? assembly.GetName().Version?.ToString(3) ?? "";
        return version.Split('+')[0];
    }
}

/// <summary>The names of files and of package folders that depend on the operating system.</summary>
internal static class Platform
{
    /// <summary>The runtime identifier as packages spell it, such as linux-x64.</summary>
    internal static string Rid { get; } =
        (OperatingSystem.IsWindows() ? "win-" : OperatingSystem.IsMacOS() ? "osx-" : "linux-")
        + RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant();

    /// <summary>The platforms that have packages of libtorch for the CPU and TorchSharp's native library.</summary>
    internal static IReadOnlyList<string> PackageRids { get; } = ["linux-x64", "win-x64", "osx-arm64"];

    /// <summary>Whether this platform is one of them.</summary>
    internal static bool HasPackages => PackageRids.Contains(Rid);

    /// <summary>The file name of a native library.</summary>
    internal static string FileName(string library) =>
        OperatingSystem.IsWindows() ? $"{library}.dll"
        : OperatingSystem.IsMacOS() ? $"lib{library}.dylib"
        : $"lib{library}.so";
}

/// <summary>The native libraries of this process, once loaded.</summary>
/// <param name="Folder">The folder libtorch came from.</param>
/// <param name="TorchSharpLibrary">The file of TorchSharp's native library that was loaded.</param>
/// <param name="Patched">Whether that file is a patched copy (see <see cref="ElfPatch"/>).</param>
/// <param name="CudaProblem">Null where libtorch's CUDA half is loaded, else the reason why it is not.</param>
/// <param name="Handles">Loaded libraries by plain name, such as torch_cpu.</param>
internal sealed record LoadedLibraries(
    string Folder, string TorchSharpLibrary, bool Patched, string? CudaProblem, IReadOnlyDictionary<string, IntPtr> Handles);

/// <summary>
/// Loads libtorch and TorchSharp's native library by absolute path, in an order in which every dependency is already
/// there. A failure is an <see cref="InputException"/> whose message is the whole diagnosis.
/// </summary>
internal static class NativeLibraries
{
    internal const string TorchSharpLibrary = "LibTorchSharp";

    /// <summary>The complaint of the loader where a file lies on a file system that may hold no executables.</summary>
    private const string NoExecutables = "failed to map segment";

    private static readonly string[] Required = ["c10", "torch_cpu", "torch"];
    private static readonly string[] Cuda = ["c10_cuda", "torch_cuda", "torch_cuda_linalg"];
    private static readonly string[] Order = ["c10", "c10_cuda", "torch_cpu", "torch_cuda", "torch_cuda_linalg", "torch"];

    internal static LoadedLibraries Load(NativeSearch search)
    {
        var tried = new StringBuilder();
        var isAnywhere = search.Setting is { Length: > 0 };
        foreach (var folder in search.LibTorchFolders)
        {
            var missing = Required.Select(Platform.FileName).Where(file => !File.Exists(Path.Combine(folder, file))).ToArray();
            isAnywhere |= missing.Length < Required.Length;
            if (!Directory.Exists(folder))
                tried.AppendLine($"  {folder}\n    no such folder");
            else if (missing.Length > 0)
                tried.AppendLine($"  {folder}\n    no {string.Join(", ", missing)}");
            else if (TryLoadFolder(folder, search, tried) is { } loaded)
                return loaded;
        }
        throw new InputException(isAnywhere ? Diagnosis(search, tried.ToString()) : Absence(search));
    }

    private static LoadedLibraries? TryLoadFolder(string folder, NativeSearch search, StringBuilder tried)
    {
        var handles = new Dictionary<string, IntPtr>();
        string? cudaProblem = null;
        foreach (var library in Order)
        {
            var path = Path.Combine(folder, Platform.FileName(library));
            if (!File.Exists(path))
                continue;
            if (TryLoad(path, out var problem) is { } handle)
                handles[library] = handle;
            else if (Cuda.Contains(library))
                cudaProblem ??= $"{path} does not load: {problem}";
            else
            {
                tried.AppendLine($"  {path}\n    {problem}");
                return null;
            }
        }
        WithoutNnpack(handles["torch_cpu"]);
        if (!handles.ContainsKey("torch_cuda"))
            cudaProblem ??= $"the libtorch in {folder} is built for the CPU only; to use a GPU set {NativeSearch.SettingName} to the "
                + "lib folder of a PyTorch or libtorch with CUDA";
        return LoadTorchSharp(folder, cudaProblem, handles, search, tried);
    }

    /// <summary>
    /// Switches NNPACK off, which libtorch would use for small convolutions of one item: on a processor that it does not know, a warning
    /// goes to standard error each time. TorchSharp does not expose torch.backends.nnpack. The function that it calls is exported, where
    /// names are mangled as GCC and Clang do.
    /// </summary>
    private static unsafe void WithoutNnpack(IntPtr library)
    {
        if (!NativeLibrary.TryGetExport(library, "_ZN2at13globalContextEv", out var context)
            || !NativeLibrary.TryGetExport(library, "_ZN2at7Context20setUserEnabledNNPACKEb", out var enable))
            return;
        ((delegate* unmanaged<nint, byte, void>)enable)(((delegate* unmanaged<nint>)context)(), 0);
    }

    private static LoadedLibraries? LoadTorchSharp(
        string folder, string? cudaProblem, Dictionary<string, IntPtr> handles, NativeSearch search, StringBuilder tried)
    {
        var name = Platform.FileName(TorchSharpLibrary);
        var paths = search.TorchSharpFolders.Select(f => Path.Combine(f, name)).Where(File.Exists).ToArray();
        if (paths.Length == 0)
            tried.AppendLine($"  {name}\n    not in {string.Join("\n    nor in ", search.TorchSharpFolders)}");
        foreach (var path in paths)
        {
            if (TryLoad(path, out var problem) is { } handle)
            {
                handles[TorchSharpLibrary] = handle;
                return new LoadedLibraries(folder, path, false, cudaProblem, handles);
            }
            tried.AppendLine($"  {path}\n    {problem}");
            if (OperatingSystem.IsLinux() && problem.Contains(ElfPatch.HarmlessVersion)
                && TryLoadPatched(path, search.CacheFolder, tried) is var (copy, patched))
            {
                handles[TorchSharpLibrary] = patched;
                return new LoadedLibraries(folder, copy, true, cudaProblem, handles);
            }
        }
        return null;
    }

    private static (string Path, IntPtr Handle)? TryLoadPatched(string library, string? cacheFolder, StringBuilder tried)
    {
        if (cacheFolder is not null && TryPatch(cacheFolder, () => ElfPatch.WritePatchedCopy(library, cacheFolder), tried) is { } cached)
            return LoadCopy(cached, tried);
        // No place of the user's can be written (a read-only home, say): a temporary copy, gone from the disk once loaded.
        var folder = Path.GetTempPath();
        using var temporary = TryPatch(folder, () => WriteTemporary(folder, ElfPatch.Patched(library)), tried);
        return temporary is null ? null : LoadCopy(temporary.Path, tried);
    }

    private static UnfinishedFile WriteTemporary(string folder, byte[] image)
    {
        var file = new UnfinishedFile(folder);
        try
        {
            RandomAccess.Write(file.Handle, image, 0);
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static T? TryPatch<T>(string folder, Func<T> patch, StringBuilder tried) where T : class
    {
        try
        {
            return patch();
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException or BadImageFormatException or InputException)
        {
            tried.AppendLine($"  a copy of it patched for older systems, in {folder}\n    {cause.Message}");
            return null;
        }
    }

    private static (string Path, IntPtr Handle)? LoadCopy(string copy, StringBuilder tried)
    {
        if (TryLoad(copy, out var problem) is { } handle)
            return (copy, handle);
        tried.AppendLine($"  {copy} (copy patched for older systems)\n    {problem}");
        return null;
    }

    private static IntPtr? TryLoad(string path, out string problem)
    {
        try
        {
            problem = "";
            return NativeLibrary.Load(path);
        }
        catch (Exception cause) when (cause is DllNotFoundException or BadImageFormatException)
        {
            problem = FirstReason(cause.Message);
            return null;
        }
    }

    // The runtime's message has a general sentence, then the loader's own lines, some of them repeated for other spellings.
    private static string FirstReason(string message)
    {
        var lines = message.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return lines.FirstOrDefault(l => l.Contains("version `") || l.Contains("undefined symbol") || l.Contains("cannot open") || l.Contains(NoExecutables))
            ?? lines[^1];
    }

    /// <summary>The error message if there is no libtorch at all: the package to add, or the platforms that have one.</summary>
    private static string Absence(NativeSearch search) =>
        Platform.HasPackages
            ? $"libtorch, the native tensor library, is missing: add the NuGet package libtorch-cpu-{Platform.Rid} {search.LibTorchVersion} to "
                + $"the application, or set {NativeSearch.SettingName} to the lib folder of an installed PyTorch or libtorch {search.LibTorchVersion}."
            : $"libtorch, the native tensor library, is missing: there is no package of it and of TorchSharp's own library for {Platform.Rid}, "
                + $"only for {string.Join(", ", Platform.PackageRids)}.";

    private const string ExecutablesAdvice =
        """

          where it says 'failed to map segment', the file system may hold no executables (it is mounted noexec): put libtorch on another,
          and let XDG_DATA_HOME or TMPDIR name a folder there for the patched copy
        """;

    private static string Diagnosis(NativeSearch search, string tried) =>
        $"""
        libtorch, the native tensor library, could not be loaded (libtorch {search.LibTorchVersion}, TorchSharp {search.TorchSharpVersion}, {Platform.Rid}).
        Tried:
        {tried.TrimEnd()}
        {(search.Setting is { Length: > 0 } setting
            ? $"{NativeSearch.SettingName} is set to '{setting}', so no other libtorch was looked for."
            : $"{NativeSearch.SettingName} is not set.")}
        What to do, one of:{(tried.Contains(NoExecutables) ? ExecutablesAdvice : "")}
          NuGet package libtorch-cpu-{Platform.Rid} {search.LibTorchVersion}, added to the application
          {NativeSearch.SettingName}=FOLDER          uses an installed libtorch or PyTorch {search.LibTorchVersion}, the way to CUDA; print its folder with
                                           python -c "import torch, os; print(os.path.join(os.path.dirname(torch.__file__), 'lib'))"
        """;
}
