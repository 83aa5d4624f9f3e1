using System.Runtime.CompilerServices;
using TorchSharp;
using static TorchSharp.torch;

namespace FunctionalSeparation.Core;

/// <summary>
/// Safe arithmetic of tensors and numbers: the one place that makes a <see cref="Scalar"/>. TorchSharp hands the native handle of a scalar
/// to libtorch and keeps nothing alive. The scalar in <c>a + b</c>, <c>2 * a</c> or <c>a.square()</c> is temporary: a collection set off by
/// another thread can free it while libtorch reads it. Here every scalar lives until the call has returned. The results are those of
/// libtorch's own operations, to the last bit.
/// </summary>
/// <remarks>
/// In C# write <c>a.Add(b)</c>, <c>a.Mul(2)</c>, <c>a.Square()</c>. In F#, <c>open FunctionalSeparation</c> gives <c>a .+ b</c> and the
/// lower-case names (<c>a.mul 2.0</c>). Of two tensors, <c>a - b</c>, <c>a * b</c> and <c>a / b</c> need no scalar and are safe as they
/// are. Every method ending in <c>InPlace</c> changes the tensor and returns it. Shapes broadcast as in libtorch.
/// </remarks>
public static class Arithmetic
{
    private static readonly Lazy<Scalar> One = new(() => 1.ToScalar());
    private static readonly Lazy<Scalar> Two = new(() => 2.ToScalar());

    /// <summary>x + y.</summary>
    public static Tensor Add(this Tensor x, Tensor y) => Keep(Given(x).add(Given(y), One.Value), x, y);

    /// <summary>x + factor y.</summary>
    public static Tensor Add(this Tensor x, Tensor y, double factor)
    {
        using var scalar = factor.ToScalar();
        return Keep(Given(x).add(Given(y), scalar), x, y);
    }

    /// <summary>x + number.</summary>
    public static Tensor Add(this Tensor x, double number)
    {
        using var scalar = number.ToScalar();
        return Keep(Given(x).add(scalar, One.Value), x);
    }

    /// <summary>x - number.</summary>
    public static Tensor Sub(this Tensor x, double number)
    {
        using var scalar = number.ToScalar();
        return Keep(Given(x).sub(scalar), x);
    }

    /// <summary>number - x.</summary>
    public static Tensor SubtractedFrom(this Tensor x, double number)
    {
        using var negative = Given(x).neg();
        return negative.Add(number);
    }

    /// <summary>number x.</summary>
    public static Tensor Mul(this Tensor x, double number)
    {
        using var scalar = number.ToScalar();
        return Keep(Given(x).mul(scalar), x);
    }

    /// <summary>x / number.</summary>
    public static Tensor Div(this Tensor x, double number)
    {
        using var scalar = number.ToScalar();
        return Keep(Given(x).div(scalar), x);
    }

    /// <summary>x².</summary>
    public static Tensor Square(this Tensor x) => Keep(Given(x).pow(Two.Value), x);

    /// <summary>x to a power.</summary>
    public static Tensor Pow(this Tensor x, double exponent)
    {
        using var scalar = exponent.ToScalar();
        return Keep(Given(x).pow(scalar), x);
    }

    /// <summary>Each element, at least <paramref name="least"/>; NaN stays NaN.</summary>
    public static Tensor ClampMin(this Tensor x, double least)
    {
        using var scalar = least.ToScalar();
        return Keep(Given(x).clamp_min(scalar), x);
    }

    /// <summary>Each element, at most <paramref name="most"/>; NaN stays NaN.</summary>
    public static Tensor ClampMax(this Tensor x, double most)
    {
        using var scalar = most.ToScalar();
        return Keep(Given(x).clamp_max(scalar), x);
    }

    /// <summary>Each element, brought into [least, most]; NaN stays NaN.</summary>
    public static Tensor Clamp(this Tensor x, double least, double most)
    {
        using var low = least.ToScalar();
        using var high = most.ToScalar();
        return Keep(Given(x).clamp(low, high), x);
    }

    /// <summary>Each element where it is positive, else times a slope.</summary>
    public static Tensor LeakyRelu(this Tensor x, double slope)
    {
        using var scalar = slope.ToScalar();
        return Keep(Given(x).leaky_relu(scalar), x);
    }

    /// <summary>Each element where it is positive, else exp x - 1.</summary>
    public static Tensor Elu(this Tensor x) => Keep(Given(x).elu(One.Value, One.Value, One.Value), x);

    /// <summary>Whether each element equals a number: a boolean tensor, as of all comparisons here.</summary>
    public static Tensor Eq(this Tensor x, double number)
    {
        using var scalar = number.ToScalar();
        return Keep(Given(x).eq(scalar), x);
    }

    /// <summary>x != number.</summary>
    public static Tensor Ne(this Tensor x, double number)
    {
        using var scalar = number.ToScalar();
        return Keep(Given(x).ne(scalar), x);
    }

    /// <summary>x &lt; number.</summary>
    public static Tensor Lt(this Tensor x, double number)
    {
        using var scalar = number.ToScalar();
        return Keep(Given(x).lt(scalar), x);
    }

    /// <summary>x &lt;= number.</summary>
    public static Tensor Le(this Tensor x, double number)
    {
        using var scalar = number.ToScalar();
        return Keep(Given(x).le(scalar), x);
    }

    /// <summary>x &gt; number.</summary>
    public static Tensor Gt(this Tensor x, double number)
    {
        using var scalar = number.ToScalar();
        return Keep(Given(x).gt(scalar), x);
    }

    /// <summary>x &gt;= number.</summary>
    public static Tensor Ge(this Tensor x, double number)
    {
        using var scalar = number.ToScalar();
        return Keep(Given(x).ge(scalar), x);
    }

    /// <summary>x, with a number wherever the boolean mask is true.</summary>
    public static Tensor MaskedFill(this Tensor x, Tensor mask, double number)
    {
        using var scalar = number.ToScalar();
        return Keep(Given(x).masked_fill(Given(mask), scalar), x, mask);
    }

    /// <summary>x += y.</summary>
    public static Tensor AddInPlace(this Tensor x, Tensor y) => Keep(Given(x).add_(Given(y), One.Value), x, y);

    /// <summary>x += factor y.</summary>
    public static Tensor AddInPlace(this Tensor x, Tensor y, double factor)
    {
        using var scalar = factor.ToScalar();
        return Keep(Given(x).add_(Given(y), scalar), x, y);
    }

    /// <summary>x += number.</summary>
    public static Tensor AddInPlace(this Tensor x, double number)
    {
        using var scalar = number.ToScalar();
        return Keep(Given(x).add_(scalar, One.Value), x);
    }

    /// <summary>x -= number.</summary>
    public static Tensor SubInPlace(this Tensor x, double number)
    {
        using var scalar = number.ToScalar();
        return Keep(Given(x).sub_(scalar), x);
    }

    /// <summary>x *= number.</summary>
    public static Tensor MulInPlace(this Tensor x, double number)
    {
        using var scalar = number.ToScalar();
        return Keep(Given(x).mul_(scalar), x);
    }

    /// <summary>x /= number.</summary>
    public static Tensor DivInPlace(this Tensor x, double number)
    {
        using var scalar = number.ToScalar();
        return Keep(Given(x).div_(scalar), x);
    }

    /// <summary>x += factor y z.</summary>
    public static Tensor AddProductInPlace(this Tensor x, Tensor y, Tensor z, double factor)
    {
        using var scalar = factor.ToScalar();
        return Keep(Given(x).addcmul_(Given(y), Given(z), scalar), x, y, z);
    }

    /// <summary>x += factor y / z.</summary>
    public static Tensor AddQuotientInPlace(this Tensor x, Tensor y, Tensor z, double factor)
    {
        using var scalar = factor.ToScalar();
        return Keep(Given(x).addcdiv_(Given(y), Given(z), scalar), x, y, z);
    }

    /// <summary>Brings each element down to <paramref name="most"/> where it is larger.</summary>
    public static Tensor ClampMaxInPlace(this Tensor x, double most)
    {
        using var scalar = most.ToScalar();
        return Keep(Given(x).clamp_max_(scalar), x);
    }

    /// <summary>Brings each element up to <paramref name="least"/> where it is smaller.</summary>
    public static Tensor ClampMinInPlace(this Tensor x, double least)
    {
        using var scalar = least.ToScalar();
        return Keep(Given(x).clamp_min_(scalar), x);
    }

    /// <summary>Sets every element to a number.</summary>
    public static Tensor FillInPlace(this Tensor x, double number)
    {
        using var scalar = number.ToScalar();
        return Keep(Given(x).fill_(scalar), x);
    }

    /// <summary>The integers first, first + 1, ..., end - 1 as int64, [end - first].</summary>
    /// <param name="first">The first one.</param>
    /// <param name="end">One past the last; not below <paramref name="first"/>.</param>
    /// <param name="device">Where to make it; the CPU where it is null.</param>
    /// <exception cref="ArgumentOutOfRangeException">The end is below the first.</exception>
    public static Tensor Integers(long first, long end, Device? device = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(end, first);
        TorchRuntime.Initialize();
        using var from = first.ToScalar();
        using var until = end.ToScalar();
        return arange(from, until, One.Value, ScalarType.Int64, device);
    }

    /// <summary>A tensor of one number.</summary>
    /// <param name="shape">Its shape; empty for a tensor without dimensions.</param>
    /// <param name="number">The number.</param>
    /// <param name="dtype">Element type.</param>
    /// <param name="device">Where to make it; the CPU where it is null.</param>
    /// <exception cref="ArgumentOutOfRangeException">No such element type.</exception>
    public static Tensor Full(ReadOnlySpan<long> shape, double number, ScalarType dtype, Device? device = null)
    {
        ArgumentOutOfRangeException.ThrowIfUndefined(dtype);
        TorchRuntime.Initialize();
        using var scalar = number.ToScalar();
        return full(shape, scalar, dtype, device);
    }

    /// <summary>The number in a tensor of one element, of any real type and on any device.</summary>
    /// <param name="x">The tensor.</param>
    /// <exception cref="ArgumentException">The tensor has more or fewer elements than one.</exception>
    public static double Number(this Tensor x)
    {
        using var scope = NewDisposeScope();
        return Given(x).detach().to(ScalarType.Float64, CPU).item<double>();
    }

    private static Tensor Given(Tensor x, [CallerArgumentExpression(nameof(x))] string? name = null)
    {
        ArgumentNullException.ThrowIfNull(x, name);
        return x;
    }

    /// <summary>A result, with the operands alive until it is there: one that no scope holds could be freed like a scalar.</summary>
    private static Tensor Keep(Tensor result, Tensor x, Tensor? y = null, Tensor? z = null)
    {
        GC.KeepAlive(x);
        GC.KeepAlive(y);
        GC.KeepAlive(z);
        return result;
    }
}
