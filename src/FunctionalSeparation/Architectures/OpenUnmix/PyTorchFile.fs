namespace FunctionalSeparation

open System
open System.IO
open System.IO.Compression
open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// Weights as PyTorch's `torch.save` writes them: a dictionary of named tensors, in the zip format (since PyTorch 1.6) or the
/// older one of several pickles. Any other content is refused, and no code that a file names is run.
[<RequireQualifiedAccess>]
module PyTorchFile =

    let private refuse why = raise (InputException why)

    let private storages =
        Map.ofList
            [ "torch.FloatStorage", torch.float32
              "torch.DoubleStorage", torch.float64
              "torch.HalfStorage", torch.float16
              "torch.BFloat16Storage", torch.bfloat16
              "torch.LongStorage", torch.int64
              "torch.IntStorage", torch.int32 ]

    let private rebuild = "torch._utils._rebuild_tensor_v2"

    let private isKnown name = name = rebuild || name = Pickle.orderedDictionary || storages.ContainsKey name

    /// Numbers of one type, side by side, of which a tensor is a view.
    type private Storage = { Key: string; Type: torch.ScalarType; Count: int64 }

    /// A tensor as the pickle describes it.
    type private Entry = { Name: string; Storage: Storage; Offset: int64; Shape: int64 list; Stride: int64 list }

    let private numbers name items =
        items
        |> List.map (function
            | Pickle.Whole number when number >= 0L -> number
            | _ -> refuse $"the tensor {Json.quoted name} has no shape")

    /// A tensor has no more elements than its storage, and none of them lies outside.
    let private requireInside (entry: Entry) =
        let product = List.fold (fun product size -> product * bigint (size: int64)) 1I entry.Shape

        let last =
            List.fold2
                (fun last size stride -> last + bigint (size - 1L: int64) * bigint (stride: int64))
                (bigint entry.Offset)
                entry.Shape
                entry.Stride

        if product > bigint entry.Storage.Count || (not product.IsZero && last >= bigint entry.Storage.Count) then
            refuse $"the tensor {Json.quoted entry.Name} is larger than its data"

    /// The storage of a tensor: the kind of its numbers, its name in the archive, its length, and what else there is.
    let private (|Storage|_|) =
        function
        | Pickle.Elsewhere(Pickle.Sequence(Pickle.Text "storage" :: Pickle.Name kind :: Pickle.Text key :: place)) ->
            match place with
            | Pickle.Text _ :: Pickle.Whole count :: rest -> Some(kind, key, count, rest)
            | _ -> None
        | _ -> None

    /// How a tensor lies in its storage: its first number, its shape and its stride.
    let private (|View|_|) =
        function
        | Pickle.Whole offset :: Pickle.Sequence shape :: Pickle.Sequence stride :: _ -> Some(offset, shape, stride)
        | _ -> None

    let private entryOf (name: Pickle.Value, value: Pickle.Value) : Entry =
        match name, value with
        | Pickle.Text name, Pickle.Made(call, Storage(kind, key, count, rest) :: View(offset, shape, stride)) when
            call = rebuild && storages.ContainsKey kind && shape.Length = stride.Length && offset >= 0L && count >= 0L
            ->
            match rest with
            | []
            | [ Pickle.Nothing ] -> ()
            | _ -> refuse $"the tensor {Json.quoted name} is a view of another storage, which is not read here"

            let entry =
                { Name = name
                  Storage = { Key = key; Type = storages[kind]; Count = count }
                  Offset = offset
                  Shape = numbers name shape
                  Stride = numbers name stride }

            requireInside entry
            entry
        | Pickle.Text name, _ -> refuse $"{Json.quoted name} is no tensor"
        | _ -> refuse "a tensor has no name"

    let private entriesOf (root: Pickle.Value) : Entry list =
        match root with
        | Pickle.Entries entries ->
            let entries = entries |> Seq.map entryOf |> List.ofSeq

            for name, count in List.countBy _.Name entries do
                if count > 1 then refuse $"two tensors are called {Json.quoted name}"

            for key, kinds in entries |> List.map _.Storage |> List.distinct |> List.groupBy _.Key do
                if kinds.Length > 1 then refuse $"the data {Json.quoted key} is of two types or lengths"

            entries
        | _ -> refuse "it is no dictionary of tensors"

    let private sizeOf (dtype: torch.ScalarType) =
        if dtype = torch.float64 || dtype = torch.int64 then 8L
        elif dtype = torch.float32 || dtype = torch.int32 then 4L
        else 2L

    let private bytesOf (storage: Storage) = bigint storage.Count * bigint (sizeOf storage.Type)

    let private readStorage (stream: Stream) (storage: Storage) =
        let tensor = torch.empty (storage.Count, dtype = storage.Type)
        stream.ReadExactly tensor.bytes
        tensor

    /// The tensors, of the storages that `find` gives.
    let private build (entries: Entry list) (find: string -> torch.Tensor) : TensorFile =
        let tensor entry =
            let view = (find entry.Storage.Key).as_strided(Array.ofList entry.Shape, Array.ofList entry.Stride, entry.Offset)
            entry.Name, view.clone ()

        { Tensors = List.map tensor entries; Texts = Map.empty }

    let private storagesOf entries = entries |> List.map _.Storage |> List.distinctBy _.Key

    let private crcTable =
        let step (value: uint32) = if value &&& 1u = 1u then 0xedb88320u ^^^ (value >>> 1) else value >>> 1
        Array.init 256 (fun index -> Seq.fold (fun value _ -> step value) (uint32 index) [ 1..8 ])

    /// The checksum of the zip format (CRC-32).
    let private checksum (bytes: Span<byte>) =
        let mutable sum = 0xffffffffu

        for index in 0 .. bytes.Length - 1 do
            sum <- crcTable[int ((sum ^^^ uint32 bytes[index]) &&& 0xffu)] ^^^ (sum >>> 8)

        ~~~sum

    let private entryIn (archive: ZipArchive) name =
        match archive.GetEntry name with
        | null -> refuse $"{Json.quoted name} is missing in it"
        | entry -> entry

    let private readStored (archive: ZipArchive) folder (storage: Storage) =
        let entry = entryIn archive $"{folder}data/{storage.Key}"

        if bigint entry.Length <> bytesOf storage || entry.CompressedLength <> entry.Length then
            refuse $"{Json.quoted entry.FullName} has another length than its tensors need"

        use stream = entry.Open()
        let tensor = readStorage stream storage

        if checksum tensor.bytes <> entry.Crc32 then
            refuse $"{Json.quoted entry.FullName} is damaged"

        storage.Key, tensor

    let private mostOfPickle = 1 <<< 26

    let private readAllOf (entry: ZipArchiveEntry) =
        if entry.Length > int64 mostOfPickle then
            refuse $"{Json.quoted entry.FullName} is too long"

        use stream = entry.Open()
        let bytes = Array.zeroCreate<byte>(int entry.Length)
        stream.ReadExactly(Span bytes)
        bytes

    let private readZip (stream: Stream) : TensorFile =
        use archive = new ZipArchive(stream, ZipArchiveMode.Read, true)

        let pickle =
            match archive.Entries |> Seq.filter (fun entry -> entry.Name = "data.pkl") |> List.ofSeq with
            | [ pickle ] -> pickle
            | _ -> refuse "it is a zip file, but none that PyTorch wrote"

        let folder = pickle.FullName.Substring(0, pickle.FullName.Length - pickle.Name.Length)

        match archive.GetEntry(folder + "byteorder") with
        | null -> ()
        | order when Text.Encoding.ASCII.GetString(readAllOf order) = "little" -> ()
        | _ -> refuse "its numbers are not little-endian"

        let entries = new MemoryStream(readAllOf pickle) |> Pickle.read isKnown |> entriesOf
        let tensors = storagesOf entries |> List.map (readStored archive folder) |> Map.ofList
        build entries (fun key -> tensors[key])

    /// The older format: three pickles that identify it, one of the tensors, one of the keys of their storages, then these.
    let private readOlder (stream: Stream) : TensorFile =
        let next () = Pickle.read isKnown stream
        next () |> ignore

        match next (), next () with
        | Pickle.Whole 1001L, Pickle.Entries system when
            system
            |> Seq.exists (function
                | Pickle.Text "little_endian", Pickle.Flag true -> true
                | _ -> false)
            ->
            ()
        | _ -> refuse "it is not of PyTorch's older format, or not little-endian"

        let entries = next () |> entriesOf
        let known = storagesOf entries |> List.map (fun storage -> storage.Key, storage) |> Map.ofList

        let readNext key =
            match key with
            | Pickle.Text key when known.ContainsKey key ->
                let storage = known[key]
                let count = Array.zeroCreate<byte> 8
                stream.ReadExactly(Span count)

                if
                    BitConverter.ToInt64(count, 0) <> storage.Count || bytesOf storage > bigint (stream.Length - stream.Position)
                then
                    refuse $"the data {Json.quoted key} has another length than its tensors need"

                key, readStorage stream storage
            | _ -> refuse "it holds data that belongs to no tensor"

        match next () with
        | Pickle.Items keys ->
            let tensors = keys |> Seq.map readNext |> Map.ofSeq

            for storage in known.Keys do
                if not (tensors.ContainsKey storage) then
                    refuse $"the data {Json.quoted storage} is missing"

            build entries (fun key -> tensors[key])
        | _ -> refuse "it does not say where its data lies"

    /// The magic number as a pickle, which begins the older format.
    let private olderMagic =
        [| 0x80uy
           2uy
           0x8auy
           10uy
           0x6cuy
           0xfcuy
           0x9cuy
           0x46uy
           0xf9uy
           0x20uy
           0x6auy
           0xa8uy
           0x50uy
           0x19uy
           0x2euy |]

    let private readEither (stream: Stream) =
        let start = Array.zeroCreate<byte> olderMagic.Length
        let read = stream.ReadAtLeast(Span start, start.Length, false)
        stream.Position <- 0L

        if read = start.Length && start = olderMagic then readOlder stream
        elif read > 2 && start[0] = 0x50uy && start[1] = 0x4buy then readZip stream
        else refuse "it is neither of PyTorch's two formats"

    /// Reads an open file, or one in memory, that messages call `name`, seeking. Tensors and errors as `load`.
    let internal read (name: string) (stream: Stream) : TensorFile =
        let refuse why cause =
            raise (InputException($"{name}: {why}. The file is damaged or holds no weights of PyTorch; get it again.", cause))

        try
            Memory.scoped (fun file -> List.map snd file.Tensors) (fun () -> readEither stream)
        with
        | :? InputException as wrong -> refuse wrong.Message wrong
        | :? EndOfStreamException as wrong -> refuse "it is cut off" wrong
        | :? InvalidDataException as wrong -> refuse "its zip archive is damaged" wrong

    /// Reads a file; the tensors are on the CPU, in the order of the dictionary, and belong to the caller. Raises InputException,
    /// naming the file, where it is missing, cut off, damaged, of another kind, or names a function that is not PyTorch's for
    /// tensors.
    let load (path: string) : TensorFile = WholeFile.Read(path, read path)
