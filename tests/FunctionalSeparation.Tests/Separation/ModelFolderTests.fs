module FunctionalSeparation.Tests.ModelFolderTests

open System
open System.IO
open System.Text.Json.Nodes
open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning

let private architecture =
    { Drnn.huang2014 with
        FrontEnd =
            { FrontEnd.huang2014 with
                Stft = FunctionalSeparation.Core.Stft(32, 16, FunctionalSeparation.Core.StftWindow.Sine, false) }
        Context = 1
        Hidden = [ 5; 4 ] }

let private start dtype = Params.init (Network.layout (Drnn.network architecture)) dtype torch.CPU (Key.ofSeed 3)

let private trained () = { Network = Drnn.network architecture; Parameters = start torch.float32; Level = Some 0.004 }

let private description folder = Path.Combine(folder, "model.json")
let private weights folder = Path.Combine(folder, "weights.safetensors")

let private load folder () = Memory.plain (fun () -> ModelFolder.load ModelFolder.families torch.CPU folder |> ignore)

/// A model folder, whose description is changed.
let private withDescription (change: JsonObject -> unit) (test: string -> unit) =
    Scratch.inFolder (fun folder ->
        Memory.plain (fun () -> ModelFolder.save folder (trained ()) (JsonObject()))
        let json = JsonNode.Parse(File.ReadAllText(description folder)).AsObject()
        change json
        File.WriteAllText(description folder, json.ToJsonString())
        test folder)

let private refusedWith words (change: JsonObject -> unit) =
    withDescription change (fun folder -> Scratch.refuses ("model.json" :: words) (load folder))

/// The objects of a description that are read strictly, by their place.
let private places: (string * (JsonObject -> JsonObject)) list =
    [ "", id
      "architecture.", (fun json -> json["architecture"].AsObject())
      "architecture.stft.", (fun json -> json["architecture"].["stft"].AsObject()) ]

let private needed =
    [ for place, names in
          [ "", [ "format"; "architecture"; "level"; "weightsSha256" ]
            "architecture.",
            [ "sampleRate"; "stft"; "context"; "inputScale"; "hidden"; "recurrence"; "activation"; "mask"; "sources" ]
            "architecture.stft.", [ "fftSize"; "hopLength"; "window"; "centred" ] ] do
          for name in names do
              place, name ]

let private objectAt place json = (List.find (fst >> (=) place) places |> snd) json

[<Tests>]
let tests =
    testList
        "model folder"
        [ test "an unknown entry, at every level, is refused by name" {
              for place, objectOf in places do
                  refusedWith [ $"'{place}dropout'"; "unknown" ] (fun json -> (objectOf json)["dropout"] <- JsonValue.Create 0.5)
          }

          test "an entry that is missing, or of another kind, is refused by name" {
              for place, name in needed do
                  refusedWith [ $"'{place}{name}' is missing" ] (fun json -> (objectAt place json).Remove name |> ignore)

                  // Without a level sounds are heard as they are.
                  for wrong in
                      [ if name <> "level" then "null"
                        "{\"a\":1}"
                        "\"x\""
                        "-1.5" ] do
                      withDescription (fun json -> (objectAt place json)[name] <- JsonNode.Parse wrong) (fun folder ->
                          let words =
                              match place + name, wrong with
                              // These say the value, which is not one of those they know.
                              | ("architecture.recurrence" | "architecture.activation" | "architecture.mask" | "architecture.stft.window"),
                                "\"x\"" -> "'x'"
                              | "architecture.stft", _ -> "architecture.stft"
                              | "architecture", _ -> "architecture"
                              | _ -> $"'{place}{name}'"

                          // An object with an unknown entry names that; whatever is refused, it is by name.
                          let words = if wrong = "{\"a\":1}" && name = "stft" then "architecture.stft.a" else words
                          let words = if wrong = "{\"a\":1}" && name = "architecture" then "architecture.a" else words
                          let words = if name = "format" then "'format' is" else words
                          Scratch.refuses [ "model.json"; words ] (load folder))
          }

          test "another format is refused, free information is not" {
              refusedWith [ "'format' is '3'"; "newer version" ] (fun json -> json["format"] <- JsonValue.Create 3)

              withDescription
                  (fun json ->
                      json["name"] <- JsonValue.Create "my best"
                      json["notes"] <- JsonValue.Create "sang on a Tuesday"
                      json["provenance"] <- JsonNode.Parse """{"anything": [1, {"at": "all"}]}""")
                  (fun folder ->
                      load folder ()
                      let training = (ModelFolder.provenance ModelFolder.families folder)["training"]
                      Expect.equal (training["anything"].ToJsonString()) """[1,{"at":"all"}]""" "what is given is kept")
          }

          test "a model of format 1, without a hash, is read; one of format 2 without is not" {
              let asOld (json: JsonObject) =
                  json["format"] <- JsonValue.Create 1
                  json.Remove "weightsSha256" |> ignore

              withDescription asOld (fun folder ->
                  Memory.plain (fun () ->
                      let read = ModelFolder.load ModelFolder.families torch.CPU folder

                      Expect.equal
                          (string read.Network.Architecture)
                          (string (Drnn.network architecture).Architecture)
                          "the model of format 1 has its architecture"

                      Expect.equal
                          (read.Parameters.Vector.data<float32>().ToArray())
                          ((start torch.float32).Vector.data<float32>().ToArray())
                          "the model of format 1 has its weights"))

              refusedWith [ "'weightsSha256' is unknown" ] (fun json -> json["format"] <- JsonValue.Create 1)
          }

          test "any changed byte of the weights is refused" {
              withDescription ignore (fun folder ->
                  let bytes = File.ReadAllBytes(weights folder)

                  for at in 0..7 .. bytes.Length - 1 do
                      let damaged = Array.copy bytes
                      damaged[at] <- damaged[at] ^^^ 1uy
                      File.WriteAllBytes(weights folder, damaged)
                      Scratch.refuses [ "weights.safetensors"; "SHA-256" ] (load folder)

                  File.WriteAllBytes(weights folder, bytes)
                  load folder ())
          }

          test "weights that are no finite numbers are refused by name, when they are read and when they are written" {
              for wrong in [ nan; infinity; -infinity ] do
                  let broken () =
                      let trained = trained ()
                      let bias = (Map.ofList (Params.named trained.Parameters))["hidden2.bias"]
                      bias[2] <- torch.tensor (float32 wrong)
                      trained

                  Scratch.inFolder (fun folder ->
                      Memory.plain (fun () ->
                          let path = weights folder

                          Scratch.refuses [ path; "hidden2.bias"; "finite" ] (fun () ->
                              ModelFolder.save folder (broken ()) (JsonObject()))

                          Expect.isFalse (File.Exists path) "no weights file was written"))

                  withDescription
                      (fun json ->
                          json["format"] <- JsonValue.Create 1
                          json.Remove "weightsSha256" |> ignore)
                      (fun folder ->
                          Memory.plain (fun () ->
                              Safetensors.save
                                  (weights folder)
                                  { Tensors = Params.named (broken ()).Parameters; Texts = Map.empty })

                          Scratch.refuses [ "weights.safetensors"; "hidden2.bias"; "finite" ] (load folder))
          }

          test "a level that no recording has is refused, when it is read and when it is written" {
              for level in [ 0.0; -0.004; 1e30; 1e-30 ] do
                  refusedWith [ "'level'" ] (fun json -> json["level"] <- JsonValue.Create level)

              for level in [ 0.0; -0.004; nan; infinity; 1e30 ] do
                  Scratch.inFolder (fun folder ->
                      Memory.plain (fun () ->
                          Scratch.refuses [ "level" ] (fun () ->
                              ModelFolder.save folder { trained () with Level = Some level } (JsonObject()))))
          }

          test "weights of another model, too many of them, or of other types, are refused by name" {
              let asOld (json: JsonObject) =
                  json["format"] <- JsonValue.Create 1
                  json.Remove "weightsSha256" |> ignore

              let refuse words (change: (string * torch.Tensor) list -> (string * torch.Tensor) list) =
                  withDescription asOld (fun folder ->
                      Memory.plain (fun () ->
                          let named = Params.named (start torch.float32)
                          Safetensors.save (weights folder) { Tensors = change named; Texts = Map.empty })

                      Scratch.refuses ("weights.safetensors" :: words) (load folder))

              refuse [ "'hidden1.weight' is missing" ] List.tail
              refuse [ "'more' is not one of the model's" ] (fun named -> named @ [ "more", torch.zeros 1L ])

              refuse
                  [ "output.bias"; "type" ]
                  (List.map (fun (name, tensor) -> name, (if name = "output.bias" then tensor.``to`` torch.float64 else tensor)))

              refuse
                  [ "hidden1.weight"; "17 x 5" ]
                  (List.map (fun (name, tensor) -> name, (if name = "hidden1.weight" then tensor.t () else tensor)))
          }

          test "a folder that is a file, empty names, and null" {
              Scratch.inFolder (fun folder ->
                  Memory.plain (fun () ->
                      let file = Path.Combine(folder, "a file")
                      File.WriteAllText(file, "x")
                      let save folder () = ModelFolder.save folder (trained ()) (JsonObject())

                      for action in [ save file; load file ] do
                          Scratch.refuses [ file; "is a file" ] action

                      for action in [ save ""; save " "; load "" ] do
                          Scratch.refuses [ "name of the model folder is empty" ] action

                      Scratch.refuses [ Path.Combine(file, "below") ] (save (Path.Combine(file, "below")))

                      let isNull what action =
                          let wrong = Expect.throwsC action (fun wrong -> wrong)

                          Expect.equal
                              (wrong.GetType(), wrong.Message.Contains $"'{what}'")
                              (typeof<ArgumentNullException>, true)
                              what

                      isNull "folder" (save null)
                      isNull "folder" (load null)
                      isNull "provenance" (fun () -> ModelFolder.save folder (trained ()) null)))
          }

          test "sources without a name of their own are refused" {
              for sources, words in
                  [ [], "at least one source"
                    [ "voice"; "voice" ], "'voice'"
                    [ ""; "voice" ], "no name"
                    [ "../voice"; "music" ], "'../voice'" ] do
                  let wrong = Expect.throwsC (fun () -> Drnn.network { architecture with Sources = sources } |> ignore) id
                  Expect.stringContains wrong.Message words "the message says what is wrong"

                  refusedWith [ words ] (fun json ->
                      json["architecture"].["sources"] <-
                          JsonArray [| for name in sources -> JsonValue.Create name :> JsonNode |])
          } ]
