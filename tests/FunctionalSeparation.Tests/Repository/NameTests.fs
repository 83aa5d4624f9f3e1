/// Clashes between public names and the types that a C# file sees through implicit usings.
module FunctionalSeparation.Tests.NameTests

open System
open System.IO
open Expecto
open Microsoft.AspNetCore.Http
open Mono.Cecil
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

/// The namespaces that projects of the .NET SDKs for applications and for the web open by themselves.
let private opened =
    set
        [ "System"
          "System.Collections.Generic"
          "System.IO"
          "System.Linq"
          "System.Net.Http"
          "System.Net.Http.Json"
          "System.Threading"
          "System.Threading.Tasks"
          "Microsoft.AspNetCore.Builder"
          "Microsoft.AspNetCore.Hosting"
          "Microsoft.AspNetCore.Http"
          "Microsoft.AspNetCore.Routing"
          "Microsoft.Extensions.Configuration"
          "Microsoft.Extensions.DependencyInjection"
          "Microsoft.Extensions.Hosting"
          "Microsoft.Extensions.Logging" ]

/// Public types of an assembly that lie in no other, by their names as the compiler writes them: `Task` and `Task`1`.
let private publicTypes (path: string) : (string * string) list =
    try
        use assembly = AssemblyDefinition.ReadAssembly path

        [ for definition in assembly.MainModule.Types do
              if definition.IsPublic then definition.Namespace, definition.Name ]
    with :? BadImageFormatException ->
        []

/// Public types that a C# file sees through implicit usings, each with its namespace.
let private visible =
    lazy
        ([ typeof<obj>; typeof<HttpContext> ]
         |> List.collect (fun one -> Directory.GetFiles(Path.GetDirectoryName one.Assembly.Location, "*.dll") |> List.ofArray)
         |> List.collect publicTypes
         |> List.filter (fun (space, _) -> opened.Contains space)
         |> List.map (fun (space, name) -> name, space)
         |> Map.ofList)

[<Tests>]
let tests =
    testList
        "public names"
        [ test "what C# sees without asking is found" {
              for name in [ "Task"; "Task`1"; "File"; "Enumerable"; "HttpClient"; "Results"; "WebApplication" ] do
                  Expect.isTrue (visible.Value.ContainsKey name) name
          }

          for one in [ typeof<AudioBuffer>; typeof<Key>; typeof<Clip>; typeof<Plots.ReportTable> ] do
              test $"{one.Assembly.GetName().Name}: no public type hides one that C# sees without asking" {
                  let hidden =
                      [ for space, name in publicTypes one.Assembly.Location do
                            match visible.Value.TryFind name with
                            | Some other -> $"{space}.{name} hides {other}.{name}"
                            | None -> () ]

                  Expect.isEmpty hidden "no public name hides another"
              } ]
