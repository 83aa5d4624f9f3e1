/// Files of the WAV family byte by byte, as the specifications have them and as writers get them wrong.
module FunctionalSeparation.Tests.WavBytes

open System
open System.Text

let ascii (text: string) = Encoding.ASCII.GetBytes text
let u16 (value: int) = BitConverter.GetBytes(uint16 value)
let u32 (value: int64) = BitConverter.GetBytes(uint32 value)
let u64 (value: int64) = BitConverter.GetBytes value

let inline private bytesOf (value: ^a) = Runtime.InteropServices.MemoryMarshal.AsBytes(ReadOnlySpan [| value |]).ToArray()

let inline packed (values: ^a[]) = Array.collect bytesOf values

/// The same numbers of so many bytes each, big-endian.
let swapped (size: int) (bytes: byte[]) = bytes |> Array.chunkBySize size |> Array.collect Array.rev

/// A chunk whose header states this size.
let chunkOf id size body = Array.concat [ ascii id; u32 size; body ]

let private padded (body: byte[]) = if body.Length % 2 = 1 then Array.append body [| 0uy |] else body
let chunk id (body: byte[]) = chunkOf id body.LongLength (padded body)
let file id riffSize chunks = Array.concat ([ ascii id; u32 riffSize; ascii "WAVE" ] @ chunks)
let riff chunks = file "RIFF" (4L + List.sumBy (fun c -> Array.length c |> int64) chunks) chunks

let fmtBody tag channels rate bits =
    let block = channels * bits / 8
    Array.concat [ u16 tag; u16 channels; u32 (int64 rate); u32 (int64 (rate * block)); u16 block; u16 bits ]

let fmt tag channels bits = chunk "fmt " (fmtBody tag channels 16000 bits)
let pcm16 = fmt 1 1 16

/// The tail of the sub-format identifiers of PCM and float, written out from the specification.
let subFormatTail = [| 0; 0; 0; 0; 0x10; 0; 0x80; 0; 0; 0xAA; 0; 0x38; 0x9B; 0x71 |] |> Array.map byte

let extensible tag channels bits =
    Array.concat [ fmtBody 0xFFFE channels 16000 bits; u16 22; u16 bits; u32 0L; u16 tag; subFormatTail ]
    |> chunk "fmt "

let ds64 (dataBytes: int64) = chunk "ds64" (Array.concat [ u64 0L; u64 dataBytes; u64 0L; u32 0L ])
let rf64 id dataBytes chunks = file id 0xFFFFFFFFL (ds64 dataBytes :: chunks)

/// A big-endian chunk.
let bigChunk id (body: byte[]) = Array.concat [ ascii id; Array.rev (u32 body.LongLength); padded body ]

let bigFmtBody tag channels bits =
    let body = fmtBody tag channels 16000 bits
    Array.concat [ swapped 2 body[..3]; swapped 4 body[4..11]; swapped 2 body[12..] ]

let rifx chunks = Array.concat ([ ascii "RIFX"; Array.zeroCreate 4; ascii "WAVE" ] @ chunks)
let private wideTail = Convert.FromHexString "F3ACD3118CD100C04F8EDB8A"

/// A chunk of Wave64 with the number in its head, which counts the head's 24 bytes.
let wideChunkOf (id: string) (size: int64) (body: byte[]) =
    let padding = Array.zeroCreate ((8 - body.Length % 8) % 8)
    Array.concat [ ascii id; wideTail; u64 size; body; padding ]

let wideChunk id (body: byte[]) = wideChunkOf id (body.LongLength + 24L) body

let wave64 chunks =
    Array.concat ([ Convert.FromHexString "726966662E91CF11A5D628DB04C10000"; u64 0L; ascii "wave"; wideTail ] @ chunks)
