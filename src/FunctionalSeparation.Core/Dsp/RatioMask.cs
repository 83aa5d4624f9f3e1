using TorchSharp;
using static TorchSharp.torch;

namespace FunctionalSeparation.Core;

/// <summary>The function p of a network's outputs a from which a <see cref="RatioMask"/> computes its mask.</summary>
public enum MaskShare
{
    /// <summary>p(a) = |a|.</summary>
    Absolute,

    /// <summary>p(a) = a².</summary>
    Squared,
}

/// <summary>
/// The mask layer of Huang et al. (ISMIR 2014, eq. 2) as one differentiable operation: y_i = p_i / (sum_k p_k + epsilon) x with p_i = |a_i|
/// or a_i². Its gradient, in few passes over memory, is that of the authors' code. With d = dJ/dy and p' = sign(a) or 2a, it is
/// dJ/da_i = p'_i x / (sum_k p_k + epsilon)² (d_i sum_k p_k - sum_k d_k p_k). The exact one has d_i (sum_k p_k + epsilon) where this has
/// d_i sum_k p_k: theirs leaves the constant out of the quotient rule.
/// </summary>
public sealed class RatioMask : autograd.SingleTensorFunction<RatioMask>
{
    /// <summary>The constant below the fraction in the authors' code.</summary>
    public const double Epsilon = 1e-10;

    private const string Kind = "share";

    private static readonly Axis[] Outputs = [Axis.Leading, Axis.Any("sources"), Axis.Any("bins")];

    /// <summary>Name of the operation in messages of libtorch.</summary>
    public override string Name => nameof(RatioMask);

    /// <summary>Masks a mixture.</summary>
    /// <param name="outputs">Raw outputs a of a network, [..., sources, bins].</param>
    /// <param name="mixture">Magnitude x of the mixture, [..., bins]; the operation has no gradient for it.</param>
    /// <param name="share">The function p of the outputs from which the mask is computed.</param>
    /// <returns>Estimates y, [..., sources, bins]. Their sum over the sources is the mixture, except where all outputs are 0.</returns>
    /// <exception cref="ArgumentException">
    /// The tensors do not match each other, the mixture requires a gradient, or a second derivative is requested, which is not available.
    /// </exception>
    public static Tensor Apply(Tensor outputs, Tensor mixture, MaskShare share = MaskShare.Absolute)
    {
        Require(outputs, mixture);
        ArgumentOutOfRangeException.ThrowIfUndefined(share);
        if (mixture.requires_grad)
            throw new ArgumentException("mask: has no gradient for the mixture: detach it, or use a mask with the exact gradient.");
        SecondDerivatives.Refuse("mask", "use a mask with the exact gradient");
        return apply(outputs, mixture, share);
    }

    /// <summary>Asks for outputs and a mixture that fit each other.</summary>
    /// <param name="outputs">Raw outputs of a network, [..., sources, bins].</param>
    /// <param name="mixture">Magnitude of the mixture, [..., bins], of the same element type.</param>
    /// <exception cref="ArgumentException">They do not.</exception>
    public static void Require(Tensor outputs, Tensor mixture)
    {
        Shapes.Require("mask", "outputs", outputs, Outputs);
        var shape = outputs.shape;
        var wanted = Array.ConvertAll([.. shape[..^2], shape[^1]], Axis.Of);
        Shapes.Require("mask", "a mixture", mixture, wanted, outputs);
    }

    /// <summary>Called by libtorch.</summary>
    /// <param name="ctx">Keeps what the backward pass needs.</param>
    /// <param name="vars">Outputs, mixture and share.</param>
    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var outputs = (Tensor)vars[0];
        var mixture = (Tensor)vars[1];
        var share = (MaskShare)vars[2];
        using var scope = NewDisposeScope();
        var parts = Parts(outputs, share);
        var denominator = parts.sum(-2, keepdim: true).AddInPlace(Epsilon);
        var gain = mixture.unsqueeze(-2) / denominator;
        // libtorch takes over the saved tensors only after this method has returned.
        ctx.save_for_backward([outputs, gain.MoveToOuterDisposeScope(), denominator.MoveToOuterDisposeScope()]);
        ctx.save_data(Kind, share);
        return parts.mul_(gain).MoveToOuterDisposeScope();
    }

    /// <summary>Called by libtorch.</summary>
    /// <param name="ctx">The context, with the tensors that <see cref="forward"/> saved.</param>
    /// <param name="grad_output">dJ/dy, [..., sources, bins].</param>
    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        using var pass = new BackwardPass(grad_output);
        var saved = ctx.get_saved_variables();
        var (outputs, gain, denominator) = (saved[0], saved[1], saved[2]);
        var share = (MaskShare)ctx.get_data(Kind);
        var shared = (grad_output * Parts(outputs, share)).sum(-2, keepdim: true);
        var inner = (grad_output * denominator.Sub(Epsilon)).sub_(shared).mul_(gain / denominator);
        var slope = share == MaskShare.Absolute ? outputs.sign() : outputs.Mul(2);
        return pass.Give(inner.mul_(slope), null, null);
    }

    private static Tensor Parts(Tensor outputs, MaskShare share) => share == MaskShare.Absolute ? outputs.abs() : outputs * outputs;
}
