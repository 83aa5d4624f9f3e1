module FunctionalSeparation.Tests.Program

open Expecto
open FunctionalSeparation.Core

[<EntryPoint>]
let main argv =
    TorchRuntime.Initialize()
    runTestsInAssemblyWithCLIArgs [] argv
