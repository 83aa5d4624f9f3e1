namespace FunctionalSeparation

open System
open System.Globalization
open System.IO

/// A row of a paper's `results.csv`, as `TableReport.record` wrote it. Texts are as CSV cells hold them (see `Results.csvCell`).
type RecordedRow =
    {
        Table: string
        Model: string
        Preset: string
        Plan: string
        Seed: int
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

/// Rows that were made before, here or elsewhere: what a table says of them is in the repository.
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

    let private row (header: string[]) (line: string) =
        let cells = line.Split ','
        let cell (name: string) = cells[Array.IndexOf(header, name)]
        let clips = cell "training clips"

        { Table = cell "table"
          Model = cell "model"
          Preset = cell "preset"
          Plan = cell "plan"
          Seed = int (cell "seed")
          TrainingClips = if clips = "" then None else Some(int clips)
          TestClips = int (cell "test clips")
          Seconds = number (cell "training seconds")
          Device = cell "device"
          Figures =
            [ for source in [ "voice"; "music" ] do
                  for figure in [ "GNSDR"; "GSIR"; "GSAR" ] -> number (cell $"{source} {figure}") ]
          Extra = (cell "extra").Split("; ") |> Array.choose tryExtra |> List.ofArray }

    /// Reads `results.csv`, oldest row first; no rows where there is no such file.
    let read (path: string) : RecordedRow list =
        if not (File.Exists path) then
            []
        else
            match List.ofArray (File.ReadAllLines path) with
            | [] -> []
            | header :: lines -> lines |> List.map (row (header.Split ','))
