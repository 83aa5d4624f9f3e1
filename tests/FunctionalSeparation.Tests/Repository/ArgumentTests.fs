/// Numbers, lists and nulls that make no sense: an ArgumentException that names them, neither NaN nor a frame of libtorch.
module FunctionalSeparation.Tests.ArgumentTests

open System
open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

let private noise seed (shape: int64 list) = Key.uniformTensor 0.0 1.0 shape (Key.ofSeed seed)
let private key = Key.ofSeed 1
let private excerpts = ExcerptSettings.ofSize 10 2
let private small = Drnn.network { Drnn.huang2014 with Hidden = [ 3 ]; Recurrence = FeedForward }
let private corpus = lazy (Corpus.embedded 3)

let private feed settings () = Feed.excerpts small Scratch.magnitudes settings torch.CPU corpus.Value.Train |> ignore

let private net changed () = Drnn.network changed |> ignore
let private architecture changed () = Network.model (Drnn.network changed) |> ignore

let private rpca settings () = Rpca.decompose settings (noise 1 [ 4L; 5L ]) |> ignore

let private rendering = { SampleRate = 16000; Stft = Stft.Huang2014; Rule = MaskRule.Ratio 1.0; VoiceFrom = 0.0 }

let private maskOf rendering () =
    Decomposition.masks rendering { MusicPart = noise 1 [ 4L; 513L ]; VoicePart = noise 2 [ 4L; 513L ] } |> ignore

let private prior changed () = HarmonicPrior.pitches changed |> ignore
let private lbfgs settings () = Lbfgs.create settings |> ignore

let private separatorOf level () =
    let small = { Drnn.huang2014 with Hidden = [ 3 ]; Recurrence = FeedForward }
    let parameters = Model.init torch.float32 torch.CPU key (Network.model (Drnn.network small))

    new NetworkSeparator("x", { Network = Drnn.network small; Parameters = parameters; Level = Some level })
    |> ignore

/// Invalid calls: a name, words of the error message, and the call.
let private refused: (string * string list * (unit -> unit)) list =
    [ "a null channel", [ "channel"; "null" ], (fun () -> AudioBuffer([| [| 0.0f |]; null |], 16000) |> ignore)
      "no frames", [ "Frames"; "0" ], feed { excerpts with Frames = 0 }
      "a negative count", [ "Count"; "-1" ], feed { excerpts with Count = -1 }
      "a gain range of NaN", [ "GainRange"; "NaN" ], feed { excerpts with GainRange = nan }
      "a negative gain range", [ "GainRange"; "-3" ], feed { excerpts with GainRange = -3.0 }
      "a probability of 2", [ "OtherSong"; "2" ], feed { excerpts with OtherSong = 2.0 }
      "a probability of NaN", [ "OtherSong"; "NaN" ], feed { excerpts with OtherSong = nan }
      "no speed", [ "Speeds"; "[]" ], feed { excerpts with Speeds = [] }
      "a speed of 3", [ "Speeds"; "3" ], feed { excerpts with Speeds = [ 1.0; 3.0 ] }
      "sequences that do not divide", [ "Sequence"; "10 frames"; "3" ], feed { excerpts with Sequence = Some 3 }
      "a shift of 0", [ "ShiftStep"; "0" ], feed { excerpts with Rotation = ShiftStep(Some 0) }
      "a feed without clips",
      [ "at least one clip" ],
      (fun () -> Feed.excerpts small Scratch.magnitudes excerpts torch.CPU [] |> ignore)
      "rotations without clips",
      [ "at least one clip" ],
      (fun () -> Feed.rotations small Scratch.magnitudes None 10 torch.CPU [] |> ignore)
      "no frame in a batch",
      [ "framesPerBatch"; "0" ],
      (fun () -> Feed.wholeClips small Scratch.magnitudes None 0 torch.float32 torch.CPU [] |> ignore)
      "pieces of no length", [ "length"; "0" ], (fun () -> Feed.chunks [ 10; 0 ] 15 |> ignore)
      "a signal without samples", [ "without samples" ], (fun () -> Augment.copyCircular [||] 0 (Span [| 0.0f |]))
      "a rate of NaN", [ "rate"; "NaN" ], (fun () -> Schedule.constant nan |> ignore)
      "a negative rate", [ "rate"; "-1" ], (fun () -> Schedule.cosine -1.0 |> ignore)
      "a factor of infinity", [ "factor" ], (fun () -> Schedule.stepwise 1.0 infinity [ 3 ] |> ignore)
      "a decay of NaN", [ "decay"; "NaN" ], (fun () -> Transform.weightDecay nan |> ignore)
      "a negative decay", [ "decay" ], (fun () -> Optimiser.adamW -0.1 (Schedule.constant 1e-3) |> ignore)
      "no evaluation", [ "MaxEvaluations"; "0" ], lbfgs { Lbfgs.defaults with MaxEvaluations = 0 }
      "no line search", [ "MaxLineSearch"; "0" ], lbfgs { Lbfgs.defaults with MaxLineSearch = 0 }
      "a tolerance of NaN", [ "OptTol"; "NaN" ], lbfgs { Lbfgs.defaults with OptTol = nan }
      "a negative count of keys", [ "Key.split"; "-1" ], (fun () -> Key.split -1 key |> ignore)
      "a negative count of numbers", [ "Key.uniforms" ], (fun () -> Key.uniforms -1 key |> ignore)
      "a negative count of normals", [ "Key.normals" ], (fun () -> Key.normals -1 key |> ignore)
      "a negative permutation", [ "Key.permutation" ], (fun () -> Key.permutation -1 key |> ignore)
      "negative sizes", [ "[-1, -1]" ], (fun () -> Key.uniformTensor 0.0 1.0 [ -1L; -1L ] key |> ignore)
      "sizes beyond number", [ "shape [" ], (fun () -> Key.uniformTensor 0.0 1.0 [ 1L <<< 62; 4L ] key |> ignore)
      "a bound of NaN", [ "low <= high" ], (fun () -> Key.uniformTensor nan 1.0 [ 2L ] key |> ignore)
      "no mel filter", [ "Mel"; "count"; "0" ], (fun () -> Mel.filters 16000 513 0 torch.float32 torch.CPU |> ignore)
      "one bin", [ "Mel"; "bins"; "1" ], (fun () -> Mel.filters 16000 1 5 torch.float32 torch.CPU |> ignore)
      "more cosines than there are", [ "cosines" ], (fun () -> Mel.cosines 4 5 torch.float32 torch.CPU |> ignore)
      "parameters of whole numbers", [ "Int64" ], (fun () -> Model.init torch.int64 torch.CPU key (Layer.linear 2 3) |> ignore)
      "a layer without inputs", [ "inputs"; "0" ], (fun () -> Layer.linear 0 3 |> ignore)
      "a layer without units", [ "-3" ], (fun () -> Gru.layer 3 -3 |> ignore)
      "vectors without inputs", [ "inputs" ], (fun () -> VectorProduct.layer 0 3 |> ignore)
      "a network without sources", [ "source" ], net { Drnn.huang2014 with Sources = [] }
      "an input scale of 0", [ "InputScale"; "0" ], architecture { Drnn.huang2014 with InputScale = 0.0 }
      "a sample rate of 0",
      [ "SampleRate"; "0" ],
      architecture { Drnn.huang2014 with FrontEnd = { FrontEnd.huang2014 with SampleRate = 0 } }
      "sources of one name", [ "Two sources"; "voice" ], architecture { Drnn.huang2014 with Sources = [ "voice"; "voice" ] }
      "a level of 0", [ "Level"; "0" ], separatorOf 0.0
      "a level of NaN", [ "Level"; "NaN" ], separatorOf nan
      "a sparsity of 0", [ "RPCA"; "Sparsity" ], rpca { Rpca.huang2012 with Sparsity = 0.0 }
      "a tolerance of NaN in RPCA", [ "RPCA"; "Tolerance" ], rpca { Rpca.huang2012 with Tolerance = nan }
      "negative iterations", [ "Iterations"; "-1" ], rpca { Rpca.huang2012 with Iterations = -1 }
      "magnitudes that are none",
      [ "RPCA"; "finite" ],
      (fun () -> Rpca.decompose Rpca.huang2012 (torch.tensor([| nan; 1.0 |]).view(1L, 2L)) |> ignore)
      "magnitudes of one axis",
      [ "RPCA"; "[frames, bins]"; "[4]" ],
      (fun () -> Rpca.decompose Rpca.huang2012 (noise 1 [ 4L ]) |> ignore)
      "weights that would broadcast",
      [ "RPCA"; "[1, 4]"; "[3, 4]" ],
      (fun () -> Rpca.decomposeWeighted Rpca.huang2012 (noise 1 [ 1L; 4L ]) (noise 2 [ 3L; 4L ]) |> ignore)
      "a negative ridge",
      [ "RNMF"; "Ridge" ],
      (fun () -> Rnmf.decompose { Sparsity = 1.0; Ridge = -1.0; Iterations = 1 } 2 key (noise 1 [ 3L; 4L ]) |> ignore)
      "no atom", [ "atoms"; "0" ], (fun () -> Nmf.learn Divergence.Euclidean 0 1 key (noise 1 [ 3L; 4L ]) |> ignore)
      "a dictionary of other bins",
      [ "NMF"; "[atoms, 4]"; "[2, 5]" ],
      (fun () -> Nmf.encode Divergence.Euclidean 1 (noise 1 [ 2L; 5L ]) (noise 2 [ 3L; 4L ]) |> ignore)
      "a dictionary of no clip",
      [ "at least one clip" ],
      (fun () -> Dictionaries.frames torch.CPU Stft.Huang2014 10 key [] |> ignore)
      "a voice rank of NaN",
      [ "MLRR"; "VoiceRank" ],
      (fun () ->
          Mlrr.decompose
              { VoiceRank = nan; Sparsity = 1.0; Tolerance = 0.1; Iterations = 1 }
              { OfMusic = noise 1 [ 2L; 4L ]; OfVoice = noise 2 [ 2L; 4L ] }
              (noise 3 [ 3L; 4L ])
          |> ignore)
      "an exponent of 0", [ "exponent"; "0" ], maskOf { rendering with Rule = MaskRule.Ratio 0.0 }
      "a gain of NaN", [ "gain"; "NaN" ], maskOf { rendering with Rule = MaskRule.Binary nan }
      "pitches from 0", [ "Lowest"; "0" ], prior { HarmonicPrior.standard with Lowest = 0.0 }
      "pitches upside down", [ "Lowest <= Highest" ], prior { HarmonicPrior.standard with Highest = 10.0 }
      "stems of one name",
      [ "names"; "a, a" ],
      (fun () ->
          let nothing =
              { new IEstimateStream with
                  member _.Latency = 0
                  member _.Push _ = [||]
                  member _.Finish() = [||]
                  member _.Dispose() = () }

          new StemStream([| "a"; "a" |], nothing, 16000, 16000, 1, SoundLevel.WithoutOffset 0.1) |> ignore) ]

[<Tests>]
let tests =
    testList
        "arguments"
        [ for what, words, act in refused do
              test $"refused: {what}" { Scratch.refusesArgument words (fun () -> Memory.plain act) }

          test "a model folder takes no model that is not whole" {
              Scratch.inFolder (fun folder ->
                  let small = { Drnn.huang2014 with Hidden = [ 3 ]; Recurrence = FeedForward }
                  let parameters = Model.init torch.float32 torch.CPU key (Network.model (Drnn.network small))
                  let whole = { Network = Drnn.network small; Parameters = parameters; Level = Some 0.01 }
                  ModelFolder.save folder whole (Text.Json.Nodes.JsonObject())

                  Expect.equal
                      (string (ModelFolder.load ModelFolder.families torch.CPU folder).Network.Architecture)
                      (string whole.Network.Architecture)
                      "the model loaded is the one saved"

                  let refuses name trained =
                      Scratch.refusesArgument [ name ] (fun () -> ModelFolder.save folder trained (Text.Json.Nodes.JsonObject()))

                  refuses "trained" Unchecked.defaultof<TrainedModel>
                  refuses "Network" { whole with Network = Unchecked.defaultof<Network> }
                  refuses "Parameters" { whole with Parameters = Unchecked.defaultof<Params> }
                  refuses "Vector" { whole with Parameters = { parameters with Vector = null } })
          } ]
