namespace FunctionalSeparation

open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// A transform as files describe it.
type internal StftEntry = { fftSize: int; hopLength: int; window: string; centred: bool }

/// Entries that the descriptions of networks of all families have.
module internal NetworkJson =

    /// The name of a value in a table of names and values.
    let nameIn table value = table |> List.find (fun (_, known) -> known = value) |> fst

    /// The value of a name in such a table. Raises InputException where it is not there.
    let valueIn what table name =
        match List.tryFind (fun (known, _) -> known = name) table with
        | Some(_, value) -> value
        | None ->
            let known = table |> List.map fst |> String.concat ", "
            raise (InputException $"{Json.quoted name} is not a known {what} ({known})")

    /// The name of the entry that describes a network, in files and messages.
    let place = "architecture"

    let private windows = [ "hann", StftWindow.Hann; "sine", StftWindow.Sine ]

    let ofStft (stft: Stft) : StftEntry =
        { fftSize = stft.FftSize
          hopLength = stft.HopLength
          window = nameIn windows stft.Window
          centred = stft.Centred }

    /// The front end of a description. Raises InputException, naming the entry, for numbers beyond all bounds.
    let toFrontEnd (sampleRate: int) (stft: StftEntry) : FrontEnd =
        let require least greatest name value = Json.requireWithin least greatest $"{place}.{name}" (float value)
        let longest = float (1 <<< 22)
        require 1.0 1e6 "sampleRate" sampleRate
        require 2.0 longest "stft.fftSize" stft.fftSize
        require 1.0 longest "stft.hopLength" stft.hopLength

        { SampleRate = sampleRate
          Stft = Stft(stft.fftSize, stft.hopLength, valueIn "window" windows stft.window, stft.centred) }

    /// The names of the sources. Raises InputException for more than 100.
    let toSources (sources: string list) : string list =
        Json.requireLength 100 $"{place}.sources" sources
        sources
