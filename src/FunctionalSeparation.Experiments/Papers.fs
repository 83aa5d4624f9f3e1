namespace FunctionalSeparation

open System.Globalization
open System.IO
open FunctionalSeparation.Learning

/// A row of a published table: figures in dB under the names that the file gives its columns, such as `voice GNSDR`.
type PublishedRow = { Table: string; Model: string; Figures: (string * float) list }

/// Figures of the papers, to stand beside ours, and how the papers are cited.
[<RequireQualifiedAccess>]
module Papers =

    let private row (names: string list) (line: string) =
        match List.ofArray (line.Split ',') with
        | table :: model :: cells ->
            let figures = [ for cell in cells -> System.Double.Parse(cell, CultureInfo.InvariantCulture) ]
            { Table = table; Model = model; Figures = List.zip names figures }
        | _ -> invalidArg (nameof line) $"'{line}' is no row of a published table: table, model, figures."

    /// Reads the tables of a paper, `papers/<paper>/expected.csv`: table, model, figures. The header names the figures.
    let expected (path: string) : PublishedRow list =
        match List.ofArray (File.ReadAllLines path) with
        | header :: lines -> lines |> List.map (row (header.Split ',' |> List.ofArray |> List.skip 2))
        | [] -> []

    /// How a paper is cited, in one line: `citation.txt` in its folder, `papers/<paper>`. None where there is no such file.
    let citation (folder: string) : string option =
        let path = Path.Combine(folder, "citation.txt")
        if File.Exists path then Some((File.ReadAllText path).Trim()) else None
