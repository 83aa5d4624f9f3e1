// Writes the measured tables into README.md, between their markers, from what the experiment scripts recorded.
#load "load.fsx"

open System.IO
open System.Text.RegularExpressions
open FunctionalSeparation
open FunctionalSeparation.Learning

let root = Path.Combine(__SOURCE_DIRECTORY__, "..")

let measured =
    let lines = File.ReadAllLines(Path.Combine(root, "papers", "huang2014", "results.csv"))
    let header = lines[0].Split ','
    [ for line in lines[1..] -> Array.zip header (line.Split ',') |> Map.ofArray ]

/// Runs of the best network; the last one of each preset.
let flagship =
    measured
    |> List.filter (fun row -> row["table"] = "flagship")
    |> List.groupBy _.Item("preset")
    |> List.map (snd >> List.last)

let short (text: string) = Results.decibels (float text)

let paperRows =
    [ for row in Papers.expected (Path.Combine(root, "papers", "huang2014", "expected.csv")) do
          if row.Table = "architectures" && row.Model = "DRNN-2 + discrim" then
              let figures = row.Figures |> List.map (snd >> Results.decibels) |> String.concat " | "
              $"| {row.Model}, the paper | 825 | {figures} | | |" ]

let ourRows =
    [ for row in flagship ->
          let cells = [ "voice GNSDR"; "voice GSIR"; "voice GSAR"; "music GNSDR" ] |> List.map (fun name -> short row[name])
          let plan = row["plan"].Replace(';', ',')
          let preset = row["preset"].ToLowerInvariant()
          let training = $"""{row["training seconds"]} s, {row["threads"]} thread(s), {row["device"]}: {plan}"""

          [ $"""{row["model"]}, `{preset}`"""; row["test clips"] ] @ cells @ [ training ]
          |> String.concat " | "
          |> sprintf "| %s |" ]

let table =
    [ "| system | test clips | voice GNSDR | GSIR | GSAR | music GNSDR | training |"
      "|---|---|---|---|---|---|---|" ]
    @ paperRows
    @ ourRows
    |> String.concat "\n"

let path = Path.Combine(root, "README.md")
let text = File.ReadAllText path
let marked = Regex(@"(?s)(<!-- results -->\n).*?(<!-- end of results -->)")

Experiment.main (fun () ->
    if not (marked.IsMatch text) then
        raise (FunctionalSeparation.Core.InputException $"{path}: the markers of the results table are missing. Put them back.")

    let replaced =
        marked.Replace(text, fun (found: Match) -> $"{found.Groups[1].Value}{table}\n{found.Groups[2].Value}")

    FunctionalSeparation.Core.WholeFile.Write(path, replaced)
    printfn "%s" table)
