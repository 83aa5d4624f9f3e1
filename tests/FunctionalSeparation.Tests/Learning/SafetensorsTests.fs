module FunctionalSeparation.Tests.SafetensorsTests

open System
open System.IO
open System.Text
open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning

/// A file with this header and so many bytes of data, counting up.
let private file (header: string) (data: int) =
    let text = Encoding.UTF8.GetBytes header
    Array.concat [ BitConverter.GetBytes(uint64 text.Length); text; Array.init data byte ]

let private read (bytes: byte[]) = Safetensors.read "w.safetensors" (new MemoryStream(bytes))

let private entry name shape first last = $"\"{name}\":{{\"dtype\":\"F32\",\"shape\":{shape},\"data_offsets\":[{first},{last}]}}"

let private object (entries: string list) = "{" + String.concat "," entries + "}"

/// Headers that the format forbids or that this library does not support: words of the error message, header, bytes of data.
let private forbidden =
    [ "Duplicate", object [ entry "a" "[1]" 0 4; entry "a" "[1]" 4 8 ], 8
      "Duplicate", object [ "\"__metadata__\":{\"x\":\"1\",\"x\":\"2\"}"; entry "a" "[1]" 0 4 ], 4
      "Duplicate", """{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 4
      "'b' does not begin where that of the one before ends", object [ entry "a" "[2]" 0 8; entry "b" "[1]" 4 8 ], 8
      "'b' does not begin where that of the one before ends", object [ entry "a" "[1]" 0 4; entry "b" "[1]" 8 12 ], 12
      "'a' does not begin", object [ entry "a" "[1]" 4 8 ], 8
      "belongs to no tensor", object [ entry "a" "[1]" 0 4 ], 8
      "belongs to no tensor", "{}", 8
      "'a.offsets' is unknown", object [ entry "a" "[4]" 0 16 ] |> _.Replace("data_offsets", "offsets"), 16
      "'a.data_offsets' is not", object [ entry "a" "[4]" 0 16 ], 8
      "'a' has other offsets", object [ entry "a" "[3]" 0 16 ], 16
      "'a' has other offsets", object [ entry "a" "[4]" 16 0 ], 16
      "'a.shape' is not", object [ entry "a" "[-4]" 0 16 ], 16
      "'a.shape' is not", object [ entry "a" "[4.5]" 0 16 ], 16
      "'a.shape' is missing", """{"a":{"dtype":"F32","data_offsets":[0,4]}}""", 4
      "'a.order' is unknown", """{"a":{"dtype":"F32","shape":[1],"order":"F","data_offsets":[0,4]}}""", 4
      "the type 'BF16'", object [ entry "a" "[1]" 0 4 ] |> _.Replace("F32", "BF16"), 4
      "'__metadata__.x' is not a text", object [ "\"__metadata__\":{\"x\":1}"; entry "a" "[1]" 0 4 ], 4
      "'__metadata__' is no object", object [ "\"__metadata__\":[]"; entry "a" "[1]" 0 4 ], 4
      "'the header' is no object", "[]", 0
      "not JSON", "{\"a\"", 0 ]

[<Tests>]
let tests =
    testList
        "safetensors"
        [ for index, (words, header, data) in List.indexed forbidden do
              test $"refused, {index}: {words}" {
                  Scratch.refuses [ "w.safetensors"; words ] (fun () -> read (file header data) |> ignore)
              }

          test "a file cut off anywhere is refused" {
              let whole = file (object [ entry "a" "[4]" 0 16 ]) 16

              for length in 0 .. whole.Length - 1 do
                  Scratch.refuses [ "w.safetensors" ] (fun () -> read (Array.truncate length whole) |> ignore)
          }

          test "what is written is read again, of every type" {
              Scratch.inFolder (fun folder ->
                  let path = Path.Combine(folder, "w.safetensors")

                  Memory.plain (fun () ->
                      for dtype in [ torch.float16; torch.float32; torch.float64; torch.int64 ] do
                          let tensor = torch.tensor([| -3.0; -2.0; 0.0; 1.0; 7.0 |]).``to`` dtype
                          Safetensors.save path { Tensors = [ "a", tensor; "b", tensor.neg () ]; Texts = Map.empty }
                          let read = Map.ofList (Safetensors.load path).Tensors
                          Expect.equal read["a"].dtype dtype "the tensor has the type that was written"
                          let same (a: torch.Tensor) (b: torch.Tensor) = (a.eq b).all().item<bool>()
                          Expect.isTrue (same read["a"] tensor && same read["b"] (tensor.neg ())) $"{dtype}"))
          }

          test "the order of the header is free, and empty tensors lie anywhere" {
              Memory.plain (fun () ->
                  let header =
                      object [ entry "b" "[1]" 4 8; entry "none" "[0,3]" 4 4; entry "a" "[1]" 0 4; entry "one" "[]" 8 12 ]

                  let read = read (file (header + "   ") 12)
                  Expect.equal (List.map fst read.Tensors) [ "b"; "none"; "a"; "one" ] "in the order of the header"
                  let tensors = Map.ofList read.Tensors
                  let bits name = tensors[name].item<float32>() |> BitConverter.SingleToInt32Bits
                  Expect.equal [ bits "a"; bits "b"; bits "one" ] [ 0x03020100; 0x07060504; 0x0b0a0908 ] "each its own data")
          }

          test "a name that stands twice is not written: one of the two would be lost" {
              Scratch.inFolder (fun folder ->
                  let path = Path.Combine(folder, "w.safetensors")

                  for names, words in [ [ "a"; "b"; "a" ], "'a'"; [ "" ], "''"; [ "__metadata__" ], "__metadata__" ] do
                      Memory.plain (fun () ->
                          let tensors = [ for name in names -> name, torch.zeros 2L ]

                          let wrong =
                              Expect.throwsC
                                  (fun () -> Safetensors.save path { Tensors = tensors; Texts = Map.empty })
                                  (fun wrong -> wrong)

                          Expect.equal (wrong.GetType()) typeof<ArgumentException> "a fault of the program"
                          Expect.stringContains wrong.Message words "the message names what is wrong")

                  Expect.isFalse (File.Exists path) "no file is written")
          }

          test "a missing file, a folder" {
              Scratch.inFolder (fun folder ->
                  let missing = Path.Combine(folder, "nowhere.safetensors")
                  Scratch.refuses [ missing; "does not exist" ] (fun () -> Safetensors.load missing |> ignore)
                  Scratch.refuses [ folder; "is a folder" ] (fun () -> Safetensors.load folder |> ignore))
          } ]
