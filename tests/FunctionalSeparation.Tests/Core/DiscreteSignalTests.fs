/// Sound to and from NWaves.
module FunctionalSeparation.Tests.DiscreteSignalTests

open System
open Expecto
open NWaves.Signals
open FunctionalSeparation.Core

let private stereo = AudioBuffer([| [| 0.1f; 0.2f; 0.3f |]; [| -0.1f; -0.2f; -0.3f |] |], 44_100)

[<Tests>]
let tests =
    testList
        "signals of NWaves"
        [ test "there and back, each channel keeps its samples and its rate, without a copy" {
              let signals = [| for channel in 0..1 -> stereo.ToSignal channel |]

              for channel in 0..1 do
                  Expect.equal signals[channel].SamplingRate 44_100 "the signal has the sound's rate"
                  Expect.isTrue (obj.ReferenceEquals(signals[channel].Samples, stereo.Channels[channel])) "samples are shared"

              let back = DiscreteSignals.FromSignals signals
              Expect.equal back.SampleRate 44_100 "the sound has the signals' rate"
              Expect.equal (List.ofSeq back.Channels) (List.ofSeq stereo.Channels) "the channels come back as they were"
          }

          test "the first channel is the one that is meant" { Expect.equal (stereo.ToSignal().Samples) stereo.Channels[0] "left" }

          test "a channel that is not there, and signals that are no sound, are refused" {
              for channel in [ -1; 2 ] do
                  Scratch.refusesArgument [ "2 channels"; $"{channel}" ] (fun () -> stereo.ToSignal channel |> ignore)

              let refuses words (signals: DiscreteSignal[]) =
                  Scratch.refusesArgument words (fun () -> DiscreteSignals.FromSignals signals |> ignore)

              let signal rate length = DiscreteSignal(rate, Array.zeroCreate<float32> length)
              refuses [ "44100 and 16000 Hz" ] [| signal 44_100 5; signal 16_000 5 |]
              refuses [ "same length" ] [| signal 16_000 5; signal 16_000 6 |]
              refuses [ "null" ] [| signal 16_000 5; null |]
              refuses [ "at least one channel" ] [||]
          } ]
