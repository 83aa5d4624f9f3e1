/// Layers over one axis of an image, against what they are made of.
module FunctionalSeparation.Tests.ImageTests

open Expecto
open FsCheck
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Tests.Layers

let private refuses words (act: unit -> unit) = Scratch.refusesArgument words (fun () -> Memory.plain act)

[<Tests>]
let tests =
    testList
        "images"
        [ test "frames to an image and back are themselves, features are channels x bins" {
              Memory.plain (fun () ->
                  let frames = noise 1 [ 4L; 3L; 10L ]
                  let image = output (Image.ofFrames 2) (random 1 (Image.ofFrames 2)) frames
                  Expect.equal (List.ofArray image.shape) [ 3L; 2L; 4L; 5L ] "the image has its axes in this order"
                  Expect.equal (image.[2L, 1L, 3L, 4L].item<float>()) (frames.[3L, 2L, 9L].item<float>()) "last of all"
                  Expect.equal (difference (output Image.toFrames (random 1 Image.toFrames) image) frames) 0.0 "as they were")
          }

          testProperty "over time and over bands a layer sees each band, each frame, by itself"
          <| fun (seed: int) ->
              Memory.plain (fun () ->
                  let inner = Gru.layer 3 2
                  let parameters, image = random seed inner, noise (seed + 1) [ 2L; 3L; 4L; 5L ]

                  let overTime, overBands =
                      output (Image.overTime inner) parameters image, output (Image.overBands inner) parameters image
                  // [batch, channels, time, bins] of one band, and of one frame, as frames.
                  let band = image.select(3L, 2L).permute(2L, 0L, 1L)
                  let frame = image.select(2L, 1L).permute(2L, 0L, 1L)
                  let expectedBand = (output inner parameters band).permute(1L, 2L, 0L)
                  let expectedFrame = (output inner parameters frame).permute(1L, 2L, 0L)
                  Expect.isLessThan (difference (overTime.select (3L, 2L)) expectedBand) 1e-14 "a band is as by itself"
                  Expect.isLessThan (difference (overBands.select (2L, 1L)) expectedFrame) 1e-14 "a frame is as by itself")

          test "over time states are carried on, over bands there are none" {
              Memory.plain (fun () ->
                  let inner = Gru.layer 3 2
                  let parameters, image = random 1 inner, noise 2 [ 2L; 3L; 6L; 5L ]
                  let run (model: Model<Activations, Activations>) flow = Model.apply model parameters flow
                  let time = Image.overTime inner
                  let first = run time (Activations.ofImages (image.narrow (2L, 0L, 2L)))
                  let second = run time (Activations.continuing (Activations.finalStates first) (image.narrow (2L, 2L, 4L)))
                  let whole = run time (Activations.ofImages image)
                  Expect.isLessThan (difference (torch.cat ([| first.Value; second.Value |], 2L)) whole.Value) 1e-14 "no seam"
                  Expect.isEmpty (run (Image.overBands inner) (Activations.ofImages image)).FinalStates "bands carry no state")
          }

          test "a linear layer over bins, means and repetitions" {
              Memory.plain (fun () ->
                  let linear = Image.linear 5 3
                  let parameters, image = random 1 linear, noise 2 [ 2L; 3L; 4L; 5L ]
                  let weights = Params.split parameters
                  let expected = (image.matmul weights[0]) .+ weights[1]
                  Expect.isLessThan (difference (output linear parameters image) expected) 1e-14 "it is a product and a bias"
                  let both = Image.pool (2, 2) --> Image.enlarge (2, 2)
                  let pooled = output both (random 1 both) image
                  Expect.equal (List.ofArray pooled.shape) [ 2L; 3L; 4L; 4L ] "what is left over is cut off"
                  let block = image.narrow(2L, 2L, 2L).narrow(3L, 0L, 2L).[0L, 1L].mean().item<float>()
                  Expect.floatClose Accuracy.high (pooled.[0L, 1L, 3L, 1L].item<float>()) block "the mean of its block")
          }

          test "what images refuse" {
              let apply (model: Model<Activations, Activations>) shape () =
                  output model (random 1 model) (noise 2 shape) |> ignore

              refuses [ "image of 3"; "a multiple of 3 features"; "[4, 2, 10]" ] (apply (Image.ofFrames 3) [ 4L; 2L; 10L ])
              refuses [ "frames of image: wants images"; "[4, 2, 10]" ] (apply Image.toFrames [ 4L; 2L; 10L ])
              refuses [ "over time (GRU 2): wants images" ] (apply (Image.overTime (Gru.layer 3 2)) [ 4L; 2L; 3L ])
              refuses [ "GRU 2: wants frames"; "[4, 10, 4]" ] (apply (Image.overTime (Gru.layer 3 2)) [ 2L; 4L; 4L; 5L ])

              refuses
                  [ "linear over 5 bins: wants images [batch, channels, time, 5]" ]
                  (apply (Image.linear 5 3) [ 2L; 3L; 4L; 6L ])
          } ]
