namespace FunctionalSeparation.Learning

open FunctionalSeparation.Core

/// Gated recurrent units (Cho et al. 2014, eqs. 5 to 8), with the reset gate behind the recurrent product, as in torch.nn.GRU.
/// The gates are r = s(x W_r + b_r + h U_r + c_r) and z = s(x W_z + b_z + h U_z + c_z).
/// The candidate is n = tanh(x W_n + b_n + r (h U_n + c_n)), and the output is h(t) = (1 - z) n + z h(t-1).
/// Here s is the logistic function, and h stands for h(t-1).
[<RequireQualifiedAccess>]
module Gru =

    /// Weights of the three gates side by side (r, z, n). Each starts as in `Layer.recurrent`, biases at zero.
    let private layout inputs units : Layout =
        Numbers.atLeast 1 "A layer" (nameof inputs) inputs
        Numbers.atLeast 1 "A layer" (nameof units) units
        let matrix name rows bound = { Name = name; Shape = [ int64 rows; 3L * int64 units ]; Init = Uniform bound }
        let bias name = { Name = name; Shape = [ 3L * int64 units ]; Init = Zeros }

        [ matrix "weight" inputs (sqrt (6.0 / float (inputs + 2 * units)))
          bias "bias"
          matrix "recurrence" units (sqrt (6.0 / float (3 * units)))
          bias "recurrenceBias" ]

    /// Layer of gated recurrent units, [time, batch, inputs] -> [time, batch, units]; its state is [batch, units]. The input
    /// products of all frames are one matrix product, see also `GruStates`. The weights are those of torch.nn.GRU, its matrices
    /// transposed. Raises ArgumentException for no input or unit.
    let layer (inputs: int) (units: int) : Model<Activations, Activations> =
        let name = $"GRU {units}"

        Layer.overFrames name inputs (layout inputs units) (fun weights flow ->
            let weight, bias, recurrence, recurrenceBias = weights[0], weights[1], weights[2], weights[3]

            let run frames start =
                let states = GruStates.Apply(frames, start, recurrence, recurrenceBias)
                struct (states, states.select (0L, -1L))

            flow |> Activations.map (Layer.affine weight bias) |> Layer.fromStart name units run)

    /// One layer forwards in time, its states carried on, and one backwards, side by side: [time, batch, inputs] ->
    /// [time, batch, 2 units].
    let bidirectional (inputs: int) (units: int) : Model<Activations, Activations> = Layer.bothWays (layer inputs units)
