namespace FunctionalSeparation

/// Tables as plain text.
[<RequireQualifiedAccess>]
module TextTable =

    /// A header, a rule and rows of as many cells: the first column to the left, the others to the right.
    let text (header: string list) (rows: string list list) : string =
        let widths = header :: rows |> List.transpose |> List.map (List.map String.length >> List.max)

        let line (cells: string list) =
            List.zip cells widths
            |> List.mapi (fun i (cell, width) -> if i = 0 then cell.PadRight width else cell.PadLeft width)
            |> String.concat "  "

        line header :: String.replicate (List.sum widths + 2 * (widths.Length - 1)) "-" :: List.map line rows
        |> String.concat "\n"
