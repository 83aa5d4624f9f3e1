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

/// The complete networks of the papers, from sound to masked magnitudes: deep (recurrent) networks over frames, with the mask
/// inside.
[<NoComparison>]
type Drnn =
    {
        /// The sample rate and the transform.
        FrontEnd: FrontEnd
        /// The features of each frame that the network takes as input.
        Features: Features
        /// Frames in the context window, an odd number: the frame itself and as many before as after it.
        Context: int
        /// Factor on the magnitudes from which the features are computed, but not on those that the mask is applied to.
        InputScale: float
        /// Whether each feature is standardised to mean 0 and variance 1 before the first layer. The statistics are observed, not
        /// learnt. Meant for features of different scales, such as cepstra.
        Standardised: bool
        /// Units of each hidden layer.
        Hidden: int list
        /// The type of neuron in the hidden layers.
        Neuron: Neuron
        /// Which hidden layers are recurrent.
        Recurrence: Recurrence
        /// The nonlinearity of the hidden layers.
        Activation: Activation
        /// The nonlinearity of the output layer.
        Output: OutputKind
        /// The mask layer after the output layer.
        Mask: MaskKind
        /// Names of the estimates in the order of the network's outputs.
        Sources: string list
    }
