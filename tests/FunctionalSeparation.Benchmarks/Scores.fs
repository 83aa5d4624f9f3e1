/// BSS Eval 3 beside the Fourier transforms that it cannot do without.
module FunctionalSeparation.Benchmarks.Scores

open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core
open FunctionalSeparation.Benchmarks.Paired

let private clip seed samples = Sounds.noise seed [ 2L; samples ]

/// One forward transform of each of the four signals, zero-padded: what any method by correlations begins with.
let private transforms (signals: torch.Tensor) : unit -> unit =
    let samples = signals.shape[1]
    let size = 1L <<< (64 - System.Numerics.BitOperations.LeadingZeroCount(uint64 (samples + 512L - 1L)))
    let wide = torch.cat ([| signals; signals |], 0L)
    fun () -> torch.fft.rfft (wide.``to`` torch.float64, size) |> ignore

/// `leak` of the other source is in each estimate: without any, interference is too small to be a difference of energies.
let private scoring (name: string) samples leak repeats remark rounds : Figure =
    let references = clip 1 samples

    let estimates =
        Memory.tensor (fun () -> references.add(references.flip 0L, (leak: float)).add(clip 2 samples, 0.1))

    let transform = transforms references
    let batch count (one: torch.Tensor) = one.unsqueeze(0L).expand(int64 count, -1L, -1L)

    let own =
        { Name = name
          Amount = float repeats
          Run = fun () -> BssEval.Version3Batch(batch repeats references, batch repeats estimates) |> ignore }

    let limit =
        { Name = "float64 transforms of the 4 signals"
          Amount = float repeats
          Run =
            fun () ->
                for _ in 1..repeats do
                    Memory.plain transform }

    let figure = compare rounds "clips/s" "" own limit

    { figure with Remark = $"{1e3 * float repeats / figure.Own:F1} ms in all; {remark}" }

let bssEval () : Figure list =
    [ scoring "BSS Eval 3, 8 s at 16 kHz, 2 sources" 128000L 0.1 1 "aim: 25 ms on one thread" 15
      scoring "BSS Eval 3, 133 clips of 8 s in one call" 128000L 0.1 133 "aim: 3 s on two cores" 3
      scoring "BSS Eval 3, 4 minutes at 44.1 kHz, 2 sources" (240L * 44100L) 0.1 1 "aim: 3 s" 3
      scoring "the same with an SIR above 60 dB" (240L * 44100L) 0.0 1 "filtered signals are made and measured" 3 ]
