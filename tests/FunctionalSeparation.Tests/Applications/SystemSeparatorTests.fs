/// Systems of tables as separators of applications, and the other way round.
module FunctionalSeparation.Tests.SystemSeparatorTests

open System.Collections.Generic
open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

let private rate = 8000

let private frontEnd = { SampleRate = rate; Stft = Stft(256, 64, StftWindow.Hann, true) }

let private noise seconds seed =
    Array.init (int (seconds * float rate)) (fun n -> float32 (sin (float n * 0.37 + float seed)) * 0.1f)

/// Two thirds and one third of the mixture, cut to whole frames as systems of tables do.
let private shares: Separator =
    let separate (mixture: torch.Tensor) =
        let samples = mixture.shape[1] / 64L * 64L
        let cut = mixture.narrow (1L, 0L, samples)
        torch.stack [| cut.mul (2.0 / 3.0); cut.div 3.0 |]

    { Name = "shares"; FrontEnd = frontEnd; Sources = Stems.musicAndVoice; Estimator = Blind separate }

let private largest (a: float32[]) (b: float32[]) = Array.map2 (fun x y -> abs (x - y)) a b |> Array.max

[<Tests>]
let tests =
    testList
        "systems and separators"
        [ test "a system separates a sound of more than one block, of another rate and of two channels, to its last sample" {
              use separator = Separator.toInterface shares

              // Resampling blurs the ends of a sound.
              for other, seconds, ends in [ rate, 75.3, 0; rate, 0.01, 0; 16000, 40.0, 400 ] do
                  let sound = AudioBuffer([| noise seconds 1; noise seconds 2 |], other)
                  let stems = separator.Separate sound
                  Expect.equal stems["voice"].Length sound.Length "the stems are as long as the sound"

                  for channel in 0..1 do
                      let voice = sound.Channels[channel] |> Array.map (fun x -> x / 3.0f)
                      let inner (samples: float32[]) = samples[ends .. samples.Length - 1 - ends]
                      let found = inner stems["voice"].Channels[channel]

                      Expect.isLessThan
                          (largest found (inner voice))
                          (if ends = 0 then 1e-6f else 1e-3f)
                          "each sample has its share"
          }

          test "the stems do not depend on how the sound comes" {
              use separator = Separator.toInterface shares
              let sound = AudioBuffer([| noise 70.0 1 |], rate)
              let voiceOf (stems: IReadOnlyDictionary<string, AudioBuffer>) = stems["voice"].Channels[0]
              let whole = voiceOf (separator.Separate sound)
              use stream = separator.Open(rate, 1, sound.Level())

              let pieces =
                  [ for piece in Array.chunkBySize 12345 sound.Channels[0] do
                        voiceOf (stream.Push(AudioBuffer([| piece |], rate)))

                    voiceOf (stream.Finish()) ]

              Expect.equal (Array.concat pieces) whole "the same samples in pieces"
          }

          test "a separator of an application is a row of a table, as its system is" {
              Memory.plain (fun () ->
                  use separator = Separator.toInterface shares
                  let back = Separator.ofInterface separator
                  let mixture = (torch.tensor (noise 2.0 1)).unsqueeze 0L

                  match back.Estimator with
                  | Blind separate ->
                      let estimates: torch.Tensor = separate mixture
                      let voice = (estimates.select(0L, 1L).select(0L, 0L)).contiguous().data<float32>().ToArray()
                      Expect.isLessThan (largest voice (noise 2.0 1 |> Array.map (fun x -> x / 3.0f))) 1e-6f "the same estimate"
                  | Oracle _ -> failtest "A separator of an application is given the mixture alone."

                  Expect.equal back.Sources shares.Sources "the names of its stems are those of its sources")
          }

          test "classical systems open by name, and those that need more than a song say why" {
              use rpca = Separators.Open "rpca"
              let song = AudioBuffer([| Array.init 16000 (fun n -> float32 (sin (float n * 0.2)) * 0.1f) |], 16000)
              let stems = rpca.Separate song

              let sum = Array.map2 (+) stems["voice"].Channels[0] stems["music"].Channels[0]
              Expect.isLessThan (largest sum song.Channels[0]) 1e-4f "the stems sum to the song"

              for name, words in [ "nmf", "training clips"; "ideal-ratio-mask", "true sources" ] do
                  Expect.throwsC (fun () -> Separators.Open name |> ignore) (fun wrong ->
                      Expect.stringContains wrong.Message words $"{name}: {wrong.Message}")

              Expect.throwsC (fun () -> Separators.Open("rpca", "cuda") |> ignore) (fun wrong ->
                  Expect.stringContains wrong.Message "works on the cpu" "no other device is taken silently")

              Expect.throwsT<InputException>
                  (fun () -> Separator.toInterface (Evaluate.idealRatioMask frontEnd) |> ignore)
                  "a bound that is given the true sources is no separator"
          } ]
