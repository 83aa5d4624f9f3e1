namespace FunctionalSeparation

open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// Measures the receptive fields of networks. A network that looks further than it declares makes other estimates of a stream
/// than of a file.
[<RequireQualifiedAccess; CompilationRepresentation(CompilationRepresentationFlags.ModuleSuffix)>]
module ReceptiveField =

    /// Weights at random, those that start at zero too: a layer of zeros would hide what lies before it.
    let private weights (network: Network) =
        let start = Params.init network.Model.Layout torch.float32 torch.CPU (Key.ofSeed 0)
        let noise = Key.uniformTensor -0.05 0.05 [ start.Vector.NumberOfElements ] (Key.ofSeed 1)
        Params.split { start with Vector = start.Vector .+ noise.``to`` torch.float32 }

    /// A random input of the network that spans `frames` frames.
    let private imageOf (network: Network) frames =
        let stft, channels = network.Spec.FrontEnd.Stft, int64 network.Spec.Channels

        let shape =
            match network.Input with
            | Input.Magnitude -> [ 1L; channels; frames; int64 stft.Bins ]
            | Input.Spectrum -> [ 1L; 2L * channels; frames; int64 stft.Bins ]
            | Input.Waveform -> [ 1L; channels; frames * int64 stft.HopLength; 1L ]

        (Key.uniformTensor 0.1 1.0 shape (Key.ofSeed 2)).``to`` torch.float32

    let private apply (network: Network) weights image =
        let output = network.Model.Apply weights (Activations.ofImages image)
        Network.requireOutputs network output.Value
        output

    /// Raises ArgumentException, naming the network and both shapes, where its outputs are not what its sources ask for.
    let internal requireOutputs (network: Network) : unit =
        Memory.plain (fun () ->
            use _ = torch.no_grad ()
            let size = Layout.learnt network.Model.Layout |> List.sumBy Layout.size
            let small = Arithmetic.Full(System.ReadOnlySpan [| size |], 0.01, torch.float32)
            let weights = Params.split (Params.create network.Model.Layout small)
            apply network weights (imageOf network (2L * network.Margin + network.Stride)) |> ignore)

    /// First and last step at which a gradient [batch, channels, time, bins] is not zero.
    let private extent (gradient: torch.Tensor) =
        let sizes = (gradient.abs().sum([| 0L; 1L; 3L |])).data<float32>().ToArray()

        let places =
            [ for place in 0 .. sizes.Length - 1 do
                  if sizes[place] <> 0.0f then int64 place ]

        if places.IsEmpty then None else Some(places.Head, List.last places)

    /// Frames beyond the declared ones that are searched.
    let private beyond = 64

    /// The receptive field of the network: the frames back and ahead that an output depends on, its margin not counted. In these
    /// frames, the gradient of an output by the input is not zero, at random weights. At most 64 more than `back` and `ahead`.
    /// Frames that are remembered in states count as none. A network of samples is measured in frames of its front end. Raises
    /// ArgumentException for outputs that are not what the sources of the network ask for.
    let measure (back: int, ahead: int) (network: Network) : int * int =
        Memory.plain (fun () ->
            use _ = torch.enable_grad ()

            let steps =
                match network.Input with
                | Input.Waveform -> int64 network.Spec.FrontEnd.Stft.HopLength
                | Input.Magnitude
                | Input.Spectrum -> 1L

            let side = (int64 (max back ahead + beyond) + network.Stride - 1L) / network.Stride * network.Stride
            let image = imageOf network (2L * (side + network.Margin) + network.Stride)
            let output = apply network (weights network) (image.requires_grad_ true)

            let distances place =
                let energy = (output.Value.narrow (2L, place, 1L)).squared().sum()

                // Of what does not depend on the image at all, libtorch has no gradient.
                if energy.requires_grad then
                    let gradient = (torch.autograd.grad ([| energy |], [| image |], retain_graph = true))[0]
                    extent gradient |> Option.map (fun (first, last) -> place - first, last - place - 2L * network.Margin)
                else
                    None

            let places =
                [ for frame in side .. side + network.Stride - 1L do
                      for place in List.distinct [ frame * steps; (frame + 1L) * steps - 1L ] -> place ]

            let backward, forward = (0L, 0L) :: List.choose distances places |> List.unzip
            let inFrames distances = int ((List.max distances + steps - 1L) / steps)
            (if output.FinalStates.IsEmpty then inFrames backward else 0), inFrames forward)

    /// Raises ArgumentException where the network looks further than it declares (`ReceptiveField.Frames`). Of networks that are
    /// given whole blocks, and of those that read samples and make masks, only the outputs are checked.
    let require (network: Network) : unit =
        match network.ReceptiveField, network.Input, network.Output with
        | ReceptiveField.Blocks _, _, _
        | _, Input.Waveform, (Output.Mask _ | Output.ComplexMask | Output.Magnitudes _) -> requireOutputs network
        | ReceptiveField.Frames(back, ahead), _, _ ->
            let wasBack, wasAhead = measure (back, ahead) network

            if wasBack > back || wasAhead > ahead then
                let most = if max (wasBack - back) (wasAhead - ahead) >= beyond then " at least" else ""

                invalidArg
                    (nameof network)
                    ($"{network.Name}: looks{most} {wasBack} frames back and {wasAhead} ahead, and declares "
                     + $"ReceptiveField.Frames({back}, {ahead}): a stream would be taken apart in another "
                     + $"way than a file. Declare ReceptiveField.Frames({max back wasBack}, "
                     + $"{max ahead wasAhead}); or, for a network that "
                     + "looks at all it is given, ReceptiveField.Blocks.")
