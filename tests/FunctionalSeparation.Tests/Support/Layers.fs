/// Helpers that the layer tests share: random weights and inputs, and finite-difference derivatives.
module FunctionalSeparation.Tests.Layers

open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning

/// Uniform in [-1, 1), of float64.
let noise seed (shape: int64 list) = Key.uniformTensor -1.0 1.0 shape (Key.ofSeed seed)

/// The largest absolute difference, of tensors of one shape.
let difference (a: torch.Tensor) (b: torch.Tensor) =
    Expect.equal (List.ofArray a.shape) (List.ofArray b.shape) "both tensors have one shape"
    (a - b).abs().max().to_type(torch.float64).item<float>()

/// Parameters that are random throughout, biases included; statistics have means in [-1, 1) and variances in [1, 2).
let random seed (model: Model<Activations, Activations>) : Params =
    let parameters = Params.create model.Layout (noise seed [ Layout.total model.Layout ])

    let statistic (weight: Weight) =
        let draw = noise (seed + 100) weight.Shape
        if weight.Init = Statistic 1.0 then draw.mul(0.5).add 1.5 else draw

    match Layout.statistics model.Layout with
    | [] -> parameters
    | statistics -> parameters |> Params.withStatistics (statistics |> List.map statistic |> List.toArray |> torch.cat)

/// A network of random weights, small enough for masks of moderate size, in float32.
let trained (network: Network) : TrainedModel =
    let parameters = random 3 network.Model

    { Network = network
      Parameters =
        Params.create network.Model.Layout (parameters.Vector.mul(0.3).``to`` torch.float32)
        |> Params.withStatistics (parameters.Statistics.``to`` torch.float32)
      Level = Some 0.1 }

/// The value that comes out, at inference.
let output (model: Model<Activations, Activations>) parameters (input: torch.Tensor) =
    (Model.apply model parameters (Activations.ofFrames input)).Value

/// Expects the gradient of sum(output . upstream), in weights and input at once, to be what finite differences along a random
/// direction tell.
let hasItsGradient mode (model: Model<Activations, Activations>) (shape: int64 list) =
    Memory.plain (fun () ->
        let parameters, input = random 1 model, noise 2 shape
        let weights, size = Layout.total model.Layout, List.fold (*) 1L shape

        let value (point: torch.Tensor) =
            let parameters = { parameters with Vector = point.narrow (0L, 0L, weights) }

            let flow =
                point.narrow(0L, weights, size).view(List.toArray shape) |> Activations.ofFrames |> Activations.inMode mode

            let output = (Model.apply model parameters flow).Value
            (output * noise 3 (List.ofArray output.shape)).sum()

        let point = torch.cat [| parameters.Vector; input.reshape -1L |]
        let direction = noise 4 [ weights + size ]
        let along (step: float) = (value (point.add (direction, step))).item<float>()
        let expected = (along 1e-5 - along -1e-5) / 2e-5
        let actual = (Grad.grad value point * direction).sum().item<float>()
        Expect.isLessThan (abs (actual - expected)) (1e-7 * (1.0 + abs expected)) $"{model.Name}: {actual} and {expected}")
