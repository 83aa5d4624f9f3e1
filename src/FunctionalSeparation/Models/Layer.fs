namespace FunctionalSeparation

open TorchSharp
open FunctionalSeparation.Core

/// The nonlinearity of a hidden layer.
type Activation =
    | Relu
    | Logistic
    | Tanh

/// A batch of sequences on its way through a network.
[<NoEquality; NoComparison>]
type Sequence =
    {
        /// [time, batch, features].
        Frames: torch.Tensor
        /// States [batch, units] that recurrent layers start from, first layer first; a layer that finds none starts at zero.
        Start: torch.Tensor list
        /// States in which the recurrent layers passed so far ended, last layer first.
        End: torch.Tensor list
    }

[<RequireQualifiedAccess>]
module Sequence =

    /// Sequences that start from zero states. Frames: [time, batch, features].
    let ofFrames (frames: torch.Tensor) : Sequence = { Frames = frames; Start = []; End = [] }

    /// Sequences that go on where an earlier one ended: `states` as `finalStates` gave them.
    let continuing (states: torch.Tensor list) (frames: torch.Tensor) : Sequence = { Frames = frames; Start = states; End = [] }

    /// The end states of all recurrent layers, first layer first.
    let finalStates (sequence: Sequence) : torch.Tensor list = List.rev sequence.End

/// Layers as models over sequences. Weight matrices are stored [inputs, outputs], which is the column-major order of the
/// authors' [outputs, inputs] matrices, so parameter vectors exchange with theirs block by block.
[<RequireQualifiedAccess>]
module Layer =

    let private activate activation (x: torch.Tensor) =
        match activation with
        | Relu -> x.relu ()
        | Logistic -> x.sigmoid ()
        | Tanh -> x.tanh ()

    /// c + a b.
    let internal multiplyAdd (c: torch.Tensor) (a: torch.Tensor) (b: torch.Tensor) = torch.addmm (c, a, b, 1.0f, 1.0f)

    /// Products of fewer rows than a few take another path in libtorch, which sums in another order.
    let private fewestRows = 32L

    /// A function of rows on every frame at once, [time, batch, inputs] -> [time, batch, outputs], with zeros below where there
    /// are few: what comes of a frame does not depend on how many there are, to the last bit.
    let internal onRows (apply: torch.Tensor -> torch.Tensor) (frames: torch.Tensor) : torch.Tensor =
        let count = frames.shape[0] * frames.shape[1]
        let rows = frames.reshape (count, frames.shape[2])

        let result =
            if count >= fewestRows then
                apply rows
            else
                (torch.nn.functional.pad (rows, [| 0L; 0L; 0L; fewestRows - count |]) |> apply).narrow(0L, 0L, count)

        result.view (frames.shape[0], frames.shape[1], result.shape[1])

    /// x W + b of every frame as one product: [time, batch, inputs] -> [time, batch, outputs].
    let internal affine (weight: torch.Tensor) (bias: torch.Tensor) (frames: torch.Tensor) =
        onRows (fun rows -> multiplyAdd bias rows weight) frames

    /// A layer with weights of its own over frames [time, batch, inputs]: `apply` is given the weights in the order of the layout.
    /// Weights or frames of another shape, type or device are an ArgumentException that names the layer, what it wants and what it
    /// has got.
    let internal overFrames
        (name: string)
        (inputs: int)
        (layout: Layout)
        (apply: torch.Tensor[] -> Sequence -> Sequence)
        : Model<Sequence, Sequence> =
        let frames = [| Axis.Any "time"; Axis.Any "batch"; Axis.Of(int64 inputs) |]
        let shapes = [| for weight in layout -> weight.Name, [| for size in weight.Shape -> Axis.Of size |] |]

        { Name = name
          Layout = layout
          Apply =
            fun weights sequence ->
                let weights = Array.ofList weights

                if weights.Length <> shapes.Length then
                    invalidArg (nameof weights) $"{name}: wants {shapes.Length} weights, got {weights.Length}."

                for (what, shape), weight in Array.zip shapes weights do
                    Shapes.Require(name, what, weight, shape, weights[0])

                Shapes.Require(name, "frames", sequence.Frames, frames, weights[0])
                apply weights sequence }

    let private weightsOf inputs outputs bound : Layout =
        Numbers.atLeast 1 "A layer" "inputs" inputs
        Numbers.atLeast 1 "A layer" "outputs" outputs

        [ { Name = "weight"; Shape = [ int64 inputs; int64 outputs ]; Start = Uniform bound }
          { Name = "bias"; Shape = [ int64 outputs ]; Start = Zeros } ]

    /// Affine layer: [time, batch, inputs] -> [time, batch, outputs]. As every layer, it raises ArgumentException, naming itself, for
    /// frames of another shape or type than its weights want. Weights start uniform in ±sqrt(6/(inputs + outputs)),
    /// biases at zero (Glorot and Bengio 2010, eq. 16; authors' code of Huang et al. 2014).
    let linear (inputs: int) (outputs: int) : Model<Sequence, Sequence> =
        let layout = weightsOf inputs outputs (sqrt (6.0 / float (inputs + outputs)))

        overFrames $"linear {outputs}" inputs layout (fun weights sequence ->
            let weight, bias = weights[0], weights[1]
            { sequence with Frames = affine weight bias sequence.Frames })

    /// Applies a nonlinearity to every frame.
    let activation (kind: Activation) : Model<Sequence, Sequence> =
        Model.pureFunction $"{kind}" (fun sequence -> { sequence with Frames = activate kind sequence.Frames })

    /// Fully connected hidden layer f(x W + b).
    let dense kind (inputs: int) (units: int) : Model<Sequence, Sequence> =
        let layer = linear inputs units --> activation kind
        { layer with Name = $"dense {units}" }

    /// Runs the recurrence of a layer over frames [time, batch, _], from the next start state of the sequence (zero where it has
    /// none): the states [time, batch, units], the last of which joins the sequence's end states.
    let private fromStart
        (name: string)
        (units: int)
        (run: torch.Tensor -> torch.Tensor -> torch.Tensor)
        (sequence: Sequence)
        : Sequence =
        let frames = sequence.Frames

        if frames.shape[0] = 0L then
            invalidArg (nameof sequence) $"{name}: wants at least one frame, got {Shapes.Describe frames}."

        let start, rest =
            match sequence.Start with
            | first :: rest ->
                Shapes.Require(name, "a start state", first, [| Axis.Of frames.shape[1]; Axis.Of(int64 units) |], frames)
                first, rest
            | [] -> frames.new_zeros [| frames.shape[1]; int64 units |], []

        let states = run frames start
        { Frames = states; Start = rest; End = states.select (0L, -1L) :: sequence.End }

    /// `fromStart`, frame by frame: `step` makes the next state [batch, units] of a state and a frame [batch, _].
    let internal overTime name (units: int) (step: torch.Tensor -> torch.Tensor -> torch.Tensor) (sequence: Sequence) : Sequence =
        let run (frames: torch.Tensor) start = torch.stack (frames.unbind 0 |> Array.scan step start |> Array.tail, 0L)
        fromStart name units run sequence

    let private recurrentActivation =
        function
        | Relu -> RecurrentActivation.Relu
        | Logistic -> RecurrentActivation.Logistic
        | Tanh -> RecurrentActivation.Tanh

    /// Fully connected recurrent layer h(t) = f(x(t) W + b + h(t-1) U), [time, batch, inputs] -> [time, batch, units]
    /// (Huang et al. 2014, eq. 1). The input products of all frames are one matrix product, see also `RecurrentStates`. W starts uniform in
    /// ±sqrt(6/(inputs + 2 units)), U in ±sqrt(6/(3 units)), b at zero (authors' code).
    let recurrent kind (inputs: int) (units: int) : Model<Sequence, Sequence> =
        let n, name = int64 units, $"recurrent {units}"

        let layout =
            weightsOf inputs units (sqrt (6.0 / float (inputs + 2 * units)))
            @ [ { Name = "recurrence"; Shape = [ n; n ]; Start = Uniform(sqrt (6.0 / float (3 * units))) } ]

        overFrames name inputs layout (fun weights sequence ->
            let weight, bias, recurrence = weights[0], weights[1], weights[2]
            let run frames start = RecurrentStates.Apply(frames, start, recurrence, recurrentActivation kind)
            { sequence with Frames = affine weight bias sequence.Frames } |> fromStart name units run)
