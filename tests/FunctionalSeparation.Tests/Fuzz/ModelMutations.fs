/// Damaged model files and checkpoints, each a function of a seed: for property tests and for fuzzing. All in memory.
module FunctionalSeparation.Tests.Fuzz.ModelMutations

open System
open System.IO
open System.Text
open System.Text.Json
open System.Text.RegularExpressions
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

/// The reader of a file.
type Reader =
    | Weights
    | Description
    | CheckpointFile

/// An unmodified file and its reader.
type Original = { Name: string; Reader: Reader; Bytes: byte[] }

let private architecture =
    { Drnn.huang2014 with
        FrontEnd = { FrontEnd.huang2014 with Stft = Stft(16, 8, StftWindow.Sine, false) }
        Context = 1
        Hidden = [ 4; 3 ] }

let private layout = (Network.layout (Drnn.network architecture))
let private identity = "the run's settings and clips"

/// Bytes as text and back, one character a byte.
let private latin = Encoding.Latin1

/// A safetensors file as header text and data.
let private parted (file: byte[]) =
    let length = int (BitConverter.ToUInt64(file, 0))
    latin.GetString(file, 8, length), file[8 + length ..]

/// A safetensors file whose stated length is that of its header.
let private joined (header: string) (data: byte[]) =
    Array.concat [ BitConverter.GetBytes(uint64 header.Length); latin.GetBytes header; data ]

let private progress (vector: torch.Tensor) : Progress =
    { State = TrainState(7, vector, OptimiserState.create [ "m", vector.neg () ] [ "steps", 7.0 ], 0.25, 9, 1e-5, None)
      Best = Some { Score = 1.5; AtStep = 3; Vector = vector.clone () }
      Seconds = 12.5 }

let private saved (folder: string) =
    let parameters = Params.init layout torch.float32 torch.CPU (Key.ofSeed 1)
    let model = { Network = Drnn.network architecture; Parameters = parameters; Level = Some 0.004 }

    ModelFolder.save
        folder
        model
        (Nodes.JsonObject [ Collections.Generic.KeyValuePair("seed", Nodes.JsonValue.Create 3 :> Nodes.JsonNode) ])

    Checkpoint.save folder identity (progress parameters.Vector)
    let bytes name = File.ReadAllBytes(Path.Combine(folder, name))
    bytes "weights.safetensors", bytes "model.json", bytes "checkpoint.safetensors"

/// The description of a model of format 1, which has no hash.
let private withoutHash (description: byte[]) =
    let text = latin.GetString(description).Replace("\"format\": 2", "\"format\": 1")
    latin.GetBytes(Regex.Replace(text, "\"weightsSha256\": \"[0-9a-f]*\",", ""))

/// The checkpoint of an older version, which has no hash.
let private unsealed (checkpoint: byte[]) =
    let header, data = parted checkpoint
    joined (Regex.Replace(header, "\"sha256\":\"[0-9a-f]*\",", "")) data

/// The files that are damaged, as this version and the one before wrote them.
let originals: Lazy<Original list> =
    lazy
        (let folder = Directory.CreateTempSubdirectory("funcsep-originals-").FullName

         try
             Memory.plain (fun () ->
                 let weights, description, checkpoint = saved folder

                 [ { Name = "weights.safetensors"; Reader = Weights; Bytes = weights }
                   { Name = "model.json"; Reader = Description; Bytes = description }
                   { Name = "model.json of format 1"; Reader = Description; Bytes = withoutHash description }
                   { Name = "checkpoint.safetensors"; Reader = CheckpointFile; Bytes = checkpoint }
                   { Name = "checkpoint.safetensors without a hash"; Reader = CheckpointFile; Bytes = unsealed checkpoint } ])
         finally
             Directory.Delete(folder, true))

let private pick (random: Random) (items: 'a[]) = items[random.Next items.Length]

let private hostile =
    [| "0"
       "-1"
       "1e999"
       "-1e999"
       "1e-400"
       "0.5"
       "2147483648"
       "9223372036854775807"
       "9223372036854775808"
       "NaN"
       "1099511627776"
       "4611686018427387904"
       "18446744073709551616"
       "00"
       "null"
       "true"
       "{}"
       "[]"
       "[0,0]"
       "[[]]"
       "\"\""
       "\"\\ud800\""
       "\"\\u0000\""
       "\"\\n\""
       "\"F16\""
       "\"layer 99999999999\""
       "\"layer -1\""
       "\"\xff\xfe\""
       "\"__metadata__\""
       "\"../x\""
       "\"sha256\""
       "\"\u00c3\"" |]

let private token =
    Regex("\"(?:[^\"\\\\]|\\\\.)*\"|-?[0-9][0-9.eE+-]*|true|false|null|[\\[\\]{}:,]", RegexOptions.CultureInvariant)

/// One change of JSON, word by word.
let private changeWords (random: Random) (text: string) =
    let words = token.Matches text |> Seq.toArray

    if words.Length = 0 then
        pick random hostile
    else
        let word = pick random words
        let before, after = text.Substring(0, word.Index), text.Substring(word.Index + word.Length)
        let other = pick random words

        match random.Next 8 with
        | 0 -> before + after
        | 1 -> before + word.Value + word.Value + after
        | 2 -> before + other.Value + after
        | 3 -> before + String('[', 1 + random.Next 200) + word.Value + after
        | 4 ->
            // A run of words again: names that stand twice.
            let last = pick random words
            let first, last = min word.Index last.Index, max word.Index last.Index
            text.Insert(last, text.Substring(first, last - first))
        | 5 -> before + $"\"more\":{pick random hostile}," + word.Value + after
        | _ -> before + pick random hostile + after

/// One change of bytes, whatever they mean.
let private changeBytes (random: Random) (bytes: byte[]) =
    let at = random.Next(max 1 bytes.Length)

    let with' (change: byte[] -> unit) =
        let copy = Array.copy bytes
        if copy.Length > 0 then change copy
        copy

    match random.Next 7 with
    | 0 -> with' (fun copy -> copy[at] <- copy[at] ^^^ (1uy <<< random.Next 8))
    | 1 -> with' (fun copy -> copy[at] <- byte (random.Next 256))
    | 2 -> Array.truncate at bytes
    | 3 -> Array.concat [ bytes; Array.init (random.Next 64) (fun _ -> byte (random.Next 256)) ]
    | 4 -> Array.concat [ Array.truncate at bytes; Array.skip (min bytes.Length (at + random.Next 16)) bytes ]
    | 5 ->
        with' (fun copy ->
            if copy.Length >= 4 then
                BitConverter.GetBytes(nanf).CopyTo(copy, min at (copy.Length - 4) / 4 * 4))
    | _ ->
        let lengths =
            [| 0UL; 1UL; 7UL; uint64 bytes.Length; uint64 bytes.Length - 8UL; 1UL <<< 31; 1UL <<< 40; UInt64.MaxValue |]

        with' (fun copy -> if copy.Length >= 8 then BitConverter.GetBytes(pick random lengths).CopyTo(copy, 0))

let private change (random: Random) (original: Original) (bytes: byte[]) =
    match original.Reader with
    | _ when random.Next 3 = 0 -> changeBytes random bytes
    | Description -> latin.GetBytes(changeWords random (latin.GetString bytes))
    | Weights
    | CheckpointFile ->
        match BitConverter.ToUInt64(Array.append bytes (Array.zeroCreate 8), 0) with
        | length when bytes.Length >= 8 && length <= uint64 (bytes.Length - 8) ->
            let header, data = parted bytes
            joined (changeWords random header) data
        | _ -> changeBytes random bytes

/// The file that a seed makes of an original: one to three changes.
let mutate (seed: int) (original: Original) : byte[] =
    let random = Random seed
    let mutable bytes = original.Bytes

    for _ in 0 .. random.Next 3 do
        bytes <- change random original bytes

    bytes

/// The outcome of reading a file.
type Reading =
    /// The reader accepted the file.
    | Accepted
    /// The reader refused the file, with a one-line message that names it.
    | Refused of string

/// Raises where what was read is not what the file holds.
let private readWeights name (stream: Stream) =
    let file = Safetensors.read name stream
    let held = file.Tensors |> List.sumBy (fun (_, tensor) -> tensor.numel () * tensor.element_size ())
    let _, data = parted ((stream :?> MemoryStream).ToArray())
    if held <> int64 data.Length then failwith $"{held} bytes were read of {data.Length}"

let private readDescription name (bytes: byte[]) =
    let read = ModelDescription.read ModelFolder.families name (ReadOnlyMemory bytes)
    let hash = read.WeightsHash |> Option.defaultValue (String('0', 64))

    let origin =
        if isNull read.Provenance then
            Nodes.JsonObject() :> Nodes.JsonNode
        else
            read.Provenance

    let again = ModelDescription.write read.Network read.Level hash origin
    let twice = ModelDescription.read ModelFolder.families name (ReadOnlyMemory(Encoding.UTF8.GetBytes again))

    if string twice.Network.Architecture <> string read.Network.Architecture || twice.Level <> read.Level then
        failwith "it reads differently"

let private readCheckpoint name (stream: Stream) =
    let read = Checkpoint.read name torch.CPU layout identity stream

    if read.State.Parameters.shape <> [| Layout.total layout |] then
        failwith "the parameters have another size"

/// Reads a file as its reader does. Any other exception than one InputException of one line that names the file escapes.
let read (reader: Reader) (bytes: byte[]) : Reading =
    let name = "folder/the file"
    use stream = new MemoryStream(bytes)

    try
        Memory.plain (fun () ->
            match reader with
            | Weights -> readWeights name stream
            | Description -> readDescription name bytes
            | CheckpointFile -> readCheckpoint name stream)

        Accepted
    with :? InputException as wrong ->
        if
            not (wrong.Message.StartsWith(name, StringComparison.Ordinal))
            || wrong.Message.AsSpan().ContainsAny("\n\r\u2028\u2029")
        then
            failwith $"a bad refusal: {wrong.Message}"

        Refused wrong.Message

/// Makes and reads the file of a seed: each seed takes its turn with the originals.
let run (seed: int) : Reading =
    let original = originals.Value[int (uint32 seed % uint32 originals.Value.Length)]
    read original.Reader (mutate seed original)
