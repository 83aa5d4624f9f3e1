namespace FunctionalSeparation

open System
open System.Collections.Generic
open System.IO
open System.Runtime.InteropServices
open System.Text.Json.Nodes
open TorchSharp
open FunctionalSeparation.Core

/// Named tensors and named texts, as one file holds them.
[<NoEquality; NoComparison>]
type TensorFile = { Tensors: (string * torch.Tensor) list; Texts: Map<string, string> }

/// The safetensors file format (8 bytes of header length, a JSON header, raw little-endian data): weights that any
/// language reads. Files are written whole or not at all: to a temporary name, flushed to the disk, then renamed.
[<RequireQualifiedAccess>]
module Safetensors =

    let private typeNames = [ torch.float32, "F32"; torch.float64, "F64"; torch.int64, "I64" ]

    let private nameOf (dtype: torch.ScalarType) =
        match typeNames |> List.tryFind (fun (known, _) -> known = dtype) with
        | Some(_, name) -> name
        | None -> invalidArg (nameof dtype) $"Tensors of type {dtype} are not stored; use float32, float64 or int64."

    let private refuse path why =
        raise (InputException $"{path}: {why} The file is damaged or not a safetensors file; copy it again or remove it.")

    let private writeTensor (stream: Stream) (tensor: torch.Tensor) =
        Memory.plain (fun () -> stream.Write(Span<byte>.op_Implicit(tensor.detach().cpu().contiguous().bytes)))

    let private header (tensors: (string * torch.Tensor) list) (texts: Map<string, string>) =
        let root = JsonObject()
        let metadata = JsonObject()

        for text in texts do
            metadata[text.Key] <- JsonValue.Create text.Value

        root["__metadata__"] <- metadata

        (0L, tensors)
        ||> List.fold (fun offset (name, tensor) ->
            let size = tensor.numel () * int64 (tensor.element_size ())
            let entry = JsonObject()
            entry["dtype"] <- JsonValue.Create(nameOf tensor.dtype)
            entry["shape"] <- JsonArray(tensor.shape |> Array.map (fun n -> JsonValue.Create n :> JsonNode))
            entry["data_offsets"] <- JsonArray(JsonValue.Create offset, JsonValue.Create(offset + size))
            root[name] <- entry
            offset + size)
        |> ignore

        let text = root.ToJsonString()
        // The data starts at a multiple of eight.
        Text.Encoding.UTF8.GetBytes(text.PadRight((text.Length + 7) / 8 * 8))

    /// Writes tensors (of any device) and texts. Raises InputException, naming the file, where it cannot be written; an older
    /// file of that name then stays as it was.
    let save (path: string) (file: TensorFile) : unit =
        let head = header file.Tensors file.Texts

        let write (stream: Stream) =
            stream.Write(BitConverter.GetBytes(uint64 head.Length), 0, 8)
            stream.Write(head, 0, head.Length)

            for _, tensor in file.Tensors do
                writeTensor stream tensor

        WholeFile.Write(path, write)

    /// Headers are small; a longer one is no header.
    let private longestHeader = 100_000_000UL

    let private readTensor path (stream: Stream) start (name: string) (entry: JsonNode) =
        let kind = entry["dtype"].GetValue<string>()
        let shape = entry["shape"].AsArray() |> Seq.map _.GetValue<int64>() |> Array.ofSeq
        let first, last = entry["data_offsets"].[0].GetValue<int64>(), entry["data_offsets"].[1].GetValue<int64>()

        let dtype, size =
            match typeNames |> List.tryFind (fun (_, known) -> known = kind) with
            | Some(dtype, _) -> dtype, (if dtype = torch.float32 then 4L else 8L)
            | None -> refuse path $"The tensor '{name}' has the type {kind}, which is not read here."

        let bytes = shape |> Array.fold (fun product n -> Checked.(*) product n) size

        if Array.exists (fun n -> n < 0L) shape || first < 0L || last - first <> bytes || last > stream.Length - start then
            refuse path $"The tensor '{name}' lies outside the file."

        let tensor = torch.empty (shape, dtype = dtype)
        stream.Position <- start + first
        stream.ReadExactly tensor.bytes
        tensor

    let private readHeader path (stream: Stream) =
        let size = Array.zeroCreate<byte> 8

        if stream.ReadAtLeast(Span size, 8, false) < 8 then
            refuse path $"It has only {stream.Length} bytes."

        let length = BitConverter.ToUInt64(size, 0)

        if length > min longestHeader (uint64 (stream.Length - 8L)) then
            refuse path "Its header is cut off."

        let text = Array.zeroCreate<byte>(int length)
        stream.ReadExactly(Span text)
        JsonNode.Parse(ReadOnlySpan<byte> text).AsObject(), 8L + int64 length

    let private readTexts (header: JsonObject) =
        match header["__metadata__"] with
        | null -> Map.empty
        | metadata -> metadata.AsObject() |> Seq.map (fun pair -> pair.Key, pair.Value.GetValue<string>()) |> Map.ofSeq

    let private read path (stream: Stream) =
        let header, start = readHeader path stream

        { Tensors =
            [ for KeyValue(name, entry) in header do
                  if name <> "__metadata__" then name, readTensor path stream start name entry ]
          Texts = readTexts header }

    /// Reads a file of any size; the tensors are on the CPU and belong to the caller. Raises InputException, naming the file,
    /// where it is missing, cut off, damaged or of another kind.
    let load (path: string) : TensorFile =
        if not (File.Exists path) then
            raise (InputException $"{path}: there is no such file. Check the path.")

        use stream = File.OpenRead path

        try
            Memory.scoped (fun file -> List.map snd file.Tensors) (fun () -> read path stream)
        with
        | :? Text.Json.JsonException
        | :? NullReferenceException
        | :? InvalidOperationException
        | :? ArgumentException
        | :? FormatException
        | :? OverflowException -> refuse path "Its header makes no sense."
