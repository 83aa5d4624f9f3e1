using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace FunctionalSeparation.Core;

/// <summary>
/// The recurrence of an LSTM over a whole sequence as one differentiable operation. The four gates of each frame lie side by side:
/// (i, f, o) = s(z + h(t-1) U) and g = tanh(z_g + h(t-1) U_g). The states are c(t) = f c(t-1) + i g and h(t) = o tanh c(t). Here s is the
/// logistic function. As in <see cref="RecurrentStates"/>, the gradients of U are one matrix product, and a step does no more than it must.
/// (libtorch's own LSTM of float32 without gradient is oneDNN's, which is wrong at many sizes on processors with AVX-512.)
/// </summary>
public sealed class LstmStates : autograd.SingleTensorFunction<LstmStates>
{
    private const long Gates = 4;

    /// <summary>Name of the operation in messages of libtorch.</summary>
    public override string Name => nameof(LstmStates);

    /// <summary>Runs the recurrence.</summary>
    /// <param name="frames">Contribution z of the inputs to the gates i, f, g, o, [time, batch, 4 units], at least one frame.</param>
    /// <param name="start">The state before the first frame, h and c side by side, [batch, 2 units].</param>
    /// <param name="weight">U, [units, 4 units].</param>
    /// <returns>The states h and c, [time, batch, 2 units].</returns>
    /// <exception cref="ArgumentException">
    /// The tensors do not match each other, there is no frame, or a second derivative is requested, which is not available.
    /// </exception>
    public static Tensor Apply(Tensor frames, Tensor start, Tensor weight)
    {
        const string owner = "LSTM";
        Shapes.Require(owner, "a weight", weight, [Axis.Any("units"), Axis.Any("4 units")]);
        var units = weight.shape[0];
        Shapes.Require(owner, "a weight", weight, [Axis.Of(units), Axis.Of(Gates * units)]);
        Shapes.Require(owner, "frames", frames, [Axis.Any("time"), Axis.Any("batch"), Axis.Of(Gates * units)], weight);
        if (frames.shape[0] == 0) throw new ArgumentException($"{owner}: wants at least one frame, got {Shapes.Describe(frames)}.");
        Shapes.Require(owner, "a start state", start, [Axis.Of(frames.shape[1]), Axis.Of(2 * units)], weight);
        SecondDerivatives.Refuse(owner, "write the recurrence step by step");
        return apply(frames, start, weight);
    }

    /// <summary>Called by libtorch.</summary>
    /// <param name="ctx">Keeps what the backward pass needs.</param>
    /// <param name="vars">Frames, start and weight.</param>
    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var (frames, start, weight) = ((Tensor)vars[0], (Tensor)vars[1], (Tensor)vars[2]);
        var units = weight.shape[0];
        // No scope around what is saved: libtorch takes it over only after this method has returned.
        var gates = frames.contiguous().clone();
        var states = frames.new_empty([frames.shape[0], frames.shape[1], 2 * units]);
        using (NewDisposeScope())
        {
            var isInMemory = frames.device_type == DeviceType.CPU && frames.dtype == ScalarType.Float32;
            // A span has at most int.MaxValue bytes.
            if (isInMemory && frames.NumberOfElements <= int.MaxValue / sizeof(float)) RunInMemory(gates, states, start, weight);
            else Run(gates, states, start, weight);
        }
        ctx.save_for_backward([gates, states, start, weight]);
        return states;
    }

    /// <summary>The recurrence by libtorch's operations: makes gates of their sums, and the states.</summary>
    private static void Run(Tensor gates, Tensor states, Tensor start, Tensor weight)
    {
        var units = weight.shape[0];
        var sums = gates.unbind(0);
        var (inputAndForget, candidate, output) = (Part(gates, 0, 2), Part(gates, 2), Part(gates, 3));
        var (input, forget) = (Part(gates, 0), Part(gates, 1));
        var (hidden, cell) = (Part(states, 0), Part(states, 1));
        var (lastHidden, lastCell) = (start.narrow(1, 0, units), start.narrow(1, units, units));
        for (var t = 0; t < sums.Length; t++)
        {
            sums[t].addmm_(lastHidden, weight, 1, 1);
            inputAndForget[t].sigmoid_();
            candidate[t].tanh_();
            output[t].sigmoid_();
            cell[t].copy_(lastCell).mul_(forget[t]).AddProductInPlace(input[t], candidate[t], 1);
            hidden[t].copy_(cell[t]).tanh_().mul_(output[t]);
            (lastHidden, lastCell) = (hidden[t], cell[t]);
        }

        Tensor[] Part(Tensor whole, long index, long count = 1) => whole.narrow(2, index * units, count * units).unbind(0);
    }

    /// <summary>The same on float32 in the processor's memory, see <see cref="LstmStep"/>.</summary>
    private static void RunInMemory(Tensor gates, Tensor states, Tensor start, Tensor weight)
    {
        var (batch, units) = ((int)gates.shape[1], (int)weight.shape[0]);
        var (rowOfGates, rowOfStates) = ((int)Gates * units, 2 * units);
        var (frames, hidden, lastHidden) = (gates.unbind(0), states.narrow(2, 0, units).unbind(0), start.narrow(1, 0, units));
        var (first, product) = (start.contiguous(), weight.contiguous());
        var sums = Numbers(gates);
        var all = Numbers(states);
        var last = Numbers(first);
        var weights = Numbers(product);
        for (var t = 0; t < frames.Length; t++)
        {
            if (batch > 1) frames[t].addmm_(lastHidden, weight, 1, 1);
            var state = all.Slice(t * batch * rowOfStates, batch * rowOfStates);
            for (var item = 0; item < batch; item++)
            {
                var sum = sums.Slice((t * batch + item) * rowOfGates, rowOfGates);
                var before = last.Slice(item * rowOfStates, rowOfStates);
                var after = state.Slice(item * rowOfStates, rowOfStates);
                if (batch == 1) LstmStep.AddProduct(sum, before[..units], weights);
                LstmStep.Advance(sum, before[units..], after[..units], after[units..]);
            }
            lastHidden = hidden[t];
            last = state;
        }
        GC.KeepAlive((gates, states, first, product));

        static Span<float> Numbers(Tensor tensor) => MemoryMarshal.Cast<byte, float>(tensor.bytes);
    }

    /// <summary>Called by libtorch.</summary>
    /// <param name="ctx">The context, with the tensors that <see cref="forward"/> saved.</param>
    /// <param name="grad_output">dJ/d(h, c), [time, batch, 2 units].</param>
    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        using var pass = new BackwardPass(grad_output);
        var saved = ctx.get_saved_variables();
        var (gates, states, start, weight) = (saved[0], saved[1], saved[2], saved[3]);
        var (transposed, units) = (weight.t(), weight.shape[0]);
        var previous = cat([start.unsqueeze(0), states.narrow(0, 0, states.shape[0] - 1)], 0);
        var (toHidden, toCell) = (Half(grad_output, 0).clone(), Half(grad_output, 1).clone());
        var tanh = Half(states, 1).tanh();
        var hiddenToCell = Unbound(gates.narrow(2, 3 * units, units) * tanh.Square().SubtractedFrom(1));
        var inner = GateDerivatives(gates, tanh, Half(previous, 1));
        var sums = inner.unbind(0);
        var cellToGates = Unbound(inner.narrow(2, 0, 3 * units).unflatten(2, [3, units]));
        var hiddenToOutput = Unbound(inner.narrow(2, 3 * units, units));
        var (forget, hidden, cell) = (Unbound(gates.narrow(2, units, units)), Unbound(toHidden), Unbound(toCell));
        for (var t = sums.Length - 1; t >= 0; t--)
        {
            if (t < sums.Length - 1)
            {
                hidden[t].addmm_(sums[t + 1], transposed, 1, 1);
                cell[t].AddProductInPlace(cell[t + 1], forget[t + 1], 1);
            }
            cell[t].AddProductInPlace(hidden[t], hiddenToCell[t], 1);
            hiddenToOutput[t].mul_(hidden[t]);
            cellToGates[t].mul_(cell[t].unsqueeze(1));
        }
        var toWeight = Half(previous, 0).reshape(-1, units).t().mm(inner.reshape(-1, Gates * units));
        var toStart = cat([sums[0].mm(transposed), cell[0] * forget[0]], 1);
        return pass.Give(inner, toStart, toWeight);

        Tensor Half(Tensor whole, long index) => whole.narrow(2, index * units, units);
        static Tensor[] Unbound(Tensor whole) => whole.unbind(0);
    }

    /// <summary>
    /// The derivatives of c with respect to the sums of i, f and g, and of h with respect to the sum of o, [time, batch, 4 units].
    /// </summary>
    private static Tensor GateDerivatives(Tensor gates, Tensor tanh, Tensor previousCell)
    {
        var parts = gates.chunk(Gates, 2);
        var (input, forget, candidate, output) = (parts[0], parts[1], parts[2], parts[3]);
        return cat(
            [
                candidate * (input - input * input),
                previousCell * (forget - forget * forget),
                input * candidate.Square().SubtractedFrom(1),
                tanh * (output - output * output),
            ],
            2);
    }
}
