/// Batches as recurrent networks see them.
module FunctionalSeparation.Tests.FeedTests

open System
open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning

let private noise seed (shape: int64 list) = Key.uniformTensor -1.0 1.0 shape (Key.ofSeed seed)
let private difference (a: torch.Tensor) (b: torch.Tensor) = (a - b).abs().max().to_type(torch.float64).item<float>()

let private architecture recurrence =
    { Drnn.huang2014 with
        FrontEnd = { FrontEnd.huang2014 with Stft = Core.Stft(8, 4, Core.StftWindow.Sine, false) }
        Context = 3
        Hidden = [ 6 ]
        Recurrence = recurrence }

/// Two sequences of 12 frames with one frame of margin; each test has its own, since a tensor ends with its scope.
let private batch () =
    Batch.ofMagnitudes
        (Drnn.network (architecture FeedForward))
        ((noise 1 [ 14L; 2L; 5L ]).abs())
        ((noise 2 [ 12L; 2L; 2L; 5L ]).abs())

let private lossOf recurrence batches =
    let model = Network.model (Drnn.network (architecture recurrence))
    let parameters = Model.init torch.float64 torch.CPU (Key.ofSeed 3) model

    let struct (value, gradient) =
        Train.objective model.Layout (Batch.loss model Loss.squaredError) (Key.ofSeed 9) batches parameters.Vector

    gradient.Dispose()
    value

/// Frames 4 i .. 4 i + 3 of one sequence, cut by hand.
let private piece (whole: Batch) sequence index =
    let cut (frames: torch.Tensor) count = frames.narrow(0L, 4L * index, count).narrow(1L, sequence, 1L)

    let all count = Map.map (fun _ frames -> cut frames count)
    { whole with Mixture = all 6L whole.Mixture; References = all 4L whole.References }

[<Tests>]
let tests =
    testList
        "feed"
        [ test "sequences of 4 frames are the frames in order, with the margins that they had" {
              Memory.plain (fun () ->
                  let whole = batch ()
                  let cut = Batch.inSequences 4 whole
                  Expect.equal (Scratch.mixtures cut).shape [| 6L; 6L; 1L; 5L |] "six sequences of four frames with margins"
                  Expect.equal (Scratch.references cut).shape [| 4L; 6L; 2L; 1L; 5L |] "six sequences of four reference frames"

                  for index in 0L .. 2L do
                      for sequence in 0L .. 1L do
                          let part = piece whole sequence index
                          let place = 2L * index + sequence
                          let at (x: torch.Tensor) = x.narrow (1L, place, 1L)
                          Expect.equal (difference (at (Scratch.mixtures cut)) (Scratch.mixtures part)) 0.0 "the same mixture"
                          Expect.equal (difference (at (Scratch.references cut)) (Scratch.references part)) 0.0 "same sources")
          }

          test "a recurrent network forgets at every cut; a feed-forward one does not see it" {
              Memory.plain (fun () ->
                  let whole = batch ()
                  let cut = Batch.inSequences 4 whole

                  let pieces =
                      [ for index in 0L .. 2L do
                            for sequence in 0L .. 1L -> piece whole sequence index ]

                  Expect.floatClose Accuracy.high (lossOf Stacked [ cut ]) (lossOf Stacked pieces) "recurrent, piece by piece"
                  Expect.notEqual (lossOf Stacked [ cut ]) (lossOf Stacked [ whole ]) "cuts change the loss of recurrent nets"
                  Expect.floatClose Accuracy.high (lossOf FeedForward [ cut ]) (lossOf FeedForward [ whole ]) "no cut matters")
          }

          test "a length that does not divide the excerpt is refused" {
              Expect.throwsT<ArgumentException>
                  (fun () -> Memory.plain (fun () -> Batch.inSequences 5 (batch ()) |> ignore))
                  "12 frames in sequences of 5"
          }

          test "excerpts in sequences are the same excerpts" {
              Memory.plain (fun () ->
                  let corpus = Corpus.embedded 3
                  let network = Drnn.network (architecture FeedForward)
                  let settings = ExcerptSettings.ofSize 12 2

                  let draw settings =
                      (Feed.excerpts network Scratch.magnitudes settings torch.CPU corpus.Train).Batch (Key.ofSeed 5) 3

                  let cut = draw { settings with Sequence = Some 4 }
                  let expected = Batch.inSequences 4 (draw settings)
                  let same (a: torch.Tensor) b = Expect.isTrue (difference a b = 0.0) "both excerpts have the same numbers"
                  same (Scratch.mixtures cut) (Scratch.mixtures expected)
                  same (Scratch.references cut) (Scratch.references expected))
          }

          test "batches are the same in any order and from several threads" {
              let settings = { ExcerptSettings.ofSize 12 2 with OtherSong = 0.5; Effects = [ Effect.polarity ] }
              let network = Drnn.network (architecture FeedForward)
              let feed = Feed.excerpts network Scratch.magnitudes settings torch.CPU (Corpus.embedded 3).Train

              let numbers step =
                  Memory.plain (fun () -> (Scratch.mixtures (feed.Batch (Key.ofSeed 5) step)).data<float32>().ToArray())

              let expected = List.map numbers [ 0..7 ]
              Expect.equal (List.map numbers [ 7..-1..0 ]) (List.rev expected) "backwards the batches are the same"

              let together = Array.replicate 4 [| 0..7 |] |> Array.concat |> Array.Parallel.map numbers
              Expect.equal (List.ofArray together) (List.concat (List.replicate 4 expected)) "threads draw the same batches"
          }

          test "an excerpt is what the clip has there, to the rounding of 16 bits" {
              Memory.plain (fun () ->
                  let clip = (Corpus.embedded 3).Train.Head
                  let network = Drnn.network { architecture FeedForward with Context = 1 }
                  let stft = network.Spec.FrontEnd.Stft
                  let sources = Clip.sources Mixing.unitNorm (Clip.key clip) torch.float32 torch.CPU (Clip.read clip)
                  let frames = stft.Frames sources.shape[2]
                  Expect.equal (stft.Samples frames) sources.shape[2] "no sample is left over, so that there is one excerpt"
                  let settings = { ExcerptSettings.ofSize (int frames) 1 with Rotation = ShiftStep None }
                  let feed = Feed.excerpts network Scratch.magnitudes settings torch.CPU [ clip ]
                  let excerpt = (Scratch.references (feed.Batch (Key.ofSeed 5) 0)).squeeze 1L
                  let whole = (stft.Forward sources).abs().movedim([| -2L |], [| 0L |])
                  Expect.equal excerpt.shape whole.shape "all of it"
                  // Eight samples a frame, each wrong by a 65534th of the largest one at most.
                  let bound = 8.0f * sources.abs().max().item<float32>() / 65534.0f
                  let error = (excerpt - whole).abs().max().item<float32>()
                  Expect.isGreaterThan error 0.0f "the samples are rounded to 16 bits"
                  Expect.isLessThan error bound "no more than that")
          }

          test "samples that are not finite are refused, and the clip is named" {
              let clip = (Corpus.embedded 3).Train.Head

              let broken () =
                  let stems = Clip.read clip
                  (Stems.find clip.Sources.Head stems).Channels[0].[100] <- nanf
                  stems

              Scratch.refuses [ clip.Name; "not finite" ] (fun () ->
                  let network = Drnn.network (architecture FeedForward)
                  let spec = BatchSpec.create network Loss.squaredError Mixing.plain
                  Feed.excerpts network spec (ExcerptSettings.ofSize 12 1) torch.CPU [ { clip with Read = broken } ] |> ignore)
          }

          test "sources and channels that training does not know are refused, not taken for others" {
              let network = Drnn.network (architecture FeedForward)
              let spec = Scratch.magnitudes
              let clip channels names = Clip.create "clip" 16000 channels names (fun () -> failtest "it is not read")

              for clip, words in
                  [ clip 1 [ "a"; "b"; "c" ], [ "clip"; "a, b, c"; "Corpus.grouped" ]
                    clip 2 [ "a"; "b" ], [ "clip"; "2 channel"; "Corpus.mono" ] ] do
                  for feed in
                      [ fun () -> Feed.excerpts network spec (ExcerptSettings.ofSize 5 1) torch.CPU [ clip ] |> ignore
                        fun () -> Feed.wholeClips network spec None 100 torch.float32 torch.CPU [ clip ] |> ignore
                        fun () -> Feed.rotations network spec None 100 torch.CPU [ clip ] |> ignore ] do
                      Scratch.refuses words feed
          }

          test "the mean squared error is the squared error over half the number of elements" {
              Memory.plain (fun () ->
                  let y, s = Views.ofMagnitude (noise 1 [ 3L; 2L; 4L ]), Views.ofMagnitude (noise 2 [ 3L; 2L; 4L ])
                  let value (loss: Loss) = (loss.Of y s).item<float>()
                  Expect.floatClose Accuracy.high (value Loss.meanSquaredError) (value Loss.squaredError / 12.0) "24 elements")
          } ]
