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

    /// Writes a file whole or not at all. `write` gets the open stream. Raises InputException, naming the file, where the
    /// disk is full or the folder cannot be written; an older file of that name then stays as it was.
    let writeWhole (path: string) (write: Stream -> unit) : unit =
        let temporary = $"{path}.{Environment.ProcessId}.part"

        try
            try
                Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath path)) |> ignore

                do
                    use stream = new FileStream(temporary, FileMode.Create, FileAccess.Write)
                    write stream
                    stream.Flush true

                File.Move(temporary, path, true)
            finally
                File.Delete temporary
        with
        | :? IOException
        | :? UnauthorizedAccessException as cause ->
            raise (
                InputException(
                    $"{path}: cannot be written ({cause.Message.TrimEnd '.'}). Free some space or choose another folder.",
                    cause
                )
            )

    /// Writes tensors (of any device) and texts.
    let save (path: string) (file: TensorFile) : unit =
        let head = header file.Tensors file.Texts

        writeWhole path (fun stream ->
            stream.Write(BitConverter.GetBytes(uint64 head.Length), 0, 8)
            stream.Write(head, 0, head.Length)

            for _, tensor in file.Tensors do
                writeTensor stream tensor)

    let private readTensor path (stream: Stream) start (name: string) (entry: JsonNode) =
        let kind = entry["dtype"].GetValue<string>()
        let shape = entry["shape"].AsArray() |> Seq.map (fun n -> n.GetValue<int64>()) |> Array.ofSeq
        let first, last = entry["data_offsets"].[0].GetValue<int64>(), entry["data_offsets"].[1].GetValue<int64>()

        let dtype =
            match typeNames |> List.tryFind (fun (_, known) -> known = kind) with
            | Some(dtype, _) -> dtype
            | None -> refuse path $"the tensor '{name}' has the type {kind}, which is not read here."

        let tensor = torch.empty (shape, dtype = dtype)

        if first < 0L || start + last > stream.Length || last - first <> tensor.numel () * int64 (tensor.element_size ()) then
            refuse path $"the tensor '{name}' lies outside the file."

        stream.Position <- start + first
        stream.ReadExactly tensor.bytes
        tensor

    let private readHeader path (stream: Stream) =
        let size = Array.zeroCreate<byte> 8

        if stream.ReadAtLeast(Span size, 8, false) < 8 then
            refuse path $"it has only {stream.Length} bytes."

        let length = BitConverter.ToUInt64(size, 0)

        if length > uint64 (stream.Length - 8L) then refuse path "its header is cut off."

        let text = Array.zeroCreate<byte>(int length)
        stream.ReadExactly(Span text)

        try
            JsonNode.Parse(ReadOnlySpan<byte> text).AsObject(), 8L + int64 length
        with :? Text.Json.JsonException ->
            refuse path "its header is not JSON."

    /// Reads a file of any size; the tensors are on the CPU and belong to the caller. Raises InputException, naming the file,
    /// where it is missing, cut off or of another kind.
    let load (path: string) : TensorFile =
        if not (File.Exists path) then raise (InputException $"{path}: there is no such file.")

        use stream = File.OpenRead path
        let header, start = readHeader path stream

        let tensors =
            [ for KeyValue(name, entry) in header do
                  if name <> "__metadata__" then name, readTensor path stream start name entry ]

        let texts =
            match header["__metadata__"] with
            | null -> Map.empty
            | metadata -> metadata.AsObject() |> Seq.map (fun pair -> pair.Key, pair.Value.GetValue<string>()) |> Map.ofSeq

        { Tensors = tensors; Texts = texts }
