namespace FunctionalSeparation.Learning

open FunctionalSeparation.Core

/// Long short-term memory (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000 and without peepholes), as
/// in torch.nn.LSTM. The gates are (i, f, o) = s(x W + b + h U) and g = tanh(x W_g + b_g + h U_g).
/// The cell is c(t) = f c(t-1) + i g, and the output is h(t) = o tanh c(t).
/// Here s is the logistic function, and h stands for h(t-1).
[<RequireQualifiedAccess>]
module Lstm =

    /// Weights of the four gates side by side (i, f, g, o). W starts as in `Layer.recurrent`, U orthogonal, b at zero.
    let private layout inputs units : Layout =
        Numbers.atLeast 1 "A layer" (nameof inputs) inputs
        Numbers.atLeast 1 "A layer" (nameof units) units
        let gates = 4L * int64 units

        [ { Name = "weight"; Shape = [ int64 inputs; gates ]; Init = Uniform(sqrt (6.0 / float (inputs + 2 * units))) }
          { Name = "bias"; Shape = [ gates ]; Init = Zeros }
          { Name = "recurrence"; Shape = [ int64 units; gates ]; Init = Orthogonal 1.0 } ]

    /// Layer of LSTM units, [time, batch, inputs] -> [time, batch, units]; its state is [batch, 2 units], h and c side by side.
    /// The input products of all frames are one matrix product, see also `LstmStates`. The weights are those of torch.nn.LSTM,
    /// its matrices transposed, its two biases added. Raises ArgumentException for no input or unit.
    let layer (inputs: int) (units: int) : Model<Activations, Activations> =
        let name, n = $"LSTM {units}", int64 units

        Layer.overFrames name inputs (layout inputs units) (fun weights flow ->
            let weight, bias, recurrence = weights[0], weights[1], weights[2]

            let run frames start =
                let states = LstmStates.Apply(frames, start, recurrence)
                struct (states.narrow (2L, 0L, n), states.select (0L, -1L))

            flow |> Activations.map (Layer.affine weight bias) |> Layer.fromStart name (2 * units) run)

    /// One layer forwards in time, its states carried on, and one backwards, side by side: [time, batch, inputs] ->
    /// [time, batch, 2 units].
    let bidirectional (inputs: int) (units: int) : Model<Activations, Activations> = Layer.bothWays (layer inputs units)
