using TorchSharp;
using static TorchSharp.torch;

namespace FunctionalSeparation.Core;

/// <summary>The analysis (and synthesis) window of an STFT.</summary>
public enum StftWindow
{
    /// <summary>Periodic Hann: 0.5 - 0.5 cos(2 pi n / N).</summary>
    Hann,

    /// <summary>Half a sine: sin(pi n / N); its square overlaps to one at a hop of N/2.</summary>
    Sine,
}

/// <summary>
/// Short-time Fourier transform: real signals [..., samples] to complex spectrograms [..., frames, bins] and back, on the
/// tensor's own device and in its own precision. A value: it holds settings only, and tensors are made where they are used.
/// </summary>
/// <param name="FftSize">Window and transform length in samples (n_fft), even.</param>
/// <param name="HopLength">Samples between frames; divides <paramref name="FftSize"/> and is at most half of it.</param>
/// <param name="Window">The window.</param>
/// <param name="Centred">
/// True: the signal is reflected by half a window at both ends, every sample is inside, and the inverse divides by the overlapped squared
/// windows, so it is exact. False: there is no padding, and a tail that does not fill a frame is dropped. The inverse then does not divide,
/// so the first and last half window stay tapered (Huang et al. 2014, authors' code).
/// </param>
public sealed record Stft(int FftSize, int HopLength, StftWindow Window, bool Centred)
{
    /// <summary>The window.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such window.</exception>
    public StftWindow Window { get; init => field = Defined(value); } = Defined(Window);

    /// <summary>n_fft 1024, hop 512, sine window, no padding: the 64 ms setting of Huang et al. (ISMIR 2014) at 16 kHz.</summary>
    public static Stft Huang2014 { get; } = new(1024, 512, StftWindow.Sine, Centred: false);

    /// <summary>Frequency bins: n_fft/2 + 1.</summary>
    public int Bins => FftSize / 2 + 1;

    /// <summary>Frames of a signal.</summary>
    /// <param name="samples">Length of the signal in samples.</param>
    /// <returns>The number of frames; 0 where the signal is too short to be transformed.</returns>
    /// <exception cref="ArgumentException">The settings contradict each other.</exception>
    public long Frames(long samples)
    {
        Validate();
        return Centred ? (samples > FftSize / 2 ? 1 + samples / HopLength : 0)
            : (samples >= FftSize ? 1 + (samples - FftSize) / HopLength : 0);
    }

    /// <summary>Samples that the inverse of <paramref name="frames"/> frames gives when no length is requested.</summary>
    /// <param name="frames">Number of frames, at least 1.</param>
    /// <exception cref="ArgumentException">No frame, or settings that contradict each other.</exception>
    public long Samples(long frames)
    {
        Validate();
        ArgumentOutOfRangeException.ThrowIfLessThan(frames, 1);
        return (frames - 1) * HopLength + (Centred ? 0 : FftSize);
    }

    /// <summary>Transforms a signal.</summary>
    /// <param name="signal">Real tensor [..., samples].</param>
    /// <returns>Complex tensor [..., frames, bins].</returns>
    /// <exception cref="ArgumentException">
    /// The signal is shorter than a window (centred: than half a window), or of another type than float32 or float64.
    /// </exception>
    public Tensor Forward(Tensor signal)
    {
        Validate();
        Shapes.Require(nameof(Stft), "a signal", signal, [Axis.Leading, Axis.Any("samples")]);
        Shapes.RequireType(nameof(Stft), "a signal", signal, ScalarType.Float32, ScalarType.Float64);
        var samples = signal.shape[^1];
        if (Frames(samples) == 0)
            throw new ArgumentException(
                $"A signal of {samples} samples is too short for an STFT with a window of {FftSize} samples.", nameof(signal));
        using var scope = NewDisposeScope();
        var framed = (Centred ? Reflect(signal) : signal).unfold(-1, FftSize, HopLength) * Weights(signal.dtype, signal.device);
        return fft.rfft(framed).MoveToOuterDisposeScope();
    }

    /// <summary>Inverts a transform by windowed overlap-add.</summary>
    /// <param name="spectrogram">Complex tensor [..., frames, bins].</param>
    /// <param name="length">
    /// Samples wanted (centred only, at most one hop above <see cref="Samples"/>); otherwise <see cref="Samples"/>.
    /// </param>
    /// <returns>Real tensor [..., samples].</returns>
    /// <exception cref="ArgumentException">
    /// The spectrogram has other bins than these settings, no frame, or is not complex; a length that it cannot give.
    /// </exception>
    public Tensor Inverse(Tensor spectrogram, long? length = null)
    {
        Validate();
        Shapes.Require(nameof(Stft), "a spectrogram", spectrogram, [Axis.Leading, Axis.Any("frames"), Axis.Of(Bins)]);
        Shapes.RequireType(nameof(Stft), "a spectrogram", spectrogram, ScalarType.ComplexFloat32, ScalarType.ComplexFloat64);
        RequireLength(spectrogram.shape[^2], length);
        using var scope = NewDisposeScope();
        var frames = fft.irfft(spectrogram, FftSize);
        var window = Weights(frames.dtype, frames.device);
        var sum = OverlapAdd(frames * window);
        if (!Centred)
            return sum.MoveToOuterDisposeScope();
        var count = spectrogram.shape[^2];
        var gain = OverlapGain(count, frames.dtype, frames.device);
        return (sum / gain.ClampMin(1e-11)).narrow(-1, FftSize / 2, length ?? Samples(count)).clone().MoveToOuterDisposeScope();
    }

    /// <summary>The overlapped squared windows: the factors by which transform and overlap-add multiply a signal, ends included.</summary>
    /// <param name="frames">Number of frames, at least 1.</param>
    /// <param name="dtype">Real element type.</param>
    /// <param name="device">Where to make it.</param>
    /// <returns>Real tensor [(frames - 1) hop + n_fft], the padding of centred settings included.</returns>
    public Tensor OverlapGain(long frames, ScalarType dtype, Device device)
    {
        Validate();
        ArgumentOutOfRangeException.ThrowIfLessThan(frames, 1);
        using var scope = NewDisposeScope();
        return OverlapAdd(Weights(dtype, device).Square().expand(frames, FftSize)).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// The window. The windows of NWaves are not used, since they are of float32. Its sine, and its Hann window cut from one sample more
    /// (it is a symmetric one), are 3e-8 away from these. Transforms with these agree with the authors' to 1e-12.
    /// </summary>
    /// <param name="dtype">Real element type.</param>
    /// <param name="device">Where to make it.</param>
    /// <returns>Real tensor [n_fft].</returns>
    /// <exception cref="ArgumentException">A type other than float32 and float64.</exception>
    public Tensor Weights(ScalarType dtype, Device device)
    {
        if (dtype is not (ScalarType.Float32 or ScalarType.Float64))
            throw new ArgumentException($"Stft: a window is of float32 or float64, not of {dtype.ToString().ToLowerInvariant()}.", nameof(dtype));
        ArgumentNullException.ThrowIfNull(device);
        Validate();
        using var scope = NewDisposeScope();
        var sine = tensor(Enumerable.Range(0, FftSize).Select(n => n * (Math.PI / FftSize)).ToArray()).sin();
        var window = Window == StftWindow.Sine ? sine : sine * sine;
        return window.to(dtype).to(device).MoveToOuterDisposeScope();
    }

    private static StftWindow Defined(StftWindow window)
    {
        ArgumentOutOfRangeException.ThrowIfUndefined(window, nameof(Window));
        return window;
    }

    private void RequireLength(long frames, long? length)
    {
        if (frames < 1) throw new ArgumentException("Stft: a spectrogram without frames has no inverse.");
        if (length is not { } wanted) return;
        var most = Samples(frames) + (Centred ? HopLength : 0);
        if (wanted < (Centred ? 0 : most) || wanted > most)
            throw new ArgumentException($"{frames} frames give {(Centred ? "at most " : "")}{most} samples, not {wanted}.", nameof(length));
    }

    private Tensor Reflect(Tensor signal)
    {
        var flat = signal.reshape(-1, 1, signal.shape[^1]);
        var padded = nn.functional.pad(flat, [FftSize / 2, FftSize / 2], PaddingModes.Reflect);
        return padded.reshape([.. signal.shape[..^1], padded.shape[^1]]);
    }

    /// <summary>
    /// [..., frames, n_fft] to [..., (frames - 1) hop + n_fft]: frames cut into hops, each row of hops added in its place.
    /// </summary>
    private Tensor OverlapAdd(Tensor frames)
    {
        var count = frames.shape[^2];
        var parts = FftSize / HopLength;
        var hops = frames.reshape([.. frames.shape[..^1], parts, HopLength]);
        var sum = Enumerable.Range(0, parts)
            .Select(part => nn.functional.pad(hops.select(-2, part), [0, 0, part, parts - 1 - part]))
            .Aggregate((a, b) => a.Add(b));
        return sum.reshape([.. frames.shape[..^2], (count + parts - 1) * HopLength]);
    }

    /// <summary>Checks the settings; every transform does so before it begins.</summary>
    /// <exception cref="ArgumentException">n_fft is odd, or the hop does not divide it or exceeds its half.</exception>
    public void Validate()
    {
        if (FftSize < 2 || FftSize % 2 != 0 || HopLength < 1 || FftSize % HopLength != 0 || HopLength > FftSize / 2)
            throw new ArgumentException(
                $"An STFT needs an even n_fft and a hop that divides it and is at most half of it, got n_fft {FftSize}, hop {HopLength}.");
    }
}
