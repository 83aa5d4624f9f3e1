namespace FunctionalSeparation.Learning

open TorchSharp

/// A two-dimensional convolution, described in full. Pairs are (time, bins).
type Convolution =
    {
        /// Channels that come in.
        Inputs: int
        /// Channels that go out.
        Outputs: int
        /// Frames and bins that one output depends on.
        Kernel: int * int
        /// Steps from one output to the next; of a transposed convolution, outputs to one input.
        Stride: int * int
        /// Frames and bins from one element of the kernel to the next.
        Dilation: int * int
        /// Groups of channels that are convolved separately; as many as inputs for a depth-wise convolution.
        Groups: int
        /// Whether each channel has a bias; one in front of a normalisation needs none.
        HasBias: bool
    }

/// Convolutions over images [batch, channels, time, bins], with zeros around them such that a stride of 1 keeps their size.
[<RequireQualifiedAccess>]
module Conv =

    /// A square kernel, stride and dilation 1, one group, with bias.
    let settings (kernel: int) (inputs: int) (outputs: int) : Convolution =
        { Inputs = inputs
          Outputs = outputs
          Kernel = kernel, kernel
          Stride = 1, 1
          Dilation = 1, 1
          Groups = 1
          HasBias = true }

    let private pair (time: int, bins: int) = [| int64 time; int64 bins |]
    let private mapPairs f (a1: int, a2: int) (b1: int, b2: int) : int * int = f a1 b1, f a2 b2

    /// Frames and bins from the first to the last that one output sees.
    let private span (conv: Convolution) = mapPairs (fun kernel dilation -> dilation * (kernel - 1)) conv.Kernel conv.Dilation

    let private check (conv: Convolution) =
        let atLeast name (time, bins) = List.iter (Numbers.atLeast 1 "A convolution" name) [ time; bins ]
        atLeast "Kernel" conv.Kernel
        atLeast "Stride" conv.Stride
        atLeast "Dilation" conv.Dilation
        Numbers.atLeast 1 "A convolution" "Groups" conv.Groups

        for name, channels in [ "Inputs", conv.Inputs; "Outputs", conv.Outputs ] do
            Numbers.atLeast 1 "A convolution" name channels

            if channels % conv.Groups <> 0 then
                invalidArg name $"A convolution of {conv.Groups} groups needs {name} that they divide, got {channels}."

    let private nameOf kind (conv: Convolution) =
        let text (time, bins) = $"{time}x{bins}"
        let stride = if conv.Stride = (1, 1) then "" else $" by {text conv.Stride}"
        let groups = if conv.Groups = 1 then "" else $" in {conv.Groups} groups"
        $"{kind} {text conv.Kernel}{stride} {conv.Outputs}{groups}"

    /// Weights start as He et al. 2015 have it (eq. 10), biases at zero.
    let private layout first second fanIn (conv: Convolution) : Layout =
        let shape = [ int64 first; int64 second; int64 (fst conv.Kernel); int64 (snd conv.Kernel) ]

        [ { Name = "weight"; Shape = shape; Init = Normal(sqrt (2.0 / float fanIn)) }
          if conv.HasBias then { Name = "bias"; Shape = [ int64 conv.Outputs ]; Init = Zeros } ]

    /// The same image with the channels of each point side by side in memory: what libtorch convolves fastest.
    let private channelsLast (image: torch.Tensor) = image.permute(0L, 2L, 3L, 1L).contiguous().permute(0L, 3L, 1L, 2L)

    let private overImages name (conv: Convolution) layout convolve =
        Layer.overImages name conv.Inputs layout (fun weights ->
            let bias = Array.tryItem 1 weights |> Option.toObj
            Activations.map (fun image -> convolve (channelsLast image) weights[0] bias))

    /// A convolution with a kernel of one point: a product over the channels of each point.
    let private byPoints (image: torch.Tensor) (weight: torch.Tensor) bias =
        let points = torch.nn.functional.linear (image.permute (0L, 2L, 3L, 1L), weight.flatten 1L, bias)
        points.permute (0L, 3L, 1L, 2L)

    /// The convolution with `padding` zeros on each side.
    let private within padding (conv: Convolution) : Model<Activations, Activations> =
        let fanIn = conv.Inputs / conv.Groups * fst conv.Kernel * snd conv.Kernel
        let stride, padding, dilation = pair conv.Stride, pair padding, pair conv.Dilation

        overImages
            (nameOf "conv" conv)
            conv
            (layout conv.Outputs (conv.Inputs / conv.Groups) fanIn conv)
            (if conv.Kernel = (1, 1) && conv.Stride = (1, 1) && conv.Groups = 1 then
                 byPoints
             else
                 (fun image weight bias ->
                     torch.nn.functional.conv2d (image, weight, bias, stride, padding, dilation, int64 conv.Groups)))

    /// Zeros on each side of an axis: as many as keep an odd kernel in the middle; none around adjacent patches.
    let private padding (conv: Convolution) axis =
        let kernel, stride, dilation = axis conv.Kernel, axis conv.Stride, axis conv.Dilation

        if kernel % 2 = 1 then
            dilation * (kernel - 1) / 2
        elif kernel = stride && dilation = 1 then
            0
        else
            invalidArg
                (nameof conv)
                ("A convolution needs a Kernel of odd sizes, or one that "
                 + $"is its Stride, got {fst conv.Kernel} x {snd conv.Kernel}.")

    /// The convolution of these settings: [batch, inputs, time, bins] -> [batch, outputs, time / stride, bins / stride], rounded
    /// up. An even kernel is one of adjacent patches: incomplete ones are dropped. Raises ArgumentException for an even kernel
    /// that is not its stride, for it has no middle.
    let create (conv: Convolution) : Model<Activations, Activations> =
        check conv
        within (padding conv fst, padding conv snd) conv

    /// Padding cut off both sides of a transposed convolution, and padding added at its end, for `stride` outputs per input.
    let private cut span stride =
        let surplus = span + 1 - stride
        if surplus < 0 then 0, -surplus else (surplus + 1) / 2, surplus % 2

    /// The transposed convolution of these settings: [batch, inputs, time, bins] ->
    /// [batch, outputs, time * stride, bins * stride]. Raises ArgumentException for a kernel of even size where stride and
    /// dilation are 1: it has no middle.
    let createTransposed (conv: Convolution) : Model<Activations, Activations> =
        check conv

        let step = mapPairs max conv.Stride conv.Dilation

        for kernel, step in [ fst conv.Kernel, fst step; snd conv.Kernel, snd step ] do
            if kernel % 2 = 0 && step = 1 then
                invalidArg (nameof conv) $"A transposed convolution of stride 1 needs a Kernel of odd sizes, got {kernel}."

        let strideTime, strideBins = conv.Stride
        let fanIn = max 1 (conv.Inputs / conv.Groups * fst conv.Kernel * snd conv.Kernel / (strideTime * strideBins))
        let padding = mapPairs (fun span stride -> fst (cut span stride)) (span conv) conv.Stride
        let added = mapPairs (fun span stride -> snd (cut span stride)) (span conv) conv.Stride
        let stride, padding, added, dilation = pair conv.Stride, pair padding, pair added, pair conv.Dilation

        overImages
            (nameOf "transposed conv" conv)
            conv
            (layout conv.Inputs (conv.Outputs / conv.Groups) fanIn conv)
            (fun image weight bias ->
                let without =
                    torch.nn.functional.conv_transpose2d (
                        image,
                        weight,
                        null,
                        stride,
                        padding,
                        added,
                        dilation,
                        int64 conv.Groups
                    )

                // Apart: inside, its gradient takes six times as long as all the rest (bfloat16, channels last).
                if isNull bias then without else without .+ bias.view (1L, -1L, 1L, 1L))

    /// Convolution with a square kernel: [batch, inputs, time, bins] -> [batch, outputs, time, bins].
    let layer (kernel: int) (inputs: int) (outputs: int) : Model<Activations, Activations> =
        create (settings kernel inputs outputs)

    /// Makes images `factor` times smaller in time and bins: a convolution of that stride, its kernel the next odd size.
    let down (factor: int) (inputs: int) (outputs: int) : Model<Activations, Activations> =
        create { settings (factor / 2 * 2 + 1) inputs outputs with Stride = factor, factor }

    /// Makes images `factor` times smaller in time and bins: a convolution over adjacent patches, the counterpart of `up`.
    /// Incomplete patches are dropped. Raises ArgumentException for numbers below 1.
    let patches (factor: int) (inputs: int) (outputs: int) : Model<Activations, Activations> =
        let conv = { settings factor inputs outputs with Stride = factor, factor }
        check conv
        within (0, 0) conv

    /// Makes images `factor` times larger in time and bins: a transposed convolution whose kernel is its stride.
    let up (factor: int) (inputs: int) (outputs: int) : Model<Activations, Activations> =
        createTransposed { settings factor inputs outputs with Stride = factor, factor }
