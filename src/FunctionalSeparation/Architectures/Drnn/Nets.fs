namespace FunctionalSeparation

open FunctionalSeparation.Learning

/// Which hidden layers of a network are recurrent.
type Recurrence =
    /// None: a DNN.
    | FeedForward
    /// The given hidden layer alone, counted from 1: a DRNN-k.
    | RecurrentAt of layer: int
    /// Every hidden layer: a stacked RNN (sRNN).
    | Stacked

/// The type of neuron in the hidden layers.
type Neuron =
    /// f(W x + b), in recurrent layers f(W x + b + U h).
    | Plain
    /// Gated recurrent units in the recurrent layers, plain neurons in the others.
    | Gated
    /// Vector product neurons, in the output layer too. No layer is recurrent.
    | VectorProduct of VectorInput

/// The nonlinearity of the output layer.
type OutputKind =
    /// The weighted sums, unchanged.
    | LinearOutput
    /// ReLU: negative sums become zero.
    | ReluOutput

/// A deep (recurrent) network over frames, described in full: everything but the weights.
type NetDescription =
    {
        /// Features of an input frame.
        Inputs: int
        /// Units of each hidden layer.
        Hidden: int list
        /// The type of neuron in the hidden layers.
        Neuron: Neuron
        /// Which hidden layers are recurrent.
        Recurrence: Recurrence
        /// The nonlinearity of the hidden layers; gated units have their own.
        Activation: Activation
        /// The nonlinearity of the output layer.
        Output: OutputKind
        /// Sources estimated; music is source 0 and voice source 1 in the papers' networks.
        Sources: int
        /// Frequency bins of each estimate.
        Bins: int
    }

/// Networks of the papers, as one description each.
[<RequireQualifiedAccess>]
module Nets =

    let private isRecurrent recurrence layer =
        match recurrence with
        | FeedForward -> false
        | RecurrentAt only -> layer = only
        | Stacked -> true

    let private check (net: NetDescription) =
        for name, size in [ "inputs", net.Inputs; "sources", net.Sources; "bins", net.Bins ] do
            Numbers.atLeast 1 "A network" name size

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
        | VectorProduct Window, _ when net.Inputs % 3 <> 0 ->
            invalidArg (nameof net) $"A window of three frames has a multiple of 3 features, got {net.Inputs}."
        | _ -> ()

    /// Where the hidden layers begin: what is done to the input, and how many neurons' worth it is.
    let private input net =
        match net.Neuron with
        | Plain
        | Gated -> Model.pureFunction "input" id, net.Inputs
        | VectorProduct Window -> VectorProduct.input Window, net.Inputs / 3
        | VectorProduct Colour -> VectorProduct.input Colour, net.Inputs

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

        let layer = sums (List.last net.Hidden) (net.Sources * net.Bins)

        match net.Output with
        | LinearOutput -> layer
        | ReluOutput -> layer --> Layer.activation Relu

    /// The network: hidden layers (Huang et al. 2014, fig. 2: DNN, DRNN-k or sRNN; gated units; vector products), then one output
    /// layer for all sources. [time, batch, inputs] -> [time, batch, sources * bins], music first. Raises ArgumentException
    /// for a description that contradicts itself.
    let create (net: NetDescription) : Model<Activations, Activations> =
        check net
        let first, width = input net

        let layer index (inputs, units) = hidden net (index + 1) inputs units |> Model.prefixed $"hidden{index + 1}"

        List.pairwise (width :: net.Hidden)
        |> List.mapi layer
        |> List.fold (fun whole next -> whole --> next) first
        |> fun layers -> layers --> (output net |> Model.prefixed "output")

    /// The short name of a network: DNN, DRNN-2, sRNN, GRU-2, GRU, WVPNN, CVPNN.
    let name (net: NetDescription) =
        match net.Neuron, net.Recurrence with
        | VectorProduct Window, _ -> "WVPNN"
        | VectorProduct Colour, _ -> "CVPNN"
        | Gated, RecurrentAt layer -> $"GRU-{layer}"
        | Gated, _ -> "GRU"
        | Plain, FeedForward -> "DNN"
        | Plain, RecurrentAt layer -> $"DRNN-{layer}"
        | Plain, Stacked -> "sRNN"
