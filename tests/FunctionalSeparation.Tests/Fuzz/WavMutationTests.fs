/// Whatever the bytes of a WAV file are, it is read or refused with one line, in little time and memory.
module FunctionalSeparation.Tests.Fuzz.WavMutationTests

open System
open System.Diagnostics
open System.IO
open Expecto
open FunctionalSeparation.Core
open FunctionalSeparation.Tests.Scratch
open FunctionalSeparation.Tests.WavBytes

/// Bytes that exceptions, strings and the reader itself allocate. The other allocations grow with the file.
let private constantBytes = 1L <<< 16

/// Reads all of it: the number of samples, or the refusal.
let private read (path: string) =
    try
        use reader = new WavReader(path)
        Ok(reader.Read(0L, Checked.int reader.Info.Length).Length)
    with :? InputException as refusal ->
        Error refusal.Message

/// Reads or refuses the bytes as it should, and says which.
let judge (path: string) (bytes: byte[]) (what: string) =
    File.WriteAllBytes(path, bytes)
    let clock, before = Stopwatch.StartNew(), GC.GetAllocatedBytesForCurrentThread()
    let outcome = read path
    let allocated = GC.GetAllocatedBytesForCurrentThread() - before
    Expect.isLessThan clock.Elapsed.TotalSeconds 20.0 $"{what}: a hang"
    Expect.isLessThanOrEqual allocated (16L * bytes.LongLength + constantBytes) $"{what}: bytes allocated"

    match outcome with
    | Ok length -> Expect.isGreaterThan length 0 $"{what}: a file that is read has samples"
    | Error message ->
        Expect.isFalse (message.Contains '\n') $"{what}: one line"
        Expect.stringContains message "case.wav" $"{what}: the name"

    outcome

/// Runs a test with the path of the file that cases are written to; all that is made once is there.
let inCase (test: string -> unit) =
    inFolder (fun folder ->
        let path = Path.Combine(folder, "case.wav")

        for source in WavMutations.sources do
            File.WriteAllBytes(path, source)
            read path |> ignore // compiled, and the buffers are there, before anything is measured

        test path)

let private regressions =
    [ "a data chunk that ends where numbers do", wave64 [ wideChunkOf "data" (Int64.MaxValue - 100L) [||]; wideChunk "fmt " [||] ]
      "a chunk that points at itself", wave64 [ wideChunkOf "junk" 0L [||]; wideChunkOf "junk" -1L [||] ]
      "65535 channels of one byte", riff [ fmt 1 65535 8; chunk "data" (Array.zeroCreate 65535) ]
      "a ds64 of the largest number", rf64 "RF64" Int64.MaxValue [ pcm16; chunkOf "data" 0xFFFFFFFFL [||] ]
      "nothing but a name", ascii "RIFF"
      "a sub-format of another number", rifx [ bigChunk "fmt " (Array.append (bigFmtBody 0xFFFE 1 16) (Array.create 24 0xFFuy)) ] ]

[<Tests>]
let tests =
    testList
        "WAV mutations"
        [ testCase "the same seed gives the same bytes"
          <| fun () ->
              for seed in 0..50 do
                  Expect.equal (WavMutations.mutated seed) (WavMutations.mutated seed) $"seed {seed} gives the same bytes"
          testCase "what mutations start from is read"
          <| fun () ->
              inCase (fun path ->
                  for index in 0 .. WavMutations.sources.Length - 2 do
                      Expect.isOk (judge path WavMutations.sources[index] $"source {index}") $"source {index} can be read")
          for name, bytes in regressions do
              testCase name
              <| fun () -> inCase (fun path -> Expect.isError (judge path bytes name) "a broken file is refused")
          testCase "4000 damaged files are read or refused with one line"
          <| fun () ->
              inCase (fun path ->
                  let outcomes = [ for seed in 1..4000 -> judge path (WavMutations.mutated seed) $"seed {seed}" ]
                  let readable = outcomes |> List.filter Result.isOk |> List.length
                  Expect.isTrue (readable > 400 && readable < 3600) $"both happen: {readable} were read") ]
