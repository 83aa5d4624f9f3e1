namespace FunctionalSeparation

open System.Text.Json
open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// The networks of the papers as values: described, built, read from files.
[<RequireQualifiedAccess; CompilationRepresentation(CompilationRepresentationFlags.ModuleSuffix)>]
module Drnn =

    /// Music and voice, in the order of the papers' outputs.
    let musicAndVoice = Stems.musicAndVoice

    /// The best network of Huang et al. (ISMIR 2014), table 3: context 3, 3 x 1000 ReLU units, recurrence in layer 2, mask inside
    /// the network.
    let huang2014: Drnn =
        { FrontEnd = FrontEnd.huang2014
          Features = Magnitude
          Context = 3
          InputScale = 1.0
          Standardised = false
          Hidden = [ 1000; 1000; 1000 ]
          Neuron = Plain
          Recurrence = RecurrentAt 2
          Activation = Relu
          Output = LinearOutput
          Mask = Absolute
          Sources = musicAndVoice }

    /// The input features of the network: kind, context window and scale.
    let features (drnn: Drnn) : FrameFeatures = { Features = drnn.Features; Context = drnn.Context; InputScale = drnn.InputScale }

    /// The number of input features of a frame, its context included.
    let private inputs (drnn: Drnn) = FrameFeatures.inputs drnn.FrontEnd.Stft (features drnn)

    /// The short name of a network: DNN, DRNN-2, sRNN, GRU-2, GRU, WVPNN, CVPNN.
    let internal name (net: Drnn) =
        match net.Neuron, net.Recurrence with
        | VectorProduct Window, _ -> "WVPNN"
        | VectorProduct Colour, _ -> "CVPNN"
        | Gated, RecurrentAt layer -> $"GRU-{layer}"
        | Gated, _ -> "GRU"
        | Plain, FeedForward -> "DNN"
        | Plain, RecurrentAt layer -> $"DRNN-{layer}"
        | Plain, Stacked -> "sRNN"

    let private isRecurrent recurrence layer =
        match recurrence with
        | FeedForward -> false
        | RecurrentAt only -> layer = only
        | Stacked -> true

    let private check (net: Drnn) =
        if net.Hidden.IsEmpty || List.exists (fun units -> units < 1) net.Hidden then
            invalidArg (nameof net) "A network needs at least one hidden layer, each with at least one unit."

        match net.Recurrence with
        | RecurrentAt layer when layer < 1 || layer > net.Hidden.Length ->
            invalidArg
                (nameof net)
                $"Hidden layer {layer} cannot be recurrent: the network has {net.Hidden.Length} hidden layers."
        | _ -> ()

        match net.Neuron, net.Recurrence with
        | Gated, FeedForward -> invalidArg (nameof net) "Gated units are recurrent: name the layers that are."
        | VectorProduct _, (RecurrentAt _ | Stacked) -> invalidArg (nameof net) "Vector product layers are not recurrent."
        | _ -> ()

    /// Where the hidden layers begin: what is done to the input, and how many neurons' worth it is.
    let private input net =
        match net.Neuron with
        | Plain
        | Gated -> Model.pureFunction "input" id, inputs net
        | VectorProduct Window -> VectorProduct.input Window, inputs net / 3
        | VectorProduct Colour -> VectorProduct.input Colour, inputs net

    let private hidden net index =
        match net.Neuron, isRecurrent net.Recurrence index with
        | VectorProduct _, _ -> VectorProduct.dense net.Activation
        | Gated, true -> Gru.layer
        | Plain, true -> Layer.recurrent net.Activation
        | (Plain | Gated), false -> Layer.dense net.Activation

    let private output net =
        let sums =
            match net.Neuron with
            | Plain
            | Gated -> Layer.linear
            | VectorProduct input -> VectorProduct.along (VectorProduct.direction input)

        let layer = sums (List.last net.Hidden) (net.Sources.Length * net.FrontEnd.Stft.Bins)

        match net.Output with
        | LinearOutput -> layer
        | ReluOutput -> layer --> Layer.activation Relu

    /// The network: hidden layers (Huang et al. 2014, fig. 2: DNN, DRNN-k or sRNN; gated units; vector products), then one output
    /// layer for all sources. [time, batch, inputs] -> [time, batch, sources * bins], music first. Raises ArgumentException
    /// for a description that contradicts itself.
    let layers (net: Drnn) : Model<Activations, Activations> =
        check net
        let first, width = input net

        let layer index (inputs, units) = hidden net (index + 1) inputs units |> Model.prefixed $"hidden{index + 1}"

        List.pairwise (width :: net.Hidden)
        |> List.mapi layer
        |> List.fold (fun whole next -> whole --> next) first
        |> fun layers -> layers --> (output net |> Model.prefixed "output")

    let private checkContext (drnn: Drnn) =
        let needs count =
            if drnn.Context <> count then
                invalidArg (nameof drnn) $"{name drnn} sees {count} frame(s) at once, the context is {drnn.Context}."

        match drnn.Neuron with
        | VectorProduct Window -> needs 3
        | VectorProduct Colour -> needs 1
        | Plain
        | Gated -> ()

    /// Images of one channel [batch, 1, time, bins] as frames [time, batch, bins].
    let private toFrames (image: torch.Tensor) = image.squeeze(1L).transpose(0L, 1L)

    /// Frames [time, batch, sources x bins] as images [batch, sources, time, bins].
    let private toImage sources bins (frames: torch.Tensor) =
        frames.view(frames.shape[0], frames.shape[1], sources, bins).permute(1L, 2L, 0L, 3L)

    let private model (drnn: Drnn) : Model<Activations, Activations> =
        let network =
            if drnn.Standardised then
                (Norm.standardise (inputs drnn) |> Model.prefixed "input") --> layers drnn
            else
                layers drnn

        let sources, bins = int64 drnn.Sources.Length, int64 drnn.FrontEnd.Stft.Bins

        { network with
            Name = name drnn
            Apply =
                fun weights input ->
                    Shapes.Require(
                        name drnn,
                        "magnitudes",
                        input.Value,
                        [| Axis.Any "batch"; Axis.Of 1L; Axis.Any "margin + time + margin"; Axis.Of bins |]
                    )

                    let frames = Spectra.features drnn.FrontEnd (features drnn) (toFrames input.Value)
                    let output = network.Apply weights { input with Value = frames }
                    { output with Value = toImage sources bins output.Value } }

    let private familyName = Family.unnamed

    /// <summary>
    /// The network (Huang et al. 2014, fig. 2 with the mask layer of eq. 2). Raises ArgumentException for one that contradicts
    /// itself, or a context that does not fit it.
    /// </summary>
    /// <example><code lang="fsharp">
    /// let small = Drnn.network { Drnn.huang2014 with Hidden = [ 150; 150 ] } // recurrence in layer 2, mask inside
    /// </code></example>
    let network (drnn: Drnn) : Network =
        checkContext drnn
        let spec = { FrontEnd = drnn.FrontEnd; Channels = 1; Sources = drnn.Sources }
        Network.requireSpec spec
        Numbers.positive "A network of frames" "InputScale" drnn.InputScale

        { Family = familyName
          Name = name drnn
          Architecture = DrnnJson.write drnn
          Spec = spec
          MiddleSide = false
          Input = Input.Magnitude
          Output = Output.Mask drnn.Mask
          Margin = FrameFeatures.margin (features drnn)
          ReceptiveField = ReceptiveField.Frames(0, 0)
          Stride = 1L
          Model = model drnn }

    /// The network of a description. Raises InputException, naming the entry, where it is none.
    let internal read (json: JsonElement) : Network = DrnnJson.read json |> network

    /// The family of these networks; descriptions that name no family are of it.
    let family: Family = { Name = familyName; Read = read }
