/// Separation of the frequencies above the band of a network's masks.
module FunctionalSeparation.Tests.HighBandTests

open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning

let private frames, band, bins = 160L, 16L, 40L
let private noise seed (shape: int64 list) = Key.uniformTensor -1.0 1.0 shape (Key.ofSeed seed)
let private difference (a: torch.Tensor) (b: torch.Tensor) = (a - b).abs().max().item<float>()
let private spectrum seed count = torch.complex (noise seed [ 1L; frames; count ], noise (seed + 1) [ 1L; frames; count ])

/// A source that is heard in the first half of the frames of each period, [1, frames, 1].
let private comingAndGoing (period: int64) =
    let sounds frame = if frame % period < period / 2L then 1.0 else 0.01
    torch.tensor([| for frame in 0L .. frames - 1L -> sounds frame |]).view(1L, -1L, 1L)

/// Below: a voice, and a music that is louder in the upper half of the band. [sources, 1, frames, band]
let private voiceAndMusic () =
    let voice = spectrum 1 band * comingAndGoing 32L

    let tilt =
        torch.cat ([| torch.ones (8L, dtype = torch.float64); torch.ones(8L, dtype = torch.float64).mul 3.0 |], 0L)

    torch.stack [| voice; spectrum 3 band * comingAndGoing 50L * tilt |]

/// The part of the energy above that the first source is given.
let private given (rule: torch.Tensor -> torch.Tensor -> torch.Tensor -> torch.Tensor) sources (above: torch.Tensor) =
    let shares = rule sources (sources.sum 0L) above
    let energy = (above.abs ()).squared()
    ((shares[0L] * energy).sum() / energy.sum ()).item<float>()

let private rules = [ "by highest octave", HighBand.byHighestOctave; "by activations", HighBand.byActivations ]

[<Tests>]
let tests =
    testList
        "high band"
        [ for name, rule in rules do
              test $"shares {name} lie from 0 to 1 and at most 1 in sum, of silence too, however few the frames" {
                  Memory.plain (fun () ->
                      for loudness in [ 1.0; 0.0 ] do
                          for count in [ 1L; frames ] do
                              let cut (x: torch.Tensor) = (x.narrow (-2L, 0L, count)).mul loudness
                              let sources = cut (voiceAndMusic ())
                              let shares = rule sources (sources.sum 0L) (cut (spectrum 5 (bins - band)))
                              Expect.equal [| 2L; 1L; count |] shares.shape[..2] "sources x channels x time"
                              Expect.isGreaterThanOrEqual (shares.min().item<float>()) 0.0 "no share is below 0"
                              Expect.isLessThanOrEqual (shares.sum(0L).max().item<float>()) (1.0 + 1e-9) "no sum is above 1")
              }

              test $"what is masked {name} sums to the mixture where the masks do, and is as it was in the band" {
                  Memory.plain (fun () ->
                      let mixture = spectrum 7 bins
                      let voice = (noise 9 [ 1L; frames; band ]).abs()
                      let masks = torch.stack [| voice; (voice.neg ()).add 1.0 |]
                      let all = Mask.extended rule masks mixture
                      Expect.equal all.shape [| 2L; 1L; frames; bins |] "sources x channels x time x bins"
                      let inside = all.narrow (-1L, 0L, band)
                      Expect.isLessThan (difference inside (masks * mixture.narrow (-1L, 0L, band))) 1e-12 "in the band"
                      Expect.isLessThan (difference (inside.sum 0L) (mixture.narrow (-1L, 0L, band))) 1e-12 "they sum to it"
                      let narrow = Mask.extended rule masks (mixture.narrow (-1L, 0L, 10L))
                      Expect.isLessThan (difference narrow (all.narrow (-1L, 0L, 10L))) 1e-12 "fewer bins than masks")
              }

          test "the shares of the highest octave are its parts of the energy" {
              Memory.plain (fun () ->
                  let mixture = spectrum 7 band
                  let voice = (noise 9 [ 1L; frames; band ]).abs()
                  let imaginary = torch.complex (torch.zeros_like voice, noise 4 [ 1L; frames; band ])
                  let masks = torch.stack [| voice - imaginary; (voice.neg ()).add(1.0) .+ imaginary |]
                  let energy = (mixture.narrow(-1L, 8L, 8L).abs()).squared()

                  let expected =
                      (voice.narrow (-1L, 8L, 8L) * energy).sum(-1L, keepdim = true) / energy.sum (-1L, keepdim = true)

                  let shares = HighBand.byHighestOctave (masks * mixture) mixture mixture
                  Expect.isLessThan (difference shares[0L] (expected.clamp (0.0, 1.0))) 1e-12 "in phase with the mixture")
          }

          test "a hiss that comes and goes with the voice is the voice's, though the octave below is the music's" {
              Memory.plain (fun () ->
                  let sources = voiceAndMusic ()
                  let hiss period = (spectrum 5 (bins - band)).mul 0.2 * comingAndGoing period

                  let ofVoice, ofMusic =
                      given HighBand.byActivations sources (hiss 32L), given HighBand.byActivations sources (hiss 50L)

                  Expect.isGreaterThan ofVoice 0.85 "with the voice"
                  Expect.isLessThan ofMusic 0.15 "with the music"
                  Expect.isLessThan (given HighBand.byHighestOctave sources (hiss 32L)) 0.6 "what one frame alone tells")
          } ]
