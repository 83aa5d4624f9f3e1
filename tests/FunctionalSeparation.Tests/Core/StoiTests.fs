module FunctionalSeparation.Tests.StoiTests

open System
open Expecto
open FsCheck
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

let private near digits (actual: float) (expected: float) message =
    Expect.isTrue (abs (actual - expected) < 10.0 ** -digits) $"{message}: {actual} is not {expected}"

let private noise seed count = Key.ofSeed seed |> Key.normals count |> Array.map float32

/// Something like speech: noise in bursts of a quarter of a second, twice a second louder.
let private speech seed count =
    noise seed count |> Array.mapi (fun i x -> x * float32 (1.0 + 0.9 * sin (Math.PI * 8.0 * float i / 10000.0)))

let private plus gain (a: float32[]) (b: float32[]) = Array.map2 (fun x y -> x + float32 gain * y) a b

let private segment (clean: float list) (processed: float list) =
    Memory.plain (fun () ->
        Stoi.SegmentCorrelation(torch.tensor (Array.ofList clean), torch.tensor (Array.ofList processed)).item<float>())

/// The measure from its definition: sums over a table of cosines, no FFT and no tensor; every frame is loud enough.
let private byDefinition (clean: float32[]) (processed: float32[]) =
    let window = Array.init 256 (fun n -> 0.5 - 0.5 * cos (2.0 * Math.PI * float (n + 1) / 257.0))
    let frames (x: float[]) = [| for start in 0..128 .. x.Length - 256 -> Array.map2 (*) x[start .. start + 255] window |]

    let overlapped (x: float32[]) =
        let cut = frames (Array.map float x)
        let sum = Array.zeroCreate ((cut.Length + 1) * 128)

        cut
        |> Array.iteri (fun i frame -> frame |> Array.iteri (fun n value -> sum[128 * i + n] <- sum[128 * i + n] + value))

        sum

    let cosines = Array.init 512 (fun i -> cos (2.0 * Math.PI * float i / 512.0))

    let power (frame: float[]) bin =
        let part phase = frame |> Array.mapi (fun n x -> x * cosines[(bin * n + phase) % 512]) |> Array.sum
        part 0 ** 2.0 + part 128 ** 2.0

    // Centres 150 Hz x 2^(k/3), edges 2^(1/6) to both sides, on a grid of 10000/512 Hz.
    let bin hertz = int (Math.Round(hertz / (10000.0 / 512.0)))

    let bands =
        [| for k in 0..14 ->
               let centre = 150.0 * 2.0 ** (float k / 3.0)
               [| bin (centre / 2.0 ** (1.0 / 6.0)) .. bin (centre * 2.0 ** (1.0 / 6.0)) - 1 |] |]

    let envelopes signal =
        [| for frame in frames (overlapped signal) -> [| for band in bands -> band |> Array.sumBy (power frame) |> sqrt |] |]

    let x, y = envelopes clean, envelopes processed

    let correlation band start =
        let x, y = [| for m in 0..29 -> x[start + m][band] |], [| for m in 0..29 -> y[start + m][band] |]
        let gain = sqrt ((x |> Array.sumBy (fun v -> v * v)) / (y |> Array.sumBy (fun v -> v * v)))
        let clipped = Array.map2 (fun x y -> min (gain * y) (x * (1.0 + 10.0 ** 0.75))) x y
        let centre (v: float[]) = let mean = Array.average v in v |> Array.map (fun u -> u - mean)
        let a, b = centre x, centre clipped
        let dot u v = Array.fold2 (fun sum p q -> sum + p * q) 0.0 u v
        dot a b / sqrt (dot a a * dot b b)

    List.average
        [ for band in 0..14 do
              for start in 0 .. x.Length - 30 -> correlation band start ]

[<Tests>]
let tests =
    testList
        "Stoi"
        [ test "a stretch by hand" {
              // Both have energy 25, so the gain is 1. Where the clean envelope is 0, so is the clipped one: (0, 4, 0, 0). Around
              // the means: (-7, 5, -7, 9)/4 and (-1, 3, -1, -1); their product is 5, their energies are 12.75 and 12.
              near 12.0 (segment [ 0.0; 3.0; 0.0; 4.0 ] [ 3.0; 4.0; 0.0; 0.0 ]) (5.0 / sqrt 153.0) "it is the value by hand"
              near 12.0 (segment [ 1.0; 2.0; 3.0 ] [ 30.0; 20.0; 10.0 ]) -1.0 "the reversed envelope correlates at -1"
              Expect.equal (segment [ 1.0; 2.0; 3.0 ] [ 0.0; 0.0; 0.0 ]) 0.0 "nothing left of it"
              Expect.equal (segment [ 2.0; 2.0; 2.0 ] [ 1.0; 2.0; 3.0 ]) 0.0 "nothing to follow"
          }

          test "the bands: 15, without gap, the first around 150 Hz, the last around 3810 Hz" {
              let bands = List.ofSeq Stoi.BandBins |> List.map (fun (struct (first, last)) -> first, last)
              Expect.equal bands.Length 15 "there are 15 bands"
              // 150 Hz / 2^(1/6) = 133.6 Hz is bin 6.84, x 2^(1/6) = 168.4 Hz is bin 8.62; 4276 Hz is bin 218.9.
              Expect.equal bands.Head (7, 9) "the first band is around 150 Hz"
              Expect.equal (snd (List.last bands)) 219 "the last band ends at bin 219"
              Expect.all (List.pairwise bands) (fun ((_, last), (first, _)) -> last = first) "no gap is between two bands"
          }

          test "it is what its definition says" {
              let clean = speech 1 6400
              let processed = plus 0.8 clean (noise 2 6400)
              near 5.0 (Stoi.Compute(clean, processed, 10000)) (byDefinition clean processed) "STOI is as its definition says"
          }

          testProperty "1 for the speech itself, whatever the scale"
          <| fun (seed: int) (PositiveInt gain) ->
              let clean = speech seed 8000
              near 6.0 (Stoi.Compute(clean, clean, 10000)) 1.0 "the speech itself scores 1"
              let processed = plus 1.0 clean (noise (seed + 1) 8000)
              let louder = processed |> Array.map (fun x -> x * float32 gain)
              near 5.0 (Stoi.Compute(clean, louder, 10000)) (Stoi.Compute(clean, processed, 10000)) "scale changes no score"

          test "more noise, less of it" {
              let clean, other = speech 3 20000, noise 4 20000

              let scores =
                  [ for gain in [ 0.0; 0.1; 0.3; 1.0; 3.0; 10.0 ] -> Stoi.Compute(clean, plus gain clean other, 10000) ]

              Expect.equal scores (List.sortDescending scores) "the score falls with the noise"
              Expect.isLessThan (List.last scores) 0.4 "in the end"
          }

          test "what happens in the pauses does not count" {
              let pause = Array.zeroCreate<float32> 6400
              let first, second = speech 5 12800, speech 6 12800
              let around (middle: float32[]) = Array.concat [ first; middle; second ]
              let noisy = plus 0.5 (around pause) (noise 7 32000)
              let speechOnly = Array.concat [ noisy[..12799]; noisy[19200..] ]
              let whole = Stoi.Compute(around pause, noisy, 10000)
              near 2.0 whole (Stoi.Compute(Array.append first second, speechOnly, 10000)) "without the pause"
          }

          test "other rates are resampled" {
              let clean = speech 8 30000
              let processed = plus 0.7 clean (noise 9 30000)
              let at16k x = Resampler.Resample(x, 10000, 16000)
              near 2.0 (Stoi.Compute(at16k clean, at16k processed, 16000)) (Stoi.Compute(clean, processed, 10000)) "at 16 kHz"
          }

          test "silent or short speech has no score; unequal lengths are an error" {
              let clean = speech 1 8000
              Expect.isTrue (Double.IsNaN(Stoi.Compute(Array.zeroCreate 8000, clean, 10000))) "silent speech has no score"
              Expect.isTrue (Double.IsNaN(Stoi.Compute(clean[..3000], clean[..3000], 10000))) "short speech has no score"
              Expect.isTrue (Double.IsNaN(Stoi.Compute(clean[..10], clean[..10], 10000))) "shorter than a frame"
              Expect.throwsT<ArgumentException> (fun () -> Stoi.Compute(clean, clean[1..], 10000) |> ignore) "lengths must fit"
          }

          test "what is no number, and envelopes that would broadcast" {
              let clean = speech 1 8000
              let broken = Array.append [| nanf |] clean[1..]
              Scratch.refusesArgument [ "not finite" ] (fun () -> Stoi.Compute(broken, clean, 10000) |> ignore)
              Expect.isTrue (Double.IsNaN(Stoi.Compute(clean, broken, 10000))) "a broken signal has no score"
              Expect.throwsT<ArgumentOutOfRangeException> (fun () -> Stoi.Compute(clean, clean, 0) |> ignore) "0 Hz is refused"

              Scratch.refusesArgument [ "Stoi"; "[30]"; "[1]" ] (fun () ->
                  Memory.plain (fun () -> Stoi.SegmentCorrelation(torch.ones 30L, torch.ones 1L)) |> ignore)
          } ]
