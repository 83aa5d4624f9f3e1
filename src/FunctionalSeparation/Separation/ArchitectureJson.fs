namespace FunctionalSeparation

open System
open System.Collections.Generic
open System.Globalization
open System.Text.Json
open System.Text.Json.Nodes
open FunctionalSeparation.Core

/// The architecture as JSON: the part of a model folder that people read.
[<RequireQualifiedAccess>]
module ArchitectureJson =

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

    let private windows = [ "hann", StftWindow.Hann; "sine", StftWindow.Sine ]

    let private nameIn table value = table |> List.find (fun (_, known) -> known = value) |> fst

    let private valueIn what table name =
        match List.tryFind (fun (known, _) -> known = name) table with
        | Some(_, value) -> value
        | None ->
            let known = table |> List.map fst |> String.concat ", "
            refuse $"{StrictJson.quoted name} is not a known {what} ({known})"

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

    let private text (value: string) = JsonValue.Create value :> JsonNode
    let private number (value: int) = JsonValue.Create value :> JsonNode

    let private entries (pairs: (string * JsonNode) list) = JsonObject(pairs |> List.map (fun (k, v) -> KeyValuePair(k, v)))

    /// Entries that the first models did not have: absent where a model is of their kind, so that what tells runs apart stays
    /// the same for them.
    let private laterEntries (architecture: Architecture) =
        [ if architecture.FrontEnd.Features <> Magnitude then
              "features", text (nameIn features architecture.FrontEnd.Features)
          if architecture.Neuron <> Plain then "neuron", text (nameIn neurons architecture.Neuron)
          if architecture.Output <> LinearOutput then
              "output", text (nameIn outputs architecture.Output) ]

    /// The architecture as JSON.
    let write (architecture: Architecture) : JsonObject =
        let frontEnd = architecture.FrontEnd
        let stft = frontEnd.Stft

        entries (
            [ "sampleRate", number frontEnd.SampleRate
              "stft",
              entries
                  [ "fftSize", number stft.FftSize
                    "hopLength", number stft.HopLength
                    "window", text (nameIn windows stft.Window)
                    "centred", JsonValue.Create stft.Centred ]
              "context", number frontEnd.Context
              "inputScale", JsonValue.Create frontEnd.InputScale
              "hidden", JsonArray(architecture.Hidden |> List.map number |> Array.ofList)
              "recurrence", text (recurrenceName architecture.Recurrence)
              "activation", text (activationName architecture.Activation)
              "mask", text (nameIn masks architecture.Mask)
              "sources", JsonArray(architecture.Sources |> List.map text |> Array.ofList) ]
            @ laterEntries architecture
        )

    /// Bounds of what a file may say: far beyond what can be trained, so that counts of weights stay countable.
    let private mostLayers, mostSources, mostUnits = 1000, 100, 1 <<< 20

    let private stftOf (json: JsonElement) =
        let entries = StrictJson.entries "architecture.stft" [ "fftSize"; "hopLength"; "window"; "centred" ] json

        Stft(
            StrictJson.integer 2 (1 <<< 22) "fftSize" entries,
            StrictJson.integer 1 (1 <<< 22) "hopLength" entries,
            valueIn "window" windows (StrictJson.text "window" entries),
            StrictJson.flag "centred" entries
        )

    let private entriesOfAll =
        [ "sampleRate"; "stft"; "context"; "inputScale"; "hidden"; "recurrence"; "activation"; "mask"; "sources" ]
        @ [ "features"; "neuron"; "output" ]

    /// The architecture that `write` wrote. Raises InputException, naming the entry, where one is missing that the first models
    /// had, is of another kind or beyond all bounds, or is unknown: what is not understood cannot be left out of a network.
    let read (json: JsonElement) : Architecture =
        let entries = StrictJson.entries "architecture" entriesOfAll json

        let choice name what table = valueIn what table (StrictJson.text name entries)

        let later name what table first =
            match StrictJson.tryEntry name entries with
            | None -> first
            | Some _ -> choice name what table

        { FrontEnd =
            { SampleRate = StrictJson.integer 1 1_000_000 "sampleRate" entries
              Stft = stftOf (StrictJson.entry "stft" entries)
              Features = later "features" "kind of features" features Magnitude
              Context = StrictJson.integer 1 999 "context" entries
              InputScale = StrictJson.positive 1e-9 1e9 "inputScale" entries }
          Hidden = StrictJson.integers mostLayers 1L (int64 mostUnits) "hidden" entries |> List.map int
          Neuron = later "neuron" "neuron" neurons Plain
          Recurrence = recurrenceOf (StrictJson.text "recurrence" entries)
          Activation = activationOf (StrictJson.text "activation" entries)
          Output = later "output" "output layer" outputs LinearOutput
          Mask = choice "mask" "mask" masks
          Sources = StrictJson.texts mostSources "sources" entries }
