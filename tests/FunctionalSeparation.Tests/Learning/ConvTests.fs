/// Convolutions against libtorch's, and what they refuse.
module FunctionalSeparation.Tests.ConvTests

open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Tests.Layers

let private refuses words (act: unit -> unit) = Scratch.refusesArgument words (fun () -> Memory.plain act)

let private plain = Conv.settings 3 6 8

/// Settings, and the padding that keeps the size, by hand.
let private cases =
    [ plain, [| 1L; 1L |]
      { plain with Kernel = 5, 3; Stride = 1, 2 }, [| 2L; 1L |]
      { plain with Dilation = 2, 3 }, [| 2L; 3L |]
      { plain with Outputs = 6; Groups = 6; HasBias = false }, [| 1L; 1L |]
      { plain with Kernel = 1, 7; Groups = 2 }, [| 0L; 3L |]
      { plain with Kernel = 1, 1 }, [| 0L; 0L |]
      { plain with Kernel = 1, 1; HasBias = false }, [| 0L; 0L |] ]

let private pair (time: int, bins: int) = [| int64 time; int64 bins |]

[<Tests>]
let tests =
    testList
        "convolutions"
        [ for conv, padding in cases do
              test $"{(Conv.create conv).Name}, {conv}: the values of torch's conv2d, sizes divided by the stride" {
                  Memory.plain (fun () ->
                      let model, input = Conv.create conv, noise 1 [ 2L; 6L; 11L; 12L ]
                      let parameters = random 2 model
                      let weights = Params.split parameters |> Array.ofList
                      let bias = if conv.HasBias then weights[1] else null

                      let expected =
                          torch.nn.functional.conv2d (
                              input,
                              weights[0],
                              bias,
                              pair conv.Stride,
                              padding,
                              pair conv.Dilation,
                              int64 conv.Groups
                          )

                      let actual = output model parameters input
                      Expect.isLessThan (difference actual expected) 1e-12 "the values are those of torch's conv2d"
                      let up size stride = (size + stride - 1) / stride

                      Expect.equal
                          actual.shape[2..]
                          [| int64 (up 11 (fst conv.Stride)); int64 (up 12 (snd conv.Stride)) |]
                          "the stride divides the size")
              }

          test "a transposed convolution multiplies the size by its stride, and undoes a strided one's sums" {
              Memory.plain (fun () ->
                  for kernel, stride in [ (2, 2), (2, 2); (3, 3), (2, 2); (5, 4), (2, 3); (1, 1), (2, 2); (3, 1), (1, 1) ] do
                      let up = Conv.createTransposed { plain with Kernel = kernel; Stride = stride }
                      let size = (output up (random 1 up) (noise 2 [ 2L; 6L; 5L; 7L ])).shape
                      Expect.equal size [| 2L; 8L; int64 (5 * fst stride); int64 (7 * snd stride) |] $"{kernel} {stride}"

                  // <conv x, y> = <x, transposed y> for the same weights: both are one linear map and its transpose.
                  let down = Conv.create { plain with Stride = 2, 2; HasBias = false }
                  let up = Conv.createTransposed { plain with Inputs = 8; Outputs = 6; Stride = 2, 2; HasBias = false }
                  let parameters = random 1 down
                  let x, y = noise 2 [ 1L; 6L; 8L; 10L ], noise 3 [ 1L; 8L; 4L; 5L ]
                  let left = (output down parameters x * y).sum().item<float>()
                  let right = (x * output up (Params.create up.Layout parameters.Vector) y).sum().item<float>()
                  Expect.floatClose Accuracy.high left right "convolution and transposed convolution are adjoint")
          }

          test "an enlarging convolution has the values of torch's conv_transpose2d, bias included" {
              Memory.plain (fun () ->
                  let up, input = Conv.up 2 6 8, noise 2 [ 2L; 6L; 5L; 7L ]
                  let parameters = random 1 up
                  let weights = Params.split parameters |> Array.ofList
                  let expected = torch.nn.functional.conv_transpose2d (input, weights[0], weights[1], [| 2L; 2L |])
                  Expect.isLessThan (difference (output up parameters input) expected) 1e-12 "the values are those of torch")
          }

          test "the start is He's: a deep stack of rectified convolutions keeps its power" {
              Memory.plain (fun () ->
                  let layer = Conv.layer 3 32 32 --> Layer.activation Relu
                  let model = List.replicate 6 layer |> List.reduce (-->)
                  let input = (noise 1 [ 1L; 32L; 24L; 24L ]).relu()
                  let power (x: torch.Tensor) = (x * x).mean().item<float>()
                  let parameters = Model.init torch.float64 torch.CPU (Key.ofSeed 2) model
                  let ratio = power (output model parameters input) / power input
                  Expect.isTrue (ratio > 0.1 && ratio < 10.0) $"{ratio}")
          }

          test "patches: a kernel of its stride, side by side, what does not fill one left out" {
              Memory.plain (fun () ->
                  for factor in [ 2L; 3L ] do
                      let model, input = Conv.patches (int factor) 6 8, noise 1 [ 2L; 6L; 7L; 10L ]
                      let parameters = random 2 model
                      let actual = output model parameters input
                      Expect.equal actual.shape [| 2L; 8L; 7L / factor; 10L / factor |] "patches divide the size by the factor"
                      let weight, bias = (Params.split parameters)[0], (Params.split parameters)[1]
                      let patch = input.narrow(2L, factor, factor).narrow(3L, 2L * factor, factor)
                      let expected = (patch.unsqueeze 1L * weight).sum([| 2L; 3L; 4L |]) .+ bias
                      let given = actual.select(3L, 2L).select(2L, 1L)
                      Expect.isLessThan (difference given expected) 1e-12 "the patch at 1, 2")
          }

          test "bands: an even kernel that is its stride on one axis cuts that axis into patches" {
              let bands = Conv.create { Conv.settings 1 2 5 with Kernel = 1, 8; Stride = 1, 8 }
              let back = Conv.createTransposed { Conv.settings 1 5 2 with Kernel = 1, 8; Stride = 1, 8 }
              let input = noise 1 [ 1L; 2L; 7L; 24L ]
              let bands, parameters = bands --> back, random 2 (bands --> back)
              Expect.equal (output bands parameters input).shape input.shape "there and back"

              Scratch.refusesArgument [ "Kernel"; "1 x 8" ] (fun () ->
                  Conv.create { Conv.settings 1 2 5 with Kernel = 1, 8 } |> ignore)
          }

          test "what a convolution refuses" {
              let apply shape () = output (Conv.layer 3 6 8) (random 1 (Conv.layer 3 6 8)) (noise 1 shape) |> ignore

              refuses
                  [ "conv 3x3 8: wants images [batch, 6, time, bins] of float64, got [2, 5, 4, 4]" ]
                  (apply [ 2L; 5L; 4L; 4L ])

              refuses [ "conv 3x3 8: wants images"; "[4, 2, 6]" ] (apply [ 4L; 2L; 6L ])
              refuses [ "odd"; "2 x 2" ] (fun () -> Conv.layer 2 3 3 |> ignore)
              refuses [ "stride 1"; "odd" ] (fun () -> Conv.createTransposed (Conv.settings 2 3 3) |> ignore)
              refuses [ "4 groups"; "Inputs"; "6" ] (fun () -> Conv.create { plain with Groups = 4 } |> ignore)
              refuses [ "Stride of at least 1"; "0" ] (fun () -> Conv.create { plain with Stride = 0, 1 } |> ignore)
          } ]
