namespace FunctionalSeparation.Learning

open System
open System.Reflection
open System.Text
open System.Text.Json
open System.Text.Json.Nodes
open System.Text.Json.Serialization
open FSharp.Reflection
open FunctionalSeparation.Core

/// Records as JSON: an entry for each field, under the name of the field. The entry of an option may be null or absent. Reading
/// is strict. It raises InputException for a duplicate name, an entry that is unknown or missing, and a value of another kind.
/// The message names the entry in a few words; the reader of a file puts the name of the file before it.
[<RequireQualifiedAccess>]
module internal Json =

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

    let private parsing = JsonDocumentOptions(AllowDuplicateProperties = false)

    /// Parses UTF-8, with or without a byte order mark.
    let parse (bytes: ReadOnlySpan<byte>) : JsonElement =
        let mark = Encoding.UTF8.Preamble
        let text = if bytes.StartsWith mark then bytes.Slice mark.Length else bytes
        if not (Unicode.Utf8.IsValid text) then refuse "it is not text in UTF-8"

        try
            JsonElement.Parse(text, parsing)
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

    let private options =
        JsonSerializerOptions(
            UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
            RespectRequiredConstructorParameters = true,
            AllowDuplicateProperties = false
        )

    let private access = BindingFlags.Public ||| BindingFlags.NonPublic

    let private isOf (generic: Type) (kind: Type) = kind.IsGenericType && kind.GetGenericTypeDefinition() = generic

    let private isOption = isOf typedefof<_ option>

    let private isNullable (kind: Type) = isOption kind || isOf typedefof<Nullable<_>> kind || kind = typeof<JsonElement>

    /// Types of values with the words that messages have for one and for several.
    let private kinds =
        [ typeof<string>, ("a text", "texts")
          typeof<int>, ("a whole number of 32 bits", "whole numbers of 32 bits")
          typeof<int64>, ("a whole number of 64 bits", "whole numbers of 64 bits")
          typeof<float>, ("a number", "numbers")
          typeof<bool>, ("true or false", "true or false") ]
        |> readOnlyDict

    let private itemOf (kind: Type) =
        if kind.IsArray then Some(kind.GetElementType())
        elif isOf typedefof<_ list> kind then Some kind.GenericTypeArguments[0]
        else None

    let rec private words (kind: Type) =
        if kinds.ContainsKey kind then
            fst kinds[kind]
        elif isOf typedefof<Nullable<_>> kind || isOption kind then
            words kind.GenericTypeArguments[0]
        else
            match itemOf kind with
            | Some item when kinds.ContainsKey item -> $"a list of {snd kinds[item]}"
            | _ -> "a value of its kind"

    let private isNull (json: JsonElement) = json.ValueKind = JsonValueKind.Null

    let private single place (kind: Type) (json: JsonElement) : obj =
        let refuse cause = raise (InputException($"the entry {quoted place} is not {words kind}", cause))
        let isArrayOf isItem = json.ValueKind = JsonValueKind.Array && Seq.exists isItem (json.EnumerateArray())
        let itemsAreValues = itemOf kind |> Option.exists (isNullable >> not)

        if isNull json && not (isNullable kind) || itemsAreValues && isArrayOf isNull then
            refuse null

        try
            json.Deserialize(kind, options)
        with
        | :? JsonException
        | :? NotSupportedException as cause -> refuse cause

    let rec private value (place: string) (kind: Type) (json: JsonElement) : obj =
        if FSharpType.IsRecord(kind, access) then
            record place kind json
        else
            single place kind json

    and private record place kind json =
        let prefix = if place = "" then "" else place + "."
        let fields = FSharpType.GetRecordFields(kind, access)
        let entries = json |> pairs (if place = "" then "the file" else place) |> dict

        for name in entries.Keys do
            if fields |> Array.forall (fun field -> field.Name <> name) then
                refuse $"the entry {quoted (prefix + name)} is unknown, so it cannot be left out; a newer version may know it"

        let ofField (field: PropertyInfo) =
            match entries.TryGetValue field.Name with
            | true, entry -> value (prefix + field.Name) field.PropertyType entry
            | false, _ when isOption field.PropertyType -> null
            | false, _ -> refuse $"the entry {quoted (prefix + field.Name)} is missing"

        FSharpValue.MakeRecord(kind, Array.map ofField fields, access)

    /// The value that is written there. `place` is what messages call it; an empty one is the whole file.
    let read<'value> (place: string) (json: JsonElement) : 'value = value place typeof<'value> json |> unbox<'value>

    let rec private node (kind: Type) (value: obj) : JsonNode =
        if not (FSharpType.IsRecord(kind, access)) then
            JsonSerializer.SerializeToNode(value, kind, options)
        else
            let json = JsonObject()

            for field in FSharpType.GetRecordFields(kind, access) do
                json[field.Name] <- node field.PropertyType (FSharpValue.GetRecordField(value, field))

            json

    /// The value as JSON; null for an option without a value.
    let write<'value> (value: 'value) : JsonNode = node typeof<'value> (box value)

    /// Raises InputException where a number that was read is beyond its bounds.
    let requireWithin (least: float) (greatest: float) (place: string) (number: float) : unit =
        if not (least <= number && number <= greatest) then
            refuse $"the entry {quoted place} is {string number}; it must be from {string least} to {string greatest}"

    /// Raises InputException where a list that was read is too long.
    let requireLength (most: int) (place: string) (items: 'item list) : unit =
        if items.Length > most then
            refuse $"the entry {quoted place} has {items.Length} items; it may have at most {most}"
