/// Harmonic and percussive sound, and a voice between the two.
module FunctionalSeparation.Tests.HpssTests

open System
open Expecto
open NWaves.Filters
open NWaves.Signals
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

let private hann size = Stft(size, size / 4, StftWindow.Hann, true)

let private settings =
    { SampleRate = 16000
      Long = hann 8192
      Short = hann 512
      Frames = 8
      Bins = 8
      Rule = MaskRule.Ratio 1.5
      VoiceFrom = 0.0 }

let private noise seed (shape: int64 list) = Key.uniformTensor 0.0 1.0 shape (Key.ofSeed seed)
let private values (x: torch.Tensor) = x.contiguous().data<float>().ToArray()

let private estimates (mixture: torch.Tensor) =
    match (Hpss.separator "HPSS" settings).Estimator with
    | Blind separate -> (separate (mixture.unsqueeze 0L)).squeeze 1L
    | Oracle _ -> failtest "a system, not a ceiling"

let private samples = 48000
let private sound (value: int -> float) = torch.tensor (Array.init samples value)

/// Energy of the voice estimate as a share of the energy of the source, when the mixture is the source alone.
let private shareOfVoice (source: torch.Tensor) =
    Memory.plain (fun () ->
        let voice = (estimates source)[1L]
        (voice * voice).sum().item<float>() / (source * source).sum().item<float>())

let private sine hertz n = sin (2.0 * Math.PI * hertz * float n / 16000.0)

/// A tone that glides a tenth up and down, once a second.
let private glide n =
    let time = float n / 16000.0
    sin (2.0 * Math.PI * 600.0 * time + 600.0 * 0.1 * sin (2.0 * Math.PI * time))

[<Tests>]
let tests =
    testList
        "HPSS"
        [ test "medians are those of NWaves' filter" {
              let column = noise 1 [ 50L; 1L ]
              let ours = Memory.plain (fun () -> values (Hpss.medians 4 column))
              let theirs = MedianFilter(9).ApplyTo(DiscreteSignal(1, Array.map float32 (values column))).Samples

              for row in 4..45 do
                  Expect.equal (float32 ours[row]) theirs[row] $"the median of row {row} is that of NWaves"
          }

          test "beyond the ends the first and last rows are repeated" {
              let column = torch.tensor([| 5.0; 1.0; 2.0; 3.0; 9.0 |]).view(5L, 1L)

              Expect.equal
                  (Memory.plain (fun () -> values (Hpss.medians 1 column)))
                  [| 5.0; 2.0; 2.0; 3.0; 9.0 |]
                  "medians of three"
          }

          test "a steady row of the transposed is harmonic, a single frame percussive" {
              Memory.plain (fun () ->
                  let magnitudes = torch.zeros (40L, 60L, dtype = torch.float64)
                  magnitudes.select(1L, 20L).fill_(1.0) |> ignore
                  magnitudes.select(0L, 10L).fill_(1.0) |> ignore
                  let found = Hpss.decompose 8 8 magnitudes
                  Expect.equal (found.MusicPart[5L, 20L].item<float>(), found.VoicePart[5L, 20L].item<float>()) (1.0, 0.0) "line"

                  Expect.equal
                      (found.MusicPart[10L, 40L].item<float>(), found.VoicePart[10L, 40L].item<float>())
                      (0.0, 1.0)
                      "the single frame is all voice")
          }

          test "a voice glides: steady tones and clicks go to the music" {
              let tone = shareOfVoice (sound (sine 600.0))
              let clicks = shareOfVoice (sound (fun n -> if n % 4000 = 2000 then 1.0 else 0.0))
              let voice = shareOfVoice (sound glide)
              Expect.isLessThan tone 0.02 "a steady tone goes to the music"
              Expect.isLessThan clicks 0.02 "clicks go to the music"
              Expect.isGreaterThan voice 0.5 "a gliding tone goes to the voice"
          }

          test "estimates sum to the mixture and are as long" {
              Memory.plain (fun () ->
                  let mixture = noise 3 [ 20001L ]
                  let found = estimates mixture
                  Expect.equal found.shape [| 2L; 20001L |] "sources x samples"
                  Expect.isLessThan ((found.sum 0L - mixture).abs().max().item<float>()) 1e-12 "they add up to the mixture")
          }

          test "what is no matrix of magnitudes, and settings that make no sense, are refused by name" {
              let refuses words act = Scratch.refusesArgument ("HPSS" :: words) (fun () -> Memory.plain (act >> ignore))
              refuses [ "[rows, columns]"; "[4]" ] (fun () -> Hpss.medians 1 (noise 1 [ 4L ]))
              refuses [ "reach"; "-1" ] (fun () -> Hpss.medians -1 (noise 1 [ 4L; 4L ]))
              refuses [ "finite" ] (fun () -> (Hpss.decompose 1 1 (torch.tensor([| nan |]).view(1L, 1L))).MusicPart)
              refuses [ "centred" ] (fun () -> Hpss.separator "HPSS" { settings with Long = Stft.Huang2014 })
          } ]
