namespace FunctionalSeparation.Learning

open System
open System.Text
open System.Text.Json
open FunctionalSeparation.Core

/// The entries of a JSON object, all of them known.
[<NoEquality; NoComparison>]
type JsonEntries =
    {
        /// Prefix of the names of entries in messages, such as `architecture.`.
        Place: string
        /// The values by the names of their entries.
        Values: Map<string, JsonElement>
    }

/// Strict reading of JSON. Raises InputException for a duplicate name, an unknown or missing entry, and a value of another kind
/// or out of bounds. The message names the entry in a few words; the reader of a file puts the name of the file before it.
[<RequireQualifiedAccess>]
module StrictJson =

    let private refuse why = raise (InputException why)

    let private longestName = 80

    let private onOneLine (text: string) =
        text |> String.map (fun c -> if Char.IsControl c || c = '\u2028' || c = '\u2029' then ' ' else c)

    /// A text out of a file as messages show it: on one line, and not too long.
    let quoted (text: string) : string =
        let plain = onOneLine text

        if plain.Length <= longestName then
            $"'{plain}'"
        else
            $"'{plain.Substring(0, longestName)}...'"

    let private options = JsonDocumentOptions(AllowDuplicateProperties = false)

    /// Parses UTF-8, with or without a byte order mark.
    let parse (bytes: ReadOnlySpan<byte>) : JsonElement =
        let mark = Encoding.UTF8.Preamble
        let text = if bytes.StartsWith mark then bytes.Slice mark.Length else bytes
        if not (Unicode.Utf8.IsValid text) then refuse "it is not text in UTF-8"

        try
            JsonElement.Parse(text, options)
        with
        | :? JsonException
        // A name that is no text, such as half a surrogate pair.
        | :? InvalidOperationException as cause ->
            raise (InputException($"it is not JSON ({(onOneLine cause.Message).TrimEnd '.'})", cause))

    let private textOf what (read: unit -> string) =
        try
            read ()
        with :? InvalidOperationException ->
            refuse $"{what} is no text"

    /// Names and values of an object, in the order of the file.
    let pairs (place: string) (json: JsonElement) : (string * JsonElement) seq =
        if json.ValueKind <> JsonValueKind.Object then
            refuse $"{quoted place} is no object with entries"

        json.EnumerateObject()
        |> Seq.map (fun pair -> textOf $"a name in {quoted place}" (fun () -> pair.Name), pair.Value)

    /// Raises InputException where a text in JSON that is kept unchanged could not be written again, such as half a surrogate
    /// pair.
    let rec requireTexts (place: string) (json: JsonElement) : unit =
        match json.ValueKind with
        | JsonValueKind.Object -> json |> pairs place |> Seq.iter (snd >> requireTexts place)
        | JsonValueKind.Array -> json.EnumerateArray() |> Seq.iter (requireTexts place)
        | JsonValueKind.String -> textOf $"a text in {quoted place}" json.GetString |> ignore
        | _ -> ()

    /// The entries of the object that messages call `place` (empty: the file itself); only those of the `known` names may stand
    /// in it.
    let entries (place: string) (known: string list) (json: JsonElement) : JsonEntries =
        let prefix = if place = "" then "" else place + "."

        let checkedPair (name, value) =
            if not (List.contains name known) then
                refuse $"the entry {quoted (prefix + name)} is unknown, so it cannot be left out; a newer version may know it"

            name, value

        { Place = prefix
          Values = json |> pairs (if place = "" then "the file" else place) |> Seq.map checkedPair |> Map.ofSeq }

    /// The entry, where there is one.
    let tryEntry (name: string) (entries: JsonEntries) : JsonElement option = entries.Values.TryFind name

    /// The entry.
    let entry (name: string) (entries: JsonEntries) : JsonElement =
        match tryEntry name entries with
        | Some found -> found
        | None -> refuse $"the entry {quoted (entries.Place + name)} is missing"

    let private wrong name entries kind = refuse $"the entry {quoted (entries.Place + name)} is not {kind}"

    let private isText (json: JsonElement) = json.ValueKind = JsonValueKind.String

    /// A text.
    let text (name: string) (entries: JsonEntries) : string =
        let found = entry name entries

        if isText found then
            textOf $"the entry {quoted (entries.Place + name)}" found.GetString
        else
            wrong name entries "a text"

    let private tryInteger (json: JsonElement) =
        match json.ValueKind with
        | JsonValueKind.Number ->
            match json.TryGetInt64() with
            | true, value -> Some value
            | false, _ -> None
        | _ -> None

    let private between least greatest (value: int64 option) =
        value |> Option.filter (fun value -> least <= value && value <= greatest)

    /// A whole number from `least` to `greatest`.
    let integer (least: int) (greatest: int) (name: string) (entries: JsonEntries) : int =
        match entry name entries |> tryInteger |> between (int64 least) (int64 greatest) with
        | Some value -> int value
        | None -> wrong name entries $"a whole number from {least} to {greatest}"

    /// A number from `least` to `greatest`, both above zero.
    let positive (least: float) (greatest: float) (name: string) (entries: JsonEntries) : float =
        let found = entry name entries

        let value =
            match found.ValueKind with
            | JsonValueKind.Number -> found.GetDouble()
            | _ -> nan

        if least <= value && value <= greatest then
            value
        else
            wrong name entries $"a number from {string least} to {string greatest}"

    /// True or false.
    let flag (name: string) (entries: JsonEntries) : bool =
        match (entry name entries).ValueKind with
        | JsonValueKind.True -> true
        | JsonValueKind.False -> false
        | _ -> wrong name entries "true or false"

    let private items count name entries =
        let found = entry name entries

        if found.ValueKind = JsonValueKind.Array && found.GetArrayLength() <= count then
            List.ofSeq (found.EnumerateArray())
        else
            wrong name entries $"a list of at most {count}"

    /// At most `count` whole numbers from `least` to `greatest`.
    let integers (count: int) (least: int64) (greatest: int64) (name: string) (entries: JsonEntries) : int64 list =
        items count name entries
        |> List.map (fun item ->
            match item |> tryInteger |> between least greatest with
            | Some value -> value
            | None -> wrong name entries $"a list of whole numbers from {least} to {greatest}")

    /// At most `count` texts.
    let texts (count: int) (name: string) (entries: JsonEntries) : string list =
        items count name entries
        |> List.map (fun item ->
            if isText item then
                textOf $"the entry {quoted (entries.Place + name)}" item.GetString
            else
                wrong name entries "a list of texts")
