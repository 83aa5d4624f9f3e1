/// Which calls of an assembly hand libtorch a scalar that nothing keeps alive, read from its code and from TorchSharp's own.
module FunctionalSeparation.Tests.TemporaryScalars

open System
open System.Collections.Generic
open Mono.Cecil
open Mono.Cecil.Cil

let private scalar = "TorchSharp.Scalar"

let private readAssembly (path: string) = AssemblyDefinition.ReadAssembly path

let rec private withNested (t: TypeDefinition) : TypeDefinition seq =
    seq {
        yield t

        for nested in t.NestedTypes do
            yield! withNested nested
    }

let private methodsOf (assembly: AssemblyDefinition) =
    [ for t in assembly.MainModule.Types do
          for t in withNested t do
              for m in t.Methods do
                  if m.HasBody then m ]

/// Every method that a method calls, makes a delegate of, or constructs with, by its full name without type arguments.
let private callees (m: MethodDefinition) =
    [ for instruction in m.Body.Instructions do
          match instruction.Operand with
          | :? MethodReference as callee -> callee.GetElementMethod()
          | _ -> () ]

let private isScalar (t: TypeReference) = t.FullName = scalar

let private makesOne (callee: MethodReference) =
    isScalar callee.ReturnType && not (callee.Name.StartsWith("get_", StringComparison.Ordinal))
    || (callee.Name = ".ctor" && isScalar callee.DeclaringType)

/// Methods of TorchSharp that make a scalar of their own, or call one that does, and do not give it to their caller: `a + b`,
/// `a.square()`, `torch.arange(3)`, ...
let private makers (torchSharp: MethodDefinition list) =
    let calls = torchSharp |> List.map (fun m -> m.FullName, callees m)
    let gives = HashSet(torchSharp |> List.filter (fun m -> isScalar m.ReturnType) |> List.map _.FullName)

    let found =
        calls
        |> List.filter (fun (name, callees) -> not (gives.Contains name) && List.exists makesOne callees)
        |> List.map fst
        |> HashSet

    let rec grow () =
        let more =
            calls
            |> List.filter (fun (name, callees) ->
                not (found.Contains name) && callees |> List.exists (fun callee -> found.Contains callee.FullName))

        if not more.IsEmpty then
            for name, _ in more do
                found.Add name |> ignore

            grow ()

    grow ()
    found

/// The members of TorchSharp that create a temporary scalar, and those that take or return a scalar.
[<NoComparison>]
type Members =
    {
        Makers: HashSet<string>
        /// Members that take a scalar, return one or belong to the scalar type.
        Handlers: HashSet<string>
    }

/// Reads these members from TorchSharp's assembly.
let membersOf (torchSharpPath: string) : Members =
    use assembly = readAssembly torchSharpPath
    let methods = methodsOf assembly

    let handles (m: MethodDefinition) =
        isScalar m.DeclaringType
        || isScalar m.ReturnType
        || m.Parameters |> Seq.exists (fun p -> isScalar p.ParameterType)

    { Makers = makers methods; Handlers = methods |> List.filter handles |> List.map _.FullName |> HashSet }

let rec private isInside (name: string) (t: TypeDefinition) =
    not (isNull t) && (t.FullName = name || isInside name t.DeclaringType)

/// Calls of an assembly that make, take or give a scalar, as (caller, callee); those in the type `except` are left out.
let unsafeCalls (members: Members) (except: string) (path: string) : (string * string) list =
    use assembly = readAssembly path

    [ for m in methodsOf assembly do
          if not (isInside except m.DeclaringType) then
              for callee in callees m do
                  if members.Makers.Contains callee.FullName || members.Handlers.Contains callee.FullName then
                      m.FullName, callee.FullName ]

/// Methods of a type that make scalars and do not dispose of each one at the end (in a `finally`, so that it lives until
/// then), or call a member that makes a temporary one. Methods that give the scalar to their caller are left out, and so is the
/// static constructor, whose scalars the class keeps.
let careless (members: Members) (typeName: string) (path: string) : string list =
    use assembly = readAssembly path

    let isCareless (m: MethodDefinition) =
        let made = callees m |> List.filter makesOne |> List.length

        let kept =
            m.Body.ExceptionHandlers |> Seq.filter (fun h -> h.HandlerType = ExceptionHandlerType.Finally) |> Seq.length

        callees m |> List.exists (fun callee -> members.Makers.Contains callee.FullName)
        || (not (isScalar m.ReturnType) && m.Name <> ".cctor" && kept < made)

    methodsOf assembly
    |> List.filter (fun m -> isInside typeName m.DeclaringType && isCareless m)
    |> List.map _.FullName
