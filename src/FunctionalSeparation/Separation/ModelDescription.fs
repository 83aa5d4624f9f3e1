namespace FunctionalSeparation

open System
open System.Text.Json
open System.Text.Json.Nodes
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// Contents of `model.json`: everything about a model except its weights.
[<NoEquality; NoComparison>]
type ModelDescription =
    {
        /// The network, without its weights.
        Network: Network
        /// See `TrainedModel.Level`.
        Level: float option
        /// SHA-256 of the file of the weights, 64 hexadecimal digits. None: a model of format 1, which did not record it.
        WeightsHash: string option
        /// Where the model comes from: free information, kept as it is; null where there is none.
        Provenance: JsonNode
    }

/// The entries of `model.json`.
[<NoComparison>]
type private ModelEntries =
    { format: int
      name: JsonElement option
      notes: JsonElement option
      architecture: JsonElement
      level: Nullable<float>
      weightsSha256: string option
      provenance: JsonElement option }

/// Model descriptions as JSON. There are two formats. Models of format 1 record no hash of their weights and are still read;
/// models of format 2, which is written, must have it. A file of another format, and an entry that is not known, is refused:
/// a newer model would separate wrongly. The entries `name`, `notes` and `provenance` are free information.
[<RequireQualifiedAccess>]
module ModelDescription =

    let private hashName = "weightsSha256"

    /// Levels that a recording can have: a full scale of ±1 has at most 1; the softest clip of MIR-1K at unit norm has 0.002.
    let private leastLevel, private greatestLevel = 1e-9, 1e3

    let private isHash (text: string) = text.Length = 64 && Seq.forall Char.IsAsciiHexDigitLower text

    /// The hash that a model of this format has.
    let private hashOf format (hash: string option) =
        match format, hash with
        | 1, None -> None
        | 1, Some _ -> raise (InputException $"the entry '{hashName}' is unknown in a model of format 1")
        | _, None -> raise (InputException $"the entry '{hashName}' is missing")
        | _, Some hash when isHash hash -> Some hash
        | _ -> raise (InputException $"the entry '{hashName}' is no SHA-256 of 64 hexadecimal digits")

    /// A file that is complete, so another copy of it would not help.
    exception private OfAnotherProgram of string

    let private requireFamily (families: Family list) (network: JsonElement) =
        if network.ValueKind = JsonValueKind.Object then
            match network.TryGetProperty "family" with
            | true, name when
                name.ValueKind = JsonValueKind.String
                && not (families |> List.exists (fun family -> family.Name = name.GetString()))
                ->
                let known = families |> List.map _.Name |> String.concat ", "

                raise (
                    OfAnotherProgram(
                        $"its network is of the family {Json.quoted (name.GetString())}, "
                        + $"which this program does not have (it has {known}). Open it with "
                        + "the program that trained it, or give ModelFolder.openWith the family"
                    )
                )
            | _ -> ()

    let private ofJson (families: Family list) (json: JsonElement) : ModelDescription =
        let format =
            json
            |> Json.pairs "the file"
            |> Seq.tryPick (fun (name, value) -> if name = "format" then Some(value.GetRawText()) else None)

        match format with
        | Some("1" | "2") -> ()
        | Some other ->
            raise (
                OfAnotherProgram
                    $"the entry 'format' is {Json.quoted other}, this version reads 1 and 2. Read the model with a newer version"
            )
        | None -> raise (InputException "the entry 'format' is missing")

        let entries = Json.read<ModelEntries> "" json

        for name, free in [ "name", entries.name; "notes", entries.notes; "provenance", entries.provenance ] do
            free |> Option.iter (Json.requireTexts name)

        requireFamily families entries.architecture
        let level = Option.ofNullable entries.level
        level |> Option.iter (Json.requireWithin leastLevel greatestLevel "level")

        { Network = Family.read families entries.architecture
          Level = level
          WeightsHash = hashOf entries.format entries.weightsSha256
          Provenance = entries.provenance |> Option.map _.Deserialize<JsonNode>() |> Option.toObj }

    /// The level, if a recording can have it. Raises InputException otherwise.
    let requireLevel (level: float) =
        if not (leastLevel <= level && level <= greatestLevel) then
            raise (
                InputException(
                    $"The level of the model is {string level}; it is the root mean square of "
                    + $"a training mixture, from {string leastLevel} to {string greatestLevel}."
                )
            )

    /// Reads the description of a network of one of these families. `name` is the name of the file in messages. Raises
    /// InputException, naming file and entry, where the file is no description of a model, or of one that this version does not
    /// know.
    let read (families: Family list) (name: string) (bytes: ReadOnlyMemory<byte>) : ModelDescription =
        let damaged (why: string) (cause: exn) =
            raise (InputException($"{name}: is not the description of a model ({why}). Copy the model folder again.", cause))

        try
            ofJson families (Json.parse bytes.Span)
        with
        | OfAnotherProgram why -> raise (InputException $"{name}: {why}.")
        | :? InputException as cause -> damaged cause.Message cause
        | :? ArgumentException as cause ->
            // The name of the parameter is of no use to whoever has the file.
            let words = cause.Message.Split " (Parameter"
            damaged (words[0].TrimEnd '.') cause

    let private options = JsonSerializerOptions(WriteIndented = true, NewLine = "\n")

    /// The text of `model.json`, in format 2.
    let write (network: Network) (level: float option) (weightsHash: string) (provenance: JsonNode) : string =
        let json = JsonObject()
        json["format"] <- JsonValue.Create 2
        json["name"] <- JsonValue.Create network.Name
        json[NetworkJson.place] <- network.Architecture.DeepClone()
        json["level"] <- level |> Option.map JsonValue.Create |> Option.toObj
        json[hashName] <- JsonValue.Create weightsHash
        json["provenance"] <- provenance.DeepClone()
        json.ToJsonString options + "\n"
