/// The LSTM of open-unmix beside libtorch's own for the same products.
module FunctionalSeparation.Benchmarks.Recurrence

open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Benchmarks.Paired

let private inputs, units, layers = 512, 256, 3

let private layer = Lstm.bidirectional inputs units
let private network = List.replicate layers layer |> List.reduce (-->)

/// Operations of all products, in 1e9: both directions of each layer.
let private work frames = float (2 * layers * frames) * 2.0 * float ((inputs + units) * 4 * units) / 1e9

let private inference frames batch =
    let parameters = Model.init torch.float32 torch.CPU (Key.ofSeed 1) network
    let native = torch.nn.LSTM(int64 inputs, int64 units, int64 layers, bidirectional = true)
    let sound = (Key.uniformTensor -1.0 1.0 [ frames; batch; int64 inputs ] (Key.ofSeed 2)).to_type torch.float32
    let amount = work (int (frames * batch))

    let own () =
        use _ = torch.no_grad ()
        Model.apply network parameters (Activations.ofFrames sound) |> ignore

    let theirs () =
        use _ = torch.no_grad ()
        native.call sound |> ignore

    compare
        9
        "GFLOP/s"
        "libtorch's is right at these sizes, and wrong at many others"
        { Name = $"LSTM of open-unmix, {frames} x {batch} frames"; Amount = amount; Run = own }
        { Name = "torch.nn.LSTM"; Amount = amount; Run = theirs }

let private training frames batch =
    let leaves =
        Params.split (Model.init torch.float32 torch.CPU (Key.ofSeed 1) network)
        |> List.map _.detach().clone().requires_grad_(true)

    let native = torch.nn.LSTM(int64 inputs, int64 units, int64 layers, bidirectional = true)
    let sound = (Key.uniformTensor -1.0 1.0 [ frames; batch; int64 inputs ] (Key.ofSeed 2)).to_type torch.float32
    let amount = 3.0 * work (int (frames * batch))

    let own () =
        (network.Apply leaves (Activations.ofFrames sound)).Value.sum().backward()
        leaves |> List.iter (fun leaf -> leaf.grad <- null)

    let theirs () =
        let struct (outputs, _, _) = native.call sound
        outputs.sum().backward()
        native.zero_grad ()

    compare
        7
        "GFLOP/s"
        "values and gradients"
        { Name = $"the same, training on {frames} x {batch} frames"; Amount = amount; Run = own }
        { Name = "torch.nn.LSTM"; Amount = amount; Run = theirs }

/// 10 s and a minute of sound, and a batch of training.
let lstm () : Figure list = [ inference 431L 1L; inference 2584L 1L; inference 255L 16L; training 431L 1L; training 255L 16L ]
