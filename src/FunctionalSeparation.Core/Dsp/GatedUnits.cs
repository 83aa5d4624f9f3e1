using TorchSharp;
using static TorchSharp.torch;

namespace FunctionalSeparation.Core;

/// <summary>
/// libtorch's own LSTM and GRU of one layer and one direction as functions of their weights. TorchSharp has them as modules only,
/// which own their weights; TorchScript calls the same operations by name.
/// </summary>
public static class GatedUnits
{
    private const string Script = """
        def lstm(x: Tensor, h: Tensor, c: Tensor, w: Tensor, u: Tensor, b: Tensor, d: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
            return torch.lstm(x, [h, c], [w, u, b, d], True, 1, 0.0, torch.is_grad_enabled(), False, False)

        def gru(x: Tensor, h: Tensor, w: Tensor, u: Tensor, b: Tensor, d: Tensor) -> Tuple[Tensor, Tensor]:
            return torch.gru(x, h, [w, u, b, d], True, 1, 0.0, torch.is_grad_enabled(), False, False)

        """;

    private static readonly Lazy<jit.CompilationUnit> Compiled = new(() =>
    {
        TorchRuntime.Initialize();
        return jit.compile(Script);
    });

    /// <summary>Runs an LSTM; its four gates lie side by side: input, forget, cell, output.</summary>
    /// <param name="frames">The input, [time, batch, inputs], at least one frame.</param>
    /// <param name="hidden">The hidden state before the first frame, [batch, units].</param>
    /// <param name="cell">The cell state before the first frame, [batch, units].</param>
    /// <param name="weight">[inputs, 4 units].</param>
    /// <param name="recurrence">[units, 4 units].</param>
    /// <param name="bias">[4 units].</param>
    /// <returns>The hidden states [time, batch, units], and the hidden and the cell state after the last frame.</returns>
    /// <exception cref="ArgumentException">The tensors do not fit each other, or there is no frame.</exception>
    public static (Tensor Outputs, Tensor Hidden, Tensor Cell) Lstm(
        Tensor frames, Tensor hidden, Tensor cell, Tensor weight, Tensor recurrence, Tensor bias)
    {
        const string owner = "LSTM";
        Require(owner, 4, frames, hidden, weight, recurrence, bias);
        Shapes.Require(owner, "a cell state", cell, [Axis.Of(hidden.shape[0]), Axis.Of(hidden.shape[1])], frames);
        using var scope = NewDisposeScope();
        var (outputs, lastHidden, lastCell) = ((Tensor, Tensor, Tensor))Invoke(
            "lstm", frames, hidden.unsqueeze(0), cell.unsqueeze(0), weight.t(), recurrence.t(), bias, zeros_like(bias));
        return (outputs.MoveToOuterDisposeScope(),
            lastHidden.squeeze(0).MoveToOuterDisposeScope(),
            lastCell.squeeze(0).MoveToOuterDisposeScope());
    }

    /// <summary>Runs a GRU; its three gates lie side by side: reset, update, candidate.</summary>
    /// <param name="frames">The input, [time, batch, inputs], at least one frame.</param>
    /// <param name="hidden">The state before the first frame, [batch, units].</param>
    /// <param name="weight">[inputs, 3 units].</param>
    /// <param name="recurrence">[units, 3 units].</param>
    /// <param name="bias">[3 units], with the input's share of the gates.</param>
    /// <param name="recurrenceBias">[3 units], with the state's share.</param>
    /// <returns>The states [time, batch, units], and the one after the last frame.</returns>
    /// <exception cref="ArgumentException">The tensors do not fit each other, or there is no frame.</exception>
    public static (Tensor Outputs, Tensor Hidden) Gru(
        Tensor frames, Tensor hidden, Tensor weight, Tensor recurrence, Tensor bias, Tensor recurrenceBias)
    {
        const string owner = "GRU";
        Require(owner, 3, frames, hidden, weight, recurrence, bias);
        Shapes.Require(owner, "a bias of the recurrence", recurrenceBias, [Axis.Of(recurrence.shape[1])], frames);
        using var scope = NewDisposeScope();
        var (outputs, lastHidden) = ((Tensor, Tensor))Invoke(
            "gru", frames, hidden.unsqueeze(0), weight.t(), recurrence.t(), bias, recurrenceBias);
        return (outputs.MoveToOuterDisposeScope(), lastHidden.squeeze(0).MoveToOuterDisposeScope());
    }

    /// <summary>Of numbers TorchSharp would make temporary scalars here; tensors only.</summary>
    private static object Invoke(string name, params Tensor[] arguments)
    {
        var result = Compiled.Value.invoke(name, (object[])arguments);
        GC.KeepAlive(arguments);
        return result;
    }

    private static void Require(
        string owner, long gates, Tensor frames, Tensor hidden, Tensor weight, Tensor recurrence, Tensor bias)
    {
        Shapes.Require(owner, "frames", frames, [Axis.Any("time"), Axis.Any("batch"), Axis.Any("inputs")]);
        if (frames.shape[0] == 0)
            throw new ArgumentException($"{owner}: wants at least one frame, got {Shapes.Describe(frames)}.");
        Shapes.Require(owner, "a hidden state", hidden, [Axis.Of(frames.shape[1]), Axis.Any("units")], frames);
        var units = hidden.shape[1];
        Shapes.Require(owner, "a weight", weight, [Axis.Of(frames.shape[2]), Axis.Of(gates * units)], frames);
        Shapes.Require(owner, "a recurrence", recurrence, [Axis.Of(units), Axis.Of(gates * units)], frames);
        Shapes.Require(owner, "a bias", bias, [Axis.Of(gates * units)], frames);
    }
}
