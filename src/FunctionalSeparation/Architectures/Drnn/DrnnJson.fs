namespace FunctionalSeparation

open System
open System.Globalization
open System.Text.Json
open System.Text.Json.Nodes
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// The description of a network of the papers, as files have it.
type internal DrnnDescription =
    { sampleRate: int
      stft: StftEntry
      context: int
      inputScale: float
      hidden: int list
      recurrence: string
      activation: string
      mask: string
      sources: string list
      features: string option
      standardised: bool option
      neuron: string option
      output: string option }

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
            | _ -> refuse $"{Json.quoted name} names no slope, such as {leakyPrefix}0.1"
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
            | false, _ -> refuse $"{Json.quoted name} names no layer, such as layer 2"
        | _ -> refuse $"{Json.quoted name} is not a known recurrence (none, all, layer K)"

    /// The network as JSON. Entries that the first models did not have are absent where a model is of their kind, so that what
    /// tells runs apart stays the same for them.
    let write (drnn: Drnn) : JsonObject =
        let later first name value = if value = first then None else Some(name value)

        let description =
            { sampleRate = drnn.FrontEnd.SampleRate
              stft = ofStft drnn.FrontEnd.Stft
              context = drnn.Context
              inputScale = drnn.InputScale
              hidden = drnn.Hidden
              recurrence = recurrenceName drnn.Recurrence
              activation = activationName drnn.Activation
              mask = nameIn masks drnn.Mask
              sources = drnn.Sources
              features = later Magnitude (nameIn features) drnn.Features
              standardised = later false id drnn.Standardised
              neuron = later Plain (nameIn neurons) drnn.Neuron
              output = later LinearOutput (nameIn outputs) drnn.Output }

        let json = (Json.write description).AsObject()

        let absent =
            [ for entry in json do
                  if isNull entry.Value then entry.Key ]

        absent |> List.iter (json.Remove >> ignore)
        json

    /// Bounds of what a file may say: far beyond what can be trained, so that counts of weights stay countable.
    let private requireBounds (description: DrnnDescription) =
        let require least greatest name value = Json.requireWithin least greatest $"{place}.{name}" value
        require 1.0 999.0 "context" (float description.context)
        require 1e-9 1e9 "inputScale" description.inputScale
        Json.requireLength 1000 $"{place}.hidden" description.hidden
        description.hidden |> List.iter (float >> require 1.0 (float (1 <<< 20)) "hidden")

    /// The network that `write` wrote. Raises InputException, naming the entry, where one is missing that the first models
    /// had, is of another kind or beyond all bounds, or is unknown: what is not understood cannot be left out of a network.
    let read (json: JsonElement) : Drnn =
        let description = Json.read<DrnnDescription> place json
        requireBounds description
        let later first value name = name |> Option.map value |> Option.defaultValue first

        { FrontEnd = toFrontEnd description.sampleRate description.stft
          Features = description.features |> later Magnitude (valueIn "kind of features" features)
          Context = description.context
          InputScale = description.inputScale
          Standardised = Option.defaultValue false description.standardised
          Hidden = description.hidden
          Neuron = description.neuron |> later Plain (valueIn "neuron" neurons)
          Recurrence = recurrenceOf description.recurrence
          Activation = activationOf description.activation
          Output = description.output |> later LinearOutput (valueIn "output layer" outputs)
          Mask = valueIn "mask" masks description.mask
          Sources = toSources description.sources }
