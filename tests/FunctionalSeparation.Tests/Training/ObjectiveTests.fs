/// Network, mask layer and losses against the authors' own code on a tiny network (golden/objective).
module FunctionalSeparation.Tests.ObjectiveTests

open System.IO
open System.Text.Json.Nodes
open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

let private bins, frames = 9, 9

let private clip formula = Array2D.init frames bins (fun t k -> formula (float (k + 1)) (float (t + 1)))

let private mixture c = clip (fun k t -> 0.6 + 0.5 * sin (0.5 * k + 0.9 * t + 1.1 * c))
let private voice c = clip (fun k t -> 0.4 + 0.35 * cos (0.3 * k + 0.7 * t + 0.5 * c))
let private music c = clip (fun k t -> 0.4 + 0.35 * sin (0.8 * k - 0.4 * t + 0.3 * c))

let private tensor (values: float[,]) =
    torch.tensor(Array.concat [ for t in 0 .. frames - 1 -> values[t, *] ]).reshape(int64 frames, int64 bins)

/// One clip: features [time, 1, 27], mixture [time, 1, 9], references [time, 1, 2, 9].
let private clipTensors c =
    let x = tensor (mixture c)
    Spectra.stackContext 3 (x.unsqueeze 1L), x.unsqueeze 1L, torch.stack([ tensor (music c); tensor (voice c) ], 1L).unsqueeze(1L)

let private net recurrence activation =
    { Drnn.huang2014 with
        FrontEnd = { SampleRate = 16000; Stft = Stft(2 * (bins - 1), bins - 1, StftWindow.Sine, false) }
        Hidden = [ 5; 5 ]
        Recurrence = recurrence
        Activation = activation }

let private theta (layout: Layout) =
    let matrix formula rows columns =
        [| for j in 1..columns do
               for i in 1..rows -> formula (float i) (float j) |]

    let weight l = matrix (fun i j -> 0.4 * sin (i + 2.0 * j + 0.5 * float l))
    let bias l count = [| for i in 1..count -> 0.1 * cos (float (i + l)) |]

    let block (weightSpec: Weight) =
        let shape = weightSpec.Shape |> List.map int

        let l =
            match weightSpec.Name[6] with
            | '1' -> 1
            | '2' -> 2
            | _ -> 3

        match weightSpec.Name.Split('.')[1], shape with
        | "weight", [ inputs; outputs ] -> weight l outputs inputs
        | "bias", [ outputs ] -> bias l outputs
        | "recurrence", [ n; _ ] -> matrix (fun i j -> 0.25 * cos (i - 2.0 * j)) n n
        | name, _ -> failwith name

    layout |> List.map block |> Array.concat

let private objective net mask loss =
    let model = Drnn.layers net
    let tensors = [ clipTensors 1.0; clipTensors 2.0 ]

    let part (features: torch.Tensor, mixture: torch.Tensor, references: torch.Tensor) start count vector =
        let cut (x: torch.Tensor) = x.narrow (0L, start, count)
        let outputs = (Model.apply model (Params.create model.Layout vector) (Activations.ofFrames (cut features))).Value
        let estimates = Mask.apply mask (outputs.view (count, 1L, 2L, int64 bins)) (cut mixture)
        // [time, batch, sources, bins] as losses look at them: [batch, sources, channels, time, bins].
        let views (x: torch.Tensor) = Views.ofMagnitude (x.permute(1L, 2L, 0L, 3L).unsqueeze 2L)
        (loss vector).Of (views estimates) (views (cut references))

    model.Layout,
    [ for clip in tensors do
          for start, count in [ 0L, 4L; 4L, 4L; 8L, 1L ] -> part clip start count ]

let private cases =
    let discriminative = Loss.discriminative 0.05 Loss.squaredError

    [ "softabs_r0_relu_rnn2", RecurrentAt 2, Relu, Absolute, Loss.squaredError
      "softabs_r0.05_relu_rnn2", RecurrentAt 2, Relu, Absolute, discriminative
      "softabs_r0.05_relu_rnn1", RecurrentAt 1, Relu, Absolute, discriminative
      "softabs_r0.05_relu_dnn", FeedForward, Relu, Absolute, discriminative
      "softabs_r0.05_tanh_rnn2", RecurrentAt 2, Tanh, Absolute, discriminative
      "kl_r0.05_relu_rnn2", RecurrentAt 2, Relu, AbsoluteExact, Loss.discriminative 0.05 Loss.kullbackLeibler ]

let private expectedCost (file: string) (key: string) name =
    JsonNode.Parse(File.ReadAllText(Golden.path file)).AsArray()
    |> Seq.find (fun entry -> string (entry["case"]) = name)
    |> fun entry -> entry[key].GetValue<float>()

let private checkCase name cost net mask loss =
    Memory.plain (fun () ->
        let layout, parts = objective net mask loss
        let struct (value, gradient) = Grad.valueAndGradOfSum parts (torch.tensor (theta layout))
        Expect.isLessThan (abs (value / cost - 1.0)) 1e-9 $"cost {value}, reference {cost}"
        let reference = Golden.numbers (Golden.path $"objective/grad_{name}.txt") |> Golden.reorder layout
        Expect.isLessThan (Golden.relativeError (gradient.data<float>().ToArray()) reference) 1e-9 "the gradient is theirs")

let private checkPrediction name net clipNumber =
    Memory.plain (fun () ->
        let model = Drnn.layers net
        let features, x, _ = clipTensors (float clipNumber)
        let parameters = Params.create model.Layout (torch.tensor (theta model.Layout))
        let outputs = (Model.apply model parameters (Activations.ofFrames features)).Value
        let estimates = Mask.apply Absolute (outputs.view (int64 frames, 1L, 2L, int64 bins)) x
        // The reference is 18 rows x 9 frames, ours frames first.
        let ours = estimates.reshape(int64 frames, 18L).t().contiguous().data<float>().ToArray()

        Expect.isLessThan
            (Golden.relativeError ours (Golden.numbers (Golden.path $"objective/pred_{name}_clip{clipNumber}.csv")))
            1e-9
            "the estimates are those of the authors' code")

[<Tests>]
let tests =
    testList
        "objective"
        [ test "the start weights follow the recipe" {
              let layout = (Drnn.layers (net (RecurrentAt 2) Relu)).Layout
              let reference = Golden.numbers (Golden.path "objective/theta_rnn2.txt") |> Golden.reorder layout
              Expect.isLessThan (Golden.relativeError (theta layout) reference) 1e-12 "the start weights are the reference's"
          }

          for name, recurrence, activation, mask, loss in cases do
              test $"cost and gradient of {name}" {
                  checkCase name (expectedCost "objective/objective.json" "cost" name) (net recurrence activation) mask (fun _ ->
                      loss)
              }

          for gamma, lambda in [ "0", "0"; "0", "0.01"; "0.05", "0"; "0.05", "0.01" ] do
              test $"cost and gradient without a mask, gamma {gamma}, weight decay {lambda}" {
                  let name = $"nonjoint_r{gamma}_lambda{lambda}"
                  // The authors' decay is spread over the parts here, since the objective is their sum.
                  let loss (vector: torch.Tensor) =
                      let decay = vector.squared().sum().mul(float lambda * 18.0 / 6.0)

                      Loss.discriminative (float gamma) Loss.squaredError
                      |> Loss.add (Loss.onMagnitudes "weight decay" (fun _ _ -> decay))

                  checkCase
                      name
                      (expectedCost "objective/objective_nonjoint.json" "cost" name)
                      (net (RecurrentAt 2) Relu)
                      NoMask
                      loss
              }

          for name, recurrence in
              [ "softabs_r0.05_relu_rnn2", RecurrentAt 2
                "softabs_r0.05_relu_dnn", FeedForward
                "kl_r0.05_relu_rnn2", RecurrentAt 2 ] do
              for clipNumber in 1..2 do
                  test $"test-time output of {name}, clip {clipNumber}" { checkPrediction name (net recurrence Relu) clipNumber } ]
