namespace FunctionalSeparation

open System
open System.Globalization
open System.Text.Json
open System.Text.Json.Nodes
open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

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

/// The networks of the papers as JSON: the part of a model folder that people read.
module internal DrnnJson =

    open NetworkJson

    let private refuse why = raise (InputException why)

    let private activations =
        [ "relu", Relu
          "logistic", Logistic
          "tanh", Tanh
          "elu", Elu
          "gelu", Gelu
          "silu", Silu
          "softplus", Softplus ]

    let private masks =
        [ "absolute", Absolute
          "absoluteExact", AbsoluteExact
          "squared", Squared
          "squaredExact", SquaredExact
          "none", NoMask ]

    let private features = [ "magnitude", Magnitude; "logPower", LogPower; "logMel", LogMel; "mfcc", Mfcc ]
    let private outputs = [ "linear", LinearOutput; "relu", ReluOutput ]

    let private neurons =
        [ "plain", Plain
          "gated", Gated
          "vector product, window", VectorProduct Window
          "vector product, colour", VectorProduct Colour ]

    let private layerPrefix = "layer "

    let private leakyPrefix = "leaky relu "

    let private activationName =
        function
        | LeakyRelu slope -> leakyPrefix + slope.ToString("R", CultureInfo.InvariantCulture)
        | other -> nameIn activations other

    let private activationOf (name: string) =
        if name.StartsWith(leakyPrefix, StringComparison.Ordinal) then
            match Double.TryParse(name.AsSpan leakyPrefix.Length, NumberStyles.Float, CultureInfo.InvariantCulture) with
            | true, slope when Double.IsFinite slope -> LeakyRelu slope
            | _ -> refuse $"{StrictJson.quoted name} names no slope, such as {leakyPrefix}0.1"
        else
            valueIn "activation" activations name

    let private recurrenceName =
        function
        | FeedForward -> "none"
        | RecurrentAt layer -> layerPrefix + string layer
        | Stacked -> "all"

    let private recurrenceOf (name: string) =
        match name with
        | "none" -> FeedForward
        | "all" -> Stacked
        | _ when name.StartsWith(layerPrefix, StringComparison.Ordinal) ->
            match Int32.TryParse(name.AsSpan layerPrefix.Length, NumberStyles.None, CultureInfo.InvariantCulture) with
            | true, layer -> RecurrentAt layer
            | false, _ -> refuse $"{StrictJson.quoted name} names no layer, such as layer 2"
        | _ -> refuse $"{StrictJson.quoted name} is not a known recurrence (none, all, layer K)"

    /// Entries that the first models did not have: absent where a model is of their kind, so that what tells runs apart stays
    /// the same for them.
    let private laterEntries (drnn: Drnn) =
        [ if drnn.Features <> Magnitude then "features", text (nameIn features drnn.Features)
          if drnn.Standardised then "standardised", JsonValue.Create true
          if drnn.Neuron <> Plain then "neuron", text (nameIn neurons drnn.Neuron)
          if drnn.Output <> LinearOutput then "output", text (nameIn outputs drnn.Output) ]

    /// The network as JSON.
    let write (drnn: Drnn) : JsonObject =
        entries (
            ofFrontEnd drnn.FrontEnd
            @ [ "context", number drnn.Context
                "inputScale", JsonValue.Create drnn.InputScale
                "hidden", JsonArray(drnn.Hidden |> List.map number |> Array.ofList)
                "recurrence", text (recurrenceName drnn.Recurrence)
                "activation", text (activationName drnn.Activation)
                "mask", text (nameIn masks drnn.Mask)
                "sources", texts drnn.Sources ]
            @ laterEntries drnn
        )

    /// Bounds of what a file may say: far beyond what can be trained, so that counts of weights stay countable.
    let private mostLayers, private mostUnits = 1000, 1 <<< 20

    let private entriesOfAll =
        [ "sampleRate"; "stft"; "context"; "inputScale"; "hidden"; "recurrence"; "activation"; "mask"; "sources" ]
        @ [ "features"; "standardised"; "neuron"; "output" ]

    /// The network that `write` wrote. Raises InputException, naming the entry, where one is missing that the first models
    /// had, is of another kind or beyond all bounds, or is unknown: what is not understood cannot be left out of a network.
    let read (json: JsonElement) : Drnn =
        let entries = StrictJson.entries place entriesOfAll json

        let choice name what table = valueIn what table (StrictJson.text name entries)

        let later name what table first =
            match StrictJson.tryEntry name entries with
            | None -> first
            | Some _ -> choice name what table

        { FrontEnd = toFrontEnd entries
          Features = later "features" "kind of features" features Magnitude
          Context = StrictJson.integer 1 999 "context" entries
          InputScale = StrictJson.positive 1e-9 1e9 "inputScale" entries
          Standardised = entries.Values.ContainsKey "standardised" && StrictJson.flag "standardised" entries
          Hidden = StrictJson.integers mostLayers 1L (int64 mostUnits) "hidden" entries |> List.map int
          Neuron = later "neuron" "neuron" neurons Plain
          Recurrence = recurrenceOf (StrictJson.text "recurrence" entries)
          Activation = activationOf (StrictJson.text "activation" entries)
          Output = later "output" "output layer" outputs LinearOutput
          Mask = choice "mask" "mask" masks
          Sources = toSources entries }

/// The networks of the papers as values: described, built, read from files.
[<RequireQualifiedAccess>]
module Drnn =

    /// Music and voice, in the order of the papers' outputs.
    let musicAndVoice = Stems.musicAndVoice

    /// The best network of Huang et al. (ISMIR 2014), table 3: context 3, 3 x 1000 ReLU units, recurrence in layer 2, mask inside the
    /// network.
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

    /// The input of the network: features, context window and scale.
    let shown (drnn: Drnn) : Shown = { Features = drnn.Features; Context = drnn.Context; InputScale = drnn.InputScale }

    /// The network inside.
    let net (drnn: Drnn) : NetDescription =
        { Inputs = Shown.inputs drnn.FrontEnd.Stft (shown drnn)
          Hidden = drnn.Hidden
          Neuron = drnn.Neuron
          Recurrence = drnn.Recurrence
          Activation = drnn.Activation
          Output = drnn.Output
          Sources = drnn.Sources.Length
          Bins = drnn.FrontEnd.Stft.Bins }

    /// The short name of the network, as `Nets.name` gives it.
    let name (drnn: Drnn) = Nets.name (net drnn)

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
        let description = net drnn

        let network =
            if drnn.Standardised then
                (Norm.standardise description.Inputs |> Model.prefixed "input") --> Nets.create description
            else
                Nets.create description

        let sources, bins = int64 description.Sources, int64 description.Bins

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

                    let features = Spectra.features drnn.FrontEnd (shown drnn) (toFrames input.Value)
                    let output = network.Apply weights { input with Value = features }
                    { output with Value = toImage sources bins output.Value } }

    let private familyName = Family.unnamed

    /// <summary>
    /// The network (Huang et al. 2014, fig. 2 with the mask layer of eq. 2). Raises ArgumentException for one that contradicts itself,
    /// or a context that does not fit it.
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
          Margin = Shown.margin (shown drnn)
          ReceptiveField = ReceptiveField.Frames(0, 0)
          Stride = 1L
          Model = model drnn }

    /// The network of a description. Raises InputException, naming the entry, where it is none.
    let read (json: JsonElement) : Network = DrnnJson.read json |> network

    /// The family of these networks; descriptions that name no family are of it.
    let family: Family = { Name = familyName; Read = read }
