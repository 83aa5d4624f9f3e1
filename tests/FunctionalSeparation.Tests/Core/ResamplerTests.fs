module FunctionalSeparation.Tests.ResamplerTests

open System
open Expecto
open FsCheck
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

let private rates = [ 8000; 11_025; 16_000; 22_050; 32_000; 44_100; 48_000; 96_000 ]

let private pairs =
    [ for source in rates do
          for target in rates do
              if source <> target then source, target ]

/// Rates without a common factor, which have too many phases to keep a row of weights for each.
let private coprime =
    [ 44_101, 16_000; 16_000, 44_101; 15_991, 16_001; 8009, 95_989; 95_989, 8009; 48_017, 44_101; 5351, 16_000 ]

let private sine (frequency: float) rate length =
    Array.init length (fun n -> float32 (sin (2.0 * Math.PI * frequency * float n / float rate + 0.3)))

/// The largest magnitude, away from the ends by 0.3 s, which no filter here reaches.
let private peak rate (values: float[]) =
    let edge = rate * 3 / 10
    values[edge .. values.Length - edge - 1] |> Seq.map abs |> Seq.max

let private decibel (x: float) = 20.0 * log10 x

let private errorOf frequency source target =
    let resampled = Resampler.Resample(sine frequency source source, source, target)
    let truth = sine frequency target resampled.Length
    peak target (Array.map2 (fun (a: float32) (b: float32) -> float a - float b) resampled truth) |> decibel

let private passBand =
    testList
        "a sine below 0.95 of the smaller Nyquist frequency stays that sine"
        [ for source, target in pairs @ coprime do
              testCase $"{source} Hz to {target} Hz"
              <| fun () ->
                  for part in [ 0.003; 0.4; 0.8; 0.95 ] do
                      let frequency = part * float (min source target) / 2.0
                      Expect.isLessThan (errorOf frequency source target) -95.0 $"error in dB at {frequency} Hz" ]

let private stopBand =
    testList
        "what the target cannot hold is at least 100 dB down"
        [ for source, target in pairs @ coprime do
              if target < source then
                  testCase $"{source} Hz to {target} Hz"
                  <| fun () ->
                      for part in [ 0.0; 0.02; 0.37; 0.9 ] do
                          let nyquist = float target / 2.0
                          let frequency = nyquist + 1.0 + part * (float source / 2.0 - nyquist)
                          let resampled = Resampler.Resample(sine frequency source source, source, target)

                          Expect.isLessThan
                              (decibel (peak target (Array.map float resampled)))
                              -100.0
                              $"alias of {frequency} Hz in dB" ]

/// Kaiser's windowed sinc at a time, in samples of the input, written out anew.
let private weight up down (time: float) =
    let bessel x =
        let rec series k sum term =
            if term <= 1e-17 * sum then
                sum
            else
                let term = term * (x / float (2 * k) * (x / float (2 * k)))
                series (k + 1) (sum + term) term

        series 1 1.0 1.0

    let smaller = min 1.0 (float up / float down)
    let beta = 0.1102 * (110.0 - 8.7)
    let cutoff = smaller * (1.0 + 0.95) / 2.0
    let half = (110.0 - 7.95) / (2.285 * (Math.PI * (1.0 - 0.95) * smaller)) / 2.0
    let inside = 1.0 - time / half * (time / half)
    let angle = Math.PI * cutoff * time
    let sinc = if angle = 0.0 then 1.0 else sin angle / angle

    if inside < 0.0 then
        0.0
    else
        cutoff * sinc * bessel (beta * sqrt inside) / bessel beta

let private laws =
    testList
        "laws"
        [ testProperty "the length is ceil(n target / source)"
          <| fun (NonNegativeInt n) (i: int) ->
              let source, target = pairs[(i &&& 0xFFFF) % pairs.Length]
              let n = n * 37 % 3000
              let expected = (int64 n * int64 target + int64 source - 1L) / int64 source
              Expect.equal (Resampler.Resample(Array.zeroCreate n, source, target).LongLength) expected "the length is right"
          testCase "the same rate gives the same samples"
          <| fun () ->
              let audio = AudioBuffer([| sine 440.0 8000 100 |], 8000)
              Expect.isTrue (obj.ReferenceEquals(Resampler.Resample(audio, 8000), audio)) "the sound itself is given back"
              Expect.isTrue (obj.ReferenceEquals(Resampler.Resample(audio.Channels[0], 8000, 8000), audio.Channels[0])) "array"
          testCase "an impulse stays where it is, and its response is symmetric"
          <| fun () ->
              let impulse = Array.init 4001 (fun n -> if n = 2000 then 1.f else 0.f)
              let response = Resampler.Resample(impulse, 48_000, 16_000 * 6)
              Expect.equal (Array.IndexOf(response, Array.max response)) 4000 "the impulse stays where it is"

              for lag in 1..600 do
                  Expect.equal response[4000 + lag] response[4000 - lag] $"lag {lag}"
          testCase "a constant stays constant"
          <| fun () ->
              for source, target in pairs @ coprime do
                  let flat = Resampler.Resample(Array.create source 1.f, source, target) |> Array.map (fun v -> float v - 1.0)
                  Expect.isLessThan (decibel (peak target flat)) -100.0 $"ripple in dB, {source} Hz to {target} Hz"
          testCase "a table stays small, whatever the rates"
          <| fun () ->
              for source, target in pairs @ coprime @ [ 1000, 3_000_000; 2_999_999, 1000; 1009, 2_999_999; 2_999_999, 1009 ] do
                  let divisor = int (Numerics.BigInteger.GreatestCommonDivisor(source, target))
                  let filter = PolyphaseFilter(target / divisor, source / divisor)
                  Expect.isLessThanOrEqual (int64 (filter.Rows + 1) * int64 filter.Taps) 3_000_000L $"{source} Hz to {target} Hz"
          testCase "where each phase has its row, it is the formula's, to the last bit"
          <| fun () ->
              for up, down in [ 160, 441; 441, 160; 2, 1; 1, 2; 640, 147 ] do
                  let filter = PolyphaseFilter(up, down)
                  Expect.equal (filter.HasAllPhases, filter.Rows) (true, up) "each phase has a row of its own"

                  for phase in [ 0; 1; up / 2; up - 1 ] do
                      let expected =
                          [| for j in 0 .. 2 * filter.Before + 1 ->
                                 weight up down (float phase / float up + float filter.Before - float j) |]

                      Expect.equal (filter.Row(phase)[.. 2 * filter.Before + 1]) expected $"{up}/{down}, phase {phase}"
          testCase "rows between rows, to the last bit the same backwards"
          <| fun () ->
              let filter = PolyphaseFilter(16_000, 44_101)
              Expect.isFalse filter.HasAllPhases "too many phases"

              for index in 0 .. (filter.Rows - 1) / 2 do
                  let weights = filter.Row(index)[.. 2 * filter.Before + 1]
                  Expect.equal (Array.rev weights) (filter.Row(filter.Rows - index)[.. 2 * filter.Before + 1]) $"row {index}"
          testCase "a long sound has no seams"
          <| fun () ->
              let long = Resampler.Resample(sine 1234.5 44_100 300_000, 44_100, 16_000)
              let truth = sine 1234.5 16_000 long.Length
              let error = Array.map2 (fun (a: float32) (b: float32) -> float a - float b) long truth
              Expect.isLessThan (decibel (peak 16_000 error)) -95.0 "error in dB"
          testProperty "pieces joined are the whole, to the last bit, and stay behind by the latency at most"
          <| fun (lengths: NonNegativeInt list) (i: int) ->
              let pairs = pairs @ coprime
              let source, target = pairs[(i &&& 0xFFFF) % pairs.Length]
              let whole = sine 440.0 source (lengths |> List.sumBy (fun n -> n.Get * 997 % 50_000))
              let channel = Resampler.Channel(source, target)
              let mutable taken, given = 0, 0

              let pieces =
                  [ for n in lengths do
                        let n = n.Get * 997 % 50_000
                        let piece = channel.Push(ReadOnlySpan(whole, taken, n))
                        taken <- taken + n
                        given <- given + piece.Length

                        Expect.isGreaterThanOrEqual
                            (int64 given * int64 source)
                            (int64 (taken - channel.Latency) * int64 target)
                            "what has come out"

                        piece ]

              Expect.equal (Array.concat (pieces @ [ channel.Finish() ])) (Resampler.Resample(whole, source, target)) "joined"
          testCase "each channel is resampled by itself"
          <| fun () ->
              let left, right = sine 300.0 44_100 5000, sine 700.0 44_100 5000
              let both = Resampler.Resample(AudioBuffer([| left; right |], 44_100), 16_000)
              Expect.equal both.SampleRate 16_000 "the sound has the new rate"

              Expect.equal
                  (List.ofSeq both.Channels)
                  [ for c in [ left; right ] -> Resampler.Resample(c, 44_100, 16_000) ]
                  "each channel is resampled by itself"
          testCase "a rate below 1 Hz is refused"
          <| fun () ->
              Expect.throwsT<ArgumentOutOfRangeException> (fun () -> Resampler.Resample([| 1.f |], 8000, 0) |> ignore) "rate" ]

let private parts =
    testList
        "a part of a resampled channel is that part of the whole, to the last bit"
        [ for source, target in pairs @ coprime @ [ 16000, 15100 ] do
              testCase $"{source} Hz to {target} Hz"
              <| fun () ->
                  let samples = Key.uniforms 5000 (Key.ofSeed 1) |> Array.map float32
                  let whole = Resampler.Resample(samples, source, target)
                  Expect.equal (Resampler.LengthAt(5000L, source, target)) whole.LongLength "the length is known beforehand"

                  for start, count in [ 0, 1; 0, whole.Length; whole.Length / 3, whole.Length / 4; whole.Length - 7, 7; 9, 0 ] do
                      let part = Array.zeroCreate<float32> count
                      let read (first: int64) length = Array.sub samples (int first) length
                      Resampler.ResamplePart(5000L, source, target, int64 start, part.AsSpan(), read)
                      Expect.equal part (Array.sub whole start count) $"{count} samples from {start} on" ]

[<Tests>]
let tests = testList "Resampler" [ passBand; stopBand; laws; parts ]
