using System.Collections.Concurrent;
using TorchSharp;

namespace FunctionalSeparation.Core;

/// <summary>
/// Numbers that tensors meet. TorchSharp hands the native handle of a <see cref="Scalar"/> to libtorch without keeping the object
/// alive: a collection set off by another thread can free a temporary one while it is being read. Those from here live as
/// long as the process. For the few constants of code and models, not for numbers that come with data: make a tensor of those.
/// </summary>
public static class Constant
{
    private static readonly ConcurrentDictionary<double, Scalar> Kept = new();

    /// <summary>The scalar of a number.</summary>
    /// <param name="value">The number.</param>
    public static Scalar Of(double value) => Kept.GetOrAdd(value, number => number.ToScalar());
}
