using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace FunctionalSeparation.Core;

/// <summary>
/// The normal equations G c = d of the least-squares projection of estimates on delayed references. Unknowns are ordered by
/// delay, then reference, so that G is block-Toeplitz with one small block a delay difference.
/// </summary>
/// <param name="Correlations">
/// [sources, sources + estimates, taps]: <see cref="Correlation.Lags"/> of the references with all signals.
/// </param>
/// <param name="Chosen">The references to project on.</param>
/// <param name="Sources">Number of all references.</param>
/// <param name="Estimates">Number of estimates.</param>
/// <param name="Taps">Number of delays.</param>
internal sealed record DelayedGram(double[] Correlations, int[] Chosen, int Sources, int Estimates, int Taps)
{
    private const double Epsilon = 2.220446049250313e-16;

    private int Size => Chosen.Length * Taps;

    /// <summary>
    /// The energy of the projection of each estimate, d' G⁻¹ d = |R⁻¹ d|² where G = R R'. Null where G is singular to working
    /// precision, or nearly so.
    /// </summary>
    internal double[]? ProjectedEnergies()
    {
        var products = new double[Estimates][];
        for (var e = 0; e < Estimates; e++)
            products[e] = Column(Sources + e);
        var first = new double[Chosen.Length][];
        for (var j = 0; j < Chosen.Length; j++)
            first[j] = Column(Chosen[j]);
        return BlockSchur.TryWhiten(first, products)
            ? [.. products.Select(white => white.Sum(value => value * value))]
            : null;
    }

    /// <summary>
    /// The filters, [estimates, chosen, taps]. They are found by Cholesky factorisation. Where G is singular to working precision (two
    /// references alike up to a filter, say), they are found by the pseudo-inverse. That is the projection on the space that the references
    /// do span.
    /// </summary>
    internal Tensor Filters()
    {
        var products = stack(Enumerable.Range(Sources, Estimates).Select(e => tensor(Column(e))), 1);
        var gram = Matrix();
        var (root, info) = linalg.cholesky_ex(gram);
        var solvable = info.item<int>() == 0
            && Math.Pow(root.diagonal().min().item<double>(), 2) > 4 * Epsilon * gram.diagonal().max().item<double>();
        var solution = solvable ? cholesky_solve(products, root, upper: false) : PseudoSolve(gram, products);
        return solution.t().reshape(Estimates, Taps, Chosen.Length).transpose(1, 2);
    }

    private static Tensor PseudoSolve(Tensor gram, Tensor products)
    {
        var (values, vectors) = linalg.eigh(gram);
        var least = values.max().item<double>() * gram.shape[0] * Epsilon;
        var inverse = where(values.Gt(least), values.reciprocal(), 0.0);
        return vectors.matmul(inverse.unsqueeze(1) * vectors.t().matmul(products));
    }

    private double At(int source, int signal, int lag) => Correlations[(source * (Sources + Estimates) + signal) * Taps + lag];

    /// <summary>Products of every delayed reference with a signal that is not delayed.</summary>
    private double[] Column(int signal)
    {
        var column = new double[Size];
        for (var delay = 0; delay < Taps; delay++)
            for (var i = 0; i < Chosen.Length; i++)
                column[delay * Chosen.Length + i] = At(Chosen[i], signal, delay);
        return column;
    }

    private Tensor Matrix()
    {
        var matrix = zeros([Size, Size], dtype: float64);
        var entries = MemoryMarshal.Cast<byte, double>(matrix.bytes);
        for (var row = 0; row < Size; row++)
            for (var column = 0; column <= row; column++)
            {
                var lag = row / Chosen.Length - column / Chosen.Length;
                var value = At(Chosen[row % Chosen.Length], Chosen[column % Chosen.Length], lag);
                entries[row * Size + column] = value;
                entries[column * Size + row] = value;
            }
        return matrix;
    }
}
