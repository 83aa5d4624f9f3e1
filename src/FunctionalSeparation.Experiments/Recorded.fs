namespace FunctionalSeparation

open System
open System.Globalization
open System.IO
open FunctionalSeparation.Core

/// A row of a table as a paper's `results.csv` has it.
type RecordedRow =
    {
        /// Identifier of the row (see `Sweep.id`).
        Id: string
        /// None for a row on clips of its own, such as those of a singer held out.
        TrainingClips: int option
        TestClips: int
        /// Seconds of training.
        Seconds: float
        /// Where it was made, such as cpu or cuda:0.
        Device: string
        /// GNSDR, GSIR and GSAR in dB of the last source, then of the first.
        Figures: float list
        /// Further figures of the row, by name.
        Extra: (string * float) list
    }

/// Rows that were made before, here or elsewhere. For those that are recorded with an identifier, the repository holds their
/// figures in the table.
[<RequireQualifiedAccess>]
module Recorded =

    let private tryNumber (text: string) =
        match Double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture) with
        | true, number -> Some number
        | false, _ -> None

    /// Figures that are no number, such as "no score", are NaN.
    let private number text = tryNumber text |> Option.defaultValue nan

    /// A name and a number, such as `speech SDR 7.850`; other texts are none.
    let private tryExtra (text: string) =
        match text.LastIndexOf ' ' with
        | -1 -> None
        | at -> tryNumber text[at + 1 ..] |> Option.map (fun value -> text[.. at - 1], value)

    let private row (cell: string -> string) =
        let clips = cell "training clips"

        { Id = cell "row"
          TrainingClips = if clips = "" then None else Some(int clips)
          TestClips = int (cell "test clips")
          Seconds = number (cell "training seconds")
          Device = cell "device"
          Figures =
            [ for source in [ "voice"; "music" ] do
                  for figure in [ "GNSDR"; "GSIR"; "GSAR" ] -> number (cell $"{source} {figure}") ]
          Extra = (cell "extra").Split("; ") |> Array.choose tryExtra |> List.ofArray }

    /// Reads the rows of `results.csv` that have an id, oldest first; none where there is no such file. Raises InputException,
    /// naming the file and the line, where one is damaged.
    let read (path: string) : RecordedRow list =
        let lines = if File.Exists path then File.ReadAllLines path else [||]
        let header = lines |> Array.tryHead |> Option.map _.Split(',') |> Option.defaultValue [||]

        let rowAt index (line: string) =
            let cells = line.Split ','
            let cell (name: string) = cells[Array.IndexOf(header, name)]

            try
                if cells.Length <> header.Length then None
                elif cell "row" = "" then Some None
                else Some(Some(row cell))
            with
            | :? FormatException
            | :? IndexOutOfRangeException -> None
            |> Option.defaultWith (fun () -> raise (InputException $"{path}: line {index + 2} is damaged. Repair or remove it."))

        lines |> Array.skip (min 1 lines.Length) |> Array.mapi rowAt |> Array.choose id |> List.ofArray
