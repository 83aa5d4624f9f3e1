/// Numbers on command lines: one way for all of them, and 2,5 is never 25.
module FunctionalSeparation.Tests.CommandLineTests

open System.IO
open System.Text.RegularExpressions
open Argu
open Expecto
open FunctionalSeparation
open FunctionalSeparation.Tests.Scratch

/// Options with values of every kind that there is.
type private Kinds =
    | [<MainCommand>] Files of file: string list
    | Seconds of number: float
    | Count of number: int
    | Pair of first: float * second: int
    | Named of preset: Preset
    | Set

    interface IArgParserTemplate with
        member _.Usage = "for the test"

type private Wide =
    | Bytes of number: int64

    interface IArgParserTemplate with
        member _.Usage = "for the test"

let private parse (words: string list) = Experiment.arguments<Kinds>(Array.ofList ("script.fsx" :: words))
let private parsed words = (parse words).GetAllResults()

/// Every option of an argument type that takes one number: its name, and whether it is a whole one.
let private numbers<'argument when 'argument :> IArgParserTemplate> () =
    [ for case in ArgumentParser.Create<'argument>().GetArgumentCases() do
          match [ for field in case.UnionCaseInfo.GetFields() -> field.PropertyType ] with
          | [ kind ] when kind = typeof<float> || kind = typeof<int> -> case.CommandLineNames.Value.Head, kind = typeof<int>
          | _ -> () ]

let private refusesCommas<'argument when 'argument :> IArgParserTemplate> () =
    let all = numbers<'argument>()
    Expect.isNonEmpty all "there are numbers"

    for name, isWhole in all do
        let arguments (text: string) = Experiment.arguments<'argument> [| "script.fsx"; name; text |] |> ignore

        for text in [ "1,5"; "0,05"; "1,000"; "1 000"; "1.000.000"; "" ] do
            refuses [ $"{name} {text}"; "number" ] (fun () -> arguments text)

        if isWhole then refuses [ $"{name} 1.5" ] (fun () -> arguments "1.5")
        arguments "2"

let private scripts =
    Directory.GetFiles(Path.Combine(Golden.repository, "scripts"), "*.fsx", SearchOption.AllDirectories)
    |> List.ofArray

/// The script itself where it reads the command line, else the one that loads it.
let private reading (script: string) =
    let reads (path: string) = (File.ReadAllText path).Contains "fsi.CommandLineArgs"
    let loads (path: string) = (File.ReadAllText path).Contains $"#load \"{Path.GetFileName script}\""

    if reads script then
        script
    else
        scripts |> List.find (fun path -> loads path && reads path)

/// The scripts that have numbers among options of their own, with those.
let private ownNumbers =
    [ for script in scripts do
          for found in Regex.Matches(File.ReadAllText script, @"\| (\w+) of \w+: (?:float|int)\b") do
              reading script, "--" + found.Groups[1].Value.ToLowerInvariant().Replace('_', '-') ]

[<Tests>]
let tests =
    testList
        "command lines"
        [ test "a number has a decimal point; any other text is refused by name" {
              for text, number in [ "2.5", 2.5; "-1", -1.0; "1e3", 1000.0; ".5", 0.5; "+3", 3.0 ] do
                  Expect.equal (CommandLine.real "--x" text) number text

              Expect.equal (CommandLine.whole "--x" "-12") -12 "a whole number may be negative"
              refuses [ "--x 2,5"; "Write 2.5" ] (fun () -> CommandLine.real "--x" "2,5" |> ignore)
              refuses [ "--x 1,234,567" ] (fun () -> CommandLine.real "--x" "1,234,567" |> ignore)
              refuses [ "--x two" ] (fun () -> CommandLine.real "--x" "two" |> ignore)

              for text in [ "2.5"; "2,5"; "1e3"; "99999999999"; "(5)" ] do
                  refuses [ $"--x {text}"; "whole number" ] (fun () -> CommandLine.whole "--x" text |> ignore)
          }

          test "the numbers behind options are looked at, in their places and nowhere else" {
              Expect.equal
                  (parsed [ "1,5"; "2,5.wav"; "--seconds"; "1.5"; "--pair"; "0.5"; "3"; "--set"; "--named"; "smoke" ])
                  [ Files [ "1,5"; "2,5.wav" ]; Seconds 1.5; Pair(0.5, 3); Set; Named Smoke ]
                  "files may be called 1,5"

              refuses [ "--seconds 1,5" ] (fun () -> parse [ "--set"; "--seconds"; "1,5"; "x" ] |> ignore)
              refuses [ "--pair 0,5" ] (fun () -> parse [ "--pair"; "0,5"; "3" ] |> ignore)
              refuses [ "--pair 3,1" ] (fun () -> parse [ "--pair"; "0.5"; "3,1" ] |> ignore)
          }

          test "every number of the options that scripts share" { refusesCommas<TableArgument>() }

          test "an option that there is not is named, and no file of that name" {
              for word in [ "--secnods"; "--seconds=1.5" ] do
                  refuses [ word; "no such option" ] (fun () -> parse [ "song.wav"; word; "1.5" ] |> ignore)
          }

          test "options with other kinds of numbers are not let in" {
              refusesArgument [ "bytes"; "Int64" ] (fun () -> Experiment.arguments<Wide> [| "script.fsx" |] |> ignore)
          }

          test "no script has another way of its own" {
              for script in scripts do
                  let text = File.ReadAllText script

                  let own =
                      Regex.Match(text, @"ArgumentParser|\b(Int32|Int64|Double|Single|Decimal)\.(Try)?Parse|\b(int|float) \w+Arg")

                  Expect.equal own.Value "" $"{script} parses by itself"
          }

          for script, option in ownNumbers do
              let name = Path.GetRelativePath(Path.Combine(Golden.repository, "scripts"), script)

              Scratch.long $"{name} {option} 2,5 is refused" (fun () ->
                  Scripts.refuse name [ option; "2,5" ] [ $"{option} 2,5"; "number" ]) ]
