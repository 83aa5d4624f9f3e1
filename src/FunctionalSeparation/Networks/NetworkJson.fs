namespace FunctionalSeparation

open System.Collections.Generic
open System.Text.Json
open System.Text.Json.Nodes
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// Pieces of the JSON of networks.
module internal NetworkJson =

    let text (value: string) = JsonValue.Create value :> JsonNode
    let number (value: int) = JsonValue.Create value :> JsonNode
    let texts (values: string list) = JsonArray(values |> List.map text |> Array.ofList) :> JsonNode
    let entries (pairs: (string * JsonNode) list) = JsonObject(pairs |> List.map (fun (k, v) -> KeyValuePair(k, v)))

    /// The name of a value in a table of names and values.
    let nameIn table value = table |> List.find (fun (_, known) -> known = value) |> fst

    /// The value of a name in such a table. Raises InputException where it is not there.
    let valueIn what table name =
        match List.tryFind (fun (known, _) -> known = name) table with
        | Some(_, value) -> value
        | None ->
            let known = table |> List.map fst |> String.concat ", "
            raise (InputException $"{StrictJson.quoted name} is not a known {what} ({known})")

    /// The name of the entry that describes a network, in files and messages.
    let place = "architecture"

    let private windows = [ "hann", StftWindow.Hann; "sine", StftWindow.Sine ]

    /// The entries of a front end.
    let ofFrontEnd (frontEnd: FrontEnd) : (string * JsonNode) list =
        let stft = frontEnd.Stft

        [ "sampleRate", number frontEnd.SampleRate
          "stft",
          entries
              [ "fftSize", number stft.FftSize
                "hopLength", number stft.HopLength
                "window", text (nameIn windows stft.Window)
                "centred", JsonValue.Create stft.Centred ] ]

    let private stftOf (json: JsonElement) =
        let entries = StrictJson.entries $"{place}.stft" [ "fftSize"; "hopLength"; "window"; "centred" ] json

        Stft(
            StrictJson.integer 2 (1 <<< 22) "fftSize" entries,
            StrictJson.integer 1 (1 <<< 22) "hopLength" entries,
            valueIn "window" windows (StrictJson.text "window" entries),
            StrictJson.flag "centred" entries
        )

    /// The front end that `ofFrontEnd` wrote among other entries.
    let toFrontEnd (entries: JsonEntries) : FrontEnd =
        { SampleRate = StrictJson.integer 1 1_000_000 "sampleRate" entries
          Stft = stftOf (StrictJson.entry "stft" entries) }

    let private mostSources = 100

    /// The names of the sources.
    let toSources (entries: JsonEntries) : string list = StrictJson.texts mostSources "sources" entries
