using TorchSharp;
using static TorchSharp.torch;

namespace FunctionalSeparation.Core;

/// <summary>The nonlinearity of a recurrent layer. Each has a derivative that follows from its value.</summary>
public enum RecurrentActivation
{
    /// <summary>max(z, 0).</summary>
    Relu,

    /// <summary>1 / (1 + exp(-z)).</summary>
    Logistic,

    /// <summary>tanh z.</summary>
    Tanh,
}

/// <summary>
/// The recurrence h(t) = f(z(t) + h(t-1) U) of a whole sequence as one differentiable operation (Huang et al. 2014, eq. 1, with
/// z(t) = x(t) W + b). Step by step, automatic differentiation would make and add one gradient of U for each frame. Here the gradients of
/// all frames are one matrix product, dU = sum_t h(t-1)' d(t), with d(t) = dJ/dz(t) = f'(z(t)) (dJ/dh(t) + d(t+1) U').
/// </summary>
public sealed class RecurrentStates : autograd.SingleTensorFunction<RecurrentStates>
{
    private const string Kind = "activation";

    /// <summary>Name of the operation in messages of libtorch.</summary>
    public override string Name => nameof(RecurrentStates);

    /// <summary>Runs the recurrence.</summary>
    /// <param name="frames">Contribution z of the inputs to the sums of each frame, [time, batch, units], at least one frame.</param>
    /// <param name="start">The state before the first frame, [batch, units].</param>
    /// <param name="weight">U, [units, units].</param>
    /// <param name="activation">The nonlinearity f.</param>
    /// <returns>The states h, [time, batch, units].</returns>
    /// <exception cref="ArgumentException">
    /// The tensors do not match each other, there is no frame, or a second derivative is requested, which is not available.
    /// </exception>
    public static Tensor Apply(Tensor frames, Tensor start, Tensor weight, RecurrentActivation activation)
    {
        const string owner = "recurrence";
        ArgumentOutOfRangeException.ThrowIfUndefined(activation);
        Shapes.Require(owner, "frames", frames, [Axis.Any("time"), Axis.Any("batch"), Axis.Any("units")]);
        var shape = frames.shape;
        if (shape[0] == 0) throw new ArgumentException($"{owner}: wants at least one frame, got {Shapes.Describe(frames)}.");
        Shapes.Require(owner, "a start state", start, [Axis.Of(shape[1]), Axis.Of(shape[2])], frames);
        Shapes.Require(owner, "a weight", weight, [Axis.Of(shape[2]), Axis.Of(shape[2])], frames);
        SecondDerivatives.Refuse(owner, "write the recurrence step by step");
        return apply(frames, start, weight, activation);
    }

    /// <summary>Called by libtorch.</summary>
    /// <param name="ctx">Keeps what the backward pass needs.</param>
    /// <param name="vars">Frames, start, weight and activation.</param>
    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var (frames, start, weight) = ((Tensor)vars[0], (Tensor)vars[1], (Tensor)vars[2]);
        var activation = (RecurrentActivation)vars[3];
        // No scope around what is saved: libtorch takes it over only after this method has returned.
        var states = frames.clone();
        using (NewDisposeScope())
        {
            var previous = start;
            for (var t = 0L; t < frames.shape[0]; t++)
                previous = Activate(activation, states.select(0, t).addmm_(previous, weight, 1, 1));
        }
        ctx.save_for_backward([states, start, weight]);
        ctx.save_data(Kind, activation);
        return states;
    }

    /// <summary>Called by libtorch.</summary>
    /// <param name="ctx">The context, with the tensors that <see cref="forward"/> saved.</param>
    /// <param name="grad_output">dJ/dh, [time, batch, units].</param>
    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        using var pass = new BackwardPass(grad_output);
        var saved = ctx.get_saved_variables();
        var (states, start, weight) = (saved[0], saved[1], saved[2]);
        var activation = (RecurrentActivation)ctx.get_data(Kind);
        var (time, units, transposed) = (states.shape[0], states.shape[2], weight.t());
        var inner = grad_output.contiguous().clone();
        for (var t = time - 1; t >= 0; t--)
        {
            var own = inner.select(0, t);
            if (t < time - 1) own.addmm_(inner.select(0, t + 1), transposed, 1, 1);
            MultiplyByDerivative(activation, own, states.select(0, t));
        }
        var toWeight = start.t().mm(inner.select(0, 0));
        if (time > 1)
            toWeight.addmm_(states.narrow(0, 0, time - 1).reshape(-1, units).t(), inner.narrow(0, 1, time - 1).reshape(-1, units), 1, 1);
        var toStart = inner.select(0, 0).mm(transposed);
        return pass.Give(inner, toStart, toWeight, null);
    }

    private static Tensor Activate(RecurrentActivation activation, Tensor sums) => activation switch
    {
        RecurrentActivation.Relu => sums.relu_(),
        RecurrentActivation.Logistic => sums.sigmoid_(),
        _ => sums.tanh_(),
    };

    private static void MultiplyByDerivative(RecurrentActivation activation, Tensor gradient, Tensor states)
    {
        if (activation == RecurrentActivation.Relu) gradient.mul_(states.sign());
        else if (activation == RecurrentActivation.Logistic) gradient.mul_(states - states * states);
        else gradient.mul_((states * states).SubtractedFrom(1));
    }
}
