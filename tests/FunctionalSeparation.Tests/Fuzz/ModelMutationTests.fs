/// Damaged files of models and checkpoints: read right or refused, whatever the damage.
module FunctionalSeparation.Tests.Fuzz.ModelMutationTests

open System
open System.Diagnostics
open System.Text
open Expecto
open FunctionalSeparation.Tests.Fuzz.ModelMutations

/// Managed bytes that reading may take besides 16 times the file: what the first use of a reader takes.
let private slack = 1L <<< 20

/// Reads or refuses the bytes as it should, in bounded memory, and says which.
let readWithin reader (bytes: byte[]) =
    let before = GC.GetAllocatedBytesForCurrentThread()
    let clock = Stopwatch.StartNew()
    let reading = read reader bytes
    let taken = GC.GetAllocatedBytesForCurrentThread() - before
    Expect.isLessThan taken (16L * int64 bytes.Length + slack) "reading takes memory in proportion to the file"
    Expect.isLessThan clock.Elapsed.TotalSeconds 20.0 "it does not hang"
    reading

let private withHeader (header: string) (data: int) =
    let text = Encoding.Latin1.GetBytes header
    Array.concat [ BitConverter.GetBytes(uint64 text.Length); text; Array.zeroCreate data ]

let private original reader = originals.Value |> List.find (fun original -> original.Reader = reader)

let private describedWith (from: string) (into: string) =
    Encoding.UTF8.GetBytes(Encoding.UTF8.GetString((original Description).Bytes).Replace(from, into))

/// Files that once crashed a reader, or that a reader is most likely to trip over.
let private regressions =
    [ "a recurrence beyond all integers", Description, describedWith "\"layer 2\"" "\"layer 99999999999\""
      "a level beyond all numbers", Description, describedWith "0.004" "1e999"
      "half a surrogate pair as an entry", Description, describedWith "\"level\"" "\"\\ud800\""
      "half a surrogate pair as a value", Description, describedWith "\"relu\"" "\"\\ud800\""
      "half a surrogate pair in the provenance", Description, describedWith "\"seed\": 3" "\"seed\": [\"\\ud800\"]"
      "half a surrogate pair as a name in the provenance", Description, describedWith "\"seed\"" "\"\\ud800\""
      "a format that is invalid UTF-8",
      Description,
      describedWith "\"format\": 2" "\"format\": \"@\"" |> Array.map (fun b -> if b = byte '@' then 0xffuy else b)
      "a line break in the name of an entry", Description, describedWith "\"level\"" "\"a\\nb\\u2028c\""
      "invalid UTF-8", Description, Array.append [| 0x7buy; 0x22uy; 0xffuy |] (original Description |> _.Bytes)
      "brackets without end", Description, Encoding.ASCII.GetBytes(String('[', 1_000_000))
      "counts of weights that overflow", Description, describedWith "\"fftSize\": 16" "\"fftSize\": 2147483646"
      "a promise of a terabyte", Weights, withHeader """{"a":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4]}}""" 4
      "a shape whose product is zero only by overflow",
      Weights,
      withHeader """{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}""" 0
      "an empty tensor with a size beyond counting",
      Weights,
      withHeader """{"a":{"dtype":"F32","shape":[4611686018427387904,0,4611686018427387904],"data_offsets":[0,0]}}""" 0
      "a negative offset", Weights, withHeader """{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}""" 4
      "a thousand dimensions",
      Weights,
      withHeader ("{\"a\":{\"dtype\":\"F32\",\"shape\":[" + String.replicate 1000 "1," + "1],\"data_offsets\":[0,4]}}") 4
      "a header of nothing but names", Weights, withHeader ("{" + String.Join(",", [ for i in 0..20000 -> $"\"{i}\":0" ]) + "}") 0
      "an empty file", Weights, [||]
      "an empty description", Description, [||]
      "an empty checkpoint", CheckpointFile, [||] ]

[<Tests>]
let tests =
    testList
        "damaged models"
        [ test "the originals are read" {
              for original in originals.Value do
                  Expect.equal (read original.Reader original.Bytes) Accepted original.Name
          }

          for name, reader, bytes in regressions do
              test $"refused: {name}" {
                  match readWithin reader bytes with
                  | Refused _ -> ()
                  | Accepted -> failtest "it was read"
              }

          test "the same seed makes the same file" {
              for original in originals.Value do
                  Expect.equal (mutate 5 original) (mutate 5 original) original.Name
          }

          test "any damage: read right or refused in one line that names the file, in bounded memory" {
              let refused = ResizeArray()

              for seed in 0..5999 do
                  let original = originals.Value[seed % originals.Value.Length]
                  let bytes = mutate seed original

                  try
                      match readWithin original.Reader bytes with
                      | Refused message -> refused.Add message
                      | Accepted -> ()
                  with wrong ->
                      failtest $"seed {seed}, {original.Name}: {wrong}"

              Expect.isGreaterThan refused.Count 4000 "most are refused"

              let kinds =
                  refused |> Seq.map (fun message -> message.Substring(0, min 60 message.Length)) |> Seq.distinct |> Seq.length

              Expect.isGreaterThan kinds 100 "for many reasons"
          }

          test "a checkpoint with a hash is read only where it holds what was written" {
              let original = originals.Value |> List.find (fun original -> original.Name = "checkpoint.safetensors")
              let header = 8 + int (BitConverter.ToUInt64(original.Bytes, 0))

              for at in header .. original.Bytes.Length - 1 do
                  let bytes = Array.copy original.Bytes
                  bytes[at] <- bytes[at] ^^^ 16uy

                  match read CheckpointFile bytes with
                  | Refused message -> Expect.stringContains message "damaged" "the message says that it is damaged"
                  | Accepted -> failtest $"byte {at} is not what was written"
          } ]
