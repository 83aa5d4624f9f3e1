/// The public names of an F# assembly and what its documentation says of each, read from its code and its XML file.
module FunctionalSeparation.Tests.PublicNames

open System
open System.Collections.Generic
open System.IO
open System.Text.RegularExpressions
open System.Xml.Linq
open Mono.Cecil

/// A public type, module, function, member, field or case.
type PublicName =
    {
        /// As the XML file has it, without parameters: `M:FunctionalSeparation.KeyModule.split`.
        Name: string
        /// The text of its documentation without the example, or an empty string if it has no documentation.
        Text: string
        /// The text of the documentation of its type or module.
        TypeText: string
        /// The code of its example.
        Example: string option
        /// Whether a tensor is among its parameters, or is its result.
        HasTensor: bool
        /// Whether it raises an exception when it is called, itself or by a function of the assembly that is not public.
        Raises: bool
    }

/// ``M:A.B.f``1(System.Int32)`` -> `M:A.B.f`.
let private withoutParameters (id: string) = Regex.Replace((id.Split '(')[0], @"`+\d+", "")

/// The documentation of each name; that of overloads one behind the other.
let private entriesOf (xmlPath: string) : Map<string, XElement list> =
    XDocument.Load(xmlPath).Descendants(XName.Get "member")
    |> List.ofSeq
    |> List.groupBy (fun entry -> withoutParameters (entry.Attribute(XName.Get "name").Value))
    |> Map.ofList

let private textOf (entries: XElement list) =
    [ for entry in entries do
          for part in entry.Elements() do
              if part.Name.LocalName <> "example" then part.Value.Trim() ]
    |> String.concat "\n"

/// The code without the indentation that all its lines have.
let private exampleOf (entries: XElement list) : string option =
    entries
    |> List.tryPick (fun entry -> Option.ofObj (entry.Element(XName.Get "example")))
    |> Option.map (fun example ->
        let lines = example.Value.Split '\n' |> Array.filter (fun line -> line.Trim() <> "")
        let indent = lines |> Array.map (fun line -> line.Length - line.TrimStart().Length) |> Array.min
        lines |> Array.map _.Substring(indent) |> String.concat "\n")

let private hasAttribute (name: string) (owner: ICustomAttributeProvider) =
    owner.CustomAttributes |> Seq.exists (fun attribute -> attribute.AttributeType.Name = name)

let private isGenerated owner = hasAttribute "CompilerGeneratedAttribute" owner

/// The F# construct that a definition comes from, as the compiler recorded it.
let private construct (owner: ICustomAttributeProvider) : SourceConstructFlags option =
    owner.CustomAttributes
    |> Seq.tryFind (fun attribute -> attribute.AttributeType.Name = nameof CompilationMappingAttribute)
    |> Option.map (fun attribute ->
        let flags = attribute.ConstructorArguments[0]
        enum (Convert.ToInt32 flags.Value))

let private isUnion (t: TypeDefinition) =
    construct t
    |> Option.exists (fun flags -> flags &&& SourceConstructFlags.KindMask = SourceConstructFlags.SumType)

let rec private isPublic (t: TypeDefinition) = t.IsPublic || (t.IsNestedPublic && isPublic t.DeclaringType)

/// The types of an assembly that its source names: not those that the compiler makes of the cases of a union.
let rec private withNested (t: TypeDefinition) : TypeDefinition list =
    if not (isPublic t) || isGenerated t || (t.IsNested && isUnion t.DeclaringType) then
        []
    else
        t
        :: [ for nested in t.NestedTypes do
                 yield! withNested nested ]

let private exceptions =
    [ "System.ArgumentException"; "System.ObjectDisposedException"; "FunctionalSeparation.Core.InputException" ]

let private makesException (callee: MethodReference) =
    (callee.Name = ".ctor" && List.contains callee.DeclaringType.FullName exceptions)
    || (callee.DeclaringType.Name = "Shapes" && callee.Name.StartsWith("Require", StringComparison.Ordinal))

let private calleesOf (m: MethodDefinition) : MethodReference list =
    [ if m.HasBody then
          for instruction in m.Body.Instructions do
              match instruction.Operand with
              | :? MethodReference as callee -> callee.GetElementMethod()
              | _ -> () ]

/// Whether a method raises an exception, or calls one of the assembly that is not public and does.
let private raising () : MethodDefinition -> bool =
    let known = Dictionary<string, bool>()

    let rec look (m: MethodDefinition) =
        match known.TryGetValue m.FullName with
        | true, answer -> answer
        | false, _ ->
            known[m.FullName] <- false // where it calls itself
            let callees = calleesOf m

            let raisesInside (callee: MethodReference) =
                match callee with
                | :? MethodDefinition as found -> not (found.IsPublic && isPublic found.DeclaringType) && look found
                | _ -> false

            known[m.FullName] <- List.exists makesException callees || List.exists raisesInside callees
            known[m.FullName]

    look

let private isTensor (t: TypeReference) = t.FullName.Contains "TorchSharp.torch/Tensor"

let private isFunction (m: MethodDefinition) =
    m.IsPublic && not (m.IsGetter || m.IsSetter || m.IsConstructor || m.IsVirtual || isGenerated m)

/// The members of a type: prefix and name, whether a tensor goes in or out, and the method that is called, if any.
let private members (t: TypeDefinition) : (string * bool * MethodDefinition option) list =
    [ for m in t.Methods do
          match construct m with
          | Some SourceConstructFlags.UnionCase -> if m.IsPublic then "T:" + Regex.Replace(m.Name, "^(New|get_)", ""), false, None
          | _ ->
              if isFunction m then
                  let tensor = isTensor m.ReturnType || m.Parameters |> Seq.exists (fun p -> isTensor p.ParameterType)
                  "M:" + m.Name, tensor, Some m

      if not (isUnion t) then
          for p in t.Properties do
              if not (isGenerated p) && not (isNull p.GetMethod) && p.GetMethod.IsPublic then
                  "P:" + p.Name, isTensor p.PropertyType, None ]

/// All public names of the assembly at this path, whose XML file lies beside it.
let read (assemblyPath: string) : PublicName list =
    let documentation = entriesOf (Path.ChangeExtension(assemblyPath, ".xml"))
    let entries name = documentation |> Map.tryFind name |> Option.defaultValue []
    use assembly = AssemblyDefinition.ReadAssembly assemblyPath
    let raises = raising ()

    let create name typeName hasTensor isRaising =
        { Name = name
          Text = textOf (entries name)
          TypeText = textOf (entries typeName)
          Example = exampleOf (entries name)
          HasTensor = hasTensor
          Raises = isRaising }

    [ for t in assembly.MainModule.Types |> Seq.collect withNested do
          let name = withoutParameters (t.FullName.Replace('/', '.'))
          create $"T:{name}" "" false false

          for id, hasTensor, m in members t do
              create $"{id.Substring(0, 2)}{name}.{id.Substring 2}" $"T:{name}" hasTensor (Option.exists raises m) ]
