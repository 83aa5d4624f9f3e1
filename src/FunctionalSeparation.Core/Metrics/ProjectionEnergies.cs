using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace FunctionalSeparation.Core;

/// <summary>
/// What BSS Eval measures: each estimate e is projected on the delayed copies of one reference (P_j e) and on those of all
/// references (P e). All arrays are indexed [estimate, reference]; energies are relative to the estimate's own.
/// </summary>
/// <param name="Target">|P_j e|²: what the reference explains, after the best filter.</param>
/// <param name="Interference">|P e - P_j e|²: what the other references explain beyond that.</param>
/// <param name="Artifacts">|e - P e|²: what no reference explains.</param>
/// <param name="Distortion">|e - P_j e|².</param>
internal sealed record ProjectionEnergies(double[,] Target, double[,] Interference, double[,] Artifacts, double[,] Distortion)
{
    // Below this share of the estimate's energy a difference of energies has lost too many digits: measure it instead.
    private const double SmallestDifference = 1e-6;

    /// <summary>
    /// Projects in closed form. With G the Gram matrix of the delayed references and d their products with e, the energy of
    /// the projection is d' G⁻¹ d = |R⁻¹ d|², where G = R R' (Cholesky). The leading block of R belongs to the first
    /// reference alone, and the rest of R⁻¹ d is then exactly what the others add.
    /// </summary>
    /// <param name="references">[S, N] float64, no row all zero, rows of unit energy.</param>
    /// <param name="estimates">[E, N] float64, rows of unit energy or all zero.</param>
    /// <param name="taps">Length of the filters, in samples.</param>
    internal static ProjectionEnergies Of(Tensor references, Tensor estimates, int taps)
    {
        var sources = (int)references.shape[0];
        var count = (int)estimates.shape[0];
        var lags = Correlation.Lags(references, cat([references, estimates]), taps - 1);
        var gram = Gram(lags, sources, taps);
        var products = lags.narrow(1, sources, count).narrow(2, taps - 1, taps).permute(0, 2, 1).reshape(sources * taps, count);

        var joint = GramFactor.Of(gram);
        var white = joint.Whiten(products);
        var factors = new GramFactor[sources];
        var whites = new Tensor[sources];
        for (var j = 0; j < sources; j++)
        {
            var shared = j == 0 && joint.Triangular;
            factors[j] = shared ? joint.Leading(taps) : GramFactor.Of(gram.narrow(0, j * taps, taps).narrow(1, j * taps, taps));
            whites[j] = shared ? white.narrow(0, 0, taps) : factors[j].Whiten(products.narrow(0, j * taps, taps));
        }

        var own = estimates.square().sum(-1);
        var all = Energy(white);
        var target = stack(whites.Select(Energy), 1);
        var interference = all.unsqueeze(1) - target;
        if (joint.Triangular)
            interference.select(1, 0).copy_(Energy(white.narrow(0, taps, (sources - 1) * taps)));
        var artifacts = (own - all).unsqueeze(1).expand(count, sources);
        var distortion = own.unsqueeze(1) - target;

        var lost = (sources > 1 && AnySmall(interference, own)) || AnySmall(artifacts, own) || AnySmall(distortion, own);
        return lost
            ? Measured(references, estimates, joint.Filters(white), [.. factors.Select((f, j) => f.Filters(whites[j]))], taps)
            : new ProjectionEnergies(Matrix(target), Matrix(interference), Matrix(artifacts), Matrix(distortion));
    }

    private static Tensor Energy(Tensor whitened) => whitened.square().sum(dim: 0); // a bare 0 would be taken for a type

    private static bool AnySmall(Tensor differences, Tensor own) =>
        (differences < SmallestDifference * own.unsqueeze(1)).any().item<bool>();

    /// <summary>The Gram matrix of all delayed references, block-Toeplitz; only the triangle that Cholesky reads is filled.</summary>
    private static Tensor Gram(Tensor lags, int sources, int taps)
    {
        var size = sources * taps;
        var columns = zeros([size, size], dtype: float64);
        var to = MemoryMarshal.Cast<byte, double>(columns.bytes);
        // Reversed, so that going down a column (later delay of j) goes up in memory. Entry k belongs to lag taps - 1 - k.
        var reversed = lags.narrow(1, 0, sources).flip(-1).contiguous();
        var from = MemoryMarshal.Cast<byte, double>(reversed.bytes);
        for (var i = 0; i < sources; i++)
            for (var delay = 0; delay < taps; delay++)
                for (var j = i; j < sources; j++)
                    from.Slice((i * sources + j) * (2 * taps - 1) + taps - 1 - delay, taps)
                        .CopyTo(to[((i * taps + delay) * size + j * taps)..]);
        return columns.mT;
    }

    /// <summary>The same energies from the filtered signals themselves: slower, but exact where scores are very high.</summary>
    private static ProjectionEnergies Measured(Tensor references, Tensor estimates, Tensor joint, Tensor[] single, int taps)
    {
        int sources = (int)references.shape[0], count = (int)estimates.shape[0];
        var transform = SmoothLength(references.shape[1] + taps - 1);
        double[,] Empty() => new double[count, sources];
        var result = new ProjectionEnergies(Empty(), Empty(), Empty(), Empty());
        var spectra = fft.rfft(references, transform);
        Tensor Filtered(Tensor filter, int source) => fft.rfft(filter, transform) * spectra[source];
        double EnergyOf(Tensor spectrum) => fft.irfft(spectrum, transform).square().sum().item<double>();
        for (var e = 0; e < count; e++)
        {
            using var scope = NewDisposeScope();
            var estimate = fft.rfft(estimates[e], transform);
            var filters = joint.select(1, e).reshape(sources, taps);
            var all = Filtered(filters[0], 0);
            for (var j = 1; j < sources; j++)
                all += Filtered(filters[j], j);
            for (var j = 0; j < sources; j++)
            {
                using var inner = NewDisposeScope();
                var target = Filtered(single[j].select(1, e), j);
                result.Target[e, j] = EnergyOf(target);
                result.Interference[e, j] = sources == 1 ? 0 : EnergyOf(all - target);
                result.Artifacts[e, j] = EnergyOf(estimate - all);
                result.Distortion[e, j] = EnergyOf(estimate - target);
            }
        }
        return result;
    }

    private static double[,] Matrix(Tensor values)
    {
        var flat = values.contiguous().data<double>().ToArray();
        var matrix = new double[values.shape[0], values.shape[1]];
        Buffer.BlockCopy(flat, 0, matrix, 0, flat.Length * sizeof(double));
        return matrix;
    }

    /// <summary>The least length from <paramref name="least"/> on that has no prime factor above 5: its FFT is fast.</summary>
    internal static long SmoothLength(long least)
    {
        for (var length = least; ; length++)
        {
            var rest = length;
            foreach (var prime in (ReadOnlySpan<long>)[2, 3, 5])
                while (rest % prime == 0)
                    rest /= prime;
            if (rest == 1)
                return length;
        }
    }
}

/// <summary>A Gram matrix made ready for solving.</summary>
/// <param name="Root">Triangular: the Cholesky factor R. Else V λ^(-1/2) over the eigenvalues that are not numerically zero.</param>
/// <param name="Triangular">Whether the Cholesky factorisation succeeded.</param>
internal sealed record GramFactor(Tensor Root, bool Triangular)
{
    private const double Epsilon = 2.220446049250313e-16;

    /// <summary>
    /// Cholesky; where the matrix is singular to working precision (two references alike up to a filter, say) the
    /// pseudo-inverse by eigenvalues, that is the least-squares projection on the space the references do span.
    /// </summary>
    /// <param name="gram">[n, n], symmetric; only the lower triangle is read.</param>
    internal static GramFactor Of(Tensor gram)
    {
        var (root, info) = linalg.cholesky_ex(gram);
        if (info.item<int>() == 0 && SmallestPivot(root) > 4 * Epsilon * gram.diagonal().max().item<double>())
            return new GramFactor(root, true);
        var (values, vectors) = linalg.eigh(gram, 'L');
        var least = values.max().item<double>() * gram.shape[0] * Epsilon;
        return new GramFactor(vectors * where(values > least, values.rsqrt(), 0), false);
    }

    private static double SmallestPivot(Tensor root) => Math.Pow(root.diagonal().min().item<double>(), 2);

    /// <summary>The factor of the leading block.</summary>
    internal GramFactor Leading(int size) => new(Root.narrow(0, 0, size).narrow(1, 0, size), true);

    /// <summary>z with |z|² = d' G⁻¹ d.</summary>
    internal Tensor Whiten(Tensor products) =>
        Triangular ? linalg.solve_triangular(Root, products, upper: false) : Root.mT.matmul(products);

    /// <summary>G⁻¹ d from z.</summary>
    internal Tensor Filters(Tensor white) =>
        Triangular ? linalg.solve_triangular(Root.mT, white, upper: true) : Root.matmul(white);
}
