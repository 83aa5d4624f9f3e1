// Run with: dotnet fsi scripts/first.fsx
#load "load.fsx"

open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning

let corpus = Corpus.embedded 0 // or: Mir1k.load "path/to/MIR-1K"
let drnn = Drnn.network { Drnn.huang2014 with Hidden = [ 150; 150 ]; InputScale = 30.0 }
let loss = Loss.squaredError |> Loss.discriminative 0.05
let sampler = Sampler.excerpts { ExcerptSettings.ofSize 50 8 with OtherSong = 0.5 }
let recipe = Recipe.create drnn loss (Optimiser.adam (Schedule.constant 1e-3)) sampler (Steps 100)

let task, start = Recipe.task torch.CPU corpus.Train recipe, Recipe.init torch.CPU recipe
let last = Train.states task (Train.start task start.Vector) |> Seq.last
let trained = { Network = drnn; Parameters = Params.create start.Layout last.Parameters; Level = Some 0.004 }
let separator = Separation.separator trained Soft
let scores = Evaluate.clips (Scoring.ofCorpus corpus) torch.float32 torch.CPU ignore separator corpus.Test
let voice = Evaluate.summary "voice" scores
printfn $"after {last.Step} steps: voice GNSDR {voice.Gnsdr:F2} dB"
