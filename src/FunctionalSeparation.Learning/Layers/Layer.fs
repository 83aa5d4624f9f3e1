namespace FunctionalSeparation.Learning

open TorchSharp
open FunctionalSeparation.Core

/// The nonlinearity of a hidden layer.
type Activation =
    /// max(x, 0).
    | Relu
    /// 1 / (1 + exp(-x)).
    | Logistic
    /// tanh x.
    | Tanh
    /// max(x, 0) + slope min(x, 0).
    | LeakyRelu of slope: float
    /// x above zero, exp x - 1 below (Clevert et al. 2016).
    | Elu
    /// x P(N(0, 1) < x) (Hendrycks and Gimpel 2016).
    | Gelu
    /// x / (1 + exp(-x)), also called swish.
    | Silu
    /// log(1 + exp x).
    | Softplus

/// Layers as models over activations. Weight matrices are stored [inputs, outputs], which is the column-major order of the
/// authors' [outputs, inputs] matrices, so parameter vectors exchange with theirs block by block.
[<RequireQualifiedAccess>]
module Layer =

    let private activate activation (x: torch.Tensor) =
        match activation with
        | Relu -> x.relu ()
        | Logistic -> x.sigmoid ()
        | Tanh -> x.tanh ()
        | LeakyRelu slope -> x.leaky_relu slope
        | Elu -> x.elu ()
        | Gelu -> x.gelu ()
        | Silu -> x.silu ()
        | Softplus -> x.relu () .+ x.abs().neg().exp().log1p()

    /// c + a b.
    let internal multiplyAdd (c: torch.Tensor) (a: torch.Tensor) (b: torch.Tensor) = torch.addmm (c, a, b, 1.0f, 1.0f)

    /// Below this number of rows, libtorch multiplies in another way, which sums in another order.
    let private fewestRows = 32L

    /// Applies a function of rows to every frame at once, [time, batch, inputs] -> [time, batch, outputs]. Few rows are padded
    /// with rows of zeros. The result of a frame does not depend on the number of frames, to the last bit.
    let internal onRows (apply: torch.Tensor -> torch.Tensor) (frames: torch.Tensor) : torch.Tensor =
        let count = frames.shape[0] * frames.shape[1]
        let rows = frames.reshape (count, frames.shape[2])

        let result =
            if count >= fewestRows then
                apply rows
            else
                (torch.nn.functional.pad (rows, [| 0L; 0L; 0L; fewestRows - count |]) |> apply).narrow(0L, 0L, count)

        result.view (frames.shape[0], frames.shape[1], result.shape[1])

    /// Images as they are, frames as [time batch, features]: values whose second axis are the channels.
    let internal channelsSecond (value: torch.Tensor) = if value.dim () = 4L then value else value.reshape (-1L, value.shape[2])

    /// A function of values whose second axis are the channels, and which keeps their shape, on frames or images.
    let internal onChannels (apply: torch.Tensor -> torch.Tensor) (value: torch.Tensor) : torch.Tensor =
        (value |> channelsSecond |> apply).view_as(value)

    /// x W + b of every frame as one product: [time, batch, inputs] -> [time, batch, outputs].
    let internal affine (weight: torch.Tensor) (bias: torch.Tensor) (frames: torch.Tensor) =
        onRows (fun rows -> multiplyAdd bias rows weight) frames

    /// A layer with weights of its own. `apply` is given the weights in the order of the layout, and activations whose value has
    /// the axes that `wanted` tells. Raises ArgumentException for weights or a value of another shape, type or device; the
    /// message names the layer, what it wants and what it got. Statistics may be of another type than the learnt weights (see
    /// `Precision`).
    let internal withWeights name what (wanted: torch.Tensor -> Axis[]) (layout: Layout) apply : Model<Activations, Activations> =
        let shapes = [| for weight in layout -> weight, [| for size in weight.Shape -> Axis.Of size |] |]
        let firstLearnt = List.tryFindIndex Layout.isLearnt layout

        { Name = name
          Layout = layout
          Apply =
            fun weights (flow: Activations) ->
                let weights = Array.ofList weights

                if weights.Length <> shapes.Length then
                    invalidArg (nameof weights) $"{name}: wants {shapes.Length} weights, got {weights.Length}."

                let like = firstLearnt |> Option.map (Array.get weights) |> Option.toObj

                for (weight, shape), given in Array.zip shapes weights do
                    Shapes.Require(name, weight.Name, given, shape, (if Layout.isLearnt weight then like else null))

                Shapes.Require(name, what flow.Value, flow.Value, wanted flow.Value, like)
                apply weights flow }

    let private frameAxes inputs = [| Axis.Any "time"; Axis.Any "batch"; Axis.Of(int64 inputs) |]
    let private imageAxes channels = [| Axis.Any "batch"; Axis.Of(int64 channels); Axis.Any "time"; Axis.Any "bins" |]

    /// A layer with weights over frames [time, batch, inputs].
    let internal overFrames
        (name: string)
        (inputs: int)
        (layout: Layout)
        (apply: torch.Tensor[] -> Activations -> Activations)
        : Model<Activations, Activations> =
        let axes = frameAxes inputs
        withWeights name (fun _ -> "frames") (fun _ -> axes) layout apply

    /// A layer with weights over images [batch, channels, time, bins].
    let internal overImages
        (name: string)
        (channels: int)
        (layout: Layout)
        (apply: torch.Tensor[] -> Activations -> Activations)
        : Model<Activations, Activations> =
        let axes = imageAxes channels
        withWeights name (fun _ -> "images") (fun _ -> axes) layout apply

    /// A layer with weights over the features of frames or the channels of images.
    let internal overBoth
        (name: string)
        (features: int)
        (layout: Layout)
        (apply: torch.Tensor[] -> Activations -> Activations)
        : Model<Activations, Activations> =
        let frames, images = frameAxes features, imageAxes features
        let isImage (value: torch.Tensor) = value.dim () = 4L
        let what value = if isImage value then "images" else "frames"
        withWeights name what (fun value -> if isImage value then images else frames) layout apply

    let private weightsOf inputs outputs bound : Layout =
        Numbers.atLeast 1 "A layer" "inputs" inputs
        Numbers.atLeast 1 "A layer" "outputs" outputs

        [ { Name = "weight"; Shape = [ int64 inputs; int64 outputs ]; Init = Uniform bound }
          { Name = "bias"; Shape = [ int64 outputs ]; Init = Zeros } ]

    /// Weights uniform in ±sqrt(6/(inputs + outputs)), biases at zero (Glorot and Bengio 2010, eq. 16).
    let internal affineLayout inputs outputs : Layout = weightsOf inputs outputs (sqrt (6.0 / float (inputs + outputs)))

    /// Affine layer: [time, batch, inputs] -> [time, batch, outputs]. As every layer, it raises ArgumentException, naming itself,
    /// for frames of another shape or type than its weights want. Weights start as Glorot and Bengio 2010 have it (eq. 16;
    /// authors' code of Huang et al. 2014), biases at zero.
    let linear (inputs: int) (outputs: int) : Model<Activations, Activations> =
        overFrames $"linear {outputs}" inputs (affineLayout inputs outputs) (fun weights flow ->
            let weight, bias = weights[0], weights[1]
            Activations.map (affine weight bias) flow)

    /// x W without bias, [time, batch, inputs] -> [time, batch, outputs], such as in front of a normalisation. Raises
    /// ArgumentException for no input or output.
    let product (inputs: int) (outputs: int) : Model<Activations, Activations> =
        overFrames $"product {outputs}" inputs [ (affineLayout inputs outputs).Head ] (fun weights ->
            Activations.map (onRows _.mm(weights[0])))

    /// Applies a nonlinearity to every frame.
    let activation (kind: Activation) : Model<Activations, Activations> =
        Model.pureFunction $"{kind}" (Activations.map (activate kind))

    /// Fully connected hidden layer f(x W + b).
    let dense kind (inputs: int) (units: int) : Model<Activations, Activations> =
        let layer = linear inputs units --> activation kind
        { layer with Name = $"dense {units}" }

    /// Runs the recurrence of a layer over frames [time, batch, _]. It starts from the next start state [batch, size] of the
    /// activations, or from zero where there is none. `run` gives the outputs [time, batch, units] and the last state, which
    /// joins the end states of the activations.
    let internal fromStart
        (name: string)
        (size: int)
        (run: torch.Tensor -> torch.Tensor -> struct (torch.Tensor * torch.Tensor))
        (flow: Activations)
        : Activations =
        let frames = flow.Value

        if frames.shape[0] = 0L then
            invalidArg (nameof flow) $"{name}: wants at least one frame, got {Shapes.Describe frames}."

        let start, rest =
            match flow.InitialStates with
            | first :: rest ->
                Shapes.Require(name, "a start state", first, [| Axis.Of frames.shape[1]; Axis.Of(int64 size) |], frames)
                first, rest
            | [] -> frames.new_zeros [| frames.shape[1]; int64 size |], []

        let struct (outputs, last) = run frames start
        { flow with Value = outputs; InitialStates = rest; FinalStates = last :: flow.FinalStates }

    let private recurrentActivation =
        function
        | Relu -> RecurrentActivation.Relu
        | Logistic -> RecurrentActivation.Logistic
        | Tanh -> RecurrentActivation.Tanh
        | other -> invalidArg "kind" $"A plain recurrent layer is of Relu, Logistic or Tanh, not of {other}."

    /// Fully connected recurrent layer h(t) = f(x(t) W + b + h(t-1) U), [time, batch, inputs] -> [time, batch, units]
    /// (Huang et al. 2014, eq. 1), of Relu, Logistic or Tanh. The input products of all frames are one matrix product, see also
    /// `RecurrentStates`. W starts uniform in ±sqrt(6/(inputs + 2 units)), U in ±sqrt(6/(3 units)), b at zero (authors' code).
    /// Raises ArgumentException for another nonlinearity, and for no input or unit.
    let recurrent kind (inputs: int) (units: int) : Model<Activations, Activations> =
        let n, name = int64 units, $"recurrent {units}"

        let layout =
            weightsOf inputs units (sqrt (6.0 / float (inputs + 2 * units)))
            @ [ { Name = "recurrence"; Shape = [ n; n ]; Init = Uniform(sqrt (6.0 / float (3 * units))) } ]

        let activation = recurrentActivation kind

        overFrames name inputs layout (fun weights flow ->
            let weight, bias, recurrence = weights[0], weights[1], weights[2]

            let run frames start =
                let states = RecurrentStates.Apply(frames, start, recurrence, activation)
                struct (states, states.select (0L, -1L))

            flow |> Activations.map (affine weight bias) |> fromStart name units run)

    let private reversed (flow: Activations) = flow |> Activations.map _.flip(0L)

    /// Runs a model over frames from the last one to the first. Its states would be those of the future, so there are none to
    /// carry.
    let backwards (model: Model<Activations, Activations>) : Model<Activations, Activations> =
        { model with
            Name = $"backwards ({model.Name})"
            Apply = fun weights -> reversed >> Activations.withoutStates (model.Apply weights) >> reversed }

    /// One copy of a layer forwards in time and one, with weights of its own, backwards, their features side by side.
    let bothWays (model: Model<Activations, Activations>) : Model<Activations, Activations> =
        Model.concat [ model; backwards model ]
