namespace FunctionalSeparation

open System.IO
open System.Text.Json
open System.Text.Json.Nodes
open TorchSharp
open FunctionalSeparation.Core

/// The architecture as JSON: the part of a model folder that people read.
[<RequireQualifiedAccess>]
module ArchitectureJson =

    let private activations = [ "relu", Relu; "logistic", Logistic; "tanh", Tanh ]

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
            raise (InputException $"'{name}' is not a known {what} ({known}).")

    let private recurrenceName =
        function
        | FeedForward -> "none"
        | RecurrentAt layer -> $"layer {layer}"
        | Stacked -> "all"

    let private recurrenceOf (name: string) =
        match name with
        | "none" -> FeedForward
        | "all" -> Stacked
        | _ when name.StartsWith "layer " -> RecurrentAt(int (name.Substring 6))
        | _ -> raise (InputException $"'{name}' is not a known recurrence (none, all, layer K).")

    let private text (value: string) = JsonValue.Create value :> JsonNode
    let private number (value: int) = JsonValue.Create value :> JsonNode

    let private entries (pairs: (string * JsonNode) list) =
        JsonObject(pairs |> List.map (fun (k, v) -> System.Collections.Generic.KeyValuePair(k, v)))

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
              "activation", text (nameIn activations architecture.Activation)
              "mask", text (nameIn masks architecture.Mask)
              "sources", JsonArray(architecture.Sources |> List.map text |> Array.ofList) ]
            @ laterEntries architecture
        )

    /// The architecture that `write` wrote. Raises InputException where an entry is missing that the first models had, or one is
    /// unknown.
    let read (json: JsonNode) : Architecture =
        let entry (name: string) (node: JsonNode) =
            match node[name] with
            | null -> raise (InputException $"the entry '{name}' is missing.")
            | found -> found

        let stft = entry "stft" json
        let int name node = (entry name node).GetValue<int>()
        let string name node = (entry name node).GetValue<string>()

        let later (name: string) fallback = if isNull json[name] then fallback else string name json

        { FrontEnd =
            { SampleRate = int "sampleRate" json
              Stft =
                Stft(
                    int "fftSize" stft,
                    int "hopLength" stft,
                    valueIn "window" windows (string "window" stft),
                    (entry "centred" stft).GetValue<bool>()
                )
              Features = valueIn "kind of features" features (later "features" "magnitude")
              Context = int "context" json
              InputScale = (entry "inputScale" json).GetValue<float>() }
          Hidden = [ for units in (entry "hidden" json).AsArray() -> units.GetValue<int>() ]
          Neuron = valueIn "neuron" neurons (later "neuron" "plain")
          Recurrence = recurrenceOf (string "recurrence" json)
          Activation = valueIn "activation" activations (string "activation" json)
          Output = valueIn "output layer" outputs (later "output" "linear")
          Mask = valueIn "mask" masks (string "mask" json)
          Sources = [ for name in (entry "sources" json).AsArray() -> name.GetValue<string>() ] }

/// A model is a folder that describes itself: `model.json` (architecture, level, provenance) and `weights.safetensors`.
[<RequireQualifiedAccess>]
module ModelFolder =

    let private description folder = Path.Combine(folder, "model.json")
    let private weights folder = Path.Combine(folder, "weights.safetensors")

    /// Writes a model folder; the weights first, so that a folder with a description is whole. `provenance` is kept as it is;
    /// null for none. Raises ArgumentNullException for a model without an architecture or parameters.
    let save (folder: string) (trained: TrainedModel) (provenance: JsonNode) : unit =
        TrainedModel.requireWhole trained

        Memory.plain (fun () ->
            Safetensors.save
                (weights folder)
                { Tensors = Params.named trained.Parameters
                  Texts = Map.ofList [ "model", Architecture.name trained.Architecture ] })

        let json = JsonObject()
        json["format"] <- JsonValue.Create 1
        json["name"] <- JsonValue.Create(Architecture.name trained.Architecture)
        json["architecture"] <- ArchitectureJson.write trained.Architecture
        json["level"] <- JsonValue.Create trained.Level
        json["provenance"] <- if isNull provenance then null else provenance.DeepClone()
        WholeFile.Write(description folder, json.ToJsonString(JsonSerializerOptions(WriteIndented = true)) + "\n")

    let private parse (path: string) =
        try
            JsonNode.Parse(File.ReadAllText path)
        with :? JsonException as cause ->
            raise (InputException("it is not JSON", cause))

    let private readWeights folder (layout: Layout) device =
        Memory.tensor (fun () ->
            let tensors = (Safetensors.load (weights folder)).Tensors |> Map.ofList

            let find (weight: Weight) =
                match tensors.TryFind weight.Name with
                | Some tensor when List.ofArray tensor.shape = weight.Shape -> tensor.reshape -1L
                | Some tensor ->
                    raise (
                        InputException
                            $"{weights folder}: '{weight.Name}' has the shape %A{tensor.shape}, the model needs %A{weight.Shape}. The folder mixes two models."
                    )
                | None ->
                    raise (
                        InputException $"{weights folder}: the weight '{weight.Name}' is missing. The folder mixes two models."
                    )

            torch.cat(layout |> List.map find |> Array.ofList).``to``(device: torch.Device))

    /// Architecture, level and provenance. Everything that is wrong with the description ends in one message that names it.
    let private describe folder =
        let path = description folder

        let damaged (why: string) cause =
            raise (InputException($"{path}: is not the description of a model ({why}). Copy the model folder again.", cause))

        try
            let json = parse path
            let architecture = ArchitectureJson.read json["architecture"]
            architecture.FrontEnd.Stft.Validate()
            FrontEnd.margin architecture.FrontEnd |> ignore
            let model = Architecture.model architecture
            architecture, model.Layout, json["level"].GetValue<float>(), json["provenance"]
        with
        | :? InputException as cause -> damaged (cause.Message.TrimEnd '.') cause
        | :? System.ArgumentException as cause -> damaged (cause.Message.TrimEnd '.') cause
        | :? System.NullReferenceException
        | :? System.InvalidOperationException
        | :? System.FormatException as cause -> damaged "an entry is missing or of another kind" cause

    let private requireFolder folder =
        if not (Directory.Exists folder) then
            raise (
                InputException
                    $"{folder}: there is no such model folder. Train one with scripts/huang2014/drnn.fsx, or check the path."
            )

        if not (File.Exists(description folder)) then
            raise (
                InputException $"{folder}: is not a model folder (it holds no model.json). Give the folder that training wrote."
            )

    /// Loads a model folder onto a device, whatever the model. Raises InputException, naming the file, where the folder is
    /// missing, is no model folder, or its parts do not fit.
    let load (device: torch.Device) (folder: string) : TrainedModel =
        requireFolder folder
        let architecture, layout, level, _ = describe folder

        { Architecture = architecture
          Parameters = Params.create layout (readWeights folder layout device)
          Level = level }

    /// Where a model comes from: what training recorded, and a fingerprint of the weights. Raises InputException as `load`.
    let provenance (folder: string) : JsonObject =
        requireFolder folder
        let _, _, _, recorded = describe folder
        let json = JsonObject()
        use stream = File.OpenRead(weights folder)
        let hash = System.Security.Cryptography.SHA256.HashData stream
        json["folder"] <- JsonValue.Create folder
        json["weights"] <- JsonValue.Create(System.Convert.ToHexStringLower(hash).Substring(0, 16))
        json["training"] <- if isNull recorded then null else recorded.DeepClone()
        json

    /// Loads a model folder as a separator for applications. `device`: cpu, cuda, cuda:N or auto.
    let openSeparator (device: string) (folder: string) : ISeparator =
        let trained = load (Devices.Parse device) folder
        new NetworkSeparator(Architecture.name trained.Architecture, trained)
