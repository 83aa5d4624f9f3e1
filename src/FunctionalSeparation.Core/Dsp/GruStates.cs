using TorchSharp;
using static TorchSharp.torch;

namespace FunctionalSeparation.Core;

/// <summary>
/// The recurrence of gated recurrent units over a whole sequence as one differentiable operation. The three gates of each frame lie side by
/// side. With m = h(t-1) U + b they are (r, u) = s(z + m) and n = tanh(z_n + r m_n), where s is the logistic function. The state is
/// h(t) = n + u (h(t-1) - n). As in <see cref="RecurrentStates"/>, the gradients of U are one matrix product, and a step does no more than
/// it must.
/// </summary>
public sealed class GruStates : autograd.SingleTensorFunction<GruStates>
{
    private const long Gates = 3;

    /// <summary>Name of the operation in messages of libtorch.</summary>
    public override string Name => nameof(GruStates);

    /// <summary>Runs the recurrence.</summary>
    /// <param name="frames">Contribution z of the inputs to the gates r, u, n, [time, batch, 3 units], at least one frame.</param>
    /// <param name="start">The state before the first frame, [batch, units].</param>
    /// <param name="weight">U, [units, 3 units].</param>
    /// <param name="bias">b, [3 units].</param>
    /// <returns>The states h, [time, batch, units].</returns>
    /// <exception cref="ArgumentException">
    /// The tensors do not match each other, there is no frame, or a second derivative is requested, which is not available.
    /// </exception>
    public static Tensor Apply(Tensor frames, Tensor start, Tensor weight, Tensor bias)
    {
        const string owner = "GRU";
        Shapes.Require(owner, "a weight", weight, [Axis.Any("units"), Axis.Any("3 units")]);
        var units = weight.shape[0];
        Shapes.Require(owner, "a weight", weight, [Axis.Of(units), Axis.Of(Gates * units)]);
        Shapes.Require(owner, "frames", frames, [Axis.Any("time"), Axis.Any("batch"), Axis.Of(Gates * units)], weight);
        if (frames.shape[0] == 0) throw new ArgumentException($"{owner}: wants at least one frame, got {Shapes.Describe(frames)}.");
        Shapes.Require(owner, "a start state", start, [Axis.Of(frames.shape[1]), Axis.Of(units)], weight);
        Shapes.Require(owner, "a bias", bias, [Axis.Of(Gates * units)], weight);
        SecondDerivatives.Refuse(owner, "write the recurrence step by step");
        return apply(frames, start, weight, bias);
    }

    /// <summary>Called by libtorch.</summary>
    /// <param name="ctx">Keeps what the backward pass needs.</param>
    /// <param name="vars">Frames, start, weight and bias.</param>
    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var (frames, start, weight, bias) = ((Tensor)vars[0], (Tensor)vars[1], (Tensor)vars[2], (Tensor)vars[3]);
        var units = weight.shape[0];
        // No scope around what is saved: libtorch takes it over only after this method has returned.
        var gates = frames.clone();
        var memory = bias.expand_as(frames).clone();
        var states = frames.new_empty([frames.shape[0], frames.shape[1], units]);
        using (NewDisposeScope())
        {
            var (sums, hidden, previous) = (memory.unbind(0), states.unbind(0), start);
            var (both, memoryOfBoth) = (Part(gates, 0, 2), Part(memory, 0, 2));
            var (candidate, memoryOfCandidate) = (Part(gates, 2), Part(memory, 2));
            var (reset, update) = (Part(gates, 0), Part(gates, 1));
            for (var t = 0; t < sums.Length; t++)
            {
                sums[t].addmm_(previous, weight, 1, 1);
                both[t].AddInPlace(memoryOfBoth[t]).sigmoid_();
                candidate[t].AddProductInPlace(reset[t], memoryOfCandidate[t], 1).tanh_();
                hidden[t].copy_(previous - candidate[t]).mul_(update[t]).AddInPlace(candidate[t]);
                previous = hidden[t];
            }
        }
        ctx.save_for_backward([gates, memory, states, start, weight]);
        return states;

        Tensor[] Part(Tensor whole, long index, long count = 1) => whole.narrow(2, index * units, count * units).unbind(0);
    }

    /// <summary>Called by libtorch.</summary>
    /// <param name="ctx">The context, with the tensors that <see cref="forward"/> saved.</param>
    /// <param name="grad_output">dJ/dh, [time, batch, units].</param>
    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        using var pass = new BackwardPass(grad_output);
        var saved = ctx.get_saved_variables();
        var (gates, memory, states, start, weight) = (saved[0], saved[1], saved[2], saved[3], saved[4]);
        var (transposed, units) = (weight.t(), weight.shape[0]);
        var previous = cat([start.unsqueeze(0), states.narrow(0, 0, states.shape[0] - 1)], 0);
        var hidden = grad_output.clone();
        // The gradients of z and m are equal, except that the candidate's part of the gradient of m has the factor r.
        var toFrames = GateDerivatives(gates, memory, previous);
        var toMemory = toFrames.clone();
        var (update, reset) = (Part(gates, 1), Part(gates, 0));
        var (hiddenAt, memoryAt) = (hidden.unbind(0), toMemory.unbind(0));
        var updateAndCandidate = toFrames.narrow(2, units, 2 * units).unflatten(2, [2, units]).unbind(0);
        var (resetSum, updateSum, candidateSum) = (Part(toFrames, 0), Part(toFrames, 1), Part(toFrames, 2));
        var (resetMemory, updateMemory, candidateMemory) = (Part(toMemory, 0), Part(toMemory, 1), Part(toMemory, 2));
        for (var t = hiddenAt.Length - 1; t >= 0; t--)
        {
            if (t < hiddenAt.Length - 1)
                hiddenAt[t].addmm_(memoryAt[t + 1], transposed, 1, 1).AddProductInPlace(hiddenAt[t + 1], update[t + 1], 1);
            updateAndCandidate[t].mul_(hiddenAt[t].unsqueeze(1));
            resetSum[t].mul_(candidateSum[t]);
            resetMemory[t].copy_(resetSum[t]);
            updateMemory[t].copy_(updateSum[t]);
            candidateMemory[t].copy_(candidateSum[t]).mul_(reset[t]);
        }
        var rows = toMemory.reshape(-1, Gates * units);
        var toWeight = previous.reshape(-1, units).t().mm(rows);
        var toStart = memoryAt[0].mm(transposed).AddProductInPlace(hiddenAt[0], update[0], 1);
        return pass.Give(toFrames, toStart, toWeight, rows.sum([0]));

        Tensor[] Part(Tensor whole, long index) => whole.narrow(2, index * units, units).unbind(0);
    }

    /// <summary>
    /// The derivatives of n's sum with respect to the sum of r, and of h with respect to the sums of u and n, [time, batch, 3 units].
    /// </summary>
    private static Tensor GateDerivatives(Tensor gates, Tensor memory, Tensor previous)
    {
        var parts = gates.chunk(Gates, 2);
        var (reset, update, candidate) = (parts[0], parts[1], parts[2]);
        return cat(
            [
                memory.chunk(Gates, 2)[2] * (reset - reset * reset),
                (previous - candidate) * (update - update * update),
                update.SubtractedFrom(1) * candidate.Square().SubtractedFrom(1),
            ],
            2);
    }
}
