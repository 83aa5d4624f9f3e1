/// Normalisation against torch's modules, and statistics observed over batches.
module FunctionalSeparation.Tests.NormTests

open Expecto
open FsCheck
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Tests.Layers

let private refuses words (act: unit -> unit) = Scratch.refusesArgument words (fun () -> Memory.plain act)

let private run mode (model: Model<Activations, Activations>) parameters input =
    Model.apply model parameters (Activations.ofFrames input |> Activations.inMode mode)

/// torch's module with the weights and statistics of a batch normalisation.
let private native (weights: torch.Tensor list) =
    let norm = torch.nn.BatchNorm2d(6L, dtype = torch.float64)
    use _ = torch.no_grad ()

    for name, value in List.zip [ "weight"; "bias" ] (List.truncate 2 weights) do
        norm.get_parameter(name).copy_ value |> ignore

    for name, value in List.zip [ "running_mean"; "running_var" ] (List.skip 2 weights) do
        norm.get_buffer(name).copy_ value |> ignore

    norm

/// Mean and variance of all elements of each of the features on an axis.
let private momentsOf (axis: int64) (values: torch.Tensor) =
    let others =
        [| for other in 0L .. values.dim () - 1L do
               if other <> axis then other |]

    let struct (variance, mean) = values.var_mean (others, false)
    torch.cat [| mean; variance |]

let private network =
    Conv.layer 3 6 4 --> Norm.batch 4 --> Layer.activation Relu --> Conv.layer 3 4 5 --> Norm.batch 5

[<Tests>]
let tests =
    testList
        "normalisation"
        [ testProperty "batch norm of images is torch's, at inference and while training"
          <| fun (seed: int) ->
              Memory.plain (fun () ->
                  let model, input = Norm.batch 6, noise seed [ 3L; 6L; 4L; 5L ]
                  let parameters = random (seed + 1) model
                  use theirs = native (Params.split parameters)
                  theirs.eval ()
                  Expect.isLessThan (difference (output model parameters input) (theirs.call input)) 1e-12 "as torch infers it"
                  theirs.train ()
                  let training = (run (Mode.Training(Key.ofSeed 1)) model parameters input).Value
                  Expect.isLessThan (difference training (theirs.call input)) 1e-12 "training gives what torch's does"
                  let statistics = parameters.Statistics.clone ()
                  run Mode.Observing model parameters input |> ignore
                  Expect.equal (difference statistics parameters.Statistics) 0.0 "statistics stand still")

          test "frames are normalised as images of one bin are" {
              Memory.plain (fun () ->
                  let frames = noise 1 [ 7L; 3L; 6L ]
                  let images = frames.permute(1L, 2L, 0L).unsqueeze(-1L)

                  for model, modes in
                      [ Norm.batch 6, [ Mode.Inference; Mode.Observing ]
                        Norm.standardise 6, [ Mode.Inference; Mode.Observing ]
                        Norm.layer 6, [ Mode.Inference ] ] do
                      for mode in modes do
                          let parameters = random 2 model
                          let ofImages = (run mode model parameters images).Value.squeeze(-1L).permute(2L, 0L, 1L)
                          Expect.isLessThan (difference (run mode model parameters frames).Value ofImages) 1e-12 model.Name)
          }

          test "group and layer norm: mean 0 and variance 1 where they say" {
              Memory.plain (fun () ->
                  let start (model: Model<Activations, Activations>) = Model.init torch.float64 torch.CPU (Key.ofSeed 1) model

                  let standard axes (values: torch.Tensor) =
                      let struct (variance, mean) = values.var_mean ((axes: int64[]), false)
                      Expect.isLessThan (mean.abs().max().item<float>()) 1e-12 "the mean is 0"
                      Expect.isLessThan ((variance.sub 1.0).abs().max().item<float>()) 1e-3 "the variance is 1"

                  let images, frames = (noise 2 [ 3L; 6L; 4L; 5L ]).mul 100.0, (noise 3 [ 7L; 3L; 6L ]).mul 100.0
                  let grouped = output (Norm.group 3 6) (start (Norm.group 3 6)) images
                  standard [| 2L; 3L; 4L |] (grouped.view (3L, 3L, 2L, 4L, 5L))
                  let ofFrames = output (Norm.group 2 6) (start (Norm.group 2 6)) frames
                  standard [| 3L |] (ofFrames.view (7L, 3L, 2L, 3L))
                  standard [| 1L |] (output (Norm.layer 6) (start (Norm.layer 6)) images)
                  standard [| 2L |] (output (Norm.layer 6) (start (Norm.layer 6)) frames))
          }

          testProperty "observed statistics of one batch are its moments, of two halves those of the whole"
          <| fun (seed: int) (PositiveInt cut) ->
              Memory.plain (fun () ->
                  let cut, model = int64 (1 + cut % 6), Norm.standardise 6
                  let frames = noise seed [ 7L; 3L; 6L ]
                  let parameters = random 1 model
                  let observe batches = Statistics.observe model parameters batches
                  Expect.isLessThan (difference (observe [ frames ]) (momentsOf 2L frames)) 1e-12 "one batch gives its moments"
                  let halves = [ frames.narrow (0L, 0L, cut); frames.narrow (0L, cut, 7L - cut) ]
                  Expect.isLessThan (difference (observe halves) (momentsOf 2L frames)) 1e-12 "weighted by their counts")

          test "with the statistics of a batch, inference on that batch is what training saw" {
              Memory.plain (fun () ->
                  let parameters, batch = random 1 network, noise 2 [ 3L; 6L; 9L; 8L ]
                  let observed = parameters |> Params.withStatistics (Statistics.observe network parameters [ batch ])
                  Expect.equal observed.Statistics.shape [| 18L |] "two layers, mean and variance"
                  let training = (run (Mode.Training(Key.ofSeed 1)) network parameters batch).Value
                  Expect.isLessThan (difference (output network observed batch) training) 1e-10 "inference is as training was"
                  Expect.isGreaterThan (difference (output network parameters batch) training) 0.01 "and only then")
          }

          test "statistics are no parameters: layout, vector, names, gradient" {
              Memory.plain (fun () ->
                  let parameters = random 1 network
                  Expect.equal (Layout.total network.Layout) (6L * 4L * 9L + 4L + 8L + 4L * 5L * 9L + 5L + 10L) "no statistics"
                  let names = Params.named parameters |> List.map fst
                  Expect.equal names[2..5] [ "scale"; "shift"; "mean"; "variance" ] "in layout order"
                  let start = Model.init torch.float64 torch.CPU (Key.ofSeed 1) network
                  let named = Map.ofList (Params.named start)

                  Expect.equal
                      (named["variance.2"].sum().item<float>(), named["mean.2"].sum().item<float>())
                      (5.0, 0.0)
                      "before any is observed"

                  Expect.hasLength (Params.tensors start) 2 "parameters and statistics are one vector each"
                  refuses [ "18 statistics"; "[3]" ] (fun () -> start |> Params.withStatistics (noise 1 [ 3L ]) |> ignore)

                  refuses [ "statistics [18]"; "[4]" ] (fun () ->
                      output network { start with Statistics = noise 1 [ 4L ] } (noise 2 [ 3L; 6L; 9L; 8L ]) |> ignore))
          }

          test "where there are no statistics the batches are not looked at, and no batch is refused" {
              Memory.plain (fun () ->
                  let linear = Layer.linear 3 3
                  let never = Seq.delay (fun () -> failwith "looked at")
                  Expect.equal (Statistics.observe linear (random 1 linear) never).shape [| 0L |] "no statistics are observed"

                  refuses [ "standardise 6"; "at least one batch" ] (fun () ->
                      Statistics.observe (Norm.standardise 6) (random 1 (Norm.standardise 6)) [] |> ignore)

                  refuses [ "batch norm 6: wants images [batch, 6, time, bins]" ] (fun () ->
                      output (Norm.batch 6) (random 1 (Norm.batch 6)) (noise 1 [ 2L; 5L; 3L; 3L ]) |> ignore)

                  refuses [ "7 channels"; "2 groups" ] (fun () -> Norm.group 2 7 |> ignore))
          }

          test "in bfloat16 statistics and results are float32, close to those in float32" {
              Memory.plain (fun () ->
                  let short = Precision.network Precision.Bfloat16 network
                  let parameters = Model.init torch.float32 torch.CPU (Key.ofSeed 1) network
                  let batch = (noise 2 [ 3L; 6L; 9L; 8L ]).to_type torch.float32
                  let observe (model: Model<Activations, Activations>) = Statistics.observe model parameters [ batch ]
                  let long, brief = observe network, observe short
                  Expect.equal brief.dtype torch.float32 "the statistics are float32"
                  Expect.isLessThan (difference long brief) 0.03 "the statistics are close to those in float32"
                  let observed = parameters |> Params.withStatistics long

                  for mode in [ Mode.Inference; Mode.Training(Key.ofSeed 1) ] do
                      let long, brief = (run mode network observed batch).Value, (run mode short observed batch).Value
                      Expect.equal brief.dtype torch.float32 "the results are float32"
                      Expect.isLessThan (difference long brief) 0.1 $"{mode}")
          } ]
