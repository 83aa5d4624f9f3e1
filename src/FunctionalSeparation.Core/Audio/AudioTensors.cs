using TorchSharp;
using static TorchSharp.torch;

namespace FunctionalSeparation.Core;

/// <summary>Sound to and from tensors of libtorch.</summary>
public static class AudioTensors
{
    /// <summary>The samples as a new tensor, [channels, samples] of float32.</summary>
    /// <param name="audio">The sound.</param>
    /// <param name="device">Where it lies; null: on the CPU.</param>
    /// <exception cref="InputException">libtorch could not be loaded.</exception>
    public static Tensor ToTensor(this AudioBuffer audio, Device? device = null)
    {
        ArgumentNullException.ThrowIfNull(audio);
        TorchRuntime.Initialize();
        using var scope = NewDisposeScope();
        var samples = stack(audio.Channels.Select(channel => tensor(channel)));
        return (device is null ? samples : samples.to(device)).MoveToOuterDisposeScope();
    }

    /// <summary>A sound with a copy of the samples.</summary>
    /// <param name="samples">[channels, samples], or [samples] of one channel; real numbers of any type, on any device.</param>
    /// <param name="sampleRate">Sample rate in Hz.</param>
    /// <exception cref="ArgumentException">Another shape, complex numbers, or a sample rate below 1 Hz.</exception>
    public static AudioBuffer FromTensor(Tensor samples, int sampleRate)
    {
        ArgumentNullException.ThrowIfNull(samples);
        if (samples.dim() is not (1 or 2) || samples.is_complex() || samples.shape[0] == 0)
            throw new ArgumentException($"A sound is [channels, samples] of real numbers, got {Shapes.Describe(samples)}.", nameof(samples));
        using var scope = NewDisposeScope();
        var rows = samples.detach().to(CPU).to_type(ScalarType.Float32).reshape(samples.dim() == 1 ? 1 : samples.shape[0], samples.shape[^1]);
        return new AudioBuffer([.. rows.unbind().Select(row => row.contiguous().data<float>().ToArray())], sampleRate);
    }
}
