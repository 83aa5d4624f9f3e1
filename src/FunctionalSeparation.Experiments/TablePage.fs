namespace FunctionalSeparation

open FunctionalSeparation.Core
open FunctionalSeparation.Plots

/// The page of an experiment's table.
[<RequireQualifiedAccess>]
module TablePage =

    /// The values of a fact; times as a span.
    let private values (name: string) (values: string list) =
        match name, List.distinct values with
        | "time", (_ :: _ :: _ as times) -> $"{List.min times} to {List.max times}"
        | _, distinct -> String.concat ", " distinct

    /// Each fact once, with all the values that it has over the rows.
    let private common (rows: SweepRow list) =
        rows
        |> List.collect (fun row -> Listening.provenance row.Provenance)
        |> List.groupBy fst
        |> List.map (fun (name, pairs) -> name, pairs |> List.map snd |> values name)

    let private plans (rows: SweepRow list) = rows |> List.map (fun row -> $"{row.Cell}, seed {row.Seed}", row.Plan)

    /// The scores of the source that tables put first.
    let private firstSource (row: SweepRow) =
        match Listening.scoreSets row.Cell row.Outcome.Scores |> List.groupBy _.Source with
        | (_, sets) :: _ -> sets
        | [] -> []

    /// A curve in units of its greatest magnitude: objectives of different losses and batches have no common unit.
    let private relative (curve: (int * float) list) =
        let most = curve |> List.fold (fun most (_, value) -> if abs value > most then abs value else most) 0.0
        if most = 0.0 then curve else [ for step, value in curve -> step, value / most ]

    let private curves (rows: SweepRow list) =
        match
            [ for row in rows do
                  if not row.Outcome.Curve.IsEmpty then row.Cell, relative row.Outcome.Curve ]
        with
        | [] -> []
        | series ->
            [ "Training: the objective, in units of the row's greatest magnitude", Figures.trainingCurve "objective" series ]

    /// The clip that these rows kept, to compare by eye and by ear.
    let private clip (name: string, rows: (SweepRow * HeardClip) list) : ClipView =
        let first, heard = rows.Head
        let source, _ = List.last first.Outcome.Scores.Head.Sources

        let sounds =
            [ "Mixture", heard.Mixture
              $"Clean {source}", heard.Clean
              for row, heard in rows do
                  row.Cell, heard.Separated ]

        let panel (sound: AudioBuffer) = Listening.spectrogram Stft.Huang2014 sound.SampleRate sound.Channels[0]

        { Name = $"{name}: {source}"; Panels = [ for label, sound in sounds -> label, panel sound ]; Audio = sounds }

    /// Rows keep their first test clip: the same one, unless they were tested on different parts of the corpus.
    let private clips (rows: SweepRow list) =
        rows
        |> List.choose (fun row -> HeardClip.tryRead row.Folder |> Option.map (fun heard -> row, heard))
        |> List.groupBy (fun (row, _) -> row.Outcome.Scores.Head.Clip)
        |> List.map clip

    /// The table as a report: the notice, verdicts, our figures beside the published ones, the scores of all clips as boxes,
    /// training curves and a clip to listen to. It ends with the command that made the table, the citation and the provenance.
    /// Figures and sounds are those of the first seed.
    let internal report (table: TableReport) : Report =
        let rows = table.Made |> List.filter (fun row -> row.Seed = 0)

        { Title = table.Title
          Summary = Option.toList table.Notice @ table.Verdicts
          Tables = [ { Caption = table.Caption; Header = table.Header; Rows = table.Rows } ]
          Charts = ("Scores of the test clips", rows |> List.collect firstSource |> Figures.scoreBoxes) :: curves rows
          Clips = clips rows
          Provenance =
            [ "command line", table.Command
              for paper in Option.toList table.Citation do
                  "paper", paper ]
            @ plans table.Made
            @ common table.Made }

    /// Writes the page, whole or not at all.
    let save (path: string) (table: TableReport) : unit = Report.save path (report table)
