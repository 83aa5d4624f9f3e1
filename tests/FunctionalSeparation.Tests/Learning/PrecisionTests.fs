module FunctionalSeparation.Tests.PrecisionTests

open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

let private architecture = { Drnn.huang2014 with Context = 3; Hidden = [ 60; 60 ] }

let private draw seed (shape: int64 list) = (Key.uniformTensor 0.0 0.05 shape (Key.ofSeed seed)).``to`` torch.float32

let private evaluate precision =
    let model = Network.modelIn precision (Drnn.network architecture)
    let start = Model.init torch.float32 torch.CPU (Key.ofSeed 1) model

    // One source is the whole mixture: a gradient with a direction, not the sum of noise.
    let mixture = draw 2 [ 22L; 4L; 513L ]
    let voice = mixture.narrow (0L, 1L, 20L)

    let references = torch.stack ([| torch.zeros_like voice; voice |], 2L)
    let batch = Batch.ofMagnitudes (Drnn.network architecture) mixture references
    Train.objective model.Layout (Batch.loss model Loss.squaredError) (Key.ofSeed 9) [ batch ] start.Vector

[<Tests>]
let tests =
    testList
        "precision"
        [ test "in bfloat16 the objective and the direction of its gradient stay, in float32 outside" {
              Memory.plain (fun () ->
                  let struct (exact, slope) = evaluate Precision.Float32
                  let struct (value, own) = evaluate Precision.Bfloat16
                  Expect.notEqual value exact "bfloat16 gives another value than float32"
                  // 8 bits of mantissa: 0.4 % for each number, less for sums.
                  Expect.floatClose { absolute = 0.0; relative = 4e-3 } value exact "the value stays within 0.4 %"
                  Expect.equal own.dtype torch.float32 "the gradient is one of the float32 parameters"
                  let cosine = (own.dot slope).item<float32>() / ((own.norm ()) * (slope.norm ())).item<float32>()
                  Expect.isGreaterThan cosine 0.95f "the gradient keeps its direction")
          }

          test "a recipe says so, and only where it is so" {
              let text precision =
                  let recipe = Huang2014.recipe Desk Drnn.huang2014 Huang2014.loss
                  (Recipe.toJson { recipe with Precision = precision }).ToJsonString()

              Expect.stringContains (text Precision.Bfloat16) "bfloat16" "is named"
              Expect.isFalse ((text Precision.Float32).Contains "float") "recipes of float32 read as they always did"
          }

          test "L-BFGS refuses it" {
              Scratch.inFolder (fun folder ->
                  Scratch.refuses [ "L-BFGS"; "bfloat16" ] (fun () ->
                      Run.train
                          { Recipe =
                              { Huang2014.recipe Paper Drnn.huang2014 Huang2014.loss with Precision = Precision.Bfloat16 }
                            Train = (Corpus.embedded 0).Train
                            Dev = (Corpus.embedded 0).Dev
                            Device = torch.CPU
                            Folder = folder
                            Resume = false
                            CheckpointEvery = 1
                            TensorBoard = false
                            Report = ignore }
                      |> ignore))
          } ]
