/// A network, a loss and an optimiser rule of one's own, as `scripts/own.fsx` has them, through all that the papers' networks go
/// through.
module FunctionalSeparation.Tests.OwnTests

open System.IO
open System.Text.Json.Nodes
open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

/// Settings with a list and a text: what a family may be described by.
type Settings = { Channels: int; Kernels: int list; Note: string }

[<NoEquality; NoComparison>]
type private Changing = { Size: int -> int }

let private family =
    Family.define "own" (fun settings spec ->
        let channels = settings.Channels
        let layer kernel = Conv.layer kernel channels channels --> Norm.batch channels --> Layer.activation Relu
        let first = Conv.layer 1 (2 * spec.Channels) channels --> Dropout.layer 0.1

        { Input = Input.Spectrum
          Output = Output.ComplexMask
          ReceptiveField = ReceptiveField.Frames(List.sumBy (fun kernel -> kernel / 2) settings.Kernels, 3)
          Stride = 1
          MiddleSide = false
          Model =
            List.fold (fun whole kernel -> whole --> layer kernel) first settings.Kernels
            --> Conv.layer 1 channels (2 * spec.Channels * spec.Sources.Length) })

/// Samples in, samples out: half of what is heard each, plus what a convolution of 9 samples makes of it.
let private ofSamples =
    Family.define "samples" (fun (settings: {| Size: float |}) spec ->
        let scaled (factor: float) = Model.pureFunction $"times {factor}" (Activations.map _.mul(factor))
        let outputs = spec.Channels * spec.Sources.Length
        let smooth = Conv.create { Conv.settings 1 spec.Channels outputs with Kernel = 9, 1 } --> scaled settings.Size

        Model.sum [ Model.concat [ scaled 0.5; scaled 0.5 ]; smooth ] |> NetworkPlan.waveforms (1, 1))

let private spec: SourceSpec =
    { FrontEnd = FrontEnd.create 16000 256 64; Channels = 1; Sources = Stems.musicAndVoice }

let private network = family.Network { Channels = 4; Kernels = [ 3; 3 ]; Note = "two" } spec

let private trained () : TrainedModel =
    let parameters = Model.init torch.float32 torch.CPU (Key.ofSeed 1) (Network.model network)
    { Network = network; Parameters = parameters; Level = Some 0.01 }

let private noise seed (shape: int64 list) = (Key.uniformTensor -0.1 0.1 shape (Key.ofSeed seed)).``to`` torch.float32
let private difference (a: torch.Tensor) (b: torch.Tensor) = (a - b).abs().max().to_type(torch.float64).item<float>()

let private recipe =
    let sampler =
        Sampler.excerpts { ExcerptSettings.ofSize 20 2 with Effects = [ Effect.polarity; Effect.equalise 3.0 ] }

    let loss = Loss.add Loss.siSdr (Loss.multiResolution [ 128; 256 ])

    let optimiser =
        Optimiser.adam (Schedule.cosine 1e-3) |> Optimiser.clipped (Transform.clipNorm 5.0) |> Optimiser.averaged 0.9

    Recipe.create network loss optimiser sampler (Steps 6)

exception private Stopped

/// A recipe on two clips of a corpus.
let private runOf recipe (corpus: Corpus) resume report folder : TrainedModel =
    let settings =
        { Recipe = recipe
          Train = List.truncate 2 corpus.Train
          Dev = []
          Device = torch.CPU
          Folder = folder
          Resume = resume
          CheckpointEvery = 2
          TensorBoard = false
          Report = report }

    (Run.train settings).Trained

let private run folder resume stopAt =
    runOf recipe (Corpus.embedded 3) resume (fun report -> if Some report.Step = stopAt then raise Stopped) folder

[<Tests>]
let tests =
    testList
        "networks of one's own"
        [ test "outputs that are not what its sources ask for are refused by name, with both shapes, as the network is made" {
              let wrong =
                  Family.define "wrong" (fun (settings: {| Outputs: int |}) spec ->
                      Conv.layer 1 (2 * spec.Channels) settings.Outputs |> NetworkPlan.complexMask (0, 0))

              for outputs in [ 3; 8 ] do
                  Scratch.refusesArgument
                      [ "wrong"; "outputs for 2 sources in 1 channel"; "[batch, 4, time, bins]"; $", {outputs}, " ]
                      (fun () -> wrong.Network {| Outputs = outputs |} network.Spec |> ignore)
          }

          test "the description in a model folder is the way back, for those who bring the family" {
              Scratch.inFolder (fun folder ->
                  Memory.plain (fun () ->
                      let trained = trained ()
                      ModelFolder.save folder trained (JsonObject())
                      let loaded = ModelFolder.load [ Drnn.family; family.Reader ] torch.CPU folder
                      Expect.equal (string loaded.Network.Architecture) (string network.Architecture) "the description is kept"
                      Expect.equal loaded.Parameters.Layout trained.Parameters.Layout "the layout is kept"
                      let mixture = noise 1 [ 1L; 1L; 3000L ]
                      let estimate model = Separation.estimate model Soft mixture
                      Expect.equal (difference (estimate loaded) (estimate trained)) 0.0 "the estimates are the same"

                      // The file is whole: another copy would do no better.
                      Scratch.refuses [ "model.json"; "'own'"; "it has drnn, "; "ModelFolder.openWith" ] (fun () ->
                          try
                              ModelFolder.load ModelFolder.families torch.CPU folder |> ignore
                          with :? InputException as wrong ->
                              Expect.isFalse (wrong.Message.Contains "Copy") wrong.Message
                              raise wrong)))
          }

          test "settings that no file could give back are refused before they are used" {
              let changing = Family.define "changing" (fun (_: Changing) _ -> failwith "not reached")
              Scratch.refusesArgument [ "changing"; "record" ] (fun () -> changing.Network { Size = id } spec |> ignore)
          }

          test "settings that are not the family's are refused by name" {
              let read (json: JsonObject) () =
                  family.Reader.Read(System.Text.Json.JsonElement.Parse(json.ToJsonString())) |> ignore

              let changed (change: JsonNode -> unit) =
                  let json = network.Architecture.DeepClone().AsObject()
                  change json["settings"]
                  json

              Scratch.refuses
                  [ "settings"; "Channels" ]
                  (read (changed (fun json -> json["Channels"] <- JsonValue.Create "four")))

              Scratch.refuses [ "settings"; "Rate" ] (read (changed (fun json -> json["Rate"] <- JsonValue.Create 4)))
              Scratch.refuses [ "settings"; "Kernels" ] (read (changed (fun json -> json.AsObject().Remove "Kernels" |> ignore)))
          }

          test "a stream of it gives what it gives at once, however it is cut" {
              Memory.plain (fun () ->
                  let trained, mixture = trained (), noise 2 [ 2L; 20011L ]
                  let whole = Scratch.separatedInPieces 100000 trained mixture
                  Expect.equal whole.shape [| 2L; 2L; 20011L |] "channels x sources x samples"

                  for samples in [ 500; 7777 ] do
                      let pieces = Scratch.separatedInPieces samples trained mixture
                      Expect.isLessThan (difference pieces whole) 1e-6 $"pieces of {samples}"

                  // A whole clip is heard between other edges; inside, where the network looks at none, all is the same.
                  let atOnce = (Separation.estimate trained Soft (mixture.unsqueeze 1L)).squeeze(2L)
                  let inner (x: torch.Tensor) = x.narrow (-1L, 2000L, 16000L)
                  Expect.isLessThan (difference (inner atOnce) (inner whole)) 1e-5 "inside, the stream is as at once")
          }

          for size in [ 0.0; 1.0 ] do
              test $"a network of samples, whole and as a stream, with a convolution times {size}" {
                  Memory.plain (fun () ->
                      let network = ofSamples.Network {| Size = size |} spec
                      let parameters = Model.init torch.float32 torch.CPU (Key.ofSeed 1) (Network.model network)
                      let trained: TrainedModel = { Network = network; Parameters = parameters; Level = Some 0.01 }
                      let mixture = noise 2 [ 2L; 20011L ]
                      let whole = Scratch.separatedInPieces 100000 trained mixture
                      Expect.equal whole.shape [| 2L; 2L; 20011L |] "channels x sources x samples"

                      if size = 0.0 then
                          Expect.isLessThan (difference (whole.sum 1L) mixture) 1e-5 "the halves sum to the mixture"
                      else
                          Expect.isGreaterThan (difference (whole.sum 1L) mixture) 1e-3 "the sum is not the mixture"

                      for samples in [ 500; 7777 ] do
                          let pieces = Scratch.separatedInPieces samples trained mixture
                          Expect.isLessThan (difference pieces whole) 1e-5 $"pieces of {samples}"

                      let atOnce = (Separation.estimate trained Soft (mixture.unsqueeze 1L)).squeeze(2L)
                      let inner (x: torch.Tensor) = x.narrow (-1L, 2000L, 16000L)
                      Expect.isLessThan (difference (inner atOnce) (inner whole)) 1e-5 "inside, the stream is as at once")
              }

          test "a network of samples that strides over frames keeps the end of a clip" {
              Memory.plain (fun () ->
                  let network = { ofSamples.Network {| Size = 0.0 |} spec with Stride = 16L }
                  let parameters = Model.init torch.float32 torch.CPU (Key.ofSeed 1) (Network.model network)
                  let trained: TrainedModel = { Network = network; Parameters = parameters; Level = None }

                  for samples in [ 3000L; 4095L ] do
                      let mixture = noise 2 [ 1L; 1L; samples ]
                      let estimates = Separation.estimate trained Soft mixture
                      let heard = mixture.narrow (2L, 0L, estimates.shape[3])
                      Expect.isLessThan (samples - heard.shape[2]) 64L "to whole frames"
                      Expect.isLessThan (difference (estimates.sum 1L) heard) 1e-6 "the halves sum to what is heard")
          }

          test "a network of samples learns, with a loss on samples" {
              Scratch.inFolder (fun folder ->
                  Memory.plain (fun () ->
                      let sampler = Sampler.excerpts (ExcerptSettings.ofSize 20 2)
                      let adam = Optimiser.adam (Schedule.cosine 3e-2)
                      let energy (x: torch.Tensor) = x.squared().sum()

                      let loss =
                          Loss.onWaveforms "log error" (fun y s -> (energy (y - s) / energy (s.sum 1L)).log10().mul(10.0))

                      let recipe = Recipe.create (ofSamples.Network {| Size = 1.0 |} spec) loss adam sampler (Steps 30)
                      let values = ResizeArray()

                      let trained = runOf recipe (Corpus.embedded 3) false (fun report -> values.Add report.Value) folder
                      Params.dispose trained.Parameters
                      let first, last = Seq.average (Seq.take 3 values), Seq.average (Seq.skip 27 values)
                      Expect.isLessThan last (first - 1.0) "the loss falls by a dB"))
          }

          test "a run stopped and resumed ends bit-identical, with averages, dropout and statistics" {
              Scratch.inFolder (fun folder ->
                  Memory.plain (fun () ->
                      let whole = run (Path.Combine(folder, "whole")) false None
                      let cut = Path.Combine(folder, "cut")
                      Expect.throwsT<Stopped> (fun () -> run cut false (Some 3) |> ignore) "the run stops at step 3"
                      let resumed = run cut true None
                      Expect.equal (difference resumed.Parameters.Vector whole.Parameters.Vector) 0.0 "all weights are equal"
                      Expect.equal (difference resumed.Parameters.Statistics whole.Parameters.Statistics) 0.0 "they agree too"
                      let untouched = Params.create whole.Parameters.Layout whole.Parameters.Vector
                      Expect.isGreaterThan (difference whole.Parameters.Statistics untouched.Statistics) 1e-3 "were observed"))
          }

          test "four stems in stereo: learnt together, scored by name, taken out of a song" {
              Scratch.inFolder (fun folder ->
                  Memory.plain (fun () ->
                      let corpus = Corpus.embeddedBand 1
                      let clip = corpus.Train.Head

                      let network =
                          family.Network
                              { Channels = 4; Kernels = [ 3 ]; Note = "stereo" }
                              { FrontEnd = FrontEnd.create clip.SampleRate 512 128; Channels = 2; Sources = clip.Sources }

                      let sampler =
                          Sampler.excerpts { ExcerptSettings.ofSize 16 2 with OtherSong = 1.0; SecondAccompaniment = 0.5 }

                      let loss = Loss.logErrorRatio |> Loss.discriminative 0.05

                      let recipe =
                          Recipe.create network loss (Optimiser.adamW 0.01 (Schedule.warmupCosine 1 1e-3)) sampler (Steps 3)

                      let trained = runOf { recipe with Mixing = corpus.Mixing } corpus false ignore folder
                      let test = corpus.Test.Head
                      let separator = Separation.separator trained Soft
                      let scores = Evaluate.clip (Scoring.ofCorpus corpus) torch.float32 torch.CPU separator test
                      Expect.equal (List.map fst scores.Sources) clip.Sources "a score for each"
                      use application = new NetworkSeparator("four", trained) :> ISeparator
                      let stems = application.Separate(Stems.sum (Clip.read test))
                      Expect.containsAll (List.ofSeq stems.Keys) clip.Sources "each source has a stem"
                      Expect.equal stems["vocals"].Channels.Count 2 "the stems are in stereo"))
          }

          test "another loss is another run" {
              Scratch.inFolder (fun folder ->
                  Expect.throwsT<Stopped> (fun () -> run folder false (Some 3) |> ignore) "the run stops at step 3"

                  Scratch.refuses [ "other settings" ] (fun () ->
                      Run.train
                          { Recipe = { recipe with Loss = Loss.siSdr }
                            Train = List.truncate 2 (Corpus.embedded 3).Train
                            Dev = []
                            Device = torch.CPU
                            Folder = folder
                            Resume = true
                            CheckpointEvery = 2
                            TensorBoard = false
                            Report = ignore }
                      |> ignore))
          } ]
