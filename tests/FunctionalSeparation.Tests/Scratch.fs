/// Folders for one test, the research data beside the repository, and what a good refusal looks like.
module FunctionalSeparation.Tests.Scratch

open System
open System.IO
open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Core

/// Runs the test with a new folder, which is deleted afterwards.
let inFolder (test: string -> unit) =
    let folder = Directory.CreateTempSubdirectory("funcsep-test-").FullName

    try
        test folder
    finally
        Directory.Delete(folder, true)

/// The file or folder `shared/data/...` beside the repository; the test is skipped where it is absent.
let sharedData (parts: string list) =
    let rec root (folder: DirectoryInfo) =
        if isNull folder || File.Exists(Path.Combine(folder.FullName, "FunctionalSeparation.sln")) then
            folder
        else
            root folder.Parent

    let repository = root (DirectoryInfo AppContext.BaseDirectory)

    let path =
        if isNull repository then
            ""
        else
            Path.GetFullPath(Path.Combine(Array.ofList ([ repository.FullName; ".."; "shared"; "data" ] @ parts)))

    if not (Path.Exists path) then
        Tests.skiptest $"""the research data {String.Join("/", parts)} is not beside the repository"""

    path

/// Expects an InputException of one line that holds all the words.
let refuses (words: string list) (action: unit -> unit) =
    let message =
        try
            action ()
            failtest "nothing was refused"
        with :? InputException as e ->
            e.Message

    Expect.isFalse (message.Contains '\n') "the message is one line"

    for word in words do
        Expect.stringContains message word "the message"

/// Expects an ArgumentException of one line that holds all the words.
let refusesArgument (words: string list) (action: unit -> unit) =
    let message =
        try
            action ()
            failtest $"nothing was refused: {words}"
        with :? ArgumentException as e ->
            e.Message

    Expect.isFalse (message.Contains '\n') $"the message is one line: {message}"

    for word in words do
        Expect.stringContains message word "the message"

/// The estimates [channels, sources, samples] of a mixture [channels, samples] that comes in pieces of so many samples.
let separatedInPieces (samples: int) (trained: TrainedModel) (mixture: torch.Tensor) : torch.Tensor =
    let push state piece =
        let estimates, next = SeparationStream.push trained piece state
        SeparationStream.dispose state
        estimates, next

    let length = mixture.shape[1]

    Memory.tensor (fun () ->
        let pieces =
            [ for first in 0L .. int64 samples .. length - 1L -> mixture.narrow (1L, first, min (int64 samples) (length - first)) ]

        let estimates, last = List.mapFold push (SeparationStream.start trained (int mixture.shape[0])) pieces
        torch.cat (Array.ofList (estimates @ [ SeparationStream.finish trained last ]), -1L))
