/// Records as JSON, written and read strictly.
module FunctionalSeparation.Tests.JsonTests

open System.Text.Json
open Expecto
open FunctionalSeparation.Learning

type private Inner = { Size: int; Share: float }

type private Outer = { Name: string; Inner: Inner; Counts: int64 list; Places: int option list; Note: string option }

let private outer =
    { Name = "a"; Inner = { Size = 3; Share = 0.5 }; Counts = [ 1L; 2L ]; Places = [ Some 1; None ]; Note = None }

let private text = """{"Name":"a","Inner":{"Size":3,"Share":0.5},"Counts":[1,2],"Places":[1,null],"Note":null}"""

let private read (json: string) = Json.read<Outer> "file" (JsonElement.Parse json)

[<Tests>]
let tests =
    testList
        "JSON of records"
        [ test "an entry for each field, in the order of the fields" {
              Expect.equal ((Json.write outer).ToJsonString()) text "is written"
          }

          test "what is written is read, and an option may be absent" {
              Expect.equal (read text) outer "is read"
              Expect.equal (read (text.Replace(",\"Note\":null", ""))) outer "without the option"
          }

          for before, after, words in
              [ "\"Name\":\"a\"", "\"Name\":null", "'file.Name' is not a text"
                "\"Name\":\"a\",", "", "'file.Name' is missing"
                "\"Size\":3", "\"Size\":3,\"Rate\":1", "'file.Inner.Rate' is unknown"
                "\"Size\":3", "\"Size\":3000000000", "'file.Inner.Size' is not a whole number of 32 bits"
                "\"Size\":3", "\"Size\":3.5", "'file.Inner.Size' is not a whole number"
                "\"Share\":0.5", "\"Share\":\"0.5\"", "'file.Inner.Share' is not a number"
                "[1,2]", "[1,null]", "'file.Counts' is not a list of whole numbers"
                "[1,2]", "null", "'file.Counts' is not a list of whole numbers"
                "{\"Size\":3,\"Share\":0.5}", "[]", "'file.Inner' is no object" ] do
              test $"{after} is refused: {words}" {
                  Scratch.refuses [ words ] (fun () -> read (text.Replace(before, after)) |> ignore)
              }

          test "bounds of numbers and lists are in the message" {
              Scratch.refuses [ "'x' is 5"; "from 1 to 4" ] (fun () -> Json.requireWithin 1.0 4.0 "x" 5.0)
              Scratch.refuses [ "'x'"; "NaN" ] (fun () -> Json.requireWithin 1.0 4.0 "x" nan)
              Scratch.refuses [ "'x' has 3 items"; "at most 2" ] (fun () -> Json.requireLength 2 "x" [ 1; 2; 3 ])
          } ]
