module FunctionalSeparation.Tests.GriffinLimTests

open System
open Expecto
open FsCheck
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
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
let private tone (wave: float -> float) = torch.tensor [| for n in 0..4095 -> wave (2.0 * Math.PI * 0.0371 * float n) |]

/// Without the ends, whose magnitudes are those of a tone that is cut off.
let private inner (x: torch.Tensor) = x.narrow (-1L, 256L, x.shape[0] - 512L)

let private decibels (signal: torch.Tensor) (error: torch.Tensor) =
    10.0 * log10 (signal.squared().sum().item<float>() / error.squared().sum().item<float>())

/// Signal to what is left of it without the tone at its best amplitude and phase, dB: magnitudes cannot tell the phase.
let private purity (found: torch.Tensor) =
    let without (rest: torch.Tensor) (part: torch.Tensor) = rest - (rest * part).sum() / part.squared().sum() * part
    let signal = inner found
    decibels signal (without (without signal (inner (tone sin))) (inner (tone cos)))

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
                          Expect.isLessThanOrEqual later (earlier + 1e-12) $"{stft}: the inconsistency does not rise"

                      Expect.isLessThan (List.last distances) (0.9 * distances.Head) $"it falls: {stft}")

          testProperty "magnitudes are kept, whatever the settings"
          <| fun (seed: int) ->
              Memory.plain (fun () ->
                  for settings in [ GriffinLim.classic 3; GriffinLim.fast 3 ] do
                      let start = magnitudes seed stfts[1]
                      let refined = GriffinLim.refine settings stfts[1] start
                      Expect.isLessThan (difference (refined.abs ()) (start.abs ())) 1e-12 "the magnitudes stay as they were")

          testProperty "the spectrogram of a signal is a fixed point"
          <| fun (seed: int) ->
              Memory.plain (fun () ->
                  for stft in stfts do
                      let spectrogram = stft.Forward(noise seed [ 2L; 500L ])
                      Expect.isLessThan (GriffinLim.inconsistency stft spectrogram) 1e-12 $"{stft}: a signal is consistent"
                      let refined = GriffinLim.refine (GriffinLim.fast 5) stft spectrogram
                      Expect.isLessThan (difference (stft.Inverse refined) (stft.Inverse spectrogram)) 1e-9 $"{stft} is fixed")

          test "no iteration changes nothing, silence stays silence" {
              Memory.plain (fun () ->
                  let start = magnitudes 3 stfts[0]
                  Expect.isLessThan (difference (GriffinLim.refine (GriffinLim.classic 0) stfts[0] start) start) 1e-12 "same"
                  let silence = torch.zeros_like start
                  Expect.equal (difference (GriffinLim.refine (GriffinLim.fast 3) stfts[0] silence) silence) 0.0 "silence"
                  Expect.equal (GriffinLim.inconsistency stfts[0] silence) 0.0 "silence is consistent")
          }

          test "a tone comes out of its magnitudes alone" {
              Memory.plain (fun () ->
                  let stft = Stft(256, 64, StftWindow.Hann, true)
                  let start = (stft.Forward(tone sin)).abs() |> GriffinLim.withRandomPhases (Key.ofSeed 1)
                  let refined settings = GriffinLim.refine settings stft start
                  Expect.isLessThan (purity (stft.Inverse start)) 1.0 "random phases give no pure tone"
                  Expect.isGreaterThan (purity (stft.Inverse(refined (GriffinLim.fast 200)))) 10.0 "refined phases give a tone"

                  Expect.isLessThan
                      (GriffinLim.inconsistency stft (refined (GriffinLim.fast 50)))
                      (GriffinLim.inconsistency stft (refined (GriffinLim.classic 50)))
                      "the fast variant ends nearer to consistency")
          }

          test "a tone in noise, its magnitudes known: the mixture's phases are refined towards its own" {
              Memory.plain (fun () ->
                  for stft in [ Stft(256, 64, StftWindow.Hann, true); Stft(256, 128, StftWindow.Sine, false) ] do
                      let truth = tone sin
                      let magnitude = (stft.Forward truth).abs()
                      let mixture = stft.Forward(truth .+ (noise 1 [ 4096L ]).mul 0.5)
                      let start = GriffinLim.withPhases mixture magnitude
                      let reachable = inner (stft.Inverse(stft.Forward truth))

                      let snr settings =
                          decibels reachable (inner (stft.Inverse(GriffinLim.refine settings stft start)) - reachable)

                      for settings in [ GriffinLim.classic 50; GriffinLim.fast 50 ] do
                          Expect.isGreaterThan (snr settings) (snr (GriffinLim.classic 0) + 6.0) $"{settings}, {stft}")
          }

          test "as a separator: no iteration gives the masked estimates, more change them and keep their length" {
              Memory.plain (fun () ->
                  let architecture = { Drnn.huang2014 with Hidden = [ 10 ]; Recurrence = FeedForward }
                  let layout = (Network.layout (Drnn.network architecture))

                  let trained =
                      { Network = Drnn.network architecture
                        Parameters = Params.init layout torch.float64 torch.CPU (Key.ofSeed 2)
                        Level = Some 0.01 }

                  let estimates (separator: Separator) =
                      match separator.Estimator with
                      | Blind separate -> separate (noise 4 [ 1L; 9000L ])
                      | Oracle _ -> failtest "it hears the mixture alone"

                  let masked = estimates (Separation.separator trained Soft)
                  let refined count = estimates (Separation.refinedSeparator (GriffinLim.classic count) trained Soft)
                  Expect.isLessThan (difference (refined 0) masked) 1e-12 "no iteration gives the masked estimates"
                  Expect.isGreaterThan (difference (refined 5) masked) 1e-4 "five iterations change the estimates"
                  Expect.equal (refined 5).shape masked.shape "iterations keep the length of the estimates")
          }

          test "settings out of range" {
              for wrong in [ GriffinLim.classic -1; { Iterations = 1; Momentum = 1.0 }; { Iterations = 1; Momentum = nan } ] do
                  Expect.throwsT<ArgumentException>
                      (fun () -> GriffinLim.refine wrong stfts[0] (torch.zeros (2L, 33L)) |> ignore)
                      $"{wrong} is refused as out of range"
          } ]
