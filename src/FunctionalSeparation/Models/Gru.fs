namespace FunctionalSeparation

open TorchSharp

/// Gated recurrent units (Cho et al. 2014, eqs. 5 to 8), with the reset gate behind the recurrent product, as in torch.nn.GRU:
/// r = s(x W_r + b_r + h U_r + c_r), z = s(x W_z + b_z + h U_z + c_z), n = tanh(x W_n + b_n + r (h U_n + c_n)),
/// h(t) = (1 - z) n + z h(t-1), where s is the logistic function and h stands for h(t-1).
[<RequireQualifiedAccess>]
module Gru =

    /// Weights of the three gates side by side (r, z, n). Each starts as in `Layer.recurrent`, biases at zero.
    let private layout inputs units : Layout =
        Numbers.atLeast 1 "A layer" (nameof inputs) inputs
        Numbers.atLeast 1 "A layer" (nameof units) units
        let matrix name rows bound = { Name = name; Shape = [ int64 rows; 3L * int64 units ]; Start = Uniform bound }
        let bias name = { Name = name; Shape = [ 3L * int64 units ]; Start = Zeros }

        [ matrix "weight" inputs (sqrt (6.0 / float (inputs + 2 * units)))
          bias "bias"
          matrix "recurrence" units (sqrt (6.0 / float (3 * units)))
          bias "recurrenceBias" ]

    /// The next state [batch, units]. `frame` [batch, 3 units] holds the input's share of the gates.
    let private step units recurrence recurrenceBias (state: torch.Tensor) (frame: torch.Tensor) =
        let n = int64 units
        let memory = Layer.multiplyAdd recurrenceBias state recurrence
        let gates = (frame.narrow (1L, 0L, 2L * n) .+ memory.narrow (1L, 0L, 2L * n)).sigmoid()
        let reset, update = gates.narrow (1L, 0L, n), gates.narrow (1L, n, n)
        let candidate = (frame.narrow (1L, 2L * n, n) .+ reset * memory.narrow (1L, 2L * n, n)).tanh()
        candidate .+ update * (state - candidate)

    /// Layer of gated recurrent units, [time, batch, inputs] -> [time, batch, units]. The input products of all frames are one
    /// matrix product. The weights are those of torch.nn.GRU, its matrices transposed.
    let layer (inputs: int) (units: int) : Model<Sequence, Sequence> =
        let name = $"GRU {units}"

        Layer.overFrames name inputs (layout inputs units) (fun weights sequence ->
            let weight, bias, recurrence, recurrenceBias = weights[0], weights[1], weights[2], weights[3]

            { sequence with Frames = Layer.affine weight bias sequence.Frames }
            |> Layer.overTime name units (step units recurrence recurrenceBias))
