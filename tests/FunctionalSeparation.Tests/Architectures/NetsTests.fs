/// Networks as descriptions: what they say of themselves, how they are kept, and what they refuse.
module FunctionalSeparation.Tests.NetsTests

open System
open System.IO
open System.Text.Json
open System.Text.Json.Nodes
open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

let private noise seed (shape: int64 list) = Key.uniformTensor -1.0 1.0 shape (Key.ofSeed seed)
let private difference (a: torch.Tensor) (b: torch.Tensor) = (a - b).abs().max().item<float>()

let private frontEnd = { FrontEnd.huang2014 with Stft = Stft(64, 16, StftWindow.Hann, true) }

let private small context =
    { Drnn.huang2014 with
        FrontEnd = frontEnd
        Context = context
        InputScale = 3.0
        Hidden = [ 6; 5 ]
        Recurrence = FeedForward }

let private kinds =
    [ "DNN", small 3
      "WVPNN", { small 3 with Neuron = VectorProduct Window }
      "CVPNN", { small 1 with Neuron = VectorProduct Colour }
      "GRU", { small 1 with Neuron = Gated; Recurrence = Stacked; Output = ReluOutput }
      "GRU-2", { small 3 with Neuron = Gated; Recurrence = RecurrentAt 2 }
      "DRNN-1", { small 1 with Recurrence = RecurrentAt 1; Output = ReluOutput } ]

let private trained architecture =
    { Network = Drnn.network architecture
      Parameters = Params.init (Network.layout (Drnn.network architecture)) torch.float64 torch.CPU (Key.ofSeed 2)
      Level = Some 0.01 }

let private refusedDescriptions =
    [ "Gated units are recurrent", { small 1 with Neuron = Gated }
      "not recurrent", { small 3 with Neuron = VectorProduct Window; Recurrence = Stacked }
      "WVPNN sees 3 frame(s) at once, the context is 1", { small 1 with Neuron = VectorProduct Window }
      "CVPNN sees 1 frame(s) at once, the context is 3", { small 3 with Neuron = VectorProduct Colour } ]

[<Tests>]
let tests =
    testList
        "networks"
        [ for name, architecture in kinds do
              test $"{name}: description, layout and weights survive a model folder" {
                  Scratch.inFolder (fun folder ->
                      Memory.plain (fun () ->
                          let trained = trained architecture
                          Expect.equal (Drnn.name architecture) name "the network has its name"
                          ModelFolder.save folder trained (JsonObject())
                          let loaded = ModelFolder.load ModelFolder.families torch.CPU folder
                          Expect.equal (string loaded.Network.Architecture) (string trained.Network.Architecture) "as it was"
                          Expect.equal loaded.Parameters.Layout trained.Parameters.Layout "the layout is kept"
                          let mixture = (noise 1 [ 1L; 1L; 3000L ]).mul 0.01
                          let estimate model = Separation.estimate model Soft mixture
                          Expect.equal (difference (estimate loaded) (estimate trained)) 0.0 "the estimates are the same"))
              }

              test $"{name}: the size of the blocks does not matter" {
                  Memory.plain (fun () ->
                      let trained = trained architecture
                      let mixture = noise 1 [ 2L; 1500L ]
                      let whole = Scratch.separatedInPieces 100000 trained mixture

                      for frames in [ 1; 7 ] do
                          let blocks = Scratch.separatedInPieces (512 * frames) trained mixture
                          Expect.isLessThan (difference blocks whole) 1e-12 $"blocks of {frames}")
              }

          test "standardised features: the statistics decide what comes out, and a model folder keeps them" {
              Scratch.inFolder (fun folder ->
                  Memory.plain (fun () ->
                      let drnn = { small 3 with Activation = Tanh; Standardised = true }
                      let plain = trained drnn
                      let statistics = (noise 7 [ plain.Parameters.Statistics.shape[0] ]).abs().add(0.5)
                      let observed = { plain with Parameters = Params.withStatistics statistics plain.Parameters }
                      ModelFolder.save folder observed (JsonObject())
                      let loaded = ModelFolder.load ModelFolder.families torch.CPU folder
                      let mixture = (noise 1 [ 1L; 1L; 3000L ]).mul 0.01
                      let estimate model = Separation.estimate model Soft mixture
                      Expect.equal (difference (estimate loaded) (estimate observed)) 0.0 "the statistics are kept"
                      Expect.isGreaterThan (difference (estimate plain) (estimate observed)) 1e-6 "the statistics matter"))
          }

          test "a description written before there were other kinds is that of a plain network" {
              let json = (Drnn.network { small 3 with Recurrence = RecurrentAt 2 }).Architecture
              Expect.isFalse (json.ContainsKey "neuron" || json.ContainsKey "output") "no new entry where nothing is new"
              Expect.equal (string (Drnn.read (JsonSerializer.SerializeToElement json)).Architecture) (string json) "read back"
          }

          test "an unknown kind is refused by name" {
              let json = (Drnn.network { small 3 with Neuron = VectorProduct Window }).Architecture
              json["neuron"] <- JsonValue.Create "quaternion"

              Scratch.refuses [ "quaternion"; "gated" ] (fun () -> Drnn.read (JsonSerializer.SerializeToElement json) |> ignore)
          }

          for words, architecture in refusedDescriptions do
              test $"refused: {words}" {
                  let refused () = Network.model (Drnn.network architecture) |> ignore

                  let wrong =
                      try
                          refused ()
                          ""
                      with :? ArgumentException as wrong ->
                          wrong.Message

                  Expect.stringContains wrong words "the message says what is wrong"
              }

          test "a model folder with a context that does not fit is refused by name" {
              Scratch.inFolder (fun folder ->
                  ModelFolder.save folder (trained { small 3 with Neuron = VectorProduct Window }) (JsonObject())
                  let path = Path.Combine(folder, "model.json")
                  File.WriteAllText(path, File.ReadAllText(path).Replace("\"context\": 3", "\"context\": 5"))

                  Scratch.refuses [ "model.json"; "WVPNN sees 3" ] (fun () ->
                      ModelFolder.load ModelFolder.families torch.CPU folder |> ignore))
          }

          test "ReLU outputs are the linear outputs without their negative part" {
              Memory.plain (fun () ->
                  let linear = { small 1 with Neuron = Gated; Recurrence = Stacked }
                  let parameters = (trained linear).Parameters
                  let sound = Views.ofMagnitude ((noise 5 [ 2L; 1L; 7L; 33L ]).abs())
                  let mixture = { Sound = sound; Mode = Mode.Inference; InitialStates = [] }
                  let outputs architecture = (Model.apply (Network.model (Drnn.network architecture)) parameters mixture).Outputs
                  let sums = outputs linear
                  Expect.isLessThan (sums.min().item<float>()) 0.0 "some are negative"
                  Expect.equal (difference (outputs { linear with Output = ReluOutput }) (sums.relu ())) 0.0 "cut off below 0")
          } ]
