/// No temporary scalar anywhere in the libraries, the scripts and these tests: TorchSharp frees them while libtorch reads them.
module FunctionalSeparation.Tests.TemporaryScalarTests

open System
open System.Diagnostics
open System.IO
open System.Reflection
open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning

let private pathOf (assembly: Assembly) = assembly.Location
let private core = pathOf typeof<Core.TorchRuntime>.Assembly
let private members = lazy (TemporaryScalars.membersOf (pathOf typeof<torch>.Assembly))
let private safePlace = typeof<Core.Arithmetic>.FullName
let private unsafeCalls path = TemporaryScalars.unsafeCalls members.Value safePlace path

/// Calls that a careless change could reintroduce. This code never runs; the tests inspect its compiled form.
module PutBack =
    let sum (a: torch.Tensor) (b: torch.Tensor) = a + b
    let numberLeft (a: torch.Tensor) = 2.0 * a
    let square (a: torch.Tensor) = a.square ()
    let kept (s: Scalar) (a: torch.Tensor) = a.clamp_min s
    let inClosure (tensors: torch.Tensor list) = tensors |> List.reduce (fun a b -> a.add (b: torch.Tensor))
    let difference (a: torch.Tensor) (b: torch.Tensor) = a - b
    let safe (a: torch.Tensor) (b: torch.Tensor) = (a .+ b).clamp_min(0.5).mul(2.0).squared()

/// Compiles all scripts into one assembly, with the compiler that runs them.
let private compiledScripts (folder: string) =
    let output (arguments: string list) =
        let info = ProcessStartInfo("dotnet", arguments, RedirectStandardOutput = true, RedirectStandardError = true)
        use running = Process.Start info
        let error = running.StandardError.ReadToEndAsync()
        let output = running.StandardOutput.ReadToEnd()
        running.WaitForExit()
        Expect.equal running.ExitCode 0 $"{output} {error.Result}"
        output

    let sdk =
        output [ "--info" ]
        |> _.Split('\n')
        |> Array.pick (fun line ->
            match line.Split("Base Path:") with
            | [| _; path |] -> Some(path.Trim())
            | _ -> None)

    let compiler = Path.Combine(sdk, "FSharp")
    let assembly = Path.Combine(folder, "scripts.dll")
    let scripts = Directory.GetFiles(Path.Combine(Golden.repository, "scripts"), "*.fsx", SearchOption.AllDirectories)

    output (
        [ Path.Combine(compiler, "fsc.dll")
          "--nologo"
          "--target:library"
          "--targetprofile:netcore"
          $"--out:{assembly}" ]
        @ [ $"""-r:{Path.Combine(compiler, "FSharp.Compiler.Interactive.Settings.dll")}""" ]
        @ List.ofArray (Array.sort scripts)
    )
    |> ignore

    assembly

let private expectNone (found: string list) =
    Expect.isEmpty found $"""{found.Length} found: {String.concat "; " (List.truncate 10 found)}"""

let private isPutBack (caller: string) = caller.Contains "PutBack"

let private expectNoCalls path =
    unsafeCalls path
    |> List.filter (fst >> isPutBack >> not)
    |> List.map (fun (caller, callee) -> $"{caller} calls {callee}")
    |> expectNone

[<Tests>]
let tests =
    testList
        "temporary scalars"
        [ for assembly in
              [ typeof<Core.TorchRuntime>.Assembly
                typeof<Key>.Assembly
                typeof<Clip>.Assembly
                typeof<Plots.ReportTable>.Assembly
                Assembly.GetExecutingAssembly() ] do
              test $"{assembly.GetName().Name} makes none" { expectNoCalls (pathOf assembly) }

          test "the safe place keeps each of its scalars until the call has returned" {
              expectNone (TemporaryScalars.careless members.Value safePlace core)
          }

          test "scripts make none" { Scratch.inFolder (fun folder -> expectNoCalls (compiledScripts folder)) }

          test "each way to put one back is found" {
              let found = unsafeCalls (Assembly.GetExecutingAssembly().Location) |> List.map fst |> List.filter isPutBack

              for name in [ "sum"; "numberLeft"; "square"; "kept"; "inClosure" ] do
                  Expect.exists found (fun caller -> caller.Contains name) $"{name} is found"

              for name in [ "difference"; "::safe" ] do
                  Expect.all found (fun caller -> not (caller.Contains name)) $"{name} is safe"
          }

          test "the members come from TorchSharp's own code" {
              let isMaker (name: string) = members.Value.Makers |> Seq.exists (fun m -> m.Contains name)

              for name in [ "Tensor::op_Addition("; "Tensor::square("; "torch::arange("; "TensorExtensionMethods::ToDouble(" ] do
                  Expect.isTrue (isMaker name) name

              for name in [ "Tensor::matmul("; "Tensor::op_Subtraction(TorchSharp.torch/Tensor,TorchSharp.torch/Tensor)" ] do
                  Expect.isFalse (isMaker name) name
          } ]
