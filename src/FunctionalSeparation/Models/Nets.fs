namespace FunctionalSeparation

/// Which hidden layers of a network are recurrent.
type Recurrence =
    /// None: a DNN.
    | FeedForward
    /// The given hidden layer alone, counted from 1: a DRNN-k.
    | RecurrentAt of layer: int
    /// Every hidden layer: a stacked RNN (sRNN).
    | Stacked

/// A deep (recurrent) network over frames, described in full: everything but the weights.
type NetDescription =
    {
        /// Features of an input frame.
        Inputs: int
        /// Units of each hidden layer.
        Hidden: int list
        Recurrence: Recurrence
        Activation: Activation
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
        if net.Hidden.IsEmpty || List.exists (fun units -> units < 1) net.Hidden then
            invalidArg (nameof net) "A network needs at least one hidden layer, each with at least one unit."

        match net.Recurrence with
        | RecurrentAt layer when layer < 1 || layer > net.Hidden.Length ->
            invalidArg
                (nameof net)
                $"Hidden layer {layer} cannot be recurrent: the network has {net.Hidden.Length} hidden layers."
        | _ -> ()

    /// DNN, DRNN-k or sRNN of Huang et al. (2014, fig. 2): hidden layers, then a linear layer.
    /// [time, batch, inputs] -> [time, batch, sources * bins], music first.
    let drnn (net: NetDescription) : Model<Sequence, Sequence> =
        check net

        let hidden index (inputs, units) =
            let layer = if isRecurrent net.Recurrence (index + 1) then Layer.recurrent else Layer.dense
            layer net.Activation inputs units |> Model.prefixed $"hidden{index + 1}"

        let output = Layer.linear (List.last net.Hidden) (net.Sources * net.Bins) |> Model.prefixed "output"

        List.pairwise (net.Inputs :: net.Hidden)
        |> List.mapi hidden
        |> List.fold (fun whole next -> whole --> next) (Model.pureFunction "input" id)
        |> fun layers -> layers --> output

    /// The short name of a network: DNN, DRNN-2, sRNN.
    let name (net: NetDescription) =
        match net.Recurrence with
        | FeedForward -> "DNN"
        | RecurrentAt layer -> $"DRNN-{layer}"
        | Stacked -> "sRNN"
