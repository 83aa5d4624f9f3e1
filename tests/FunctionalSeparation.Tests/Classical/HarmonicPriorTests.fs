/// The predominant pitch, and the bins that it favours.
module FunctionalSeparation.Tests.HarmonicPriorTests

open System
open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

let private prior = HarmonicPrior.standard
let private stft = Stft(1024, 256, StftWindow.Hann, true)

/// Harmonics 1 to 10 of a pitch, each half as strong as its number says.
let private tone (pitch: float) =
    let sample i = Seq.sum [ for h in 1..10 -> sin (2.0 * Math.PI * float h * pitch * float i / 16000.0) / float h ]
    torch.tensor (Array.init 16000 sample)

[<Tests>]
let tests =
    testList
        "harmonic prior"
        [ test "pitches go from the lowest to the highest in equal steps of an octave" {
              let pitches = HarmonicPrior.pitches { prior with Lowest = 100.0; Highest = 400.0; Resolution = 12 }
              Expect.equal pitches.Length 25 "two octaves and the last"
              Expect.floatClose Accuracy.high pitches[0] 100.0 "the first pitch is the lowest"
              Expect.floatClose Accuracy.high pitches[12] 200.0 "twelve steps are an octave"
              Expect.floatClose Accuracy.high pitches[24] 400.0 "the last pitch is the highest"
          }

          for pitch in [ 150.0; 220.0; 500.0 ] do
              test $"the salience of a tone of {pitch} Hz is greatest there" {
                  Memory.plain (fun () ->
                      let spectra = Spectra.magnitude stft (tone pitch)
                      let salience = (HarmonicPrior.salience prior (16000.0 / 1024.0) spectra).mean [| 0L |]
                      let found = (HarmonicPrior.pitches prior)[int (salience.argmax().item<int64>())]
                      Expect.isLessThan (abs (Math.Log2(found / pitch))) (1.5 / float prior.Resolution) $"{found} Hz is found")
              }

          test "the path is the loudest where moves are free, and straight where they are dear" {
              let salience = [| [| 1.0; 0.0; 0.0 |]; [| 0.0; 0.0; 1.5 |]; [| 1.0; 0.0; 0.0 |] |]
              Expect.equal (HarmonicPrior.path 0.0 salience) [| 0; 2; 0 |] "free moves follow the loudest pitches"
              Expect.equal (HarmonicPrior.path 10.0 salience) [| 0; 0; 0 |] "dear moves keep the path straight"
          }

          testProperty "the path is the best of all paths"
          <| fun (seed: int) ->
              let salience = Array.init 4 (fun i -> Key.uniforms 3 (Key.fold i (Key.ofSeed seed)))

              let value (path: int list) =
                  let sound = path |> List.mapi (fun frame pitch -> salience[frame][pitch]) |> List.sum
                  sound - 0.3 * (path |> List.pairwise |> List.sumBy (fun (a, b) -> float (abs (a - b))))

              let rec paths length =
                  if length = 0 then
                      [ [] ]
                  else
                      [ for rest in paths (length - 1) do
                            for p in 0..2 -> p :: rest ]

              let best = paths 4 |> List.map value |> List.max
              Expect.floatClose Accuracy.high (HarmonicPrior.path 0.3 salience |> List.ofArray |> value) best "of all 81"

          test "weights are small on the harmonics alone" {
              Memory.plain (fun () ->
                  let spectra = Spectra.magnitude stft (tone 250.0)
                  let weights = HarmonicPrior.weights prior 16000 stft spectra
                  Expect.equal weights.shape spectra.shape "a weight a bin"
                  // 250 Hz is 16 bins.
                  let row = weights[30L].data<float>().ToArray()
                  Expect.equal row[16] prior.OnHarmonic "the first harmonic has the small weight"
                  Expect.equal row[48] prior.OnHarmonic "the third harmonic has the small weight"
                  Expect.equal row[24] prior.OffHarmonic "between harmonics the weight is large"
                  Expect.equal row[0] prior.OffHarmonic "below the first")
          } ]
