module FunctionalSeparation.Tests.EventFileWriterTests

open System
open System.IO
open System.Text
open System.Threading
open Expecto
open FsCheck
open Tensorboard
open FunctionalSeparation.Core
open FunctionalSeparation.Tests.Scratch

let private write folder step (work: EventFileWriter -> unit) =
    // Names differ by the millisecond.
    Thread.Sleep 2
    use writer = new EventFileWriter(folder, step)
    work writer
    writer.Path

let private points folder tag =
    [ for step, name, value in EventFile.summaries folder do
          if name = tag then step, value.SimpleValue ]

[<Tests>]
let tests =
    testList
        "event files"
        [ test "CRC-32C of RFC 3720's examples and of the check string" {
              let crc (bytes: byte[]) = RecordFile.Crc32C(ReadOnlySpan bytes)
              Expect.equal (crc (Encoding.ASCII.GetBytes "123456789")) 0xE3069283u "the check string has its known checksum"
              Expect.equal (crc (Array.zeroCreate 32)) 0x8A9136AAu "32 zero bytes have RFC 3720's checksum"
              Expect.equal (crc (Array.create 32 0xFFuy)) 0x62A8AB43u "32 bytes of ones have RFC 3720's checksum"
          }

          test "the masked checksums of a record that TensorFlow wrote" {
              // The first record of one of its event files: 24 bytes that hold a time and a version.
              let payload =
                  Array.append
                      [| 9uy; 0uy; 0uy; 0xC0uy; 0x25uy; 0xDDuy; 0x75uy; 0xD5uy; 0x41uy; 0x1Auy; 13uy |]
                      (Encoding.ASCII.GetBytes "brain.Event:1")

              let expected =
                  Array.concat
                      [ [| 24uy; 0uy; 0uy; 0uy; 0uy; 0uy; 0uy; 0uy; 0xA3uy; 0x7Fuy; 0x4Buy; 0x22uy |]
                        payload
                        [| 0xECuy; 0xF3uy; 0x32uy; 0x8Duy |] ]

              use stream = new MemoryStream()
              RecordFile.Append(stream, ReadOnlySpan payload)
              Expect.equal (stream.ToArray()) expected "the whole record"
          }

          test "a file begins with its version; scalars keep step, tag and value" {
              inFolder (fun folder ->
                  let before = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds()

                  let path =
                      write folder 0L (fun writer ->
                          writer.Scalar(1L, "loss", 0.5)
                          writer.Scalar(300L, "dev/GNSDR (dB)", nan))

                  let events = EventFile.read path
                  Expect.hasLength events 3 "version and two points"
                  Expect.equal events.Head.FileVersion "brain.Event:2" "the file begins with its version"
                  Expect.isGreaterThanOrEqual (1000.0 * events[1].WallTime) (float before) "wall time in seconds"
                  Expect.equal (points folder "loss") [ 1L, 0.5f ] "the loss keeps its step and value"

                  Expect.equal
                      (points folder "dev/GNSDR (dB)" |> List.map (fun (step, _) -> step))
                      [ 300L ]
                      "a step of two bytes"

                  Expect.isTrue (Single.IsNaN(snd (points folder "dev/GNSDR (dB)").Head)) "NaN stays NaN")
          }

          testProperty "a histogram counts every finite value, in the bucket that its limits say"
          <| fun (NonEmptyArray(values: NormalFloat[])) ->
              let values = values |> Array.map (fun (NormalFloat x) -> float32 (x % 1e6))
              let histogram = Histogram.Of(ReadOnlySpan(Array.append values [| nanf; infinityf |]), 7)
              Expect.equal histogram.Count values.LongLength "every finite value is counted"
              Expect.equal (Array.sum histogram.Buckets) (float values.Length) "sum of the buckets"
              Expect.equal (histogram.Min, histogram.Max) (float (Array.min values), float (Array.max values)) "the range fits"
              Expect.equal (Array.last histogram.Limits) histogram.Max "the last limit"
              Expect.equal histogram.Limits (Array.sort histogram.Limits |> Array.distinct) "the limits rise without a repeat"

          test "a histogram of known values, and its message" {
              inFolder (fun folder ->
                  let values = [| 0.f; 0.1f; 1.f; 1.5f; 2.9f; 3.9f; 4.f |]

                  write folder 0L (fun writer -> writer.Distribution(2L, "weights", Histogram.Of(ReadOnlySpan values, 4)))
                  |> ignore

                  let _, _, value = (EventFile.summaries folder).Head
                  let histogram: HistogramProto = value.Histo
                  Expect.equal (List.ofSeq histogram.BucketLimit) [ 1.0; 2.0; 3.0; 4.0 ] "four buckets share the range evenly"
                  Expect.equal (List.ofSeq histogram.Bucket) [ 2.0; 2.0; 1.0; 2.0 ] "each bucket counts its values"
                  Expect.equal (histogram.Min, histogram.Max, histogram.Num) (0.0, 4.0, 7.0) "range and count"
                  Expect.floatClose Accuracy.medium histogram.Sum 13.4 "the sum is that of the values"
                  Expect.floatClose Accuracy.medium histogram.SumSquares 42.88 "sum of squares")
          }

          test "equal values have one bucket, no value none" {
              let same = Histogram.Of(ReadOnlySpan [| 2.f; 2.f |])
              Expect.equal (same.Limits, same.Buckets) ([| 2.0 |], [| 2.0 |]) "equal values fill one bucket"
              Expect.equal (Histogram.Of(ReadOnlySpan<float32>.Empty)).Count 0L "no values give a count of zero"
              Expect.equal (Histogram.Of(ReadOnlySpan [| nanf |])).Buckets [||] "without a finite value no bucket is made"
          }

          test "a sound is a WAV file with its rate, channels and length; what exceeds full scale is clipped" {
              inFolder (fun folder ->
                  let left, right = [| 0.f; 0.5f; -0.25f |], [| 0.125f; -1.5f; 0.f |]
                  let sound = AudioBuffer([| left; right |], 16000)
                  write folder 0L (fun writer -> writer.Sound(7L, "clip/voice", sound)) |> ignore
                  let step, tag, value = (EventFile.summaries folder).Head
                  Expect.equal (step, tag) (7L, "clip/voice") "step and tag"
                  let audio = value.Audio
                  Expect.equal (audio.SampleRate, audio.NumChannels, audio.LengthFrames) (16000f, 2L, 3L) "its facts are kept"
                  Expect.equal audio.ContentType "audio/wav" "the sound is told to be WAV"
                  let path = Path.Combine(folder, "sound.wav")
                  File.WriteAllBytes(path, audio.EncodedAudioString.ToByteArray())
                  let read = AudioFile.Read path
                  Expect.equal (List.ofSeq read.Channels) [ left; [| 0.125f; -1.f; 0.f |] ] "samples come back, but clipped")
          }

          test "resumed: later steps and a record cut off are dropped, and a running TensorBoard is told" {
              inFolder (fun folder ->
                  let first =
                      write folder 0L (fun writer ->
                          for step in 1L .. 500L do
                              writer.Scalar(step, "loss", float step))

                  File.WriteAllBytes(first, (File.ReadAllBytes first)[.. int (FileInfo first).Length - 4])

                  let second =
                      write folder 499L (fun writer ->
                          for step in 500L .. 502L do
                              writer.Scalar(step, "loss", -(float step)))

                  let expected = [ for step in 1L .. 502L -> step, (if step < 500L then float32 step else -(float32 step)) ]
                  Expect.equal (points folder "loss") expected "each step once"
                  Expect.equal (EventFile.files folder) [ first; second ] "read in this order"
                  let mark = (EventFile.read second)[1]
                  Expect.equal (mark.Step, mark.SessionLog.Status) (500L, SessionLog.Types.SessionStatus.Start) "marks a start"
                  // Once more, from an older checkpoint: the second session had come to nothing.
                  write folder 300L (fun writer -> writer.Scalar(301L, "loss", 0.0)) |> ignore
                  Expect.equal (points folder "loss" |> List.map (fun (step, _) -> step)) [ 1L .. 301L ] "each step once")
          }

          test "a folder that cannot be written" {
              inFolder (fun folder ->
                  let taken = Path.Combine(folder, "file")
                  File.WriteAllText(taken, "")
                  refuses [ "file" ] (fun () -> (new EventFileWriter(taken, 0L)).Dispose()))
          } ]
