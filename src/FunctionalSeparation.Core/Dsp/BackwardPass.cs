using TorchSharp;
using static TorchSharp.torch;

namespace FunctionalSeparation.Core;

/// <summary>
/// The scope of a backward pass of one of our operations. For tensors on a GPU libtorch calls these on a thread of its own, where no scope
/// is open. Handles of gradients would then wait for the garbage collector, which sees nothing of a GPU's memory. Networks of the papers
/// held 9 to 14 GB each within their first minute of training. Handles could also be collected before libtorch has read them.
/// </summary>
/// <param name="received">The gradient that libtorch calls with.</param>
internal sealed class BackwardPass(Tensor received) : IDisposable
{
    /// <summary>The gradients that libtorch received last on this thread, if no scope holds them.</summary>
    [ThreadStatic]
    private static Tensor?[]? t_given;

    private readonly bool _isInScope = CurrentDisposeScope is not null;
    private readonly DisposeScope _scope = NewDisposeScope();

    /// <summary>The result of the pass.</summary>
    /// <param name="gradients">A fresh tensor for each argument of the forward pass; null for those without a gradient.</param>
    public List<Tensor> Give(params Tensor?[] gradients)
    {
        foreach (var gradient in gradients) gradient?.MoveToOuterDisposeScope();
        if (!_isInScope) HoldUntilNext(gradients);
        return [.. gradients.Select(gradient => gradient!)];
    }

    /// <summary>Frees what the pass has made, but for what it gives.</summary>
    public void Dispose() => _scope.Dispose();

    private void HoldUntilNext(Tensor?[] gradients)
    {
        received.Dispose();
        foreach (var gradient in t_given ?? []) gradient?.Dispose();
        t_given = gradients;
    }
}
