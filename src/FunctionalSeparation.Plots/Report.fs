namespace FunctionalSeparation.Plots

open System
open System.IO
open FunctionalSeparation.Core
open Plotly.NET

/// A table of a report: plain text in cells, every row as long as the header. Columns of numbers are aligned to the right.
type ReportTable =
    {
        /// Caption of the table.
        Caption: string
        /// One heading a column.
        Header: string list
        /// The cells, row by row; the first cell of a row names it.
        Rows: string list list
    }

/// A clip to see and to hear. A panel and a sound with the same label stand beside each other.
[<NoComparison>]
type ClipView =
    {
        /// Name of the clip.
        Name: string
        /// Spectrograms with their labels, from top to bottom, on one scale.
        Panels: (string * Spectrogram) list
        /// Sounds with their labels, from top to bottom.
        Audio: (string * AudioBuffer) list
    }

/// Contents of a report: plain text, tables, charts, sounds. It does not depend on training.
[<NoEquality; NoComparison>]
type Report =
    {
        /// The title of the page.
        Title: string
        /// Paragraphs of plain text at the top.
        Summary: string list
        /// Tables of results.
        Tables: ReportTable list
        /// Charts with their captions.
        Charts: (string * GenericChart) list
        /// Clips to see and to hear.
        Clips: ClipView list
        /// Where the numbers come from, as (name, value): configuration, seed, commit, versions, device, wall time.
        Provenance: (string * string) list
    }

/// Reports as one self-contained HTML file: it loads nothing from anywhere, plotly.js stands in it once, packed (1.5 MB), sounds
/// are 16-bit WAV data. A clip of 8 s at 16 kHz with five sounds and five panels adds about 3 MB.
[<RequireQualifiedAccess>]
module Report =

    let private checkTable (table: ReportTable) =
        for row in table.Rows do
            if row.Length <> table.Header.Length then
                invalidArg
                    "report"
                    $"Table '{table.Caption}' has {table.Header.Length} columns, but a row of {row.Length} cells: {row}."

    /// Above this (Hz) a panel is tall: a narrow band needs less room.
    let private narrowBand = 8000.0

    let private clip (view: ClipView) =
        let top (_, panel: Spectrogram) = float panel.Decibels[0].Length * panel.HertzPerBin
        let panels = Figures.panels view.Panels
        Page.clip view.Name (List.exists (fun panel -> top panel > narrowBand) view.Panels) panels view.Audio

    /// The report as HTML text. Raises ArgumentException where a table row has another number of cells than its header, or a
    /// spectrogram is empty or ragged.
    let internal toHtml (report: Report) : string =
        List.iter checkTable report.Tables

        let sections =
            [ "results", "Results", List.mapi (fun i t -> Page.table (i + 1) t.Caption t.Header t.Rows) report.Tables
              "figures", "Figures", List.mapi (fun i (caption, chart) -> Page.figure (i + 1) caption chart) report.Charts
              "listen", "Listen", List.map clip report.Clips
              "provenance", "Provenance", (if report.Provenance.IsEmpty then [] else [ Page.facts report.Provenance ]) ]

        Page.document report.Title report.Summary (sections |> List.filter (fun (_, _, nodes) -> not nodes.IsEmpty))

    /// Writes the report to `path`, creating its folder, whole or not at all. Raises what `toHtml` raises, and InputException
    /// where the file cannot be written.
    let save (path: string) (report: Report) : unit = WholeFile.Write(path, toHtml report)
