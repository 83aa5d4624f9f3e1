/// Augmentations, by what is measured of the sound that comes out.
module FunctionalSeparation.Tests.AugmentTests

open System
open Expecto
open FsCheck
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning

let private rate = 16000

/// Harmonics 1 to 5 of a pitch in Hz.
let private tone (pitch: float) samples =
    Array.init samples (fun n ->
        [ for h in 1..5 -> sin (2.0 * Math.PI * float h * pitch * float n / float rate) / float h ]
        |> List.sum
        |> fun value -> float32 (0.3 * value))

let private energy (signal: float32[]) = signal |> Array.averageBy (fun x -> float x * float x)
let private decibels (ratio: float) = 10.0 * log10 ratio

/// How strong a frequency in Hz is in a signal.
let private strength (signal: float32[]) (hertz: float) =
    let angle n = 2.0 * Math.PI * hertz * float n / float rate
    let part wave = signal |> Array.mapi (fun n x -> float x * wave (angle n)) |> Array.sum
    part cos ** 2.0 + part sin ** 2.0

/// How many cents from a pitch in Hz the strongest frequency lies, within 40 cents, in the middle of a signal.
let private centsFrom (pitch: float) (signal: float32[]) =
    let middle = signal[signal.Length / 2 - 4096 .. signal.Length / 2 + 4095]
    [ -40.0 .. 40.0 ] |> List.maxBy (fun cents -> strength middle (pitch * 2.0 ** (cents / 1200.0)))

let private noise seed samples = Key.uniforms samples (Key.ofSeed seed) |> Array.map (fun x -> float32 (x - 0.5))

/// Gain of a filter at a frequency in Hz, in decibels, measured from its impulse response.
let private responseAt (filter: float32[] -> float32[]) (hertz: float) =
    let response = filter (Array.init 2048 (fun n -> if n = 0 then 1.0f else 0.0f))
    decibels (strength response hertz)

[<Tests>]
let tests =
    testList
        "augmentation"
        [ for factor in [ 0.5; 0.83; 0.99; 1.01; 1.37; 2.0 ] do
              test $"stretched {factor} times, a tone is as much longer and has its pitch and its level" {
                  let sound = tone 220.0 24000
                  let stretched = Augment.stretch factor rate sound
                  Expect.equal stretched.Length (int (round (factor * 24000.0))) "the length is stretched by the factor"
                  Expect.isLessThan (abs (centsFrom 220.0 stretched)) 1.5 "pitch in cents"
                  Expect.isLessThan (abs (decibels (energy stretched / energy sound))) 0.1 "level in dB"
              }

              test $"stretched {factor} times, what sounds for a while sounds at its new place" {
                  let sound = Array.concat [ Array.zeroCreate 8000; tone 220.0 8000; Array.zeroCreate 16000 ]
                  let stretched = Augment.stretch factor rate sound
                  let at seconds = int (seconds * factor * float rate)
                  let inside, all = stretched[at 0.48 .. at 1.02] |> Array.sumBy abs, stretched |> Array.sumBy abs
                  Expect.isGreaterThan (inside / all) 0.97f "share of the sound between 0.48 and 1.02 s"
                  Expect.isGreaterThan (energy stretched[at 0.55 .. at 0.95] / energy sound[9000..15000]) 0.9 "the level stays"
              }

          for semitones in [ -12.0; -5.0; 0.5; 3.0; 7.0; 12.0 ] do
              test $"transposed by {semitones} semitones, a tone has another pitch and the same length and level" {
                  let sound = tone 220.0 24000
                  let transposed = Augment.transpose semitones rate sound
                  Expect.equal transposed.Length 24000 "the length stays as it was"
                  // Rates in steps of 100 Hz: 50 Hz in 8000 are 11 cents.
                  Expect.isLessThan (abs (centsFrom (220.0 * 2.0 ** (semitones / 12.0)) transposed)) 12.0 "pitch in cents"
                  Expect.isLessThan (abs (decibels (energy transposed / energy sound))) 0.2 "level in dB"
              }

          test "stretched once and transposed by nothing, a signal stays what it is" {
              let sound = noise 1 5000
              Expect.equal (Augment.stretch 1.0 rate sound) sound "stretched once it is the same"
              Expect.equal (Augment.transpose 0.0 rate sound) sound "transposed by nothing it is the same"
          }

          test "signals shorter than a window, and none, have their lengths" {
              for samples in [ 0; 1; 100 ] do
                  Expect.equal (Augment.stretch 1.5 rate (noise 1 samples)).Length (int (round (1.5 * float samples))) "stretched"
                  Expect.equal (Augment.transpose 4.0 rate (noise 1 samples)).Length samples "transposing keeps the length"
          }

          for factor in [ 0.8; 1.25 ] do
              test $"formants moved by {factor}: the harmonics stay in their places, the loudest is another" {
                  let harmonics = [ for number in 1..40 -> 120.0 * float number ]
                  let levelOf hertz = exp (-(abs (hertz - 1200.0) / 300.0)) + 0.01

                  let voice n =
                      harmonics |> List.sumBy (fun hertz -> levelOf hertz * cos (2.0 * Math.PI * hertz * float n / float rate))

                  let sound = Array.init 16000 (voice >> float32)
                  let moved = Augment.formants factor rate sound
                  let spectrum = torch.fft.rfft(torch.tensor moved).abs()

                  let powerNear (hertz: float) =
                      spectrum.narrow(0L, int64 hertz - 3L, 7L).squared().sum().item<float32>() |> float

                  let loudest = harmonics |> List.maxBy powerNear
                  Expect.isTrue (abs (loudest - 1200.0 * factor) <= 120.0) $"the loudest lies at {loudest} Hz"
                  let between = harmonics |> List.sumBy (fun hertz -> powerNear (hertz + 60.0))
                  Expect.isLessThan between (0.01 * List.sumBy powerNear harmonics) "energy between harmonics"
                  Expect.isLessThan (abs (decibels (energy moved / energy sound))) 0.1 "level in dB"
              }

          test "formants moved by nothing, and of hardly any sound" {
              let sound = noise 1 4000

              for after, before in Array.zip (Augment.formants 1.0 rate sound) sound do
                  Expect.isLessThan (abs (after - before)) 1e-5f "moved by nothing it is the same"

              for samples in [ 0; 1; 100; 513 ] do
                  Expect.equal (Augment.formants 1.2 rate (noise 1 samples)).Length samples "the sound keeps its length"

              Expect.equal (Augment.formants 1.2 rate (Array.zeroCreate 4000)) (Array.zeroCreate 4000) "silence stays silence"
          }

          testProperty "6.02 dB are a factor of 2, and two polarities are silence"
          <| fun (seed: int) ->
              let sound = noise seed 100

              for louder, x in Array.zip (Augment.gain (20.0 * log10 2.0) sound) sound do
                  Expect.isLessThan (abs (louder - 2.0f * x)) 1e-6f "6.02 dB double a sample"

              Expect.equal (Array.map2 (+) sound (Augment.invert sound)) (Array.zeroCreate 100) "opposite polarities cancel"

          testPropertyWithConfig
              { FsCheckConfig.defaultConfig with maxTest = 20 }
              "an equalisation is a filter of its key: smooth, and not far beyond its range"
          <| fun (seed: int) ->
              let filter = Augment.equalise 6.0 rate (Key.ofSeed seed)
              let response = [ for step in 0..60 -> responseAt filter (40.0 * 1.09 ** float step) ]
              Expect.isLessThan (response |> List.map abs |> List.max) 18.0 "dB: three filters at most overlap"

              for low, high in List.pairwise response do
                  Expect.isLessThan (abs (high - low)) 3.0 "dB from one eighth of an octave to the next"

              let sound = noise seed 1000
              Expect.equal (filter sound) (Augment.equalise 6.0 rate (Key.ofSeed seed) sound) "the same key"
              Expect.notEqual (filter sound) (Augment.equalise 6.0 rate (Key.ofSeed (seed + 1)) sound) "another key differs"

          test "an equalisation changes what it can, and one of range 0 nothing" {
              let spread =
                  [ for seed in 1..20 do
                        for hertz in [ 100.0; 1000.0; 6000.0 ] -> responseAt (Augment.equalise 6.0 rate (Key.ofSeed seed)) hertz ]

              Expect.isGreaterThan (spread |> List.averageBy (fun x -> x * x) |> sqrt) 1.5 "typical gains exceed 1.5 dB"
              let sound = noise 3 1000

              for after, before in Array.zip (Augment.equalise 0.0 rate (Key.ofSeed 1) sound) sound do
                  Expect.isLessThan (abs (after - before)) 1e-4f "a range of 0 changes nothing"
          }

          test "numbers that make no sense are refused" {
              let refuses words act = Scratch.refusesArgument words (act >> ignore)
              let sound = noise 1 10
              refuses [ "between 0.5 and 2"; "2.5" ] (fun () -> Augment.stretch 2.5 rate sound)
              refuses [ "between 0.5 and 2"; "NaN" ] (fun () -> Augment.stretch nan rate sound)
              refuses [ "12 semitones"; "13" ] (fun () -> Augment.transpose 13.0 rate sound)
              refuses [ "12 semitones"; "NaN" ] (fun () -> Augment.transpose nan rate sound)
              refuses [ "between 0.5 and 2"; "2.5" ] (fun () -> Augment.formants 2.5 rate sound)
              refuses [ "between 0.5 and 2"; "NaN" ] (fun () -> Augment.formants nan rate sound)
              refuses [ "sampleRate"; "999" ] (fun () -> Augment.formants 1.2 999 sound)
              refuses [ "gain"; "NaN" ] (fun () -> Augment.gain nan sound)
              refuses [ "range"; "-1" ] (fun () -> Augment.equalise -1.0 rate (Key.ofSeed 1) sound)
              refuses [ "sampleRate"; "999" ] (fun () -> Augment.stretch 1.5 999 sound)
              refuses [ "sampleRate"; "0" ] (fun () -> Augment.transpose 1.0 0 sound)
              refuses [ "sampleRate"; "100" ] (fun () -> Augment.equalise 1.0 100 (Key.ofSeed 1) sound)
          } ]
