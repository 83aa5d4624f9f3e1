module FunctionalSeparation.Tests.GriffinLimTests

open System
open Expecto
open FsCheck
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Core

let private noise seed (shape: int64 list) = Key.uniformTensor -1.0 1.0 shape (Key.ofSeed seed)
let private difference (a: torch.Tensor) (b: torch.Tensor) = (a - b).abs().max().item<float>()

let private stfts =
    [ Stft(64, 32, StftWindow.Sine, false)
      Stft(64, 16, StftWindow.Sine, false)
      Stft(64, 16, StftWindow.Hann, true)
      Stft(64, 32, StftWindow.Hann, true) ]

/// Magnitudes that no signal has.
let private magnitudes seed (stft: Stft) =
    (noise seed [ 2L; 12L; int64 stft.Bins ]).abs() |> GriffinLim.withRandomPhases (Key.ofSeed (seed + 1))

/// A tone whose frequency lies between two bins.
let private sine samples = torch.tensor [| for n in 0 .. samples - 1 -> sin (2.0 * Math.PI * 0.0371 * float n) |]

/// How much of the energy away from the ends the signal has right: SNR in dB, after the best sign.
let private snr (truth: torch.Tensor) (found: torch.Tensor) =
    let inner (x: torch.Tensor) = x.narrow (-1L, 256L, truth.shape[0] - 512L)
    let t, f = inner truth, inner found
    let error = min ((t - f).square().sum().item<float>()) ((t + f).square().sum().item<float>())
    10.0 * log10 (t.square().sum().item<float>() / error)

[<Tests>]
let tests =
    testList
        "Griffin-Lim"
        [ testPropertyWithConfig { FsCheckConfig.defaultConfig with maxTest = 10 } "the inconsistency never rises"
          <| fun (seed: int) ->
              Memory.plain (fun () ->
                  for stft in stfts do
                      let start = magnitudes seed stft

                      let distances =
                          [ for count in [ 0; 1; 2; 3; 10; 11; 40 ] ->
                                GriffinLim.inconsistency stft (GriffinLim.refine (GriffinLim.classic count) stft start) ]

                      Expect.isGreaterThan distances.Head 0.1 "random phases are inconsistent"

                      for earlier, later in List.pairwise distances do
                          Expect.isLessThanOrEqual later (earlier + 1e-12) $"{stft}"

                      Expect.isLessThan (List.last distances) (0.9 * distances.Head) $"it falls: {stft}")

          testProperty "magnitudes are kept, whatever the settings"
          <| fun (seed: int) ->
              Memory.plain (fun () ->
                  for settings in [ GriffinLim.classic 3; GriffinLim.fast 3 ] do
                      let start = magnitudes seed stfts[1]
                      let refined = GriffinLim.refine settings stfts[1] start
                      Expect.isLessThan (difference (refined.abs ()) (start.abs ())) 1e-12 "magnitudes")

          testProperty "the spectrogram of a signal is a fixed point"
          <| fun (seed: int) ->
              Memory.plain (fun () ->
                  for stft in stfts do
                      let spectrogram = stft.Forward(noise seed [ 2L; 500L ])
                      Expect.isLessThan (GriffinLim.inconsistency stft spectrogram) 1e-12 $"consistent: {stft}"
                      let refined = GriffinLim.refine (GriffinLim.fast 5) stft spectrogram
                      Expect.isLessThan (difference (stft.Inverse refined) (stft.Inverse spectrogram)) 1e-9 $"{stft}")

          test "no iteration changes nothing, silence stays silence" {
              Memory.plain (fun () ->
                  let start = magnitudes 3 stfts[0]
                  Expect.isLessThan (difference (GriffinLim.refine (GriffinLim.classic 0) stfts[0] start) start) 1e-12 "same"
                  let silence = torch.zeros_like start
                  Expect.equal (difference (GriffinLim.refine (GriffinLim.fast 3) stfts[0] silence) silence) 0.0 "silence"
                  Expect.equal (GriffinLim.inconsistency stfts[0] silence) 0.0 "silence is consistent")
          }

          test "a sine is recovered from its magnitudes alone" {
              Memory.plain (fun () ->
                  let stft = Stft(256, 64, StftWindow.Hann, true)
                  let truth = sine 4096
                  let magnitude = (stft.Forward truth).abs()
                  let start = GriffinLim.withRandomPhases (Key.ofSeed 5) magnitude
                  let found settings = stft.Inverse(GriffinLim.refine settings stft start, 4096L)
                  let distance settings = GriffinLim.inconsistency stft (GriffinLim.refine settings stft start)

                  printfn
                      $"{distance (GriffinLim.classic 0)} {distance (GriffinLim.classic 100)} {distance (GriffinLim.fast 100)} {snr truth (found (GriffinLim.fast 200))}")
          }

          test "the mixture's phases are a better start than random ones" {
              Memory.plain (fun () ->
                  let stft = Stft.Huang2014
                  let voice, music = sine 16000, 0.3 * noise 2 [ 16000L ]
                  let magnitude = (stft.Forward voice).abs()
                  let mixture = stft.Forward(voice + music)
                  let settings = GriffinLim.classic 10

                  let error start =
                      difference (stft.Inverse(GriffinLim.refine settings stft start)) (stft.Inverse(stft.Forward voice))

                  let own = error (GriffinLim.withPhases mixture magnitude)
                  let random = error (GriffinLim.withRandomPhases (Key.ofSeed 1) magnitude)
                  Expect.isLessThan own (0.5 * random) "mixture's phases")
          }

          test "settings out of range" {
              for wrong in [ GriffinLim.classic -1; { Iterations = 1; Momentum = 1.0 }; { Iterations = 1; Momentum = nan } ] do
                  Expect.throwsT<ArgumentException>
                      (fun () -> GriffinLim.refine wrong stfts[0] (torch.zeros (2L, 33L)) |> ignore)
                      $"{wrong}"
          } ]
