/// Damaged files of the WAV family, the same for the same seed: small files of every format and header style that is read, with
/// bytes flipped, sizes changed, ends cut, chunks repeated, and parts of one put into another.
module FunctionalSeparation.Tests.Fuzz.WavMutations

open System
open FunctionalSeparation.Tests.WavBytes

let private codings = [ 1, 8; 1, 16; 1, 24; 1, 32; 3, 32; 3, 64 ]

/// Bytes of six samples that are finite numbers in every coding.
let private body (bits: int) = Array.init (6 * bits / 8) (fun i -> byte (i * 37 % 61))

let private plain =
    [ for tag, bits in codings do
          for channels in [ 1; 2 ] do
              riff [ fmt tag channels bits; chunk "data" (body bits) ]
              riff [ extensible tag channels bits; chunk "data" (body bits); chunk "LIST" [| 1uy; 2uy; 3uy |] ] ]

let private otherContainers =
    [ for tag, bits in codings do
          rifx [ bigChunk "fmt " (bigFmtBody tag 1 bits); bigChunk "data" (swapped (bits / 8) (body bits)) ]
          rf64 "RF64" (body bits).LongLength [ fmt tag 2 bits; chunkOf "data" 0xFFFFFFFFL (body bits) ]
          rf64 "BW64" 0L [ fmt tag 1 bits; chunkOf "data" 0xFFFFFFFFL (body bits) ]
          wave64 [ wideChunk "junk" [| 1uy |]; wideChunk "fmt " (fmtBody tag 1 16000 bits); wideChunk "data" (body bits) ] ]

let private unusual =
    [ for mark in [ 0L; 0x7FFFF000L; 0x7FFFFFFFL; 0x80000000L; 0xFFFFFFFFL ] do
          file "RIFF" mark [ pcm16; chunkOf "data" mark (body 16) ]
      riff [ chunk "bext" [| 1uy |]; chunk "data" (body 16); chunk "id3 " [| 2uy |]; pcm16 ]
      riff [ fmt 1 1024 8; chunk "data" (Array.create 1024 128uy) ]
      riff [ for _ in 1..100 -> chunk "junk" [||] ] ]

/// The files that mutations start from; all but the last are read.
let sources: byte[][] = Array.ofList (plain @ otherContainers @ unusual)

let private numbers =
    [| 0L
       1L
       2L
       3L
       7L
       8L
       16L
       23L
       24L
       25L
       255L
       0x7FFFL
       0xFFFEL
       0xFFFFL
       0x7FFFF000L
       0x7FFFFFFFL
       0x80000000L
       0xFFFFFFFEL
       0xFFFFFFFFL
       Int64.MaxValue
       Int64.MinValue
       -2L |]

let private pick (random: Random) (values: 'a[]) = values[random.Next values.Length]

let private place (random: Random) (bytes: byte[]) = random.Next(bytes.Length + 1)

let private splitAt at (bytes: byte[]) = bytes[.. at - 1], bytes[at..]

/// Writes over what is there, up to the end.
let private overwrite at (part: byte[]) (bytes: byte[]) =
    let copy = Array.copy bytes
    let count = min part.Length (copy.Length - at)
    Array.blit part 0 copy at count
    copy

let private flip (random: Random) (bytes: byte[]) =
    let at = place random bytes
    overwrite at [| (if at < bytes.Length then bytes[at] else 0uy) ^^^ (1uy <<< random.Next 8) |] bytes

let private renumber (random: Random) (bytes: byte[]) =
    let number = BitConverter.GetBytes(pick random numbers)[.. pick random [| 1; 2; 4; 8 |] - 1]
    let number = if random.Next 4 = 0 then Array.rev number else number
    overwrite (place random bytes) number bytes

let private cut (random: Random) (bytes: byte[]) = fst (splitAt (place random bytes) bytes)

let private lengthen (random: Random) (bytes: byte[]) =
    let tail = Array.zeroCreate (random.Next 300)
    random.NextBytes tail
    Array.append bytes tail

let private insert (random: Random) (part: byte[]) (bytes: byte[]) =
    let head, tail = splitAt (place random bytes) bytes
    Array.concat [ head; part; tail ]

/// A part of the bytes that often begins where a chunk does.
let private part (random: Random) (bytes: byte[]) =
    let from = if random.Next 2 = 0 then min bytes.Length 12 else place random bytes
    let rest = bytes[from..]
    rest[.. random.Next(rest.Length + 1) - 1]

let private repeat (random: Random) (bytes: byte[]) = insert random (part random bytes) bytes
let private splice (random: Random) (bytes: byte[]) = insert random (part random (pick random sources)) bytes

let private remove (random: Random) (bytes: byte[]) =
    let head, tail = splitAt (place random bytes) bytes
    Array.append head (snd (splitAt (random.Next(tail.Length + 1)) tail))

let private mutations = [| flip; flip; renumber; renumber; renumber; cut; lengthen; repeat; splice; remove |]

/// The damaged file of a seed, of a few thousand bytes at most.
let mutated (seed: int) : byte[] =
    let random = Random seed
    let start = pick random sources

    Seq.init (1 + random.Next 4) (fun _ -> pick random mutations)
    |> Seq.fold (fun bytes mutate -> mutate random bytes) start
