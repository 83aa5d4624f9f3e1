namespace FunctionalSeparation

open TorchSharp
open FunctionalSeparation.Core

/// A separation network described in full, from sound to masked magnitudes: everything but the weights. It is what a
/// model folder stores beside them.
[<NoComparison>]
type Architecture =
    {
        /// How sound becomes the input.
        FrontEnd: FrontEnd
        /// Units of each hidden layer.
        Hidden: int list
        /// What the hidden layers are made of.
        Neuron: Neuron
        /// Which hidden layers are recurrent.
        Recurrence: Recurrence
        /// The nonlinearity of the hidden layers.
        Activation: Activation
        /// What becomes of the sums of the output layer.
        Output: OutputKind
        /// The mask layer behind the outputs.
        Mask: MaskKind
        /// Names of the estimates in the order of the network's outputs.
        Sources: string list
    }

/// Estimates of a batch, and the states in which recurrent layers ended.
[<NoEquality; NoComparison>]
type Separated =
    {
        /// Raw outputs of the network a_i, [time, batch, sources, bins].
        Outputs: torch.Tensor
        /// Estimated magnitudes y_i, [time, batch, sources, bins].
        Estimates: torch.Tensor
        /// The state in which each recurrent layer ended, [batch, units], first layer first.
        States: torch.Tensor list
    }

[<RequireQualifiedAccess>]
module Architecture =

    /// Music and voice, in the order of the papers' outputs.
    let musicAndVoice = Stems.musicAndVoice

    /// The best setting of Huang et al. (ISMIR 2014), table 3: context 3, 3 x 1000 ReLU units, recurrence in layer 2, mask
    /// inside the network.
    let huang2014: Architecture =
        { FrontEnd = FrontEnd.huang2014 3
          Hidden = [ 1000; 1000; 1000 ]
          Neuron = Plain
          Recurrence = RecurrentAt 2
          Activation = Relu
          Output = LinearOutput
          Mask = Absolute
          Sources = musicAndVoice }

    /// The network inside.
    let net (architecture: Architecture) : NetDescription =
        { Inputs = FrontEnd.inputs architecture.FrontEnd
          Hidden = architecture.Hidden
          Neuron = architecture.Neuron
          Recurrence = architecture.Recurrence
          Activation = architecture.Activation
          Output = architecture.Output
          Sources = architecture.Sources.Length
          Bins = architecture.FrontEnd.Stft.Bins }

    /// The short name of the network, as `Nets.name` gives it.
    let name (architecture: Architecture) = Nets.name (net architecture)

    let private checkContext (architecture: Architecture) =
        let needs count =
            if architecture.FrontEnd.Context <> count then
                invalidArg
                    (nameof architecture)
                    $"{name architecture} sees {count} frame(s) at once, the context is {architecture.FrontEnd.Context}."

        match architecture.Neuron with
        | VectorProduct Window -> needs 3
        | VectorProduct Colour -> needs 1
        | Plain
        | Gated -> ()

    /// Estimates are told apart, and their files named, by the names of the sources.
    let private checkSources (sources: string list) =
        if sources.IsEmpty then
            invalidArg (nameof sources) "A network estimates at least one source."

        for name, count in List.countBy id sources do
            if count > 1 then invalidArg (nameof sources) $"Two sources are called '{name}'."

            if
                System.String.IsNullOrWhiteSpace name
                || name |> Seq.exists (fun c -> System.Char.IsControl c || "/\\:*?\"<>|".Contains c)
            then
                invalidArg (nameof sources) $"{StrictJson.quoted name} is no name for a source: files are named after it."

    let private checkScales (architecture: Architecture) =
        Numbers.atLeast 1 "A front end" "SampleRate" architecture.FrontEnd.SampleRate
        Numbers.positive "A front end" "InputScale" architecture.FrontEnd.InputScale
        architecture.FrontEnd.Stft.Validate()

    /// As many start states as there are recurrent layers, or none.
    let private requireStates name (start: torch.Tensor list) (output: Sequence) =
        if not start.IsEmpty && start.Length <> output.End.Length then
            invalidArg
                "Start"
                $"{name}: wants a start state for each of its {output.End.Length} recurrent layers, or none, got {start.Length}."

    /// `model`, with the network's products in the given precision.
    let modelIn (precision: Precision) (architecture: Architecture) : Model<MixtureFrames, Separated> =
        checkContext architecture
        checkSources architecture.Sources
        checkScales architecture
        let description = net architecture
        let network = Nets.create description |> Precision.network precision

        let apply weights (mixture: MixtureFrames) =
            let input = Spectra.features architecture.FrontEnd mixture |> Sequence.continuing mixture.Start
            let output = network.Apply weights input
            requireStates (name architecture) mixture.Start output
            let frames, batch = output.Frames.shape[0], output.Frames.shape[1]
            let outputs = output.Frames.view (frames, batch, int64 description.Sources, int64 description.Bins)

            { Outputs = outputs
              Estimates = Mask.apply architecture.Mask outputs (Spectra.inner mixture)
              States = Sequence.finalStates output }

        { Name = name architecture; Layout = network.Layout; Apply = apply }

    /// The model: mixture magnitudes in, masked magnitudes out (Huang et al. 2014, fig. 2 with the mask layer of eq. 2). Raises
    /// ArgumentException for a network that contradicts itself, or a context that does not fit it.
    let model (architecture: Architecture) : Model<MixtureFrames, Separated> = modelIn Precision.Float32 architecture
