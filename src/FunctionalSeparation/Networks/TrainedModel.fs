namespace FunctionalSeparation

open FunctionalSeparation.Learning

/// A network and its weights: everything that separation needs.
[<NoEquality; NoComparison>]
type TrainedModel =
    {
        /// The network that the weights belong to.
        Network: Network
        /// The weights, in the layout of the network.
        Parameters: Params
        /// Root mean square of a training mixture. Other mixtures are scaled to this level before the network, and the estimates
        /// are scaled back. None: no scaling.
        Level: float option
    }

[<RequireQualifiedAccess>]
module internal TrainedModel =

    /// Refuses the nulls that other languages can put into a model.
    let requireWhole (trained: TrainedModel) =
        let require name (part: obj) =
            if isNull part then
                raise (System.ArgumentNullException(name, $"A trained model needs its {name}."))

        require "trained" trained
        require "Network" trained.Network
        require "Parameters" trained.Parameters
        require "Parameters.Vector" trained.Parameters.Vector
