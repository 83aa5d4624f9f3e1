/// Losses: what they refuse instead of broadcasting, and the two sources of the discriminative one.
module FunctionalSeparation.Tests.LossTests

open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

let private noise seed (shape: int64 list) = (Key.uniformTensor 0.0 1.0 shape (Key.ofSeed seed))
let private value (loss: Loss) y s = Memory.plain (fun () -> (loss.Of (Views.ofMagnitude y) (Views.ofMagnitude s)).item<float>())

/// A loss of one's own, as a script would write it: it would broadcast.
let private own = Loss.onMagnitudes "mine" (fun y s -> (y - s).sum())

let private losses =
    [ "squared error", Loss.squaredError
      "mean squared error", Loss.meanSquaredError
      "generalised KL", Loss.kullbackLeibler
      "mine", Loss.scale 2.0 own
      "mine", Loss.add own Loss.squaredError
      "mine", Loss.discriminative 0.05 own ]

[<Tests>]
let tests =
    testList
        "losses"
        [ for name, loss in losses do
              test $"{Id.text loss.Id}: other shapes are refused by name, none is broadcast" {
                  Memory.plain (fun () ->
                      let y = noise 1 [ 3L; 4L; 2L; 5L ]
                      value loss y (noise 2 [ 3L; 4L; 2L; 5L ]) |> ignore

                      for shape in [ [ 3L; 4L; 2L; 1L ]; [ 2L; 5L ]; [ 1L; 4L; 2L; 5L ]; [] ] do
                          let got = shape |> List.map string |> String.concat ", "

                          Scratch.refusesArgument [ name; "[3, 4, 2, 5]"; $"[{got}]" ] (fun () ->
                              value loss y (noise 2 shape) |> ignore))
              }

          test "the discriminative loss wants other sources, or a gamma of 0, and is made once" {
              Memory.plain (fun () ->
                  let y, s = noise 1 [ 3L; 1L; 5L ], noise 2 [ 3L; 1L; 5L ]
                  let loss = Loss.discriminative 0.05 Loss.squaredError
                  Scratch.refusesArgument [ "discriminative"; "two sources"; "[3, 1, 5]" ] (fun () -> value loss y s |> ignore)

                  Scratch.refusesArgument [ "discriminative"; "two sources"; "[5]" ] (fun () ->
                      value loss (noise 1 [ 5L ]) (noise 2 [ 5L ]) |> ignore)

                  Expect.equal (value (Loss.discriminative 0.0 Loss.squaredError) y s) (value Loss.squaredError y s) "gamma 0"
                  Scratch.refusesArgument [ "discriminative already" ] (fun () -> Loss.discriminative 0.1 loss |> ignore))
          }

          test "the log error share in parts: the mean over parts of the share of each, the last one shorter" {
              Memory.plain (fun () ->
                  let stft = Stft(8, 4, StftWindow.Hann, true)
                  let noise seed = torch.complex (noise seed [ 2L; 2L; 1L; 10L; 5L ], noise (seed + 1) [ 2L; 2L; 1L; 10L; 5L ])
                  let estimates, references = noise 1, noise 3
                  // A pause in the second source, so that parts differ.
                  references.narrow(1L, 1L, 1L).narrow(3L, 4L, 4L).mul_ 0.001 |> ignore

                  let share (loss: Loss) first count =
                      let part (spectra: torch.Tensor) = Views.ofSpectrum stft (spectra.narrow (3L, first, count))
                      float ((loss.Of (part estimates) (part references)).``to``(torch.float64).item<float>())

                  let whole = Loss.logErrorShareAbove 1e-3
                  let parts = [ 0L, 4L; 4L, 4L; 8L, 2L ] |> List.map (fun (first, count) -> share whole first count)

                  Expect.floatClose
                      Accuracy.medium
                      (share (Loss.logErrorShareInParts 4 1e-3) 0L 10L)
                      (List.average parts)
                      "the loss is the mean of the shares of the parts"

                  Expect.isGreaterThan (abs (share whole 0L 10L - List.average parts)) 0.05 "which is not the share of the whole"
                  let one = share (Loss.logErrorShareInParts 10 1e-3) 0L 10L
                  Expect.floatClose Accuracy.medium one (share whole 0L 10L) "one part gives the share of the whole")
          }

          test "the log error share in parts refuses parts of no frame, and no share" {
              Scratch.refusesArgument [ "frames"; "0" ] (fun () -> Loss.logErrorShareInParts 0 1e-3 |> ignore)
              Scratch.refusesArgument [ "least"; "0" ] (fun () -> Loss.logErrorShareInParts 4 0.0 |> ignore)
          }

          test "the log error share: 0 dB where nothing is separated out, -30 dB where all is" {
              Memory.plain (fun () ->
                  let part seed = noise seed [ 1L; 1L; 1L; 6L; 5L ]
                  let sound = torch.complex (part 1, part 2)
                  let references = torch.cat ([| torch.zeros_like sound; sound |], 1L)
                  let stft = Stft(8, 4, StftWindow.Hann, true)

                  let share (y: torch.Tensor) =
                      (Loss.logErrorShare.Of (Views.ofSpectrum stft y) (Views.ofSpectrum stft references)).item<float>()
                  // Each of two sources: an error of the whole mixture, and one of a tenth of its energy.
                  Expect.floatClose Accuracy.high (share (references.flip 1L)) (10.0 * log10 1.001) "the other way round"
                  Expect.floatClose Accuracy.high (share references) -30.0 "the references themselves reach -30 dB"
                  let off = references.add (torch.cat ([| sound; sound |], 1L), sqrt 0.1)
                  Expect.floatClose Accuracy.high (share off) (10.0 * log10 0.101) "a tenth off")
          }

          test "of more than two sources it takes the mean of the others" {
              Memory.plain (fun () ->
                  let y, s = noise 1 [ 3L; 4L; 5L ], noise 2 [ 3L; 4L; 5L ]
                  let one (k: int64) = s.index_select (1L, torch.tensor [| for i in 0L .. 3L -> (i + k) % 4L |])
                  let others = List.averageBy (fun k -> value Loss.squaredError y (one k)) [ 1L; 2L; 3L ]
                  let expected = value Loss.squaredError y s - 0.05 * others
                  Expect.floatClose Accuracy.high (value (Loss.discriminative 0.05 Loss.squaredError) y s) expected "value")
          }

          test "of two sources it takes the other one" {
              Memory.plain (fun () ->
                  let y, s = noise 1 [ 3L; 2L; 5L ], noise 2 [ 3L; 2L; 5L ]
                  let swapped = torch.stack ([| s.select (1L, 1L); s.select (1L, 0L) |], 1L)
                  let expected = value Loss.squaredError y s - 0.05 * value Loss.squaredError y swapped
                  Expect.floatClose Accuracy.veryHigh (value (Loss.discriminative 0.05 Loss.squaredError) y s) expected "value")
          }

          test "losses on waveforms are ratios in dB: SI-SDR knows no scale, the log error ratio does" {
              Memory.plain (fun () ->
                  let stft = Stft(16, 4, StftWindow.Hann, true)
                  let of' (loss: Loss) y s = (loss.Of (Views.ofWaveform stft y) (Views.ofWaveform stft s)).item<float>()
                  let s = torch.tensor([| 1.0; 1.0; 0.0; 0.0 |]).repeat(8L).view(1L, 1L, 1L, 32L)
                  // Orthogonal to s, a hundredth of its energy: 20 dB.
                  let error = torch.tensor([| 0.1; -0.1; 0.0; 0.0 |]).repeat(8L).view(1L, 1L, 1L, 32L)
                  let y = s .+ error
                  Expect.floatClose Accuracy.medium (of' Loss.siSdr y s) -20.0 "an error of 20 dB gives -20 dB"
                  Expect.floatClose Accuracy.medium (of' Loss.siSdr (y.mul 3.0) s) -20.0 "SI-SDR, three times as loud"
                  Expect.floatClose Accuracy.medium (of' Loss.logErrorRatio y s) -20.0 "log error ratio"
                  Expect.floatClose Accuracy.medium (of' Loss.logErrorRatio (s.mul 1.1) s) -20.0 "a tenth too loud"
                  let several = Loss.multiResolution [ 8; 16 ]
                  Expect.equal (of' several s s) 0.0 "no difference in any resolution"
                  // Twice the magnitude: 1 of spectral convergence and log 2 of the logarithms, but for the floor under silence.
                  Expect.isGreaterThan (of' several (s.mul 2.0) s) 1.0 "twice as loud")
          }

          test "permutation-invariant: the sources of each element in their best order, added up over the batch" {
              Memory.plain (fun () ->
                  let s = noise 2 [ 2L; 3L; 5L ]
                  let swapped = s.index_select (1L, torch.tensor [| 2L; 0L; 1L |])
                  // One element in another order than the other.
                  let mixed = torch.stack [| s[0L]; swapped[1L] |]
                  let loss = Loss.permutationInvariant Loss.squaredError
                  Expect.isLessThan (value loss mixed s) 1e-12 "the order of each element is found"
                  Expect.isGreaterThan (value Loss.squaredError mixed s) 0.1 "out of order"
                  let y = noise 3 [ 2L; 3L; 5L ]
                  Expect.isLessThanOrEqual (value loss y s) (value Loss.squaredError y s + 1e-12) "never more than as named"

                  Scratch.refusesArgument [ "at most 5"; "6" ] (fun () ->
                      value loss (noise 4 [ 1L; 6L; 2L ]) (noise 5 [ 1L; 6L; 2L ]) |> ignore))
          }

          test "weights that are no numbers are refused where the loss is made" {
              for gamma in [ nan; infinity; -0.1 ] do
                  Scratch.refusesArgument [ "gamma" ] (fun () -> Loss.discriminative gamma Loss.squaredError |> ignore)

              for factor in [ nan; -infinity ] do
                  Scratch.refusesArgument [ "factor" ] (fun () -> Loss.scale factor Loss.squaredError |> ignore)
          }

          test "an objective that is not one number is refused" {
              Memory.plain (fun () ->
                  Scratch.refusesArgument [ "one number"; "[4] of float64" ] (fun () ->
                      Grad.grad (fun point -> point * point) (noise 1 [ 4L ]) |> ignore))
          } ]
