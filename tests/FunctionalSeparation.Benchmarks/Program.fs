/// Benchmarks: dotnet fsi build.fsx bench [NAME ...]
module FunctionalSeparation.Benchmarks.Program

open System
open System.IO
open System.Text.Json.Nodes
open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Benchmarks.Paired

let private root =
    let rec find (folder: DirectoryInfo) =
        if File.Exists(Path.Combine(folder.FullName, "FunctionalSeparation.sln")) then
            folder.FullName
        else
            find folder.Parent

    find (DirectoryInfo AppContext.BaseDirectory)

let private benchmarks: (string * (unit -> Figure list)) list =
    [ "objective", Training.objective
      "step", Training.step
      "lbfgs", Training.lbfgs
      "bfloat16", Training.bfloat16
      "lstm", Recurrence.lstm
      "unet", Convolutions.unet
      "bss-eval", Scores.bssEval
      "files", Songs.files
      "start", (fun () -> Starting.scripts (Path.Combine(root, "scripts"))) ]

let private print (figure: Figure) =
    let low, high = figure.Spread

    printfn
        "%s"
        ($"| {figure.Name} | {figure.Own:G4} {figure.Unit} | {figure.Limit}: {figure.LimitRate:G4} "
         + $"| {figure.Share:F3} ({low:F3} to {high:F3}, {figure.Rounds} rounds) | {figure.Remark} |")

let private json (name: string) (figure: Figure) : JsonNode =
    let low, high = figure.Spread
    let entry = JsonObject()
    let put (key: string) (value: 'a) = entry[key] <- JsonValue.Create value
    put "benchmark" name
    put "name" figure.Name
    put "unit" figure.Unit
    put "own" figure.Own
    put "limit" figure.Limit
    put "limitRate" figure.LimitRate
    put "share" figure.Share
    put "shareLowerQuartile" low
    put "shareUpperQuartile" high
    put "rounds" figure.Rounds
    put "remark" figure.Remark
    put "threads" (torch.get_num_threads ())
    put "processors" Environment.ProcessorCount
    put "time" (DateTime.UtcNow.ToString "s" + "Z")
    entry

let private jsonPath = Path.Combine(root, "artifacts", "bench.json")

let private saved () : JsonNode list =
    if File.Exists jsonPath then
        [ for entry in JsonNode.Parse(File.ReadAllText jsonPath).AsArray() -> entry.DeepClone() ]
    else
        []

/// Adds the figures to artifacts/bench.json, in place of older ones of the same benchmark and number of threads.
let private save name (figures: Figure list) =
    let threads = torch.get_num_threads ()

    let kept =
        saved ()
        |> List.filter (fun entry -> entry["benchmark"].GetValue<string>() <> name || entry["threads"].GetValue<int>() <> threads)

    let all = JsonArray(Array.ofList (kept @ List.map (json name) figures))
    WholeFile.Write(jsonPath, all.ToJsonString(Text.Json.JsonSerializerOptions(WriteIndented = true)))

/// Writes what artifacts/bench.json holds as a table beside this project's README.
let private writeTable () =
    let text (entry: JsonNode) (key: string) = entry[key].GetValue<string>()
    let number (entry: JsonNode) (key: string) = entry[key].GetValue<float>()

    let row (entry: JsonNode) =
        let share key = (number entry key).ToString "F2"

        let cells =
            [ text entry "name"
              string (entry["threads"].GetValue<int>())
              $"""{number entry "own":G4} {text entry "unit"}"""
              $"""{text entry "limit"}: {number entry "limitRate":G4}"""
              $"""{share "share"} ({share "shareLowerQuartile"} to {share "shareUpperQuartile"})"""
              text entry "remark" ]

        "| " + String.concat " | " cells + " |"

    let lines =
        [ "# Measured"
          ""
          ("Written by `dotnet fsi build.fsx bench --table` from the last "
           + "runs of each benchmark; medians over rounds in turns, quartiles")
          "of the shares in brackets."
          ""
          "| what | threads | ours | its limit | share of the limit | remark |"
          "|---|---|---|---|---|---|" ]
        @ (saved () |> List.map row)

    let path = Path.Combine(root, "tests", "FunctionalSeparation.Benchmarks", "results.md")
    WholeFile.Write(path, String.concat "\n" lines + "\n")
    printfn $"{path}"

let private runAll (names: string[]) =
    TorchRuntime.Initialize()
    printfn $"{torch.get_num_threads ()} thread(s) of {Environment.ProcessorCount} processors"
    printfn "| what | ours | its limit, in turns with it | share of the limit | remark |"
    printfn "|---|---|---|---|---|"

    for name, run in benchmarks do
        if Array.isEmpty names || Array.contains name names then
            let figures = run ()
            List.iter print figures
            save name figures

[<EntryPoint>]
let main arguments =
    let isUnknown name = name <> "--table" && not (List.exists (fst >> (=) name) benchmarks)

    match Array.filter isUnknown arguments with
    | [||] ->
        if arguments = [| "--table" |] then writeTable () else runAll arguments
        0
    | unknown ->
        let names = benchmarks |> List.map fst |> String.concat ", "
        eprintfn $"""There is no benchmark {String.concat ", " unknown}. There are: {names}."""
        2
