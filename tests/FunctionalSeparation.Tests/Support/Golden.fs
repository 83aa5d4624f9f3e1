/// Where reference numbers lie and how to read them. Small ones are in this project's folder `golden`; large ones and real
/// audio are beside the repository, in `../shared`, and tests that need them skip with a message where it is absent.
module FunctionalSeparation.Tests.Golden

open System
open System.IO
open Expecto
open FunctionalSeparation
open FunctionalSeparation.Learning

/// The folder that holds the solution.
let repository =
    let rec up (folder: DirectoryInfo) =
        if File.Exists(Path.Combine(folder.FullName, "FunctionalSeparation.sln")) then
            folder.FullName
        elif isNull folder.Parent then
            failwith "The tests must run inside the repository."
        else
            up folder.Parent

    up (DirectoryInfo AppContext.BaseDirectory)

/// A small reference file of this project.
let path (name: string) = Path.Combine(repository, "tests", "FunctionalSeparation.Tests", "golden", name)

/// A file or folder beside the repository; skips the running test where it is absent.
let shared (name: string) =
    let path = Path.GetFullPath(Path.Combine(repository, "..", "shared", name))

    if not (File.Exists path || Directory.Exists path) then
        skiptest $"../shared/{name} is not here"

    path

/// Numbers of a text file, one or more a line, separated by commas or blanks.
let numbers (file: string) =
    File.ReadAllText(file).Split([| ','; ' '; '\n'; '\r'; '\t' |], StringSplitOptions.RemoveEmptyEntries)
    |> Array.map (fun text -> Double.Parse(text, Globalization.CultureInfo.InvariantCulture))

/// Rows of a CSV file with a header, as maps from column name to text.
let csv (file: string) =
    let lines = File.ReadAllLines file |> Array.filter (String.IsNullOrWhiteSpace >> not)
    let header = lines[0].Split ','
    lines[1..] |> Array.map (fun line -> Array.zip header (line.Split ',') |> Map.ofArray)

/// Raw little-endian float64.
let doubles (file: string) =
    let bytes = File.ReadAllBytes file
    Array.init (bytes.Length / 8) (fun i -> BitConverter.ToDouble(bytes, 8 * i))

/// The generator of every noise and start weight in the golden data: numbers in [0, 1) from state 12345.
let lcg () =
    Seq.unfold
        (fun (state: uint32) ->
            let next = 1664525u * state + 1013904223u
            Some(float next / 4294967296.0, next))
        12345u

/// |a - b| relative to the largest |b|.
let relativeError (actual: float[]) (expected: float[]) =
    let scale = expected |> Array.map abs |> Array.max
    Array.map2 (fun a b -> abs (a - b) / scale) actual expected |> Array.max

/// Brings the authors' block order (W1 b1 W2 b2 ... Wout bout, then all U) into that of a layout.
let reorder (layout: Layout) (authors: float[]) =
    let isRecurrence (weight: Weight) = weight.Name.EndsWith "recurrence"
    let theirs = List.filter (isRecurrence >> not) layout @ List.filter isRecurrence layout

    let blocks =
        (0L, theirs)
        ||> List.mapFold (fun offset weight ->
            (weight.Name, authors[int offset .. int (offset + Layout.size weight) - 1]), offset + Layout.size weight)
        |> fst
        |> Map.ofList

    layout |> List.map (fun weight -> blocks[weight.Name]) |> Array.concat
