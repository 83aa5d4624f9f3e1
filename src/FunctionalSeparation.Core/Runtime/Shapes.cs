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
    /// <param name="name">What lies along it, such as time.</param>
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
/// What a function asks of the tensors that it is given: the one place that compares, and says who wants what and has got what.
/// It compares a few whole numbers and touches no element.
/// </summary>
public static class Shapes
{
    /// <summary>A tensor in words, such as <c>[513] of float64</c>.</summary>
    /// <param name="tensor">The tensor.</param>
    public static string Describe(Tensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        return $"[{string.Join(", ", tensor.shape)}] of {Name(tensor.dtype)}";
    }

    /// <summary>Asks for a shape, and for the element type and the kind of device of another tensor.</summary>
    /// <param name="owner">Who asks, such as a layer's name.</param>
    /// <param name="what">What the tensor is, such as frames.</param>
    /// <param name="tensor">The tensor.</param>
    /// <param name="wanted">Its axes; the first may be <see cref="Axis.Leading"/>.</param>
    /// <param name="like">The tensor that it must be like; null where any type and device will do.</param>
    /// <exception cref="ArgumentException">
    /// It is not so: "linear 1000: wants frames [time, batch, 513] of float32, got [513] of float64."
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

    /// <summary>Asks for one of some element types.</summary>
    /// <param name="owner">Who asks.</param>
    /// <param name="what">What the tensor is.</param>
    /// <param name="tensor">The tensor.</param>
    /// <param name="wanted">The types.</param>
    /// <exception cref="ArgumentException">It has another one.</exception>
    public static void RequireType(string owner, string what, Tensor tensor, params ScalarType[] wanted)
    {
        RequireWords(owner, what);
        ArgumentNullException.ThrowIfNull(tensor, what);
        ArgumentNullException.ThrowIfNull(wanted);
        if (!wanted.Contains(tensor.dtype))
            throw new ArgumentException(
                $"{owner}: wants {what} of {string.Join(" or ", wanted.Select(Name))}, got {Describe(tensor)}.");
    }

    /// <summary>Asks for two tensors of one shape, none of which broadcasts.</summary>
    /// <param name="owner">Who asks.</param>
    /// <param name="what">What the first is.</param>
    /// <param name="first">The first.</param>
    /// <param name="other">What the second is.</param>
    /// <param name="second">The second.</param>
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
