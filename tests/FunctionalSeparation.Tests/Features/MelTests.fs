module FunctionalSeparation.Tests.MelTests

open System
open Expecto
open FsCheck
open NWaves.FeatureExtractors
open NWaves.FeatureExtractors.Base
open NWaves.FeatureExtractors.Options
open NWaves.Windows
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

let private numbers (x: torch.Tensor) = x.contiguous().data<float>().ToArray()
let private noise seed (shape: int64 list) = Key.uniformTensor -1.0 1.0 shape (Key.ofSeed seed)
let private difference (a: torch.Tensor) (b: torch.Tensor) = (a - b).abs().max().item<float>()

/// NWaves computes in float32.
let private single = { absolute = 5e-6; relative = 1e-6 }

/// One column of the filters.
let private filter rate bins count index =
    Memory.plain (fun () -> (Mel.filters rate bins count torch.float64 torch.CPU).select(1L, index) |> numbers)

/// The centre of a filter in Hz, from the inverse of the mel formula: 700 (10^(m/2595) - 1).
let private centreHertz rate count index =
    let spacing = 2595.0 * log10 (1.0 + float rate / 1400.0) / float (count + 1)
    700.0 * (10.0 ** (float (index + 1) * spacing / 2595.0) - 1.0)

[<Tests>]
let tests =
    testList
        "Mel"
        [ test "a filter is largest at the bin next to its centre, and ends at the centres of its neighbours" {
              let rate, bins, count = 16000, 4097, 41
              let hertz bin = float bin * 8000.0 / float (bins - 1)

              for index in [ 0; 1; 20; 40 ] do
                  let weights = filter rate bins count index
                  let centre = centreHertz rate count index
                  let top = weights |> Array.indexed |> Array.maxBy snd |> fst
                  Expect.isLessThan (abs (hertz top - centre)) (hertz 1) $"centre of filter {index}"
                  let low = if index = 0 then 0.0 else centreHertz rate count (index - 1)
                  let high = if index = count - 1 then 8000.0 else centreHertz rate count (index + 1)

                  for bin in 0 .. bins - 1 do
                      let inside = hertz bin > low + 1e-6 && hertz bin < high - 1e-6
                      Expect.equal (weights[bin] > 1e-9) inside $"filter {index} at {hertz bin} Hz"
          }

          test "a triangle is straight on the mel axis: half way in mel it is one half" {
              // Two filters on 0 to 700 Hz: half the sample rate is 2595 log10 2 mel, the centres are at 1/3 and 2/3 of it, so
              // half way up the first is at 1/6: 700 (2^(1/6) - 1) Hz. Bins: 0, that, 2 x that, ...
              let half = 700.0 * (2.0 ** (1.0 / 6.0) - 1.0)
              let bins = 100001
              let weights = filter 1400 bins 2 0
              let bin = int (Math.Round(half / 700.0 * float (bins - 1)))
              Expect.floatClose { absolute = 1e-4; relative = 0.0 } weights[bin] 0.5 "half way in mel the weight is one half"
          }

          testProperty "the filters leave no gap: they sum to 1 from the first centre to the last"
          <| fun (PositiveInt more) ->
              let count, bins, rate = 2 + more % 60, 513, 16000

              let sums = Memory.plain (fun () -> (Mel.filters rate bins count torch.float64 torch.CPU).sum(1L) |> numbers)

              let first, last = centreHertz rate count 0, centreHertz rate count (count - 1)

              for bin in 0 .. bins - 1 do
                  let hertz = float bin * 8000.0 / float (bins - 1)

                  if hertz >= first && hertz <= last then
                      Expect.floatClose single sums[bin] 1.0 $"{hertz} Hz"
                  else
                      Expect.isTrue (sums[bin] >= 0.0 && sums[bin] < 1.0 + single.absolute) $"{hertz} Hz, outside"

          testProperty "the cosines are orthonormal, and all of them turn without loss"
          <| fun (PositiveInt n) ->
              Memory.plain (fun () ->
                  let length = 1 + n % 50
                  let whole = Mel.cosines length length torch.float64 torch.CPU
                  let identity = torch.eye (length, dtype = torch.float64)
                  Expect.isLessThan (difference (whole.t().matmul whole) identity) 5e-6 "the columns are orthonormal"
                  Expect.isLessThan (difference (whole.matmul (whole.t ())) identity) 5e-6 "the rows are orthonormal")

          test "a constant has only the constant cepstrum, n ones have sqrt n" {
              let cepstra =
                  Memory.plain (fun () ->
                      numbers (torch.ones(1L, 41L, dtype = torch.float64).matmul(Mel.cosines 41 13 torch.float64 torch.CPU)))

              Expect.floatClose single cepstra[0] (sqrt 41.0) "the constant coefficient is the root of 41"
              Expect.all cepstra[1..] (fun c -> abs c < single.absolute) "the other coefficients are zero"
          }

          testProperty "the delta of a ramp is its slope, the delta-delta of a parabola its second derivative"
          <| fun (a: int) (b: int) (c: int) ->
              Memory.plain (fun () ->
                  let t = Arithmetic.Integers(0L, 20L).to_type torch.float64
                  let ramp = t.mul(float a).add(float b).view(-1L, 1L)
                  Expect.allEqual (numbers (Mel.delta ramp)) (float a) "the delta is the slope"
                  let parabola = (t * t).mul(0.5 * float c).view(-1L, 1L)
                  let threefold = Mel.withDeltas parabola
                  Expect.equal threefold.shape [| 12L; 3L |] "four frames at each edge are lost"

                  for row in 0L .. 11L do
                      let time = float (row + 4L)
                      let expected = [| 0.5 * float c * time * time; float c * time; float c |]

                      Array.iter2
                          (fun (actual: float) wanted -> Expect.floatClose Accuracy.high actual wanted $"frame {time}")
                          (numbers threefold[row])
                          expected)

          test "deltas are those of NWaves, inside" {
              let rows = Array.init 20 (fun frame -> Array.map float32 (Key.uniforms 3 (Key.fold frame (Key.ofSeed 6))))
              let theirs = Collections.Generic.List<float32[]> rows
              FeaturePostProcessing.AddDeltas theirs

              let ours =
                  Memory.plain (fun () ->
                      (Mel.withDeltas (torch.tensor(Array.concat rows).view(20L, 3L))).data<float32>().ToArray()
                      |> Array.chunkBySize 9)

              for frame in 0..11 do
                  for actual, expected in Array.zip ours[frame] theirs[frame + 4] do
                      Expect.isLessThan (abs (actual - expected)) 1e-5f $"frame {frame + 4}"
          }

          test "MFCC are those of NWaves' extractor, but for what the logarithm of 1 + 10^6 x puts on the first" {
              let options = MfccOptions(SamplingRate = 16000, FeatureCount = 13, FilterBankSize = 41, FftSize = 1024)
              options.FrameDuration <- 0.064
              options.Window <- WindowType.Rectangular
              options.SpectrumType <- SpectrumType.Power
              let extractor = MfccExtractor options

              // Loud, so that 1 + 10^6 x is 10^6 x to float32.
              let sound = noise 7 [ 8192L ]
              let stft = Stft(1024, 512, StftWindow.Hann, false)
              let shown: FrameFeatures = { Features = Mfcc; Context = 1; InputScale = 1.0 }

              Memory.plain (fun () ->
                  let magnitude = (Spectra.magnitude stft sound).unsqueeze 1L
                  let frontEnd = { FrontEnd.huang2014 with Stft = stft }
                  let ours = Spectra.features frontEnd shown (Spectra.withMargins 4L magnitude)
                  let windowed = sound.unfold (0L, 1024L, 512L) * stft.Weights(torch.float64, torch.CPU)

                  for frame in 0L .. magnitude.shape[0] - 1L do
                      let theirs = Array.zeroCreate<float32> 13
                      extractor.ProcessFrame(Array.map float32 (numbers windowed[frame]), theirs)
                      theirs[0] <- theirs[0] + 6.0f * sqrt 41.0f

                      for actual, expected in Array.zip (Array.truncate 13 (numbers ours[frame])) theirs do
                          Expect.isLessThan (abs (actual - float expected)) 1e-4 $"frame {frame}")
          }

          testProperty "deltas do not look beyond their reach"
          <| fun (seed: int) ->
              Memory.plain (fun () ->
                  let frames = noise seed [ 30L; 2L; 3L ]
                  let whole = Mel.withDeltas frames
                  Expect.equal whole.shape [| 22L; 2L; 9L |] "four frames at each edge are lost"
                  let part = Mel.withDeltas (frames.narrow (0L, 7L, 12L))
                  Expect.equal (difference part (whole.narrow (0L, 7L, 4L))) 0.0 "the same frames") ]
