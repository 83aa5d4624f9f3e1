// Run with: dotnet fsi scripts/first.fsx
#load "load.fsx"

open TorchSharp
open FunctionalSeparation

let corpus = Corpus.embedded 0 // or: Mir1k.load "path/to/MIR-1K"
let drnn = Drnn.network { Drnn.huang2014 with Hidden = [ 150; 150 ]; InputScale = 30.0 }
let loss = Loss.squaredError |> Loss.discriminative 0.05
let excerpts = { ExcerptSettings.ofSize 50 8 with OtherSong = 0.5 }

let feed, key =
    Feed.excerpts drnn (BatchSpec.create drnn loss corpus.Mixing) excerpts torch.CPU corpus.Train, Key.ofSeed 0

let task =
    { Layout = Network.layout drnn
      Loss = Batch.loss (Network.model drnn) loss
      Optimiser = Optim.adam (Schedule.constant 1e-3)
      Feed = fun step -> [ feed.Batch key step ]
      Key = key }

let start = Params.start task.Layout torch.float32 torch.CPU key

let last = Train.states task 100 (Train.start task start.Vector) |> Seq.last
let trained = { Network = drnn; Parameters = Params.create start.Layout last.Parameters; Level = Some 0.004 }
let separator = Separation.separator trained Soft
let scores = Evaluate.clips (Scoring.ofCorpus corpus) torch.float32 torch.CPU ignore separator corpus.Test
let voice = Evaluate.summary "voice" scores
printfn $"after {last.Step} steps: voice GNSDR {voice.Gnsdr:F2} dB"
