namespace FunctionalSeparation

open System
open System.IO
open System.Text.Json.Nodes
open FunctionalSeparation.Core

/// Report of a run to its observer after each step.
type StepReport =
    {
        /// Steps done.
        Step: int
        /// Steps planned.
        Steps: int
        /// The objective (see `OptimiserStep.Value`).
        Value: float
        /// Evaluations of the objective so far.
        Evaluations: int
        /// Voice GNSDR on the development clips in dB, where this step looked at them.
        DevGnsdr: float option
        /// Seconds of training so far, over all sessions.
        Seconds: float
    }

/// The log of a run: `log.jsonl` in its folder, a line for each step.
[<RequireQualifiedAccess>]
module RunLog =

    let private path folder = Path.Combine(folder, "log.jsonl")

    /// Drops the lines that an interrupted run logged after its last checkpoint.
    let trim (folder: string) (step: int) : unit =
        let path = path folder

        if File.Exists path then
            let isKept (line: string) =
                try
                    (JsonNode.Parse line).["step"].GetValue<int>() <= step
                with _ ->
                    false // a line that the interruption cut off

            let kept = File.ReadAllLines path |> Array.filter isKept |> Array.map (fun line -> line + "\n")
            WholeFile.Write(path, String.Concat kept)

    /// The objective of each step in the log, over all sessions; NaN where it was not finite.
    let objectives (folder: string) : (int * float) list =
        [ for line in File.ReadLines(path folder) do
              let json = JsonNode.Parse line
              let value = json["value"]
              json["step"].GetValue<int>(), (if isNull value then nan else value.GetValue<float>()) ]

    /// Opens the log to append lines. The caller flushes it.
    let append (folder: string) = new StreamWriter(path folder, append = true)

    /// JSON has no NaN and no infinity: null.
    let private finite (value: float) : JsonNode = if Double.IsFinite value then JsonValue.Create value else null

    /// A step as a line.
    let line (report: StepReport) : string =
        let json = JsonObject()
        json["step"] <- JsonValue.Create report.Step
        json["value"] <- finite report.Value
        json["evaluations"] <- JsonValue.Create report.Evaluations
        json["seconds"] <- JsonValue.Create(Math.Round(report.Seconds, 2))
        report.DevGnsdr |> Option.iter (fun score -> json["devGnsdr"] <- finite score)
        json.ToJsonString() + "\n"
