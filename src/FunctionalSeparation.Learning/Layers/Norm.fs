namespace FunctionalSeparation.Learning

open TorchSharp
open FunctionalSeparation.Core

/// Normalisation of frames [time, batch, features] and images [batch, channels, time, bins]: y = (x - mean) / sqrt(variance +
/// 1e-5). Then each feature or channel becomes y `scale` + `shift`, which start at 1 and 0. Raises ArgumentException, as all
/// here, where there is no feature or channel, and where groups do not divide them.
[<RequireQualifiedAccess>]
module Norm =

    let private epsilon = 1e-5

    let private affine channels : Layout =
        [ { Name = "scale"; Shape = [ int64 channels ]; Init = Constant 1.0 }
          { Name = "shift"; Shape = [ int64 channels ]; Init = Zeros } ]

    let private statistics channels : Layout =
        [ { Name = "mean"; Shape = [ int64 channels ]; Init = Statistic 0.0 }
          { Name = "variance"; Shape = [ int64 channels ]; Init = Statistic 1.0 } ]

    /// The moments of values [n, channels, ...] for `Activations.Moments`: [3, channels].
    let private moments (values: torch.Tensor) =
        Memory.tensor (fun () ->
            let axes =
                [| for axis in 0L .. values.dim () - 1L do
                       if axis <> 1L then axis |]

            let struct (variance, mean) = (values.``to`` torch.float64).var_mean(axes, false)
            let count = torch.ones_like(mean).mul(float (values.numel () / values.shape[1]))
            torch.stack [| count; count * mean; count * (variance .+ mean.squared ()) |])

    let private batchNorm (scale: torch.Tensor) shift (mean: torch.Tensor) (variance: torch.Tensor) mode (values: torch.Tensor) =
        let normalise (mean, variance, ownMoments) =
            torch.nn.functional.batch_norm (values, mean, variance, scale, shift, ownMoments, 0.0, epsilon)

        match mode with
        | Mode.Inference -> normalise (mean, variance, false)
        // libtorch writes into what it is given of statistics here.
        | Mode.Training _
        | Mode.Observing -> normalise (mean.clone (), variance.clone (), true)

    let private withStatistics name channels layout (affine: torch.Tensor[] -> torch.Tensor * torch.Tensor) =
        Numbers.atLeast 1 "A normalisation" "channels" channels

        Layer.overBoth name channels (layout @ statistics channels) (fun weights flow ->
            let mean, variance = weights[weights.Length - 2], weights[weights.Length - 1]
            let scale, shift = affine weights

            let observed =
                if flow.Mode = Mode.Observing then
                    [ moments (Layer.channelsSecond flow.Value) ]
                else
                    []

            { Activations.map (Layer.onChannels (batchNorm scale shift mean variance flow.Mode)) flow with
                Moments = observed @ flow.Moments })

    /// Batch normalisation (Ioffe and Szegedy 2015): mean and variance of each feature or channel over all frames, bins and the
    /// batch; at inference those of `Params.Statistics` (see `Statistics.observe`).
    let batch (channels: int) : Model<Activations, Activations> =
        // Statistics stay in float32 where weights are in bfloat16; libtorch wants all four alike.
        let affineLike (weights: torch.Tensor[]) = weights[0].``to`` weights[2].dtype, weights[1].``to`` weights[2].dtype

        withStatistics $"batch norm {channels}" channels (affine channels) affineLike

    /// Batch normalisation without weights, such as for inputs: mean 0 and variance 1 for each feature or channel.
    let standardise (channels: int) : Model<Activations, Activations> =
        withStatistics $"standardise {channels}" channels [] (fun _ -> null, null)

    /// Group normalisation (Wu and He 2018). In images, mean and variance of each item of the batch are over groups of channels,
    /// all their frames and bins. In frames, those of each frame are over groups of features. One group for each channel is
    /// instance normalisation.
    let group (groups: int) (channels: int) : Model<Activations, Activations> =
        Numbers.atLeast 1 "A normalisation" (nameof groups) groups
        Numbers.atLeast 1 "A normalisation" (nameof channels) channels

        if channels % groups <> 0 then
            invalidArg (nameof groups) $"{channels} channels do not divide into {groups} groups."

        Layer.overBoth $"group norm {groups} of {channels}" channels (affine channels) (fun weights ->
            let normalise values = torch.nn.functional.group_norm (values, int64 groups, weights[0], weights[1], epsilon)
            Activations.map (Layer.onChannels normalise))

    /// Layer normalisation (Ba et al. 2016): mean and variance of each frame over its features, of each point of an image over
    /// its channels.
    let layer (channels: int) : Model<Activations, Activations> =
        Numbers.atLeast 1 "A normalisation" (nameof channels) channels

        Layer.overBoth $"layer norm {channels}" channels (affine channels) (fun weights ->
            let normalise values = torch.nn.functional.layer_norm (values, [| int64 channels |], weights[0], weights[1], epsilon)

            Activations.map (fun value ->
                if value.dim () = 4L then
                    (value.permute (0L, 2L, 3L, 1L) |> normalise).permute(0L, 3L, 1L, 2L)
                else
                    normalise value))
