namespace FunctionalSeparation

open System
open System.Globalization
open System.Text.Json
open System.Text.Json.Nodes
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

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
