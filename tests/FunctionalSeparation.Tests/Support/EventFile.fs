/// Reads event files without the library: framing and checksums from their definitions, messages with the parser that protoc
/// made of TensorFlow's own definitions and that TorchSharp brings along.
module FunctionalSeparation.Tests.EventFile

open System
open System.IO
open Expecto
open Tensorboard

/// CRC-32C bit by bit: reflected polynomial 0x82F63B78.
let private crc (bytes: byte[]) =
    let shift (crc: uint32) = if crc &&& 1u = 1u then (crc >>> 1) ^^^ 0x82F63B78u else crc >>> 1
    let step crc (value: byte) = Seq.fold (fun crc _ -> shift crc) (crc ^^^ uint32 value) [ 1..8 ]
    ~~~(Array.fold step 0xFFFFFFFFu bytes)

let private masked bytes =
    let crc = crc bytes
    ((crc >>> 15) ||| (crc <<< 17)) + 0xA282EAD8u

let rec private records (bytes: byte[]) : byte[] list =
    if bytes.Length = 0 then
        []
    else
        let length = int (BitConverter.ToInt64(bytes, 0))
        let payload = bytes[12 .. 11 + length]
        Expect.equal (BitConverter.ToUInt32(bytes, 8)) (masked bytes[..7]) "checksum of the length"
        Expect.equal (BitConverter.ToUInt32(bytes, 12 + length)) (masked payload) "checksum of the payload"
        payload :: records bytes[16 + length ..]

/// The events of a file.
let read (path: string) : Event list = records (File.ReadAllBytes path) |> List.map Event.Parser.ParseFrom

/// The files of a folder in the order in which TensorBoard reads them.
let files (folder: string) : string list =
    Directory.GetFiles folder |> Array.sortWith (fun a b -> String.CompareOrdinal(a, b)) |> List.ofArray

/// Step, tag and value of every summary in a folder.
let summaries (folder: string) : (int64 * string * Summary.Types.Value) list =
    [ for path in files folder do
          for event in read path do
              if not (isNull event.Summary) then
                  for value in event.Summary.Value do
                      event.Step, value.Tag, value ]
