/// Vector product layers against their definition, neuron by neuron, and its laws.
module FunctionalSeparation.Tests.VectorProductTests

open Expecto
open FsCheck
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning

let private noise seed (shape: int64 list) = Key.uniformTensor -1.0 1.0 shape (Key.ofSeed seed)
let private difference (a: torch.Tensor) (b: torch.Tensor) = (a - b).abs().max().item<float>()

let private rows, inputs, units = 4L, 3L, 2L

/// u x v along the last axis, by the schoolbook formula.
let private cross (u: torch.Tensor) (v: torch.Tensor) =
    match u.unbind -1, v.unbind -1 with
    | [| u1; u2; u3 |], [| v1; v2; v3 |] -> torch.stack ([| u2 * v3 - u3 * v2; u3 * v1 - u1 * v3; u1 * v2 - u2 * v1 |], -1L)
    | _ -> failwith "3-vectors"

/// [rows, 3 n] to [rows, n, 3].
let private vectors (x: torch.Tensor) = x.view(x.shape[0], 3L, -1L).transpose(1L, 2L)

/// The definition, written with one cross product for every pair of input and neuron.
let private definition (weight: torch.Tensor) (bias: torch.Tensor) (x: torch.Tensor) =
    let w = weight.permute(1L, 2L, 0L).unsqueeze(0L)
    let a = (vectors x).unsqueeze(2L)
    let w, a = w.expand (x.shape[0], -1L, -1L, -1L), a.expand (-1L, -1L, weight.shape[2], -1L)
    let z = (cross w a).sum(1L) .+ bias.t().unsqueeze(0L)
    z.transpose(1L, 2L).reshape(x.shape[0], -1L)

/// The three arguments in one vector, for derivatives with respect to all of them.
let private sizes = [| 3L * inputs * units; 3L * units; rows * 3L * inputs |]

let private ofVector product (vector: torch.Tensor) : torch.Tensor =
    match vector.split sizes with
    | [| weight; bias; x |] -> product (weight.view (3L, inputs, units)) (bias.view (3L, units)) (x.view (rows, 3L * inputs))
    | _ -> failwith "three parts"

let private objective product seed vector = (ofVector product vector * noise (seed + 1) [ rows; 3L * units ]).sum()

/// Central differences of a function of a vector.
let private slopes (f: torch.Tensor -> torch.Tensor) (point: torch.Tensor) =
    let step = 1e-5
    let one = torch.eye (point.shape[0], dtype = torch.float64)
    let slope (direction: torch.Tensor) = (f (point.add (direction, step)) - f (point.add (direction, -step))).div(2.0 * step)
    torch.stack [| for direction in one.unbind 0 -> slope direction |]

let private ofNumbers (values: float list) = torch.tensor (Array.ofList values)

/// A network with the window's neurons, written with `definition` alone.
let private windowNetwork (weights: torch.Tensor list) (magnitude: torch.Tensor) =
    match weights with
    | [ w1; b1; w2; b2 ] ->
        let frames = magnitude.shape[0] - 2L
        // (previous, current, next) frame, one component after the other.
        let window = torch.cat ([| for shift in 0L .. 2L -> magnitude.narrow(0L, shift, frames).squeeze 1L |], 1L)
        let hidden = (definition w1 b1 window).relu()
        let bias = torch.stack [ torch.zeros_like b2; b2; torch.zeros_like b2 ]
        (definition w2 bias hidden).chunk(3L, 1L)[1]
    | _ -> failwith "two layers"

let private windowArchitecture =
    { Drnn.huang2014 with
        FrontEnd = { FrontEnd.huang2014 with Stft = Core.Stft(8, 4, Core.StftWindow.Sine, false) }
        Context = 3
        Hidden = [ 6 ]
        Neuron = VectorProduct Window
        Recurrence = FeedForward }

[<Tests>]
let tests =
    testList
        "vector products"
        [ testProperty "the six products are the definition: values, and gradients of weights, biases and inputs"
          <| fun (seed: int) ->
              Memory.plain (fun () ->
                  let point = noise seed [ Array.sum sizes ]

                  Expect.isLessThan
                      (difference (ofVector VectorProduct.product point) (ofVector definition point))
                      1e-13
                      "the values are those of the definition"

                  let ours = Grad.grad (objective VectorProduct.product seed) point
                  Expect.isLessThan (difference ours (Grad.grad (objective definition seed) point)) 1e-13 "the same gradients")

          test "the gradient is that of finite differences" {
              Memory.plain (fun () ->
                  let point = noise 3 [ Array.sum sizes ]
                  let f = objective VectorProduct.product 3
                  Expect.isLessThan (difference (Grad.grad f point) (slopes f point)) 1e-8 "every element agrees")
          }

          test "the gradient is that of the derivation: dw = a x delta, da = delta x w, db = delta" {
              Memory.plain (fun () ->
                  let w, a, delta = noise 1 [ 3L ], noise 2 [ 3L ], noise 3 [ 3L ]

                  let f (point: torch.Tensor) =
                      let parts = point.split 3L
                      let z = VectorProduct.product (parts[0].view(3L, 1L, 1L)) (parts[1].view(3L, 1L)) (parts[2].view(1L, 3L))
                      (z.view -1L * delta).sum()

                  let gradient = Grad.grad f (torch.cat [| w; torch.zeros (3L, dtype = torch.float64); a |])
                  let expected = torch.cat [| cross a delta; delta; cross delta w |]
                  Expect.isLessThan (difference gradient expected) 1e-14 "w, b, a")
          }

          testProperty "w x a = -(a x w), and what is parallel to w is lost"
          <| fun (seed: int) (NormalFloat factor) ->
              Memory.plain (fun () ->
                  let w, a, bias = noise seed [ 3L ], noise (seed + 1) [ 3L ], noise (seed + 2) [ 3L; 1L ]
                  let zero = torch.zeros_like bias

                  let product (left: torch.Tensor) bias (right: torch.Tensor) =
                      VectorProduct.product (left.view (3L, 1L, 1L)) bias (right.view (1L, 3L))

                  Expect.isLessThan (difference (product w zero a) (-(product a zero w))) 1e-15 "the product is antisymmetric"
                  let along = product w bias (a.add (w, factor))
                  let error = difference along (product w bias a)
                  Expect.isLessThan error (1e-14 * (1.0 + abs factor)) "the parallel part is lost")

          testProperty "an output layer along a direction is the projection of the whole layer"
          <| fun (seed: int) ->
              Memory.plain (fun () ->
                  let c = Key.uniforms 3 (Key.ofSeed seed)
                  let weight, bias = noise seed [ 3L; inputs; units ], noise (seed + 1) [ 3L; units ]
                  let x = noise (seed + 2) [ rows; 1L; 3L * inputs ]
                  let whole = (VectorProduct.product weight bias (x.squeeze 1L)).view(rows, 3L, units)
                  let expected = (whole * (torch.tensor c).view(1L, 3L, 1L)).sum(1L)
                  let layer = VectorProduct.along (c[0], c[1], c[2]) (int inputs) (int units)
                  let projected = (bias * (torch.tensor c).view(3L, 1L)).sum(0L)
                  let output = (layer.Apply [ weight; projected ] (Activations.ofFrames x)).Value
                  Expect.isLessThan (difference (output.squeeze 1L) expected) 1e-14 "the output is the projection")

          test "colours rise one after the other" {
              Memory.plain (fun () ->
                  let n = VectorProduct.colourWidth
                  let magnitudes = ofNumbers [ 0.0; 0.5 * n; n; 1.5 * n; 2.0 * n; 0.5 + n; 1.0; 7.0 ]
                  let colours = (VectorProduct.colours magnitudes).view(3L, -1L)

                  let expect (part: int64) values =
                      Expect.isLessThan (difference colours[part] (ofNumbers values)) 1e-14 $"part {part}"

                  expect 0L [ 0.0; 0.5; 1.0; 1.0; 1.0; 1.0; 1.0; 1.0 ]
                  expect 1L [ 0.0; 0.0; 0.0; 0.5; 1.0; 1.0; 1.0; 1.0 ]
                  expect 2L [ 0.0; 0.0; 0.0; 0.0; 0.0; 0.5; 1.0; 1.0 ])
          }

          testProperty "a colour's projection is its magnitude, within [0, 1]"
          <| fun (seed: int) ->
              Memory.plain (fun () ->
                  let x = (noise seed [ 50L ]).abs()
                  let r, g, b = VectorProduct.direction Colour
                  let colours = (VectorProduct.colours x).view(3L, -1L)
                  Expect.isLessThan (difference (colours[0L].mul r .+ colours[1L].mul g .+ colours[2L].mul b) x) 1e-15 "inverse")

          testProperty "WVPNN as a whole is its definition on (previous, current, next) frames"
          <| fun (seed: int) ->
              Memory.plain (fun () ->
                  let model = Network.model (Drnn.network windowArchitecture)
                  let parameters = Model.init torch.float64 torch.CPU (Key.ofSeed seed) model
                  let magnitude = (noise seed [ 9L; 1L; 5L ]).abs()
                  let sound = Views.ofMagnitude (magnitude.permute(1L, 0L, 2L).unsqueeze 1L)
                  let mixture = { Sound = sound; Mode = Mode.Inference; InitialStates = [] }
                  let outputs = (Model.apply model parameters mixture).Outputs.permute(0L, 2L, 1L, 3L).reshape(7L, 10L)
                  let expected = windowNetwork (Params.split parameters) magnitude
                  Expect.isLessThan (difference outputs expected) 1e-14 "the outputs are those of the definition")

          test "the components of a weight start independently, uniform in the bound" {
              Memory.plain (fun () ->
                  let layer = VectorProduct.layer 60 40
                  let parameters = Model.init torch.float64 torch.CPU (Key.ofSeed 1) layer
                  let parts: torch.Tensor = ((Params.named parameters |> Map.ofList)["weight"]).view(3L, -1L)
                  let bound = sqrt (6.0 / 200.0)
                  Expect.isLessThan (parts.abs().max().item<float>()) bound "no weight is beyond the bound"
                  // Standard error of a correlation of 2400 pairs: 0.02.
                  for i: int64, j: int64 in [ 0L, 1L; 1L, 2L; 2L, 0L ] do
                      let correlation = (parts[i] * parts[j]).mean().item<float>() / (bound * bound / 3.0)
                      Expect.isLessThan (abs correlation) 0.1 $"correlation of {i} and {j}")
          } ]
