namespace FunctionalSeparation

open System
open System.Text.Json
open System.Text.Json.Nodes
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// A family of networks that files may name, with the reader of their descriptions.
[<NoEquality; NoComparison>]
type Family =
    {
        /// Unique among the families that are met.
        Name: string
        /// The network of a description that one of the family wrote. Raises InputException, naming the entry, for another.
        Read: Text.Json.JsonElement -> Network
    }

/// A network without the setting that it is built for. `Family.define` takes a function that makes the plan from settings.
[<NoEquality; NoComparison>]
type NetworkPlan =
    {
        /// The view of the mixture that the network takes as input.
        Input: Input
        /// The kind of its outputs.
        Output: Output
        /// The frames that one frame of its output depends on.
        ReceptiveField: ReceptiveField
        /// Stride in time, in frames; 1 = no stride.
        Stride: int
        /// Whether its input has two channels as middle and side (see `Stereo`), not as left and right.
        MiddleSide: bool
        /// See `Network.Model`; without a margin.
        Model: Model<Activations, Activations>
    }

/// The usual kinds of network. Others are a record of their own.
[<RequireQualifiedAccess>]
module NetworkPlan =

    /// A network that reads complex spectrograms and makes complex masks: the model from [batch, 2 channels, time, bins] to
    /// [batch, 2 sources x channels, time, bins]. It looks `back` frames back and `ahead` frames ahead.
    let complexMask (back: int, ahead: int) (model: Model<Activations, Activations>) : NetworkPlan =
        { Input = Input.Spectrum
          Output = Output.ComplexMask
          ReceptiveField = ReceptiveField.Frames(back, ahead)
          Stride = 1
          MiddleSide = false
          Model = model }

    /// A network that reads magnitudes and makes ratio masks: the model from [batch, channels, time, bins] to
    /// [batch, sources x channels, time, bins]. It looks `back` frames back and `ahead` frames ahead.
    let ratioMask (back: int, ahead: int) (model: Model<Activations, Activations>) : NetworkPlan =
        { Input = Input.Magnitude
          Output = Output.Mask Absolute
          ReceptiveField = ReceptiveField.Frames(back, ahead)
          Stride = 1
          MiddleSide = false
          Model = model }

    /// A network that reads samples and makes samples: the model from [batch, channels, samples, 1] to
    /// [batch, sources x channels, samples, 1]. It looks `back` frames of the front end back and `ahead` frames ahead.
    let waveforms (back: int, ahead: int) (model: Model<Activations, Activations>) : NetworkPlan =
        { Input = Input.Waveform
          Output = Output.Waveforms
          ReceptiveField = ReceptiveField.Frames(back, ahead)
          Stride = 1
          MiddleSide = false
          Model = model }

/// A family of networks that differ in their settings.
[<NoEquality; NoComparison>]
type Family<'settings> =
    {
        /// The name of the family in files, and of its networks in tables.
        Name: string
        /// Builds the network with the given settings for the given front end, channels and sources.
        Network: 'settings -> SourceSpec -> Network
        /// Reads networks of the family from their descriptions; functions that load take it.
        Reader: Family
    }

/// The description of a network, as files have it.
type internal FamilyDescription<'settings> =
    { family: string; sampleRate: int; stft: StftEntry; channels: int; sources: string list; settings: 'settings }

/// Families of one's own. Their settings become part of the identity of a run, and of the description in a model folder.
[<RequireQualifiedAccess>]
module Family =

    let private write name (settings: 'settings) (spec: SourceSpec) : JsonObject =
        let description: FamilyDescription<'settings> =
            { family = name
              sampleRate = spec.FrontEnd.SampleRate
              stft = NetworkJson.ofStft spec.FrontEnd.Stft
              channels = spec.Channels
              sources = spec.Sources
              settings = settings }

        (Json.write description).AsObject()

    /// Refuses settings that could not be read back from a file, before any training.
    let private requireReadable name (settings: 'settings) =
        try
            JsonSerializer.SerializeToElement(Json.write settings) |> Json.read<'settings> "settings" |> ignore
        with
        | :? InputException
        | :? NotSupportedException as cause ->
            raise (
                ArgumentException(
                    ($"{name}: settings of the type {typeof<'settings>.Name} could not be read "
                     + "from a file again. Take a record of numbers, texts and lists of them."),
                    cause
                )
            )

    let private readWith (network: 'settings -> SourceSpec -> Network) (json: JsonElement) : Network =
        let description = Json.read<FamilyDescription<'settings>> NetworkJson.place json
        Json.requireWithin 1.0 1000.0 $"{NetworkJson.place}.channels" (float description.channels)

        network
            description.settings
            { FrontEnd = NetworkJson.toFrontEnd description.sampleRate description.stft
              Channels = description.channels
              Sources = NetworkJson.toSources description.sources }

    /// <summary>
    /// A family. `plan` makes a network of settings, for a front end, channels and sources. Settings are a record or an anonymous
    /// record of numbers, texts and lists of them. Networks are named after the family. `Network` raises ArgumentException for a
    /// setting or settings that make no network, and where the outputs, tried on noise, are not what the sources ask for.
    /// </summary>
    /// <example><code lang="fsharp">
    /// let tiny =
    ///     Family.define "tiny" (fun (settings: {| Channels: int |}) spec ->
    ///         Conv.layer 3 spec.Channels settings.Channels
    ///         --> Layer.activation Relu
    ///         --> Conv.layer 1 settings.Channels (spec.Channels * spec.Sources.Length)
    ///         |> NetworkPlan.ratioMask (1, 1))
    ///
    /// let network =
    ///     tiny.Network {| Channels = 8 |} { FrontEnd = FrontEnd.huang2014; Channels = 1; Sources = [ "music"; "voice" ] }
    /// </code></example>
    let define (name: string) (plan: 'settings -> SourceSpec -> NetworkPlan) : Family<'settings> =
        if String.IsNullOrWhiteSpace name then
            invalidArg (nameof name) "A family of networks needs a name: files name it."

        let network (settings: 'settings) (spec: SourceSpec) : Network =
            Network.requireSpec spec
            requireReadable name settings
            let plan = plan settings spec
            Numbers.atLeast 1 name "Stride" plan.Stride

            if (plan.Input = Input.Waveform || plan.Output = Output.Waveforms) && not spec.FrontEnd.Stft.Centred then
                invalidArg (nameof spec) $"{name}: a network of samples needs a centred transform in its front end."

            { Family = name
              Name = name
              Architecture = write name settings spec
              Spec = spec
              MiddleSide = plan.MiddleSide && spec.Channels = 2
              Input = plan.Input
              Output = plan.Output
              Margin = 0L
              ReceptiveField = plan.ReceptiveField
              Stride = int64 plan.Stride
              Model = plan.Model }

        let tried settings spec =
            let network = network settings spec
            ReceptiveField.requireOutputs network
            network

        { Name = name; Network = tried; Reader = { Name = name; Read = readWith network } }

    /// The family of descriptions that name none: those of the papers' networks.
    let internal unnamed = "drnn"

    /// The network of a description, by the family that it names. Descriptions without a name are of the papers' networks
    /// (`Drnn.family`). Raises InputException where none of the families has that name.
    let read (families: Family list) (json: JsonElement) : Network =
        let named =
            if json.ValueKind = JsonValueKind.Object then
                match json.TryGetProperty "family" with
                | true, name when name.ValueKind = JsonValueKind.String -> Some(name.GetString())
                | true, _ -> raise (InputException $"the entry '{NetworkJson.place}.family' is no text")
                | false, _ -> None
            else
                None

        let name = Option.defaultValue unnamed named

        match families |> List.tryFind (fun family -> family.Name = name) with
        | Some family -> family.Read json
        | None ->
            let known = families |> List.map _.Name |> String.concat ", "

            raise (
                InputException(
                    $"the network is of the family {Json.quoted name}, and the families "
                    + $"at hand are: {known}. Load it with the list of families that has it"
                )
            )
