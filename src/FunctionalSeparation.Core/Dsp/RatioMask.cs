using TorchSharp;
using static TorchSharp.torch;

namespace FunctionalSeparation.Core;

/// <summary>
/// The mask layer of Huang et al. (ISMIR 2014, eq. 2) as one differentiable operation:
/// y_i = |a_i| / (sum_k |a_k| + epsilon) x. Its gradient is the authors' published one,
/// dJ/da_i = sign(a_i) / (sum_k |a_k| + epsilon) * (d_i sum_k y_k - sum_k d_k y_k) with d = dJ/dy, in few passes over memory.
/// </summary>
public sealed class RatioMask : autograd.SingleTensorFunction<RatioMask>
{
    /// <summary>The constant below the fraction in the authors' code.</summary>
    public const double Epsilon = 1e-10;

    /// <summary>Name of the operation in messages of libtorch.</summary>
    public override string Name => nameof(RatioMask);

    /// <summary>Masks a mixture.</summary>
    /// <param name="outputs">Raw outputs a of a network, [..., sources, bins].</param>
    /// <param name="mixture">Magnitude x of the mixture, [..., bins].</param>
    /// <returns>Estimates y, [..., sources, bins]; they sum to the mixture over the sources, but where all outputs are 0.</returns>
    public static Tensor Apply(Tensor outputs, Tensor mixture) => apply(outputs, mixture);

    /// <summary>Called by libtorch.</summary>
    /// <param name="ctx">Keeps what the backward pass needs.</param>
    /// <param name="vars">Outputs and mixture.</param>
    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var outputs = (Tensor)vars[0];
        var mixture = (Tensor)vars[1];
        using var scope = NewDisposeScope();
        var absolute = outputs.abs();
        var denominator = absolute.sum(-2, keepdim: true).AddInPlace(Epsilon);
        var gain = mixture.unsqueeze(-2) / denominator;
        // What is saved is taken over by libtorch only after this method has returned.
        ctx.save_for_backward([outputs, gain.MoveToOuterDisposeScope(), denominator.MoveToOuterDisposeScope()]);
        return absolute.mul_(gain).MoveToOuterDisposeScope();
    }

    /// <summary>Called by libtorch.</summary>
    /// <param name="ctx">What <see cref="forward"/> kept.</param>
    /// <param name="grad_output">dJ/dy, [..., sources, bins].</param>
    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        using var scope = NewDisposeScope();
        var saved = ctx.get_saved_variables();
        var (outputs, gain, denominator) = (saved[0], saved[1], saved[2]);
        var shared = (grad_output * outputs.abs()).sum(-2, keepdim: true);
        var inner = (grad_output * denominator.Sub(Epsilon)).sub_(shared).mul_(gain / denominator).mul_(outputs.sign());
        return [inner.MoveToOuterDisposeScope(), null!];
    }
}
