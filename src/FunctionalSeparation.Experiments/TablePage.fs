namespace FunctionalSeparation

open FunctionalSeparation.Plots

/// The page of an experiment's table.
[<RequireQualifiedAccess>]
module TablePage =

    /// Each fact once, with all the values that it has over the rows.
    let private common (rows: GridRow list) =
        rows
        |> List.collect (fun row -> Listening.provenance row.Provenance)
        |> List.groupBy fst
        |> List.map (fun (name, pairs) -> name, pairs |> List.map snd |> List.distinct |> String.concat ", ")

    let private plans (rows: GridRow list) = rows |> List.map (fun row -> $"{row.Cell}, seed {row.Seed}", row.Plan)

    /// The scores of the source that tables put first.
    let private firstSource (row: GridRow) =
        match Listening.scoreSets row.Cell row.Outcome.Scores |> List.groupBy _.Source with
        | (_, sets) :: _ -> sets
        | [] -> []

    /// The table as a report: verdicts on top, our figures beside the published ones, the scores of all clips as boxes, and
    /// where the figures come from.
    let report (table: TableReport) : Report =
        { Title = table.Title
          Summary = table.Verdicts
          Tables = [ { Caption = table.Caption; Header = table.Header; Rows = table.Rows } ]
          Charts =
            [ "Scores of the test clips",
              table.Made |> List.filter (fun row -> row.Seed = 0) |> List.collect firstSource |> Figures.scoreBoxes ]
          Clips = []
          Provenance = plans table.Made @ common table.Made }

    /// Writes the page, whole or not at all.
    let save (path: string) (table: TableReport) : unit = Report.save path (report table)
