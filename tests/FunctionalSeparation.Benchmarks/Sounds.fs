/// Generated input data of the benchmarks, of the same sizes as real data.
module FunctionalSeparation.Benchmarks.Sounds

open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

let noise seed (shape: int64 list) : torch.Tensor =
    Memory.tensor (fun () -> (Key.uniformTensor -0.1 0.1 shape (Key.ofSeed seed)).``to`` torch.float32)

let private samples seed count = Memory.plain (fun () -> (noise seed [ int64 count ]).data<float32>().ToArray())

/// The 171 training clips of MIR-1K in number and frames: about 43 000 of 1024 samples, 512 apart.
let trainingClips: Lazy<Clip list> =
    lazy
        [ for index in 0..170 do
              // 253 frames on average, of lengths that leave every kind of piece over.
              let frames = 253 + (index % 41 - 20) - (if index < 65 then 1 else 0)

              let count = 512 * (frames + 1)

              let read = lazy (Stems.ofMono 16000 [ "music", samples (1000 + index) count; "voice", samples index count ])

              { Clip.create $"noise {index}" 16000 1 Stems.musicAndVoice read.Force with Song = $"song {index}" } ]

/// The network of the paper with random weights.
let network: Lazy<TrainedModel> =
    lazy
        { Network = Drnn.network Drnn.huang2014
          Parameters = Model.init torch.float32 torch.CPU (Key.ofSeed 1) (Network.model (Drnn.network Drnn.huang2014))
          Level = Some 0.004 }

/// Noise as a sound in memory.
let audio rate channels (seconds: float) =
    AudioBuffer([| for channel in 1..channels -> samples channel (int (seconds * float rate)) |], rate)
