using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace FunctionalSeparation.Core;

/// <summary>
/// One step of an LSTM on float32 in the processor's memory: it replaces a dozen operations of libtorch, each of which costs more than its
/// arithmetic. Rows are contiguous; gates lie side by side as i, f, g, o.
/// </summary>
internal static class LstmStep
{
    private static readonly int Width = Vector512<float>.Count;

    /// <summary>sums += state weight, for one item.</summary>
    /// <param name="sums">[columns].</param>
    /// <param name="state">[rows].</param>
    /// <param name="weight">[rows, columns].</param>
    public static void AddProduct(Span<float> sums, ReadOnlySpan<float> state, ReadOnlySpan<float> weight)
    {
        const int together = 4;
        var row = 0;
        for (; row + together <= state.Length; row += together)
        {
            var rows = weight.Slice(row * sums.Length, together * sums.Length);
            AddRows(sums, state.Slice(row, together), rows);
        }
        for (; row < state.Length; row++)
            AddRow(sums, state[row], weight.Slice(row * sums.Length, sums.Length));
    }

    /// <summary>Makes the gates of their sums, and the next states of one item.</summary>
    /// <param name="gates">Sums of the four gates; the gates afterwards, [4 units].</param>
    /// <param name="lastCell">c(t-1), [units].</param>
    /// <param name="hidden">h(t), [units].</param>
    /// <param name="cell">c(t), [units].</param>
    public static void Advance(Span<float> gates, ReadOnlySpan<float> lastCell, Span<float> hidden, Span<float> cell)
    {
        var units = hidden.Length;
        var input = gates[..units];
        var forget = gates.Slice(units, units);
        var candidate = gates.Slice(2 * units, units);
        var output = gates.Slice(3 * units, units);
        Logistic(gates[..(2 * units)]);
        Tanh(candidate, candidate);
        Logistic(output);
        for (var i = 0; i < units; i++) cell[i] = forget[i] * lastCell[i] + input[i] * candidate[i];
        Tanh(cell, hidden);
        for (var i = 0; i < units; i++) hidden[i] *= output[i];
    }

    private static void AddRows(Span<float> sums, ReadOnlySpan<float> state, ReadOnlySpan<float> rows)
    {
        var columns = sums.Length;
        var (s0, s1) = (Vector512.Create(state[0]), Vector512.Create(state[1]));
        var (s2, s3) = (Vector512.Create(state[2]), Vector512.Create(state[3]));
        ref var sum = ref MemoryMarshal.GetReference(sums);
        ref var row = ref MemoryMarshal.GetReference(rows);
        var i = 0;
        for (; i + Width <= columns; i += Width)
        {
            var (at, total) = ((nuint)i, Vector512.LoadUnsafe(ref sum, (nuint)i));
            total = Vector512.FusedMultiplyAdd(s0, Vector512.LoadUnsafe(ref row, at), total);
            total = Vector512.FusedMultiplyAdd(s1, Vector512.LoadUnsafe(ref row, at + (nuint)columns), total);
            total = Vector512.FusedMultiplyAdd(s2, Vector512.LoadUnsafe(ref row, at + (nuint)(2 * columns)), total);
            total = Vector512.FusedMultiplyAdd(s3, Vector512.LoadUnsafe(ref row, at + (nuint)(3 * columns)), total);
            total.StoreUnsafe(ref sum, at);
        }
        for (; i < columns; i++)
            sums[i] += state[0] * rows[i] + state[1] * rows[columns + i]
                + state[2] * rows[2 * columns + i] + state[3] * rows[3 * columns + i];
    }

    private static void AddRow(Span<float> sums, float state, ReadOnlySpan<float> row)
    {
        for (var i = 0; i < sums.Length; i++) sums[i] += state * row[i];
    }

    /// <summary>1 / (1 + exp(-x)), in place.</summary>
    private static void Logistic(Span<float> values)
    {
        var i = 0;
        for (; i + Width <= values.Length; i += Width) LogisticOf(Vector512.Create<float>(values[i..])).CopyTo(values[i..]);
        for (; i < values.Length; i++) values[i] = 1 / (1 + MathF.Exp(-values[i]));
    }

    /// <summary>tanh x = 2 / (1 + exp(-2 x)) - 1.</summary>
    private static void Tanh(ReadOnlySpan<float> values, Span<float> results)
    {
        var i = 0;
        for (; i + Width <= values.Length; i += Width)
        {
            var x = Vector512.Create<float>(values[i..]);
            (2 * LogisticOf(x + x) - Vector512<float>.One).CopyTo(results[i..]);
        }
        for (; i < values.Length; i++) results[i] = MathF.Tanh(values[i]);
    }

    private static Vector512<float> LogisticOf(Vector512<float> x) =>
        Vector512<float>.One / (Vector512<float>.One + Vector512.Exp(-x));
}
