namespace FunctionalSeparation.Learning

open TorchSharp

/// Attention (Vaswani et al. 2017).
[<RequireQualifiedAccess>]
module Attention =

    let private layout features : Layout =
        let n = int64 features
        let matrix name columns = { Name = name; Shape = [ n; columns ]; Init = Uniform(sqrt (3.0 / float features)) }
        let bias name columns = { Name = name; Shape = [ columns ]; Init = Zeros }
        [ matrix "weight" (3L * n); bias "bias" (3L * n); matrix "output" n; bias "outputBias" n ]

    /// Multi-head self-attention over time, [time, batch, features] -> [time, batch, features]: softmax(Q K' / sqrt d) V for each
    /// head of d = features / heads (eq. 1), then one product. The weights are those of torch.nn.MultiheadAttention, its matrices
    /// transposed: queries, keys and values side by side. Raises ArgumentException where heads do not divide the features.
    let layer (heads: int) (features: int) : Model<Activations, Activations> =
        Numbers.atLeast 1 "An attention layer" (nameof heads) heads
        Numbers.atLeast 1 "An attention layer" (nameof features) features

        if features % heads <> 0 then
            invalidArg (nameof heads) $"{features} features do not divide into {heads} heads."

        Layer.overFrames $"attention {features}" features (layout features) (fun weights ->
            Activations.map (fun frames ->
                let time, batch = frames.shape[0], frames.shape[1]
                let projected = Layer.affine weights[0] weights[1] frames
                // [3, batch, heads, time, d]
                let parts = projected.view(time, batch, 3L, int64 heads, -1L).permute(2L, 1L, 3L, 0L, 4L).unbind 0
                let attended = torch.nn.functional.scaled_dot_product_attention (parts[0], parts[1], parts[2])
                attended.permute(2L, 0L, 1L, 3L).reshape(time, batch, int64 features) |> Layer.affine weights[2] weights[3]))
