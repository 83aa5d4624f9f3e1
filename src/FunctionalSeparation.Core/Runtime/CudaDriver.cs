using System.Runtime.InteropServices;
using System.Text;

namespace FunctionalSeparation.Core;

/// <summary>
/// Reads the name of a GPU, which TorchSharp does not provide, from NVIDIA's driver (functions cuInit, cuDeviceGet, cuDeviceGetName).
/// </summary>
internal static unsafe class CudaDriver
{
    private const int LongestName = 256;

    /// <summary>The name of a GPU that libtorch sees; CUDA_VISIBLE_DEVICES counts for the driver as it does for libtorch.</summary>
    /// <param name="index">Its number, from 0.</param>
    /// <exception cref="InputException">The driver does not answer.</exception>
    public static string NameOf(int index)
    {
        var driver = NativeLibrary.Load(OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1");
        var initialise = (delegate* unmanaged<uint, int>)NativeLibrary.GetExport(driver, "cuInit");
        var deviceOf = (delegate* unmanaged<int*, int, int>)NativeLibrary.GetExport(driver, "cuDeviceGet");
        var nameOf = (delegate* unmanaged<byte*, int, int, int>)NativeLibrary.GetExport(driver, "cuDeviceGetName");
        var name = stackalloc byte[LongestName];
        int device;
        Require(initialise(0), index);
        Require(deviceOf(&device, index), index);
        Require(nameOf(name, LongestName, device), index);
        return Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(name));
    }

    private static void Require(int code, int index)
    {
        if (code != 0)
            throw new InputException($"cuda:{index} does not tell its name (CUDA error {code}): check the driver with nvidia-smi.");
    }
}
