/// Requirements on the documentation of the F# library. It is plain text and uses no XML tags for errors: it describes them in
/// sentences such as "Raises ArgumentException where ...".
module FunctionalSeparation.Tests.DocTests

open System.IO
open System.Text.RegularExpressions
open System.Xml.Linq
open Expecto
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core
open FunctionalSeparation.Tests.PublicNames

let private assemblies = [ typeof<Key>.Assembly.Location; typeof<Clip>.Assembly.Location ]

/// All public names of the F# libraries.
let names = lazy (List.collect read assemblies)

/// Where a reader begins: these have an example.
let private startingPoints =
    [ "T:KeyModule"
      "M:Memory.scoped"
      "M:MixingModule.andThen"
      "M:ClipModule.create"
      "M:CorpusModule.grouped"
      "M:StemFolder.load"
      "M:Augment.transpose"
      "M:EffectModule.onChannels"
      "M:ExcerptSettingsModule.ofSize"
      "T:Model"
      "M:ModelOperators.op_MinusMinusGreater"
      "M:Statistics.observe"
      "M:DrnnModule.network"
      "M:FamilyModule.define"
      "M:LossModule.on"
      "M:LossModule.discriminative"
      "M:Grad.valueAndGrad"
      "M:TransformModule.chain"
      "M:TransformModule.remembering"
      "M:OptimiserModule.descend"
      "M:Train.states"
      "M:RecipeModule.task"
      "M:Separation.estimate"
      "M:ModelFolder.save"
      "M:ModelFolder.load"
      "M:Separators.Default"
      "M:Evaluate.clips"
      "M:RecipeModule.create"
      "M:RunModule.train" ]

let private expectNone what (found: PublicName list) =
    let list = found |> List.map _.Name |> List.distinct |> String.concat "\n"
    Expect.isEmpty found $"{what}:\n{list}"

let private bothTexts (name: PublicName) = name.Text + "\n" + name.TypeText

/// `ArgumentException` of "Raises ArgumentException where ...".
let private raisedIn (text: string) = [ for found in Regex.Matches(text, @"\b[A-Z]\w*Exception\b") -> found.Value ]

let private known =
    [ "ArgumentException"
      "ArgumentNullException"
      "InputException"
      "ObjectDisposedException"
      "InvalidOperationException" ]

[<Tests>]
let tests =
    testList
        "documentation"
        [ test "every public name has a summary" {
              names.Value |> List.filter (fun name -> name.Text = "") |> expectNone "say nothing"
          }

          test "what takes or gives tensors says their shape" {
              names.Value
              |> List.filter (fun name -> name.HasTensor && not ((bothTexts name).Contains '['))
              |> expectNone "name no shape"
          }

          test "what raises says so" {
              names.Value
              |> List.filter (fun name ->
                  name.Raises && (raisedIn (bothTexts name)).IsEmpty && not ((bothTexts name).Contains "Raises"))
              |> expectNone "do not say what they raise"
          }

          test "errors are told in plain words, by the names of exceptions that there are" {
              for assembly in assemblies do
                  Expect.isFalse ((File.ReadAllText(Path.ChangeExtension(assembly, ".xml"))).Contains "<exception") "no tag"

              names.Value
              |> List.filter (fun name -> raisedIn name.Text |> List.exists (fun raised -> not (List.contains raised known)))
              |> expectNone "name an exception that is not among those of the library"
          }

          for documentation in
              [ for assembly in typeof<AudioBuffer>.Assembly.Location :: assemblies -> Path.ChangeExtension(assembly, ".xml") ] do
              test $"{Path.GetFileName documentation}: no sentence has \"What\" for a noun" {
                  [ for entry in XDocument.Load(documentation).Descendants(XName.Get "member") do
                        let text = Regex.Replace(entry.Value, @"\s+", " ")

                        for sentence in Regex.Matches(text, @"(?:^ ?|[.:] )(What [a-z][^.?]*[.?])") do
                            if not (sentence.Value.EndsWith '?') then
                                entry.Attribute(XName.Get "name").Value + ": " + sentence.Groups[1].Value ]
                  |> fun found -> Expect.isEmpty found "no sentence has What for a noun"
              }

          test "comments and code of F# keep to the configured length of lines" {
              let at path = Path.Combine(Golden.repository, path)
              let limit = Regex.Match(File.ReadAllText(at ".editorconfig"), @"(?<=max_line_length = )\d+").Value |> int

              [ for folder in [ "src"; "scripts" ] do
                    for path in Directory.GetFiles(at folder, "*.fs*", SearchOption.AllDirectories) do
                        if Regex.IsMatch(path, @"\.fsx?$") && not (Regex.IsMatch(path, @"[\\/](obj|bin|artifacts)[\\/]")) then
                            for number, line in Array.indexed (File.ReadAllLines path) do
                                if line.Length > limit then $"{path}, line {number + 1}" ]
              |> fun found -> Expect.equal found [] $"no line has more than {limit} characters"
          }

          test "the starting points have an example" {
              let withExample = names.Value |> List.filter _.Example.IsSome |> List.map _.Name |> set

              for point in startingPoints do
                  let places = [ "FunctionalSeparation."; "FunctionalSeparation.Learning." ]
                  let hasExample = places |> List.exists (fun place -> withExample.Contains(point.Insert(2, place)))
                  Expect.isTrue hasExample $"{point} has an example"
          } ]
