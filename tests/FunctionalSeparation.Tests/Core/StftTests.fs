module FunctionalSeparation.Tests.StftTests

open Expecto
open FsCheck
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

let private goldenSignal (dtype: torch.ScalarType) =
    torch.tensor([| for n in 0..4095 -> sin (0.01 * float n) + 0.5 * cos (0.37 * float n) |]).``to`` dtype

/// The reference stores the conjugate of the usual transform: (real, imaginary) parts, frame by frame.
let private goldenTransform =
    lazy (Golden.csv (Golden.path "stft/stft_full.csv") |> Array.map (fun row -> float row["re"], -(float row["im"])))

let private largestDifference (actual: torch.Tensor) (expected: torch.Tensor) =
    (actual - expected).abs().max().to_type(torch.float64).item<float>()

let private checkGolden dtype bound =
    Memory.plain (fun () ->
        let spectrogram = Stft.Huang2014.Forward(goldenSignal dtype)
        Expect.equal spectrogram.shape [| 7L; 513L |] "frames x bins"
        let expected (part: float * float -> float) = torch.tensor(goldenTransform.Value |> Array.map part).view(7L, 513L)
        let scale = goldenTransform.Value |> Array.map (fun (re, im) -> sqrt (re * re + im * im)) |> Array.max

        Expect.isLessThan
            (largestDifference spectrogram.real (expected fst) / scale)
            bound
            "real parts, relative to the largest magnitude"

        Expect.isLessThan (largestDifference spectrogram.imag (expected snd) / scale) bound "the imaginary parts are theirs")

let private settings =
    [ Stft.Huang2014
      Stft(512, 256, StftWindow.Sine, false)
      Stft(1024, 256, StftWindow.Hann, true)
      Stft(512, 256, StftWindow.Hann, true)
      Stft(64, 16, StftWindow.Sine, true) ]

let private noise seed (shape: int64 list) = Key.uniformTensor -1.0 1.0 shape (Key.ofSeed seed)

[<Tests>]
let tests =
    testList
        "Stft"
        [ test "float64 agrees with the authors' transform within 1e-12" { checkGolden torch.float64 1e-12 }
          test "float32 agrees with the authors' transform within 1e-5" { checkGolden torch.float32 1e-5 }

          test "the unpadded inverse agrees with the authors', tapered at both ends, within 1e-12" {
              Memory.plain (fun () ->
                  let expected = Golden.csv (Golden.path "stft/istft.csv") |> Array.map (fun row -> float row["y"])
                  let actual = Stft.Huang2014.Inverse(Stft.Huang2014.Forward(goldenSignal torch.float64))
                  Expect.isLessThan (largestDifference actual (torch.tensor expected)) 1e-12 "the samples are the authors'")
          }

          test "frames and samples of the unpadded transform" {
              for samples, frames in [ 1023L, 0L; 1024L, 1L; 1535L, 1L; 1536L, 2L; 4097L, 7L; 117761L, 229L; 140800L, 274L ] do
                  Expect.equal (Stft.Huang2014.Frames samples) frames $"{samples} samples"

              Expect.equal (Stft.Huang2014.Samples 229L) 117760L "samples of 229 frames"
          }

          testProperty "the centred transform inverts exactly, batches included"
          <| fun (seed: int) (PositiveInt extra) ->
              Memory.plain (fun () ->
                  for stft in settings |> List.filter _.Centred do
                      let length = int64 stft.FftSize + int64 (extra % 3000)
                      let x = noise seed [ 2L; 3L; length ]
                      let back = stft.Inverse(stft.Forward x, length)
                      Expect.isLessThan (largestDifference back x) 1e-12 $"{stft}")

          testProperty "the unpadded transform inverts exactly inside"
          <| fun (seed: int) (PositiveInt extra) ->
              Memory.plain (fun () ->
                  for stft in settings |> List.filter (fun stft -> not stft.Centred) do
                      let hop = int64 stft.HopLength
                      let x = noise seed [ 2L; int64 stft.FftSize * 3L + int64 (extra % 2000) ]
                      let back = stft.Inverse(stft.Forward x)
                      let inner (y: torch.Tensor) = y.narrow (-1L, hop, back.shape[1] - 2L * hop)
                      Expect.isLessThan (largestDifference (inner back) (inner x)) 1e-12 $"{stft}")

          testProperty "the transform is linear"
          <| fun (seed: int) ->
              Memory.plain (fun () ->
                  let x, y = noise seed [ 4000L ], noise (seed + 1) [ 4000L ]
                  let sum = Stft.Huang2014.Forward(x.mul 2.0 .+ y)
                  let parts = (Stft.Huang2014.Forward x).mul 2.0 .+ Stft.Huang2014.Forward y
                  Expect.isLessThan (largestDifference sum parts) 1e-11 "2x + y")

          test "a signal shorter than a window is an error that says so" {
              Memory.plain (fun () ->
                  let wrong =
                      Expect.throwsT<System.ArgumentException>(fun () -> Stft.Huang2014.Forward(torch.zeros 1023L) |> ignore)

                  wrong "1023 samples are refused")
          }

          test "what is no signal and no spectrogram is refused by its shape and type" {
              let refuses words (act: unit -> torch.Tensor) =
                  Scratch.refusesArgument ("Stft" :: words) (fun () -> Memory.plain (act >> ignore))

              let stft = Stft(64, 16, StftWindow.Hann, true)
              let unpadded = Stft(64, 16, StftWindow.Hann, false)
              let spectrogram (bins: int64) = torch.zeros (5L, bins, dtype = torch.complex64)
              refuses [ "[..., samples]"; "[] of float32" ] (fun () -> stft.Forward(torch.tensor 1.0f))

              refuses [ "float32 or float64"; "[100] of int16" ] (fun () -> stft.Forward(torch.zeros (100L, dtype = torch.int16)))

              refuses [ "[..., frames, 33]"; "[5, 32]" ] (fun () -> stft.Inverse(spectrogram 32L))
              refuses [ "[..., frames, 33]"; "[33] of" ] (fun () -> stft.Inverse((spectrogram 33L)[0L]))
              refuses [ "complexfloat32"; "[5, 33] of float32" ] (fun () -> stft.Inverse(torch.zeros (5L, 33L)))
              refuses [ "without frames" ] (fun () -> stft.Inverse((spectrogram 33L).narrow(0L, 0L, 0L)))
              refuses [ "int64" ] (fun () -> stft.Weights(torch.int64, torch.CPU))

              for wrong in [ -1L; 81L ] do
                  Scratch.refusesArgument [ "at most 80 samples"; $"{wrong}" ] (fun () ->
                      stft.Inverse(spectrogram 33L, wrong) |> ignore)

              Scratch.refusesArgument [ "5 frames give 128 samples" ] (fun () ->
                  unpadded.Inverse(spectrogram 33L, 100L) |> ignore)
          }

          test "settings that cannot be inverted are refused" {
              Memory.plain (fun () ->
                  for bad in
                      [ Stft(1024, 1024, StftWindow.Sine, false)
                        Stft(1024, 300, StftWindow.Hann, true)
                        Stft(1023, 341, StftWindow.Hann, true) ] do
                      Expect.throwsT<System.ArgumentException> (fun () -> bad.Forward(torch.zeros 4096L) |> ignore) $"{bad}")
          } ]
