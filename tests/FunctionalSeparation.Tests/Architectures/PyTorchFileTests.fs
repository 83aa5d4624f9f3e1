/// Files of PyTorch's weights: what is read, and what is refused. Files are made here byte by byte; those of PyTorch itself are
/// beside the repository (golden/openunmix).
module FunctionalSeparation.Tests.PyTorchFileTests

open System
open System.IO
open System.IO.Compression
open System.Text
open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Tests.Layers

/// Parts of a pickle.
let private ascii (text: string) = Encoding.ASCII.GetBytes text
let private text (value: string) = Array.concat [ "X"B; BitConverter.GetBytes value.Length; ascii value ]
let private whole (value: int) = Array.append "J"B (BitConverter.GetBytes value)
let private name (place: string) (what: string) = ascii $"c{place}\n{what}\n"
let private tuple items = Array.concat [ "("B; Array.concat items; "t"B ]
let private dictionary items = Array.concat [ name "collections" "OrderedDict"; ")R("B; Array.concat items; "u"B ]
let private pickle root = Array.concat [ [| 0x80uy; 2uy |]; root; "."B ]

/// A tensor that is a view of the storage of a key.
let private tensor (kind: string) key count offset shape stride =
    let storage = Array.append (tuple [ text "storage"; name "torch" kind; text key; text "cpu"; whole count ]) "Q"B
    let numbers values = tuple (List.map whole values)

    Array.concat
        [ name "torch._utils" "_rebuild_tensor_v2"
          tuple
              [ storage
                whole offset
                numbers shape
                numbers stride
                [| 0x89uy |]
                Array.append (name "collections" "OrderedDict") ")R"B ]
          "R"B ]

let private zipOf (entries: (string * byte[]) list) =
    use stream = new MemoryStream()

    (use archive = new ZipArchive(stream, ZipArchiveMode.Create, true)

     for name, bytes in entries do
         use entry = archive.CreateEntry(name, CompressionLevel.NoCompression).Open()
         entry.Write(bytes, 0, bytes.Length))

    stream.ToArray()

/// A zip file as PyTorch writes it.
let private zip (pickle: byte[]) (data: (string * byte[]) list) =
    zipOf (("w/data.pkl", pickle) :: [ for key, bytes in data -> $"w/data/{key}", bytes ])

let private floats (values: float32 list) = values |> List.map BitConverter.GetBytes |> Array.concat
let private six = floats [ 1f; 2f; 3f; 4f; 5f; 6f ]
let private read (bytes: byte[]) = PyTorchFile.read "w.pth" (new MemoryStream(bytes))

/// A file of one tensor `a` of float32.
let private one count offset shape stride =
    zip (pickle (dictionary [ text "a"; tensor "FloatStorage" "0" count offset shape stride ])) [ "0", six ]

let private good = one 6 0 [ 2; 3 ] [ 3; 1 ]

let private refused =
    [ "a function of the system",
      [ "'os.system'"; "nothing of it was run" ],
      zip (pickle (Array.concat [ name "os" "system"; tuple [ text "true" ]; "R"B ])) []
      "a class of its own", [ "'__main__.Model'" ], zip (pickle (name "__main__" "Model")) []
      "no dictionary", [ "no dictionary of tensors" ], zip (pickle (whole 3)) []
      "no tensor", [ "'a' is no tensor" ], zip (pickle (dictionary [ text "a"; whole 3 ])) []
      "a view beyond its storage", [ "'a' is larger" ], one 6 1 [ 2; 3 ] [ 3; 1 ]
      "a view with repeated elements", [ "'a' is larger" ], one 6 0 [ 2000000000 ] [ 0 ]
      "a negative size", [ "'a' has no shape" ], one 6 0 [ -2; 3 ] [ 3; 1 ]
      "a storage of another length", [ "another length" ], one 7 0 [ 2; 3 ] [ 3; 1 ]
      "a storage that is missing",
      [ "'w/data/1' is missing" ],
      zip (pickle (dictionary [ text "a"; tensor "FloatStorage" "1" 6 0 [ 6 ] [ 1 ] ])) [ "0", six ]
      "a name that stands twice",
      [ "two tensors"; "'a'" ],
      zip
          (pickle (
              dictionary
                  [ for _ in 1..2 do
                        text "a"
                        tensor "FloatStorage" "0" 6 0 [ 6 ] [ 1 ] ]
          ))
          [ "0", six ]
      "another opcode", [ "not understood" ], zip (pickle [| 0x95uy |]) []
      "a zip without a pickle", [ "none that PyTorch wrote" ], zipOf [ "w/x", [||] ]
      "another file", [ "neither of PyTorch's two formats" ], ascii "RIFF and so on, long enough"
      "nothing", [ "neither" ], [||] ]

[<Tests>]
let tests =
    testList
        "PyTorch files"
        [ test "tensors are views of their storages, of several types" {
              Memory.plain (fun () ->
                  let root =
                      dictionary
                          [ text "a"
                            tensor "FloatStorage" "0" 6 0 [ 2; 3 ] [ 3; 1 ]
                            text "turned"
                            tensor "FloatStorage" "0" 6 1 [ 2; 2 ] [ 1; 3 ]
                            text "count"
                            tensor "LongStorage" "1" 1 0 [] []
                            text "half"
                            tensor "BFloat16Storage" "2" 1 0 [ 1 ] [ 1 ] ]

                  let file = read (zip (pickle root) [ "0", six; "1", BitConverter.GetBytes 7L; "2", [| 0x80uy; 0x3fuy |] ])
                  let tensors = Map.ofList file.Tensors
                  Expect.equal (List.map fst file.Tensors) [ "a"; "turned"; "count"; "half" ] "the tensors keep their order"
                  Expect.equal (difference tensors["a"] (torch.tensor([| 1f .. 6f |]).view(2L, 3L))) 0.0 "a is a plain view"
                  Expect.equal (difference tensors["turned"] (torch.tensor([| 2f; 5f; 3f; 6f |]).view(2L, 2L))) 0.0 "is turned"
                  Expect.equal (tensors["count"].item<int64>()) 7L "the count is read as int64"
                  Expect.equal (tensors["half"].to_type(torch.float32).item<float32>()) 1f "a bfloat16 is read as well")
          }

          for what, words, bytes in refused do
              test $"refused: {what}" { Scratch.refuses ("w.pth" :: words) (fun () -> read bytes |> ignore) }

          test "a file cut off anywhere is refused" {
              for length in 0 .. good.Length - 1 do
                  Scratch.refuses [ "w.pth" ] (fun () -> read (Array.truncate length good) |> ignore)
          }

          test "a byte changed anywhere: read as it was, read otherwise, or refused; data with another checksum never" {
              for index in 0 .. good.Length - 1 do
                  let bytes = Array.mapi (fun i b -> if i = index then b ^^^ 0x15uy else b) good

                  try
                      Memory.plain (fun () ->
                          for _, tensor in (read bytes).Tensors do
                              if tensor.dtype = torch.float32 && tensor.numel () = 6L then
                                  Expect.equal (tensor.sum().item<float32>()) 21f $"byte {index}")
                  with :? Core.InputException as wrong ->
                      Expect.stringContains wrong.Message "w.pth" "the message names the file"
          }

          test "the files that PyTorch wrote, in both formats, hold the same, and a change to either is seen or harmless" {
              let folder = Golden.shared "golden/openunmix"

              Memory.plain (fun () ->
                  let both =
                      [ for name in [ "vocals-0000.pth"; "vocals.legacy-format" ] ->
                            PyTorchFile.load (Path.Combine(folder, name)) ]

                  Expect.equal (List.map fst both[0].Tensors) (List.map fst both[1].Tensors) "both files have the same names"

                  for (name, tensor), (_, other) in List.zip both[0].Tensors both[1].Tensors do
                      Expect.isTrue (tensor.equal other |> fun same -> same.all().item<bool>()) name)

              let older = File.ReadAllBytes(Path.Combine(folder, "vocals.legacy-format"))

              for index in 0..37..6000 do
                  let bytes = Array.mapi (fun i b -> if i = index then b ^^^ 0x41uy else b) older

                  try
                      Memory.plain (fun () -> read bytes |> ignore)
                  with :? Core.InputException as wrong ->
                      Expect.stringContains wrong.Message "w.pth" "the message names the file"

              for length in 0..997 .. older.Length - 1 do
                  Scratch.refuses [ "w.pth" ] (fun () -> read (Array.truncate length older) |> ignore)
          } ]
