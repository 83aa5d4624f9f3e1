using System.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace FunctionalSeparation.Core;

/// <summary>Correlations of long signals at short lags, by FFTs of short overlapping blocks.</summary>
internal static class Correlation
{
    private const int BlocksAtOnce = 16;

    /// <summary>
    /// All cross-correlations r[i, j, lag] = sum over n of a[i, n] b[j, n + lag] for the lags 0 .. lags - 1, the signals
    /// being zero outside their samples.
    /// </summary>
    /// <param name="a">[I, N], float32 or float64; summed in float64.</param>
    /// <param name="b">[J, N], likewise.</param>
    /// <param name="lags">Number of lags.</param>
    /// <returns>[I, J, lags].</returns>
    internal static Tensor Lags(Tensor a, Tensor b, int lags)
    {
        // A block of `a` meets the same stretch of `b` and lags - 1 samples more; the transform holds the latter.
        var transform = Math.Max(4096, 4 * (long)BitOperations.RoundUpToPowerOf2((uint)lags));
        var step = transform - (lags - 1);
        var length = a.shape[^1];
        var blocks = (length + step - 1) / step;
        var tail = blocks * step - length;
        var plain = nn.functional.pad(a, [0, tail]).reshape(a.shape[0], blocks, step);
        var wide = nn.functional.pad(b, [0, tail + lags - 1]).unfold(-1, transform, step);
        var sums = zeros([a.shape[0], b.shape[0], transform / 2 + 1], dtype: complex128);
        for (long first = 0; first < blocks; first += BlocksAtOnce)
            AddBlocks(sums, plain, wide, first, Math.Min(BlocksAtOnce, blocks - first), transform);
        return fft.irfft(sums, transform).narrow(-1, 0, lags);
    }

    private static void AddBlocks(Tensor sums, Tensor plain, Tensor wide, long first, long count, long transform)
    {
        using var scope = NewDisposeScope();
        var left = fft.rfft(plain.narrow(1, first, count).to(float64), transform).conj();
        var right = fft.rfft(wide.narrow(1, first, count).to(float64), transform);
        for (long i = 0; i < sums.shape[0]; i++)
            sums[i].AddInPlace((left[i] * right).sum(dim: 1));
    }
}
