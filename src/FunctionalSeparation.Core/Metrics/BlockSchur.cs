using System.Numerics;
using System.Runtime.InteropServices;

namespace FunctionalSeparation.Core;

/// <summary>
/// Triangular solution with a symmetric positive definite block-Toeplitz matrix by the generalised Schur algorithm (Kailath and Sayed,
/// "Displacement structure: theory and applications", SIAM Review 1995). It takes n² operations and n memory, where a Cholesky
/// factorisation takes n³ and n².
/// </summary>
/// <remarks>
/// With Z the shift down by one block, G - Z G Z' = A A' - B B'. A and B have the number of columns of a block. Rotations bring one row at
/// a time to a single entry in A. That column of A is then the next column of the Cholesky factor R, and shifting it by a block gives the
/// rest of G. The hyperbolic rotations are in the mixed form, which is backward stable.
/// </remarks>
internal static class BlockSchur
{
    // Relative to the greatest diagonal entry. Below it a pivot has no digits left, and the caller wants another method.
    private const double SmallestPivot = 1e-13;

    /// <summary>
    /// Replaces every right-hand side d by R⁻¹ d, where G = R R'. False, with the right-hand sides spoilt, where G is not safely
    /// positive definite.
    /// </summary>
    /// <param name="firstColumns">The first columns of G, one block of them; overwritten.</param>
    /// <param name="rightSides">Right-hand sides.</param>
    internal static bool TryWhiten(double[][] firstColumns, double[][] rightSides)
    {
        var block = firstColumns.Length;
        var size = firstColumns[0].Length;
        var least = SmallestPivot * Enumerable.Range(0, block).Max(j => firstColumns[j][j]);
        if (!TryDivideByFirstBlock(firstColumns, least))
            return false;
        var plus = firstColumns;
        double[][] minus = [.. plus.Select(column => (double[])column.Clone())];
        foreach (var column in minus)
            column.AsSpan(0, block).Clear();

        for (var row = 0; row < size; row++)
        {
            var pivot = plus[row % block];
            foreach (var other in plus)
                if (other != pivot)
                    Rotate(pivot.AsSpan(row), other.AsSpan(row));
            for (var j = 1; j < block; j++)
                Rotate(minus[0].AsSpan(row), minus[j].AsSpan(row));
            if (!TryRotateHyperbolic(pivot.AsSpan(row), minus[0].AsSpan(row)) || !(pivot[row] * pivot[row] > least))
                return false;
            foreach (var side in rightSides)
                Eliminate(side.AsSpan(row), pivot.AsSpan(row));
            if (row + block < size)
                pivot.AsSpan(row, size - row - block).CopyTo(pivot.AsSpan(row + block));
            pivot.AsSpan(row, Math.Min(block, size - row)).Clear();
        }
        return true;
    }

    /// <summary>With U the Cholesky factor of the first block, turns the columns C into C U⁻ᵀ.</summary>
    private static bool TryDivideByFirstBlock(double[][] columns, double least)
    {
        for (var j = 0; j < columns.Length; j++)
        {
            if (!(columns[j][j] > least))
                return false;
            var scale = 1 / Math.Sqrt(columns[j][j]);
            for (var row = 0; row < columns[j].Length; row++)
                columns[j][row] *= scale;
            for (var next = j + 1; next < columns.Length; next++)
            {
                var factor = columns[j][next];
                for (var row = 0; row < columns[j].Length; row++)
                    columns[next][row] -= factor * columns[j][row];
            }
        }
        return true;
    }

    /// <summary>Turns the pair so that y[0] becomes 0.</summary>
    private static void Rotate(Span<double> x, Span<double> y)
    {
        if (y[0] == 0)
            return;
        var length = double.Hypot(x[0], y[0]);
        double cosine = x[0] / length, sine = y[0] / length;
        Span<Vector<double>> xs = Vectors(x), ys = Vectors(y);
        for (var i = 0; i < xs.Length; i++)
            (xs[i], ys[i]) = (cosine * xs[i] + sine * ys[i], cosine * ys[i] - sine * xs[i]);
        for (var i = xs.Length * Vector<double>.Count; i < x.Length; i++)
            (x[i], y[i]) = (cosine * x[i] + sine * y[i], cosine * y[i] - sine * x[i]);
        y[0] = 0;
    }

    /// <summary>Turns the pair, with x x' - y y' kept, so that y[0] becomes 0.</summary>
    private static bool TryRotateHyperbolic(Span<double> x, Span<double> y)
    {
        var ratio = y[0] / x[0];
        if (!(Math.Abs(ratio) < 1))
            return false;
        var cosine = Math.Sqrt((1 - ratio) * (1 + ratio));
        var inverse = 1 / cosine;
        Span<Vector<double>> xs = Vectors(x), ys = Vectors(y);
        for (var i = 0; i < xs.Length; i++)
        {
            xs[i] = inverse * (xs[i] - ratio * ys[i]);
            ys[i] = cosine * ys[i] - ratio * xs[i];
        }
        for (var i = xs.Length * Vector<double>.Count; i < x.Length; i++)
        {
            x[i] = inverse * (x[i] - ratio * y[i]);
            y[i] = cosine * y[i] - ratio * x[i];
        }
        y[0] = 0;
        return true;
    }

    /// <summary>One step of forward substitution: side[0] becomes the unknown, the rest loses its share.</summary>
    private static void Eliminate(Span<double> side, ReadOnlySpan<double> column)
    {
        var unknown = side[0] / column[0];
        var to = Vectors(side);
        var from = MemoryMarshal.Cast<double, Vector<double>>(column);
        for (var i = 0; i < to.Length; i++)
            to[i] -= unknown * from[i];
        for (var i = to.Length * Vector<double>.Count; i < side.Length; i++)
            side[i] -= unknown * column[i];
        side[0] = unknown;
    }

    private static Span<Vector<double>> Vectors(Span<double> values) => MemoryMarshal.Cast<double, Vector<double>>(values);
}
