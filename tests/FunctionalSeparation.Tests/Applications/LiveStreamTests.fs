/// Streams for sound that is heard while it comes.
module FunctionalSeparation.Tests.LiveStreamTests

open System
open System.Collections.Generic
open System.Threading
open System.Threading.Tasks
open Expecto
open FsCheck
open FunctionalSeparation.Core
open FunctionalSeparation.Tests.Scratch

let private rate = 16000

let private sound (samples: int) : AudioBuffer =
    AudioBuffer([| Array.init samples (fun i -> sin (0.05f * float32 i) * 0.3f) |], rate)

let private half (mixture: AudioBuffer) =
    AudioBuffer([| for channel in mixture.Channels -> Array.map (fun x -> x / 2.0f) channel |], mixture.SampleRate)

/// A separator's work: half of the sound for each of two stems, at once, but each piece is first given to `before`.
let private stream (before: AudioBuffer -> unit) =
    let estimates (mixture: AudioBuffer) : IReadOnlyList<AudioBuffer> = [| half mixture; half mixture |]

    let work =
        { new IEstimateStream with
            member _.Latency = 0

            member _.Push mixture =
                before mixture
                estimates mixture

            member _.Finish() = estimates (AudioBuffer([| [||] |], rate))
            member _.Dispose() = () }

    new StemStream([| "a"; "b" |], work, rate, rate, 1, SoundLevel.WithoutOffset 0.1)

let private cut (lengths: int list) (sound: AudioBuffer) =
    let samples = sound.Channels[0]

    let rec next start lengths =
        match lengths with
        | length :: rest when start + length < samples.Length ->
            AudioBuffer([| samples[start .. start + length - 1] |], rate) :: next (start + length) rest
        | _ -> [ AudioBuffer([| samples[start..] |], rate) ]

    next 0 lengths

let private push (live: LiveStream) (stem: string) (piece: AudioBuffer) = live.Push(piece).[stem].Channels[0]

let private finish (live: LiveStream) (stem: string) = live.Finish().[stem].Channels[0]

/// The samples of a stem, of all pieces and the end.
let private played (live: LiveStream) (stem: string) (pieces: AudioBuffer list) =
    [| for piece in pieces do
           let out = push live stem piece
           Expect.equal out.Length piece.Length "as long as the piece"
           yield! out

       yield! finish live stem |]

[<Tests>]
let tests =
    testList
        "live streams"
        [ testPropertyWithConfig { FsCheckConfig.defaultConfig with maxTest = 10 } "stems are those of a stream, behind silence"
          <| fun (first: NonNegativeInt) (second: NonNegativeInt) ->
              use separator = separator 1
              let song = sound 9000
              use plain = separator.Open(rate, 1, song.Level())
              let expected = Array.append (plain.Push(song)["voice"]).Channels[0] (plain.Finish()["voice"]).Channels[0]
              use live = separator.OpenLive(rate, 1, TimeSpan.FromMilliseconds 20.0, song.Level())
              let out = played live "voice" (cut [ first.Get % 4000; second.Get % 4000; 160; 160 ] song)
              Expect.equal live.Latency (plain.Latency + 320) "the latency grows by the time ahead"
              Expect.isTrue (Array.forall ((=) 0.0f) out[.. live.Latency - 1]) "silence comes before the sound"
              let off = Array.map2 (fun (a: float32) b -> abs (a - b)) out[live.Latency ..] expected |> Array.max
              Expect.isLessThan off 1e-5f "then the stem"

          test "a push waits only for a separator that is behind by more than the time ahead" {
              use gate = new ManualResetEventSlim(false)
              use live = new LiveStream(stream (fun _ -> gate.Wait 10000 |> ignore), TimeSpan.FromMilliseconds 30.0)
              let pieces = cut (List.replicate 10 160) (sound 640)

              for piece in List.take 3 pieces do
                  Expect.isTrue (Array.forall ((=) 0.0f) (push live "a" piece)) "silence, at once"

              Expect.equal live.Waited TimeSpan.Zero "nothing was waited for"
              let fourth = Task.Run<float32[]>(fun () -> push live "a" pieces[3])
              Expect.isFalse (fourth.Wait 50) "the fourth has to wait"
              gate.Set()
              Expect.equal fourth.Result (half pieces[0]).Channels[0] "for the first"
              Expect.isGreaterThan live.Waited TimeSpan.Zero "and tells it"
              let last = finish live "a"
              Expect.equal last (Array.concat [ for piece in pieces[1..] -> (half piece).Channels[0] ]) "nothing is left out"
          }

          test "arrays of a piece may be used again" {
              use gate = new ManualResetEventSlim(false)
              use live = new LiveStream(stream (fun _ -> gate.Wait 10000 |> ignore), TimeSpan.FromSeconds 1.0)
              let samples = Array.create 160 0.5f
              live.Push(AudioBuffer([| samples |], rate)) |> ignore
              Array.fill samples 0 160 0.0f
              gate.Set()

              Expect.equal (Array.skip (live.Latency - 160) (finish live "b")) (Array.create 160 0.25f) "what it held then"
          }

          test "a separator that fails is told to the next push, and ends the stream" {
              use live = new LiveStream(stream (fun _ -> raise (InvalidTimeZoneException "broken")), TimeSpan.Zero)

              Expect.throwsT<InvalidTimeZoneException> (fun () -> live.Push(sound 160) |> ignore) "the push throws its error"
              Expect.throwsT<InvalidOperationException> (fun () -> live.Push(sound 160) |> ignore) "the stream has ended then"
          }

          test "pieces of another kind are refused, and the stream goes on" {
              use live = new LiveStream(stream ignore, TimeSpan.FromMilliseconds 10.0)
              live.Push(sound 100) |> ignore
              Expect.throwsT<ArgumentException> (fun () -> live.Push(AudioBuffer([| [| 0.0f |] |], 8000)) |> ignore) "a rate"

              Expect.throwsT<ArgumentException>
                  (fun () -> live.Push(AudioBuffer([| [| 0.0f |]; [| 0.0f |] |], rate)) |> ignore)
                  "a piece of two channels is refused"

              refuses [ "sample 101 of channel 0 (both counted from 0; " ] (fun () ->
                  live.Push(AudioBuffer([| [| 0.0f; Single.NaN |] |], rate)) |> ignore)

              let rest = finish live "a"
              Expect.equal (Array.skip 60 rest) (half (sound 100)).Channels[0] "what came is whole"
              Expect.throwsT<InvalidOperationException> (fun () -> live.Finish() |> ignore) "a stream can be finished once"
          }

          test "one that is disposed stops its thread in the midst of work" {
              let estimates = stream (fun _ -> Thread.Sleep 20)
              let live = new LiveStream(estimates, TimeSpan.FromSeconds 5.0)

              for piece in cut (List.replicate 100 10) (sound 1000) do
                  live.Push piece |> ignore

              live.Dispose()
              live.Dispose()
              Expect.throwsT<ObjectDisposedException> (fun () -> live.Push(sound 1) |> ignore) "the live one"
              Expect.throwsT<ObjectDisposedException> (fun () -> estimates.Push(sound 1) |> ignore) "and its stream"
          }

          test "at another rate, in stereo, without a level" {
              use separator = separator 1

              let stereo =
                  AudioBuffer([| for f in [ 0.02f; 0.03f ] -> Array.init 22050 (fun i -> sin (f * float32 i) * 0.3f) |], 44100)

              let parts =
                  [ for part in 0..49 ->
                        AudioBuffer([| for channel in stereo.Channels -> channel[441 * part .. 441 * part + 440] |], 44100) ]

              use live = separator.OpenLive(44100, 2, TimeSpan.Zero)
              let out = played live "voice" parts
              use plain = separator.Open(44100, 2)
              let pushed = plain.Push(stereo).["voice"].Channels[0]
              let expected = Array.append pushed (plain.Finish().["voice"].Channels[0])
              let off = Array.map2 (fun (a: float32) b -> abs (a - b)) out[live.Latency ..] expected |> Array.max
              Expect.isLessThan off 1e-5f "the stem, late"
          }

          test "a separator that stays further behind than it says ends the stream instead of waiting for ever" {
              let late =
                  { new IEstimateStream with
                      member _.Latency = 0
                      member _.Push mixture = [| AudioBuffer([| [||] |], rate); AudioBuffer([| [||] |], rate) |]
                      member _.Finish() = [| AudioBuffer([| [||] |], rate); AudioBuffer([| [||] |], rate) |]
                      member _.Dispose() = () }

              let stream = new StemStream([| "a"; "b" |], late, rate, rate, 1, SoundLevel.WithoutOffset 0.1)
              use live = new LiveStream(stream, TimeSpan.FromMilliseconds 10.0)
              live.Push(sound 160) |> ignore
              Expect.throwsT<InvalidOperationException> (fun () -> live.Push(sound 160) |> ignore) "being too late is an error"
          }

          test "times that are no times are refused" {
              for milliseconds in [ -1.0; 60001.0 ] do
                  Expect.throwsT<ArgumentOutOfRangeException>
                      (fun () -> new LiveStream(stream ignore, TimeSpan.FromMilliseconds milliseconds) |> ignore)
                      $"{milliseconds} ms are refused as a time"
          } ]
