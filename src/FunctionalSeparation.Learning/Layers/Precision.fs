namespace FunctionalSeparation.Learning

open TorchSharp
open FunctionalSeparation.Core

/// The number format of a network's matrix products during training.
[<RequireQualifiedAccess>]
type Precision =
    /// float32 throughout.
    | Float32
    /// Factors and results of products, and the activations between them, in bfloat16 (8 bits of mantissa); each product sums in
    /// float32. Weights, statistics and moments of normalisation, and all that follows the network (loss, gradient and optimiser)
    /// stay in float32. Several times faster on GPUs and on processors with instructions for it (AVX512-BF16, AMX), slower on
    /// others.
    | Bfloat16

/// Networks in a given precision.
[<RequireQualifiedAccess>]
module Precision =

    /// A network of float32 weights with its products in the given precision; inputs and outputs stay float32. In bfloat16 it
    /// raises ArgumentException for weights or frames of another type.
    let network (precision: Precision) (model: Model<Activations, Activations>) : Model<Activations, Activations> =
        match precision with
        | Precision.Float32 -> model
        | Precision.Bfloat16 ->
            let short what (x: torch.Tensor) =
                Shapes.RequireType($"{model.Name} in bfloat16", what, x, [| torch.float32 |])
                x.``to`` torch.bfloat16

            let long (x: torch.Tensor) = x.``to`` torch.float32
            let shortIfLearnt weight tensor = if Layout.isLearnt weight then short "weights" tensor else tensor

            { model with
                Apply =
                    fun weights flow ->
                        let input =
                            { Activations.map (short "frames") flow with
                                InitialStates = List.map (short "start states") flow.InitialStates }

                        let output = model.Apply (List.map2 shortIfLearnt model.Layout weights) input
                        { Activations.map long output with FinalStates = List.map long output.FinalStates } }
