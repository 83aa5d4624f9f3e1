using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;

namespace FunctionalSeparation.Core;

/// <summary>One axis of a tensor that is asked for.</summary>
public readonly record struct Axis
{
    private const long AnySize = -1;
    private const long AnyNumber = -2;

    private readonly string? _name;
    private readonly long _size;

    private Axis(string? name, long size) => (_name, _size) = (name, size);

    /// <summary>Any number of axes in front of those that follow.</summary>
    public static Axis Leading { get; } = new("...", AnyNumber);

    /// <summary>An axis of any size.</summary>
    /// <param name="name">The name of the axis, such as time.</param>
    public static Axis Any(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return new(name, AnySize);
    }

    /// <summary>An axis of one size.</summary>
    /// <param name="size">The size.</param>
    /// <exception cref="ArgumentOutOfRangeException">A negative size.</exception>
    public static Axis Of(long size)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(size);
        return new(null, size);
    }

    /// <summary>The name or the size.</summary>
    public override string ToString() => _name ?? _size.ToString(CultureInfo.InvariantCulture);

    internal bool IsLeading => _size == AnyNumber;

    internal bool Fits(long size) => _size == AnySize || _size == size;
}

/// <summary>
/// The one place that checks the tensors that a function receives. Each error message names the function, its requirement and the
/// tensors that it received. A check compares a few integers and reads no element.
/// </summary>
public static class Shapes
{
    /// <summary>A description of a tensor, such as <c>[513] of float64</c>.</summary>
    /// <param name="tensor">The tensor.</param>
    public static string Describe(Tensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        return $"[{string.Join(", ", tensor.shape)}] of {Name(tensor.dtype)}";
    }

    /// <summary>Requires a shape, and the element type and the kind of device of another tensor.</summary>
    /// <param name="owner">The name of the caller in the message, such as a layer's name.</param>
    /// <param name="what">The name of the tensor in the message, such as frames.</param>
    /// <param name="tensor">The tensor.</param>
    /// <param name="wanted">The required axes; the first may be <see cref="Axis.Leading"/>.</param>
    /// <param name="like">The tensor whose type and device are required; null: any type and device.</param>
    /// <exception cref="ArgumentException">
    /// The tensor does not match: "linear 1000: wants frames [time, batch, 513] of float32, got [513] of float64."
    /// </exception>
    public static void Require(string owner, string what, Tensor tensor, Axis[] wanted, Tensor? like = null)
    {
        RequireWords(owner, what);
        ArgumentNullException.ThrowIfNull(tensor, what);
        ArgumentNullException.ThrowIfNull(wanted);
        var isAlien = like is not null && tensor.device_type != like.device_type;
        if (Fits(tensor, wanted) && (like is null || (tensor.dtype == like.dtype && !isAlien))) return;
        var type = like is null ? "" : $" of {Name(like.dtype)}{(isAlien ? On(like) : "")}";
        var got = Describe(tensor) + (isAlien ? On(tensor) : "");
        throw new ArgumentException($"{owner}: wants {what} [{string.Join(", ", wanted)}]{type}, got {got}.");
    }

    /// <summary>Requires one of several element types.</summary>
    /// <param name="owner">The name of the caller in the message.</param>
    /// <param name="what">The name of the tensor in the message.</param>
    /// <param name="tensor">The tensor.</param>
    /// <param name="wanted">The permitted types.</param>
    /// <exception cref="ArgumentException">The tensor has another type.</exception>
    public static void RequireType(string owner, string what, Tensor tensor, params ScalarType[] wanted)
    {
        RequireWords(owner, what);
        ArgumentNullException.ThrowIfNull(tensor, what);
        ArgumentNullException.ThrowIfNull(wanted);
        if (!wanted.Contains(tensor.dtype))
            throw new ArgumentException(
                $"{owner}: wants {what} of {string.Join(" or ", wanted.Select(Name))}, got {Describe(tensor)}.");
    }

    /// <summary>Requires two tensors of the same shape, without broadcasting.</summary>
    /// <param name="owner">The name of the caller in the message.</param>
    /// <param name="what">The name of the first tensor in the message.</param>
    /// <param name="first">The first tensor.</param>
    /// <param name="other">The name of the second tensor in the message.</param>
    /// <param name="second">The second tensor.</param>
    /// <exception cref="ArgumentException">The shapes differ.</exception>
    public static void RequireSame(string owner, string what, Tensor first, string other, Tensor second)
    {
        RequireWords(owner, what);
        ArgumentNullException.ThrowIfNull(other);
        ArgumentNullException.ThrowIfNull(first, what);
        ArgumentNullException.ThrowIfNull(second, other);
        if (!first.shape.AsSpan().SequenceEqual(second.shape))
            throw new ArgumentException(
                $"{owner}: {what} and {other} must have one shape, got [{string.Join(", ", first.shape)}] and [{string.Join(", ", second.shape)}].");
    }

    private static void RequireWords(string owner, string what)
    {
        ArgumentNullException.ThrowIfNull(owner);
        ArgumentNullException.ThrowIfNull(what);
    }

    private static bool Fits(Tensor tensor, ReadOnlySpan<Axis> wanted)
    {
        var shape = tensor.shape.AsSpan();
        if (wanted.Length > 0 && wanted[0].IsLeading)
        {
            wanted = wanted[1..];
            if (shape.Length < wanted.Length) return false;
            shape = shape[^wanted.Length..];
        }
        if (shape.Length != wanted.Length) return false;
        for (var i = 0; i < shape.Length; i++)
            if (!wanted[i].Fits(shape[i])) return false;
        return true;
    }

    private static string Name(ScalarType type) => type.ToString().ToLowerInvariant();

    private static string On(Tensor tensor) => $" on {tensor.device_type.ToString().ToLowerInvariant()}";
}
