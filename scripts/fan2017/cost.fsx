// Cost of a vector product layer beside the real matrix products that it is made of: 512 x 512 neurons, 1600 frames,
// float32. Forward: 6 products; forward and backward: 18. Rounds alternate; the best of each kind is compared.
// Run with: OMP_NUM_THREADS=1 dotnet fsi scripts/fan2017/cost.fsx
#load "../load.fsx"

open System.Diagnostics
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

TorchRuntime.Initialize()
Experiment.announce torch.CPU

let units, frames, rounds = 512, 1600, 40
let key = Key.ofSeed 0
let noise index shape = (Key.uniformTensor -1.0 1.0 shape (Key.fold index key)).``to`` torch.float32
let wide = noise 0 [ int64 frames; 1L; 3L * int64 units ]
let upstream = noise 1 [ int64 frames; 1L; 3L * int64 units ]
let rows = noise 2 [ int64 frames; int64 units ]
let square = noise 3 [ int64 units; int64 units ]
let layer = VectorProduct.layer units units
let parameters = Model.init torch.float32 torch.CPU key layer

/// So many products [frames, units] x [units, units], and nothing else.
let products count () =
    for _ in 1..count do
        (torch.mm (rows, square)).Dispose()

let forward () =
    use _ = torch.no_grad ()
    Model.apply layer parameters (Activations.ofFrames wide) |> ignore

let forwardAndBackward () =
    let input = wide.detach().requires_grad_ true
    let weights = { parameters with Vector = parameters.Vector.detach().requires_grad_ true }
    (Model.apply layer weights (Activations.ofFrames input)).Value.backward [| upstream |]

let seconds work =
    let clock = Stopwatch.StartNew()
    Memory.plain work
    clock.Elapsed.TotalSeconds

let compare name work count =
    let times = [ for _ in 1..rounds -> seconds work, seconds (products count) ]
    let layer, real = times |> List.map fst |> List.min, times |> List.map snd |> List.min
    let ratios = times |> List.map (fun (layer, real) -> layer / real) |> List.sort

    printfn
        "%s"
        ($"{name}: {1e3 * layer:F1} ms, {count} real products {1e3 * real:F1} ms, "
         + $"ratio of the best {layer / real:F3}, median ratio {ratios[rounds / 2]:F3}")

printfn $"{torch.get_num_threads ()} thread(s), {units} x {units} neurons, {frames} frames, float32"
compare "forward" forward 6
compare "forward and backward" forwardAndBackward 18
