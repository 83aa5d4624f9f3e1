using System.Globalization;
using TorchSharp;

namespace FunctionalSeparation.Core;

/// <summary>Devices by name. A device that was asked for and is absent is an error, never quietly the CPU.</summary>
public static class Devices
{
    /// <summary>The device that <paramref name="name"/> names.</summary>
    /// <param name="name">
    /// <c>cpu</c>; <c>cuda</c> (the first GPU); <c>cuda:N</c> (GPU N, from 0); or <c>auto</c>: the first GPU where there is one,
    /// else the CPU. Upper and lower case are alike.
    /// </param>
    /// <exception cref="InputException">The name is not a device, or the device is absent; the message lists what is there.</exception>
    public static torch.Device Parse(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        var wanted = name.Trim().ToLowerInvariant();
        if (wanted == "cpu")
            return Cpu();
        if (wanted == "auto")
            return CountCuda().Count > 0 ? Cuda(0) : Cpu();
        var index = wanted == "cuda" ? 0
            : wanted.StartsWith("cuda:", StringComparison.Ordinal)
                && int.TryParse(wanted.AsSpan(5), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number
            : throw new InputException($"'{name}' is not a device. {Available()}");
        var (count, problem) = CountCuda();
        if (index < count)
            return Cuda(index);
        throw new InputException(
            count == 0 ? $"Device '{name}' cannot be used: {problem}. {Available()}" : $"There is no device '{name}'. {Available()}");
    }

    /// <summary>
    /// A description of a device: <c>cpu, 2 threads</c> (those that one tensor operation may use), <c>cuda:0 NVIDIA H100 80GB HBM3</c>.
    /// </summary>
    /// <param name="device">A device that is there, as <see cref="Parse"/> gives it.</param>
    public static string Describe(torch.Device device)
    {
        ArgumentNullException.ThrowIfNull(device);
        if (device.type == DeviceType.CUDA) return $"cuda:{device.index} {CudaDriver.NameOf(device.index)}";
        var threads = device.type == DeviceType.CPU ? torch.get_num_threads() : 0;
        return threads == 0 ? device.ToString() : string.Create(CultureInfo.InvariantCulture, $"cpu, {threads} thread{(threads == 1 ? "" : "s")}");
    }

    /// <summary>Number of CUDA devices, and why there is none where there is none.</summary>
    internal static (int Count, string? Problem) CountCuda()
    {
        // Without the CUDA half TorchSharp's own question would go looking for packages, and print what it finds.
        if (TorchRuntime.Libraries().CudaProblem is { } problem)
            return (0, problem);
        var count = torch.cuda.is_available() ? torch.cuda.device_count() : 0;
        return (count, count > 0 ? null : "libtorch has CUDA, but the driver shows no device (try nvidia-smi, and CUDA_VISIBLE_DEVICES)");
    }

    private static string Available()
    {
        var count = CountCuda().Count;
        return $"Available: {string.Join(", ", ["cpu", .. Enumerable.Range(0, count).Select(i => $"cuda:{i}"), "auto"])}.";
    }

    private static torch.Device Cpu()
    {
        TorchRuntime.Initialize();
        return new torch.Device(DeviceType.CPU);
    }

    private static torch.Device Cuda(int index) => new(DeviceType.CUDA, index);
}
