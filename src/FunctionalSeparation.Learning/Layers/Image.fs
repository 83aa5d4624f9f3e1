namespace FunctionalSeparation.Learning

open TorchSharp
open FunctionalSeparation.Core

/// Images [batch, channels, time, bins]: to and from frames [time, batch, features], and layers that run over one axis of them.
[<RequireQualifiedAccess>]
module Image =

    let private require owner (image: torch.Tensor) =
        Shapes.Require(owner, "images", image, [| Axis.Any "batch"; Axis.Any "channels"; Axis.Any "time"; Axis.Any "bins" |])

    /// Frames whose features are channels x bins as images with `channels` channels: [time, batch, channels bins] ->
    /// [batch, channels, time, bins]. Raises ArgumentException where the channels do not divide the features.
    let ofFrames (channels: int) : Model<Activations, Activations> =
        Numbers.atLeast 1 "An image" (nameof channels) channels

        Model.pureFunction
            $"image of {channels}"
            (Activations.map (fun frames ->
                let name = $"image of {channels}"
                Shapes.Require(name, "frames", frames, [| Axis.Any "time"; Axis.Any "batch"; Axis.Any "channels x bins" |])

                if frames.shape[2] % int64 channels <> 0L then
                    invalidArg
                        (nameof channels)
                        $"{name}: wants a multiple of {channels} features, got {Shapes.Describe frames}."

                frames.reshape(frames.shape[0], frames.shape[1], int64 channels, -1L).permute(1L, 2L, 0L, 3L)))

    /// Images as frames: [batch, channels, time, bins] -> [time, batch, channels bins].
    let toFrames: Model<Activations, Activations> =
        Model.pureFunction
            "frames of image"
            (Activations.map (fun image ->
                require "frames of image" image
                image.permute(2L, 0L, 1L, 3L).reshape(image.shape[2], image.shape[0], -1L)))

    /// Runs a model over frames on images: `enter` are the axes of the image in the order (sequence, other, channels), where the
    /// two in the middle are one batch.
    let private along
        name
        (axis: int64)
        (other: int64)
        apply
        (model: Model<Activations, Activations>)
        : Model<Activations, Activations> =
        let name = $"{name} ({model.Name})"
        let order = [| axis; 0L; other; 1L |]

        let back = [| for axis in 0L .. 3L -> System.Array.IndexOf(order, axis) |> int64 |]

        { model with
            Name = name
            Apply =
                fun weights flow ->
                    require name flow.Value
                    let sequence, batch, others = flow.Value.shape[int axis], flow.Value.shape[0], flow.Value.shape[int other]
                    let frames = flow.Value.permute(order).reshape(sequence, batch * others, flow.Value.shape[1])
                    let output: Activations = apply (model.Apply weights) { flow with Value = frames }
                    let wanted = [| Axis.Of sequence; Axis.Of(batch * others); Axis.Any "channels" |]
                    Shapes.Require(name, "frames from the layer inside", output.Value, wanted)
                    Activations.map (fun frames -> frames.view(sequence, batch, others, -1L).permute back) output }

    /// Each band of an image as a sequence over time: runs a model over frames [time, batch bins, channels]. Its recurrent states
    /// are those of the bands, [batch bins, units].
    let overTime (model: Model<Activations, Activations>) : Model<Activations, Activations> = along "over time" 2L 3L id model

    /// Each frame of an image as a sequence over its bands: runs a model over frames [bins, batch time, channels]. It starts anew
    /// with each frame, so there are no states to carry.
    let overBands (model: Model<Activations, Activations>) : Model<Activations, Activations> =
        along "over bands" 3L 2L Activations.withoutStates model

    /// Affine layer over the bins, shared by all channels and frames: [batch, channels, time, bins] ->
    /// [batch, channels, time, outputs]. Weights start as in `Layer.linear`; two behind each other are one of low rank. Raises
    /// ArgumentException for no bin or output.
    let linear (bins: int) (outputs: int) : Model<Activations, Activations> =
        let name = $"linear over {bins} bins"
        let wanted = [| Axis.Any "batch"; Axis.Any "channels"; Axis.Any "time"; Axis.Of(int64 bins) |]

        Layer.withWeights name (fun _ -> "images") (fun _ -> wanted) (Layer.affineLayout bins outputs) (fun weights ->
            Activations.map (fun image ->
                // [batch time, bins, channels]: no copy where channels lie side by side, as convolutions leave them.
                let columns = image.permute(0L, 2L, 3L, 1L).reshape(-1L, int64 bins, image.shape[1])
                let product = weights[0].t().expand(columns.shape[0], -1L, -1L).bmm columns .+ weights[1].view(1L, -1L, 1L)
                product.view(image.shape[0], image.shape[2], -1L, image.shape[1]).permute(0L, 3L, 1L, 2L)))

    /// Means of blocks of `time` x `bins`: images that are smaller by these factors. Incomplete blocks at the ends are cut off.
    /// [batch, channels, time, bins] in and out. Raises ArgumentException for sizes below 1.
    let pool (time: int, bins: int) : Model<Activations, Activations> =
        List.iter (Numbers.atLeast 1 "A pool" "sizes") [ time; bins ]

        Model.pureFunction
            $"pool {time}x{bins}"
            (Activations.map (fun image ->
                require $"pool {time}x{bins}" image
                torch.nn.functional.avg_pool2d (image, [| int64 time; int64 bins |])))

    /// Repeats every point `time` x `bins` times: images that are larger by these factors, [batch, channels, time, bins] in and
    /// out. Raises ArgumentException for sizes below 1.
    let enlarge (time: int, bins: int) : Model<Activations, Activations> =
        List.iter (Numbers.atLeast 1 "An enlargement" "sizes") [ time; bins ]

        Model.pureFunction
            $"enlarge {time}x{bins}"
            (Activations.map (fun image ->
                require $"enlarge {time}x{bins}" image
                image.repeat_interleave(int64 time, 2L).repeat_interleave(int64 bins, 3L)))

    /// Runs a model on images that are padded with zeros at their ends, up to multiples of `time` and `bins`. It cuts the outputs
    /// to the size of the inputs; outputs may have fewer bins. A U-Net that halves and doubles images needs this for images of
    /// any size. Raises ArgumentException for multiples below 1.
    let padded (time: int, bins: int) (model: Model<Activations, Activations>) : Model<Activations, Activations> =
        List.iter (Numbers.atLeast 1 "A padding" "multiples") [ time; bins ]
        let name = $"padded to {time}x{bins} ({model.Name})"
        let missing multiple size = (multiple - size % multiple) % multiple

        { model with
            Name = name
            Apply =
                fun weights flow ->
                    require name flow.Value
                    let frames, width = flow.Value.shape[2], flow.Value.shape[3]
                    let zeros = [| 0L; missing (int64 bins) width; 0L; missing (int64 time) frames |]

                    flow
                    |> Activations.map (fun image -> torch.nn.functional.pad (image, zeros))
                    |> model.Apply weights
                    |> Activations.map (fun image -> image.narrow(2L, 0L, frames).narrow(3L, 0L, min width image.shape[3])) }
