/// The LSTM layer against torch.nn.LSTM with the same weights.
module FunctionalSeparation.Tests.LstmTests

open Expecto
open FsCheck
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core
open FunctionalSeparation.Tests.Layers

let private time, batch, inputs, units = 6L, 2L, 5, 4
let private layer = Lstm.layer inputs units

/// torch's module of one or two directions; the second bias of each is zero.
let private native isBidirectional (weights: torch.Tensor list) =
    let lstm = torch.nn.LSTM(int64 inputs, int64 units, bidirectional = isBidirectional, dtype = torch.float64)
    use _ = torch.no_grad ()

    for suffix, weights in List.zip (if isBidirectional then [ "l0"; "l0_reverse" ] else [ "l0" ]) (List.chunkBySize 3 weights) do
        lstm.get_parameter($"weight_ih_{suffix}").copy_(weights[0].t()) |> ignore
        lstm.get_parameter($"bias_ih_{suffix}").copy_ weights[1] |> ignore
        lstm.get_parameter($"weight_hh_{suffix}").copy_(weights[2].t()) |> ignore
        lstm.get_parameter($"bias_hh_{suffix}").zero_() |> ignore

    lstm

[<Tests>]
let tests =
    testList
        "LSTM"
        [ testProperty "states, end state and all gradients are those of torch.nn.LSTM"
          <| fun (seed: int) ->
              Memory.plain (fun () ->
                  let leaf (tensor: torch.Tensor) = tensor.detach().clone().requires_grad_ true
                  let weights = Params.split (random seed layer) |> List.map leaf
                  use lstm = native false weights
                  let x = noise (seed + 10) [ time; batch; int64 inputs ]
                  let start = noise (seed + 11) [ batch; 2L * int64 units ]
                  let upstream = noise (seed + 12) [ time; batch; int64 units ]

                  let theirX, theirStart = leaf x, leaf start
                  let states = theirStart.chunk (2L, 1L) |> Array.map _.unsqueeze(0L)
                  let struct (theirFrames, theirHidden, theirCell) = lstm.call (theirX, struct (states[0], states[1]))
                  theirFrames.backward [| upstream |]

                  let ourX, ourStart = leaf x, leaf start
                  let ours = layer.Apply weights (Activations.continuing [ ourStart ] ourX)
                  ours.Value.backward [| upstream |]

                  let theirEnd = torch.cat([| theirHidden; theirCell |], -1L).squeeze 0L
                  Expect.isLessThan (difference ours.Value theirFrames) 1e-14 "the states are those of torch.nn.LSTM"
                  Expect.isLessThan (difference (Activations.finalStates ours).Head theirEnd) 1e-14 "the end state is torch's"
                  Expect.isLessThan (difference ourX.grad theirX.grad) 1e-13 "gradient of the input"
                  Expect.isLessThan (difference ourStart.grad theirStart.grad) 1e-13 "gradient of the start"
                  let theirs (name: string) = lstm.get_parameter(name).grad
                  Expect.isLessThan (difference weights[0].grad ((theirs "weight_ih_l0").t())) 1e-13 "gradient of W"
                  Expect.isLessThan (difference weights[1].grad (theirs "bias_ih_l0")) 1e-13 "gradient of b"
                  Expect.isLessThan (difference weights[2].grad ((theirs "weight_hh_l0").t())) 1e-13 "gradient of U")

          testProperty "in both directions the frames are those of torch.nn.LSTM, and only the first has states to carry"
          <| fun (seed: int) ->
              Memory.plain (fun () ->
                  let model = Lstm.bidirectional inputs units
                  let parameters, x = random seed model, noise (seed + 10) [ time; batch; int64 inputs ]
                  use lstm = native true (Params.split parameters)
                  let struct (theirs, _, _) = lstm.call x
                  let ours = Model.apply model parameters (Activations.ofFrames x)
                  Expect.isLessThan (difference ours.Value theirs) 1e-14 "the frames are those of torch.nn.LSTM"
                  Expect.hasLength ours.FinalStates 1 "only the first direction has a state to carry")

          testProperty "a sequence cut in two, with the state carried on, gives the same frames"
          <| fun (seed: int) (PositiveInt cut) ->
              Memory.plain (fun () ->
                  let cut = int64 (1 + cut % 5)
                  let parameters, x = random seed layer, noise (seed + 10) [ time; batch; int64 inputs ]
                  let whole = Model.apply layer parameters (Activations.ofFrames x)
                  let first = Model.apply layer parameters (Activations.ofFrames (x.narrow (0L, 0L, cut)))
                  let rest = x.narrow (0L, cut, time - cut)
                  let second = Model.apply layer parameters (Activations.continuing (Activations.finalStates first) rest)
                  let joined = torch.cat ([| first.Value; second.Value |], 0L)
                  Expect.isLessThan (difference joined whole.Value) 1e-14 "both parts give the frames of the whole")

          for batch, units in [ 1L, 4; 1L, 37; 3L, 37; 2L, 64 ] do
              test $"float32 gives what float64 gives, also of views: batch {batch}, {units} units" {
                  Memory.plain (fun () ->
                      use _ = torch.no_grad ()
                      let model = Lstm.layer inputs units --> Lstm.bidirectional units units
                      let parameters = random 1 model
                      let x = (noise 10 [ batch; int64 inputs; time ]).permute(2L, 0L, 1L)
                      let start = [ (noise 11 [ 2L * int64 units; batch ]).t() ]
                      let short = { parameters with Vector = parameters.Vector.to_type torch.float32 }

                      let run parameters (dtype: torch.ScalarType) =
                          let start = start |> List.map _.``to``(dtype)
                          Model.apply model parameters (Activations.continuing start (x.``to`` dtype))

                      let exact, actual = run parameters torch.float64, run short torch.float32
                      Expect.isLessThan (difference (actual.Value.to_type torch.float64) exact.Value) 1e-5 "the frames agree"
                      let last = (Activations.finalStates actual).Head.to_type torch.float64
                      Expect.isLessThan (difference last (Activations.finalStates exact).Head) 1e-5 "the end states agree")
              }

          for batch in [ 1L; 3L ] do
              test $"float32 that lies across memory gives the states and gradients of float64: batch {batch}" {
                  Memory.plain (fun () ->
                      let frames, start = noise 1 [ batch; 4L * 5L; time ], noise 2 [ 10L; batch ]
                      let weight = noise 3 [ 20L; 5L ]

                      let run (dtype: torch.ScalarType) =
                          let leaf (x: torch.Tensor) = x.detach().``to``(dtype).clone().requires_grad_ true
                          let leaves = List.map leaf [ frames; start; weight ]
                          let states = LstmStates.Apply(leaves[0].permute(2L, 0L, 1L), leaves[1].t(), leaves[2].t())
                          (states * (noise 4 (List.ofArray states.shape)).``to`` dtype).sum().backward()
                          states :: [ for leaf in leaves -> leaf.grad ]

                      for exact, actual in List.zip (run torch.float64) (run torch.float32) do
                          Expect.isLessThan (difference (actual.to_type torch.float64) exact) 1e-5 "float32 is near float64")
              }

          test "float32 and bfloat16 are close to float64, gradients included" {
              Memory.plain (fun () ->
                  let parameters, x = random 1 layer, noise 2 [ time; batch; int64 inputs ]

                  let run (model: Model<Activations, Activations>) (dtype: torch.ScalarType) =
                      let value (vector: torch.Tensor) =
                          let given = { parameters with Vector = vector }
                          (Model.apply model given (Activations.ofFrames (x.``to`` dtype))).Value.sum()

                      let struct (value, gradient) = Grad.valueAndGrad value (parameters.Vector.``to`` dtype)
                      torch.cat [| torch.tensor [| value |]; gradient |]

                  let exact = run layer torch.float64
                  Expect.isLessThan (difference (run layer torch.float32) exact) 1e-4 "float32 is close to float64"
                  let brief = run (Precision.network Precision.Bfloat16 layer) torch.float32
                  Expect.isLessThan (difference brief exact) 0.3 "bfloat16 is close to float64")
          }

          test "the operations by themselves name what does not fit" {
              let refuses words (act: unit -> unit) = Scratch.refusesArgument words (fun () -> Memory.plain act)

              let lstm frames state weight () = LstmStates.Apply(noise 1 frames, noise 2 state, noise 3 weight) |> ignore
              refuses [ "LSTM: wants a weight [3, 12]"; "[3, 11]" ] (lstm [ 4L; 2L; 12L ] [ 2L; 6L ] [ 3L; 11L ])
              refuses [ "LSTM: wants frames [time, batch, 12]"; "[2, 12]" ] (lstm [ 2L; 12L ] [ 2L; 6L ] [ 3L; 12L ])
              refuses [ "LSTM: wants at least one frame" ] (lstm [ 0L; 2L; 12L ] [ 2L; 6L ] [ 3L; 12L ])
              refuses [ "LSTM: wants a start state [2, 6]"; "[2, 3]" ] (lstm [ 4L; 2L; 12L ] [ 2L; 3L ] [ 3L; 12L ])

              let gru frames state weight bias () =
                  GruStates.Apply(noise 1 frames, noise 2 state, noise 3 weight, noise 4 bias) |> ignore

              refuses [ "GRU: wants frames [time, batch, 9]"; "[4, 2, 8]" ] (gru [ 4L; 2L; 8L ] [ 2L; 3L ] [ 3L; 9L ] [ 9L ])
              refuses [ "GRU: wants a bias [9]"; "[8]" ] (gru [ 4L; 2L; 9L ] [ 2L; 3L ] [ 3L; 9L ] [ 8L ])
              refuses [ "GRU: wants a start state [2, 3]" ] (gru [ 4L; 2L; 9L ] [ 1L; 3L ] [ 3L; 9L ] [ 9L ])
          } ]
