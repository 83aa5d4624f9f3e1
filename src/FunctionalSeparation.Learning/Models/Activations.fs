namespace FunctionalSeparation.Learning

open TorchSharp

/// How a network is run.
[<RequireQualifiedAccess>]
type Mode =
    /// No randomness; normalisation uses its statistics.
    | Inference
    /// Dropout draws from the key; normalisation takes the batch's own moments.
    | Training of Key
    /// No randomness; normalisation takes the batch's own moments and records them in `Activations.Moments`.
    | Observing

/// A batch on its way through a network, and what goes with it from layer to layer.
[<NoEquality; NoComparison>]
type Activations =
    {
        /// Frames [time, batch, features] or images [batch, channels, time, bins].
        Value: torch.Tensor
        /// How the layers are to be run.
        Mode: Mode
        /// States [batch, units] that recurrent layers start from, first layer first; a layer that finds none starts at zero.
        InitialStates: torch.Tensor list
        /// States [batch, units] in which the recurrent layers passed so far ended, last layer first.
        FinalStates: torch.Tensor list
        /// Moments that normalising layers observed (`Mode.Observing`), last layer first: [3, features] of float64, the count of
        /// elements, their sum and the sum of their squares.
        Moments: torch.Tensor list
    }

/// Activations of a network: how a batch enters it, and the states that it leaves behind.
[<RequireQualifiedAccess>]
module Activations =

    /// Frames [time, batch, features] that start from given states, as `finalStates` gave them; mode `Inference`.
    let continuing (states: torch.Tensor list) (frames: torch.Tensor) : Activations =
        { Value = frames; Mode = Mode.Inference; InitialStates = states; FinalStates = []; Moments = [] }

    /// Frames [time, batch, features] that start from zero states; mode `Inference`.
    let ofFrames (frames: torch.Tensor) : Activations = continuing [] frames

    /// Images [batch, channels, time, bins] that start from zero states; mode `Inference`.
    let ofImages (images: torch.Tensor) : Activations = continuing [] images

    /// The activations in another mode.
    let inMode (mode: Mode) (flow: Activations) : Activations = { flow with Mode = mode }

    /// The activations with another value, frames [time, batch, features] or images [batch, channels, time, bins]. Mode, states
    /// and moments stay.
    let map (change: torch.Tensor -> torch.Tensor) (flow: Activations) : Activations = { flow with Value = change flow.Value }

    /// The end states [batch, units] of all recurrent layers, first layer first.
    let finalStates (flow: Activations) : torch.Tensor list = List.rev flow.FinalStates

    /// Applies a function without states to carry: it starts from zero states, and its end states are dropped.
    let internal withoutStates (apply: Activations -> Activations) (flow: Activations) : Activations =
        { apply { flow with InitialStates = []; FinalStates = [] } with
            InitialStates = flow.InitialStates
            FinalStates = flow.FinalStates }

    /// The axis along which the features of frames, or the channels of images, lie.
    let internal channelAxis (value: torch.Tensor) = if value.dim () = 4L then 1L else value.dim () - 1L
