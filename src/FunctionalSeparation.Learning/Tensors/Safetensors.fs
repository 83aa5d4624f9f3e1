namespace FunctionalSeparation.Learning

open System
open System.IO
open System.Text.Json
open System.Text.Json.Nodes
open TorchSharp
open FunctionalSeparation.Core

/// Named tensors and named texts, as one file holds them.
[<NoEquality; NoComparison>]
type TensorFile =
    {
        /// Tensors of any shape [...] by name, in the order of the file; of float16, float32, float64 or int64.
        Tensors: (string * torch.Tensor) list
        /// Texts by name.
        Texts: Map<string, string>
    }

/// The safetensors file format (8 bytes of header length, a JSON header, raw little-endian data): weights that programs in any
/// language can read. Files are written completely or not at all: to a temporary name, flushed to the disk, then renamed. Reading
/// refuses files that violate the format: duplicate names, or data that overlaps, has gaps or extends beyond the last tensor.
[<RequireQualifiedAccess>]
module Safetensors =

    /// Types with their names and bytes.
    let private types =
        [ torch.float16, "F16", 2L; torch.float32, "F32", 4L; torch.float64, "F64", 8L; torch.int64, "I64", 8L ]

    let private nameOf (dtype: torch.ScalarType) =
        match types |> List.tryFind (fun (known, _, _) -> known = dtype) with
        | Some(_, name, _) -> name
        | None -> invalidArg (nameof dtype) $"Tensors of type {dtype} are not stored; use float16, float32, float64 or int64."

    let private textsName = "__metadata__"

    let private refuse why = raise (InputException why)

    let private writeTensor (stream: Stream) (tensor: torch.Tensor) =
        Memory.plain (fun () -> stream.Write(Span<byte>.op_Implicit(tensor.detach().cpu().contiguous().bytes)))

    /// The header entry of a tensor, as the file has it.
    type private HeaderEntry = { dtype: string; shape: int64[]; data_offsets: int64[] }

    let private header (tensors: (string * torch.Tensor) list) (texts: Map<string, string>) =
        let root = JsonObject()
        let metadata = JsonObject()

        for text in texts do
            metadata[text.Key] <- JsonValue.Create text.Value

        root[textsName] <- metadata

        (0L, tensors)
        ||> List.fold (fun offset (name, tensor) ->
            let next = offset + tensor.numel () * int64 (tensor.element_size ())
            root[name] <- Json.write { dtype = nameOf tensor.dtype; shape = tensor.shape; data_offsets = [| offset; next |] }
            next)
        |> ignore

        let text = root.ToJsonString()
        // The data starts at a multiple of eight.
        Text.Encoding.UTF8.GetBytes(text.PadRight((text.Length + 7) / 8 * 8))

    let private requireNames (names: string list) =
        for name, count in List.countBy id names do
            if count > 1 then
                invalidArg (nameof names) $"Two tensors are called '{name}': one of them would be lost."

            if String.IsNullOrEmpty name || name = textsName then
                invalidArg (nameof names) $"'{name}' is no name for a tensor."

    /// Writes tensors (of any device) and texts. Raises InputException, naming the file, where it cannot be written; an older
    /// file of that name then stays as it was. Raises ArgumentException for a name that stands twice or is empty.
    let save (path: string) (file: TensorFile) : unit =
        requireNames (List.map fst file.Tensors)
        let head = header file.Tensors file.Texts

        let write (stream: Stream) =
            stream.Write(BitConverter.GetBytes(uint64 head.Length), 0, 8)
            stream.Write(head, 0, head.Length)

            for _, tensor in file.Tensors do
                writeTensor stream tensor

        WholeFile.Write(path, write)

    /// Headers are small; a longer one is no header.
    let private longestHeader = 100_000_000UL

    /// More than libtorch has.
    let private mostDimensions = 64

    /// The header entry of a tensor: its type, its shape, and the first and last (exclusive) byte of its data.
    type private Entry = { Name: string; Type: torch.ScalarType; Shape: int64[]; First: int64; Last: int64 }

    let private typeOf name (kind: string) =
        match types |> List.tryFind (fun (_, known, _) -> known = kind) with
        | Some(dtype, _, size) -> struct (dtype, size)
        | None -> refuse $"the tensor {Json.quoted name} has the type {Json.quoted kind}, which is not read here"

    /// Bytes of a tensor. A size of zero empties the tensor, and the other sizes must be such that they can be counted.
    let private bytes (size: int64) (shape: int64[]) =
        try
            let counted = shape |> Array.fold (fun product n -> Checked.(*) product (max 1L n)) size
            if Array.contains 0L shape then Some 0L else Some counted
        with :? OverflowException ->
            None

    let private entryOf (length: int64) (name: string, json: JsonElement) : Entry =
        let entry = Json.read<HeaderEntry> name json
        let struct (dtype, size) = typeOf name entry.dtype

        if entry.shape.Length > mostDimensions || Array.exists (fun n -> n < 0L) entry.shape then
            let place = name + ".shape"
            refuse $"the entry {Json.quoted place} is not a list of sizes"

        match entry.data_offsets with
        | [| first; last |] when 0L <= first && first <= last && last <= length && bytes size entry.shape = Some(last - first) ->
            { Name = name; Type = dtype; Shape = entry.shape; First = first; Last = last }
        | [| first; last |] when 0L <= min first last && max first last <= length ->
            refuse $"the tensor {Json.quoted name} has other offsets than its shape needs"
        | _ ->
            let place = name + ".data_offsets"
            refuse $"the entry {Json.quoted place} is not two places in the data"

    /// Every byte of the data belongs to one tensor.
    let private requireWhole (length: int64) (entries: Entry list) =
        let after expected entry =
            if entry.First <> expected then
                refuse $"the data of the tensor {Json.quoted entry.Name} does not begin where that of the one before ends"

            entry.Last

        if entries |> List.sortBy (fun entry -> entry.First, entry.Last) |> List.fold after 0L <> length then
            refuse "there is data that belongs to no tensor"

    let private readTensor (stream: Stream) (start: int64) (entry: Entry) =
        let tensor = torch.empty (entry.Shape, dtype = entry.Type)
        stream.Position <- start + entry.First
        stream.ReadExactly tensor.bytes
        entry.Name, tensor

    let private readHeader (stream: Stream) =
        let size = Array.zeroCreate<byte> 8
        stream.Position <- 0L

        if stream.ReadAtLeast(Span size, 8, false) < 8 then
            refuse $"it has only {stream.Length} bytes"

        let length = BitConverter.ToUInt64(size, 0)

        if length > min longestHeader (uint64 (stream.Length - 8L)) then
            refuse "its header is cut off"

        let text = Array.zeroCreate<byte>(int length)
        stream.ReadExactly(Span text)
        Json.parse (ReadOnlySpan text), 8L + int64 length

    let private textOf (name: string, json: JsonElement) = name, Json.read<string> $"{textsName}.{name}" json

    let private readAll (stream: Stream) : TensorFile =
        let header, start = readHeader stream
        let length = stream.Length - start
        let isTexts (name, _) = name = textsName
        let pairs = Json.pairs "the header" header

        let entries = pairs |> Seq.filter (isTexts >> not) |> Seq.map (entryOf length) |> List.ofSeq
        requireWhole length entries

        { Tensors = entries |> List.map (readTensor stream start)
          Texts = pairs |> Seq.filter isTexts |> Seq.collect (snd >> Json.pairs textsName) |> Seq.map textOf |> Map.ofSeq }

    /// Reads an open file, or one in memory, that messages call `name`: from its beginning, seeking. Tensors and errors as
    /// `load`: raises InputException for what is no safetensors file.
    let read (name: string) (stream: Stream) : TensorFile =
        try
            Memory.scoped (fun file -> List.map snd file.Tensors) (fun () -> readAll stream)
        with :? InputException as wrong ->
            let advice = "The file is damaged or not a safetensors file; copy it again or remove it."
            raise (InputException($"{name}: {wrong.Message}. {advice}", wrong))

    /// Reads a file of any size; the tensors are on the CPU, in the order of the header, and belong to the caller. Raises
    /// InputException, naming the file, where it is missing, cut off, damaged or of another kind.
    let load (path: string) : TensorFile = WholeFile.Read(path, read path)
