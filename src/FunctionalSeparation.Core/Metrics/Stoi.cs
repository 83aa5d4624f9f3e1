using TorchSharp;
using static TorchSharp.torch;

namespace FunctionalSeparation.Core;

/// <summary>
/// Short-time objective intelligibility (Taal, Hendriks, Heusdens and Jensen, "An algorithm for intelligibility prediction of
/// time-frequency weighted noisy speech", IEEE TASLP 2011). It measures how well the envelopes of processed speech follow those of the
/// clean speech, in 15 one-third octave bands and segments of 384 ms. It is at most 1.
/// </summary>
public static class Stoi
{
    /// <summary>The sample rate that the measure works at, Hz.</summary>
    public const int SampleRate = 10000;

    /// <summary>One-third octave bands.</summary>
    public const int Bands = 15;

    /// <summary>Frames of a segment: 384 ms.</summary>
    public const int SegmentFrames = 30;

    private const int FrameLength = 256;
    private const int Hop = FrameLength / 2;
    private const int FftSize = 512;
    private const double LowestCentre = 150;
    private const double DynamicRange = 40;
    private const double LowestSdr = -15;

    /// <summary>Below any product of audible envelopes: keeps 0 / 0 from being NaN.</summary>
    private const double Tiny = 1e-200;

    /// <summary>The measure of one signal.</summary>
    /// <param name="clean">The clean speech, [samples].</param>
    /// <param name="processed">The noisy or processed speech, aligned with it and as long.</param>
    /// <param name="sampleRate">Sample rate of both, Hz; other rates than 10 kHz are resampled.</param>
    /// <returns>
    /// At most 1, which is equality up to scale. NaN where the speech without its silent frames is shorter than 384 ms, as for silent clean
    /// speech. NaN also where the processed speech has samples that are not finite numbers.
    /// </returns>
    /// <exception cref="ArgumentException">
    /// The lengths differ, clean speech has samples that are not finite numbers, or a rate below 1 Hz.
    /// </exception>
    /// <exception cref="InputException">libtorch could not be loaded.</exception>
    public static double Compute(float[] clean, float[] processed, int sampleRate)
    {
        ArgumentNullException.ThrowIfNull(clean);
        ArgumentNullException.ThrowIfNull(processed);
        if (clean.Length != processed.Length)
            throw new ArgumentException($"Clean speech has {clean.Length} samples, processed speech {processed.Length}.", nameof(processed));
        if (!clean.All(float.IsFinite)) throw new ArgumentException("Clean speech has samples that are not finite numbers.", nameof(clean));
        if (!processed.All(float.IsFinite)) return double.NaN;
        TorchRuntime.Initialize();
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        var signals = stack([At10kHz(clean, sampleRate), At10kHz(processed, sampleRate)]);
        if (signals.shape[1] < FrameLength) return double.NaN;
        var spoken = WithoutSilentFrames(signals);
        return spoken.shape[1] < FrameLength + (SegmentFrames - 1) * Hop ? double.NaN : MeanCorrelation(BandEnvelopes(spoken));
    }

    /// <summary>
    /// The intermediate measure of one segment of one band (equations 3 to 5). The processed envelope is scaled to the energy of the clean
    /// one, and clipped where its signal to distortion ratio would fall below -15 dB. It is then correlated with the clean one.
    /// </summary>
    /// <param name="clean">Envelopes of the clean speech, [..., frames].</param>
    /// <param name="processed">Envelopes of the processed speech, of the same shape.</param>
    /// <returns>Correlation coefficients, [...]; 0 where an envelope is constant.</returns>
    /// <exception cref="ArgumentException">The shapes differ.</exception>
    public static Tensor SegmentCorrelation(Tensor clean, Tensor processed)
    {
        Shapes.RequireSame(nameof(Stoi), "clean envelopes", clean, "processed ones", processed);
        using var scope = NewDisposeScope();
        var gain = (clean.Square().sum(-1, keepdim: true) / processed.Square().sum(-1, keepdim: true).ClampMin(Tiny)).sqrt();
        var clipped = minimum(processed * gain, clean.Mul(1 + Math.Pow(10, -LowestSdr / 20)));
        var (x, y) = (Centred(clean), Centred(clipped));
        var norms = (x.Square().sum(-1) * y.Square().sum(-1)).sqrt();
        return ((x * y).sum(-1) / norms.ClampMin(Tiny)).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// First and last bin, exclusive, of each band of an FFT of 512 points at 10 kHz. The centres are 150 Hz × 2^(k/3); the edges are a
    /// sixth of an octave around them, moved to the nearest bins.
    /// </summary>
    public static IReadOnlyList<(int First, int End)> BandBins { get; } =
        [.. Enumerable.Range(0, Bands).Select(k => (NearestBin(k - 0.5), NearestBin(k + 0.5)))];

    private static int NearestBin(double third) => (int)Math.Round(LowestCentre * Math.Pow(2, third / 3) * FftSize / SampleRate);

    private static Tensor At10kHz(float[] signal, int rate) => tensor(Resampler.Resample(signal, rate, SampleRate)).to(float64);

    private static Tensor Centred(Tensor envelope) => envelope - envelope.mean([-1], keepdim: true);

    /// <summary>A Hann window without its zeros at the ends.</summary>
    private static Tensor Window() =>
        Arithmetic.Integers(1, FrameLength + 1).to_type(ScalarType.Float64).Mul(Math.PI / (FrameLength + 1)).sin().Square();

    /// <summary>[signals, samples] to windowed [signals, frames, 256].</summary>
    private static Tensor Frames(Tensor signals) => signals.unfold(-1, FrameLength, Hop) * Window();

    /// <summary>Overlap-adds the frames in which the clean speech, row 0, is less than 40 dB below its loudest frame.</summary>
    private static Tensor WithoutSilentFrames(Tensor signals)
    {
        var frames = Frames(signals);
        var energies = frames[0].Square().sum(-1);
        var spoken = frames.index_select(1, (energies > energies.max().Mul(Math.Pow(10, -DynamicRange / 10))).nonzero().squeeze(1));
        var count = spoken.shape[1];
        if (count == 0) return zeros(2, 0, dtype: float64);
        var early = nn.functional.pad(spoken.narrow(2, 0, Hop).reshape(2, -1), [0, Hop]);
        var late = nn.functional.pad(spoken.narrow(2, Hop, Hop).reshape(2, -1), [Hop, 0]);
        return early.Add(late);
    }

    /// <summary>Norms of the spectrum in each band, [signals, samples] to [signals, bands, frames] (equation 1).</summary>
    private static Tensor BandEnvelopes(Tensor signals)
    {
        var powers = fft.rfft(Frames(signals), FftSize).abs().Square();
        return stack(BandBins.Select(band => powers.narrow(2, band.First, band.End - band.First).sum(-1).sqrt()), 1);
    }

    /// <summary>The mean over all bands and all segments, one beginning at each frame (equation 6).</summary>
    private static double MeanCorrelation(Tensor envelopes)
    {
        var stretches = envelopes.unfold(-1, SegmentFrames, 1);
        return SegmentCorrelation(stretches[0], stretches[1]).mean().item<double>();
    }
}
