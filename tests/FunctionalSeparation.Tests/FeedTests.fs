/// Batches as recurrent networks see them.
module FunctionalSeparation.Tests.FeedTests

open System
open Expecto
open TorchSharp
open FunctionalSeparation

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
    let struct (value, gradient) = Train.objective model Loss.squaredError (Key.ofSeed 9) batches parameters.Vector
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
                  Expect.equal (Scratch.mixtures cut).shape [| 6L; 6L; 1L; 5L |] "mixture"
                  Expect.equal (Scratch.references cut).shape [| 4L; 6L; 2L; 1L; 5L |] "references"

                  for index in 0L .. 2L do
                      for sequence in 0L .. 1L do
                          let part = piece whole sequence index
                          let place = 2L * index + sequence
                          let at (x: torch.Tensor) = x.narrow (1L, place, 1L)
                          Expect.equal (difference (at (Scratch.mixtures cut)) (Scratch.mixtures part)) 0.0 "mixture"
                          Expect.equal (difference (at (Scratch.references cut)) (Scratch.references part)) 0.0 "references")
          }

          test "a recurrent network forgets at every cut; a feed-forward one does not see it" {
              Memory.plain (fun () ->
                  let whole = batch ()
                  let cut = Batch.inSequences 4 whole

                  let pieces =
                      [ for index in 0L .. 2L do
                            for sequence in 0L .. 1L -> piece whole sequence index ]

                  Expect.floatClose Accuracy.high (lossOf Stacked [ cut ]) (lossOf Stacked pieces) "recurrent, piece by piece"
                  Expect.notEqual (lossOf Stacked [ cut ]) (lossOf Stacked [ whole ]) "recurrent, uncut"
                  Expect.floatClose Accuracy.high (lossOf FeedForward [ cut ]) (lossOf FeedForward [ whole ]) "feed-forward")
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
                  let same (a: torch.Tensor) b = Expect.isTrue (difference a b = 0.0) "tensors"
                  same (Scratch.mixtures cut) (Scratch.mixtures expected)
                  same (Scratch.references cut) (Scratch.references expected))
          }

          test "batches drawn behind are those drawn when asked for, in any order and from several threads" {
              let clips = (Corpus.embedded 3).Train
              let network = Drnn.network (architecture FeedForward)
              let settings = { ExcerptSettings.ofSize 12 2 with OtherSong = 0.5; Effects = [ Effect.polarity ] }
              let create () = Feed.excerpts network Scratch.magnitudes settings torch.CPU clips

              let numbers (feed: Feed.Excerpts) (key, step) =
                  Memory.plain (fun () -> (Scratch.mixtures (feed.Batch (Key.ofSeed key) step)).data<float32>().ToArray())

              let asked = [ 5, 0; 5, 1; 5, 2; 5, 2; 6, 3; 5, 3; 5, 1; 5, 2 ]
              let expected = asked |> List.map (fun place -> numbers (create ()) place)
              let feed = create ()
              Expect.equal (asked |> List.map (numbers feed)) expected "one after the other"
              let together = asked |> List.replicate 8 |> List.concat |> Array.ofList |> Array.Parallel.map (numbers feed)
              Expect.equal (List.ofArray together) (expected |> List.replicate 8 |> List.concat) "at once"
          }

          test "an effect that fails behind is told of at its step, as itself" {
              let failing =
                  Effect.onChannels "fails in the end" (fun _ key signal ->
                      if Key.uniform key < 0.2 then invalidArg "signal" "no more" else signal)

              let settings = { ExcerptSettings.ofSize 12 1 with Effects = [ failing ] }
              let network = Drnn.network (architecture FeedForward)
              let feed = Feed.excerpts network Scratch.magnitudes settings torch.CPU (Corpus.embedded 3).Train

              let outcome step =
                  try
                      Memory.plain (fun () -> feed.Batch (Key.ofSeed 5) step |> ignore)
                      None
                  with :? ArgumentException as failure ->
                      Some failure.ParamName

              let first = List.init 40 outcome
              Expect.contains first None "some steps go well"
              Expect.contains first (Some "signal") "others fail"
              Expect.equal (List.init 40 outcome) first "always the same ones"
          }

          test "sources and channels that training does not know are refused, not taken for others" {
              let network = Drnn.network (architecture FeedForward)
              let needs = Scratch.magnitudes
              let clip channels names = Clip.create "clip" 16000 channels names (fun () -> failtest "it is not read")

              for clip, words in
                  [ clip 1 [ "a"; "b"; "c" ], [ "clip"; "a, b, c"; "Corpus.grouped" ]
                    clip 2 [ "a"; "b" ], [ "clip"; "2 channel"; "Corpus.mono" ] ] do
                  for feed in
                      [ fun () -> Feed.excerpts network needs (ExcerptSettings.ofSize 5 1) torch.CPU [ clip ] |> ignore
                        fun () -> Feed.wholeClips network needs None 100 torch.float32 torch.CPU [ clip ] |> ignore
                        fun () -> Feed.rotations network needs None 100 torch.CPU [ clip ] |> ignore ] do
                      Scratch.refuses words feed
          }

          test "the mean squared error is the squared error over half the number of elements" {
              Memory.plain (fun () ->
                  let y, s = Views.ofMagnitude (noise 1 [ 3L; 2L; 4L ]), Views.ofMagnitude (noise 2 [ 3L; 2L; 4L ])
                  let value (loss: Loss) = (loss.Of y s).item<float>()
                  Expect.floatClose Accuracy.high (value Loss.meanSquaredError) (value Loss.squaredError / 12.0) "24 elements")
          } ]
