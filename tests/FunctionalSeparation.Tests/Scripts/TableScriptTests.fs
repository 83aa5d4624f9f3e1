/// The scripts that are tables, run as a user runs them on the embedded corpus.
module FunctionalSeparation.Tests.TableScriptTests

open System
open System.IO
open Expecto
open FunctionalSeparation.Tests.Scripts

/// Every script that is a table, whatever its paper; the guide to tables runs with the guides.
let private tableScripts =
    Directory.GetFiles(Path.Combine(Golden.repository, "scripts"), "*.fsx", SearchOption.AllDirectories)
    |> Array.filter (fun path -> (File.ReadAllText path).Contains "Table.main" && not (path.Contains "guides"))
    |> Array.sort
    |> List.ofArray

[<Tests>]
let tests =
    testList
        "scripts of tables"
        [ for path in tableScripts do
              let name = Path.GetRelativePath(Path.Combine(Golden.repository, "scripts"), path)

              Scratch.long $"{name}: the whole table on the embedded corpus, and then a page" (fun () ->
                  Scratch.inFolder (fun folder ->
                      let rows = succeed name [ "--list" ] |> _.TrimEnd().Split('\n')
                      let output = succeed name [ "--preset"; "smoke"; "--out"; folder ]
                      let table = output.Substring(output.IndexOf(" GNSDR", StringComparison.Ordinal))

                      for row in rows do
                          Expect.stringContains table (row.Trim()) "a row of the table"

                      Expect.hasLength (Directory.GetFiles(folder, "*.html", SearchOption.AllDirectories)) 1 "has one page")) ]
