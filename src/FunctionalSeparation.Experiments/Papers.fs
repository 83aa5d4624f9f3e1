namespace FunctionalSeparation

open System.Globalization
open System.IO

/// A row of a published table: voice scores in dB.
type PublishedRow = { Table: string; Model: string; Gnsdr: float; Gsir: float; Gsar: float }

/// Figures of the papers, to stand beside ours.
[<RequireQualifiedAccess>]
module Papers =

    let private row (line: string) =
        let cells = line.Split ','
        let number i = System.Double.Parse(cells[i], CultureInfo.InvariantCulture)
        { Table = cells[0]; Model = cells[1]; Gnsdr = number 2; Gsir = number 3; Gsar = number 4 }

    /// Reads the tables of a paper, `papers/<paper>/expected.csv`: table, model, voice GNSDR, GSIR, GSAR.
    let expected (path: string) : PublishedRow list = File.ReadAllLines path |> Array.skip 1 |> Array.map row |> List.ofArray
