// Rounds the weights of a model folder to float16, such as for the library's own model:
//   dotnet fsi scripts/pack.fsx --model artifacts/models/ID --out src/FunctionalSeparation/DefaultModel
#load "load.fsx"

open System.Text.Json.Nodes
open Argu
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning

type PackArgument =
    | [<Mandatory>] Model of folder: string
    | [<Mandatory>] Out of folder: string

    interface IArgParserTemplate with
        member this.Usage =
            match this with
            | Model _ -> "the model folder that training wrote."
            | Out _ -> "the model folder to write."

Experiment.main (fun () ->
    let arguments = Experiment.arguments<PackArgument> fsi.CommandLineArgs
    let folder = arguments.GetResult Model
    let trained = ModelFolder.load ModelFolder.families torch.CPU folder

    let training =
        match (ModelFolder.provenance ModelFolder.families folder)["training"] with
        | null -> JsonObject() :> JsonNode
        | training -> training.DeepClone()

    ModelFolder.saveHalf (arguments.GetResult Out) trained training)
