namespace FunctionalSeparation

open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// Where the 3-vectors of a vector product network come from (Fan, Chan, Yang and Jang 2017).
type VectorInput =
    /// (previous, current, next) frame: WVPNN. The second component of the outputs counts.
    | Window
    /// The colour (r, g, b) of a magnitude in [0, 1]: CVPNN. The outputs are colours too.
    | Colour

/// Vector product neurons z_i = sum_j w_ij x a_j + b_i, all of them 3-vectors (Fan et al. 2017). A row of n 3-vectors is a row
/// of 3 n numbers: all first components, then all second ones, then all third ones.
[<RequireQualifiedAccess>]
module VectorProduct =

    /// The share of [0, 1] in which red rises, and green after it; blue rises over the rest (Fan et al. 2017).
    let internal colourWidth = 0.0938

    let private clip (x: torch.Tensor) = x.clamp (0.0, 1.0)

    /// The colours of magnitudes: (clip(x/n), clip((x - n)/n), clip((x - 2n)/(1 - 2n))) with n = 0.0938 and clip into [0, 1],
    /// [..., bins] -> [..., 3 bins]. Magnitudes above 1 are white.
    let internal colours (magnitudes: torch.Tensor) : torch.Tensor =
        let n = colourWidth

        let part (below: float) width = (magnitudes.sub below).div(width) |> clip
        torch.cat ([| part 0.0 n; part n n; part (2.0 * n) (1.0 - 2.0 * n) |], -1L)

    /// The direction c in which output vectors z become numbers c . z: (0, 1, 0) for windows; for colours (n, n, 1 - 2n), which
    /// takes the colour of x in [0, 1] back to x.
    let direction (input: VectorInput) : float * float * float =
        match input with
        | Window -> 0.0, 1.0, 0.0
        | Colour -> colourWidth, colourWidth, 1.0 - 2.0 * colourWidth

    /// The 3-vectors of an input: three stacked frames are vectors already.
    let input (kind: VectorInput) : Model<Activations, Activations> =
        match kind with
        | Window -> Model.pureFunction "window" id
        | Colour -> Model.pureFunction "colour" (Activations.map colours)

    /// The three components are drawn independently: the part of a_j parallel to w_ij is lost. As each number meets two of
    /// three components, the bound is that of a layer with twice the inputs and outputs (Glorot and Bengio 2010, eq. 16).
    let private weightOf inputs outputs : Weight =
        Numbers.atLeast 1 "A layer" (nameof inputs) inputs
        Numbers.atLeast 1 "A layer" (nameof outputs) outputs

        { Name = "weight"
          Shape = [ 3L; int64 inputs; int64 outputs ]
          Init = Uniform(sqrt (6.0 / float (2 * (inputs + outputs)))) }

    /// sum_j w_ij x a_j + b_i for rows a [rows, 3 inputs], w [3, inputs, outputs] and b [3, outputs]: [rows, 3 outputs], in the
    /// six matrix products that its definition has, each added where it belongs. Raises ArgumentException where the three do not
    /// fit each other.
    let internal product (weight: torch.Tensor) (bias: torch.Tensor) (rows: torch.Tensor) : torch.Tensor =
        let owner = "vector product"
        Shapes.Require(owner, "a weight", weight, [| Axis.Of 3L; Axis.Any "inputs"; Axis.Any "outputs" |])
        Shapes.Require(owner, "a bias", bias, [| Axis.Of 3L; Axis.Of weight.shape[2] |], weight)
        Shapes.Require(owner, "rows", rows, [| Axis.Any "rows"; Axis.Of(3L * weight.shape[1]) |], weight)
        let w, b, a = weight.unbind 0, bias.unbind 0, rows.chunk (3L, -1L)

        let part i =
            let j, k = (i + 1) % 3, (i + 2) % 3
            torch.addmm(b[i], a[k], w[j], 1.0f, 1.0f).addmm_(a[j], w[k], 1.0f, -1.0f)

        torch.cat ([| part 0; part 1; part 2 |], -1L)

    let private overVectors name inputs layout apply =
        Layer.overFrames name (3 * inputs) layout (fun weights flow ->
            let weight, bias = weights[0], weights[1]
            Activations.map (Layer.onRows (apply weight bias)) flow)

    /// Layer of vector product neurons: [time, batch, 3 inputs] -> [time, batch, 3 units]. Raises ArgumentException for no input
    /// or unit.
    let layer (inputs: int) (units: int) : Model<Activations, Activations> =
        let layout = [ weightOf inputs units; { Name = "bias"; Shape = [ 3L; int64 units ]; Init = Zeros } ]
        overVectors $"vector product {units}" inputs layout product

    /// Fully connected hidden layer of vector product neurons, the nonlinearity per component.
    let dense kind (inputs: int) (units: int) : Model<Activations, Activations> = layer inputs units --> Layer.activation kind

    /// The matrix c x: cross c v = c x v.
    let private crossMatrix (c1, c2, c3) (like: torch.Tensor) =
        let rows = [| 0.0; -c3; c2; c3; 0.0; -c1; -c2; c1; 0.0 |]
        torch.tensor(rows, device = like.device).``to``(like.dtype).view(3L, 3L)

    /// c . (sum_j w_ij x a_j) + b_i = sum_j (c x w_ij) . a_j + b_i: a linear layer whose weights are turned.
    let private projected direction (weight: torch.Tensor) bias (rows: torch.Tensor) =
        let turned = (crossMatrix direction weight).matmul(weight.view (3L, -1L)).view(-1L, weight.shape[2])
        torch.addmm (bias, rows, turned, 1.0f, 1.0f)

    /// Output layer: the components of vector product neurons in one direction, [time, batch, 3 inputs] ->
    /// [time, batch, outputs]. The same numbers as those of `layer`, projected, at half the cost; b is the projected bias.
    /// Raises ArgumentException for no input or output.
    let along (direction: float * float * float) (inputs: int) (outputs: int) : Model<Activations, Activations> =
        let layout = [ weightOf inputs outputs; { Name = "bias"; Shape = [ int64 outputs ]; Init = Zeros } ]
        overVectors $"projected vector product {outputs}" inputs layout (projected direction)
