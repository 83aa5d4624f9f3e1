// Run with: dotnet fsi scripts/first.fsx
#load "load.fsx"

open FunctionalSeparation
open FunctionalSeparation.Learning

let corpus = Corpus.embedded 0 // or: Mir1k.load "path/to/MIR-1K"
let drnn = Drnn.network { Drnn.huang2014 with Hidden = [ 150; 150 ]; InputScale = 30.0 }
let loss = Loss.squaredError |> Loss.discriminative 0.05
let sampler = Sampler.excerpts { ExcerptSettings.ofSize 50 8 with OtherSong = 0.5 }
let recipe = Recipe.create drnn loss (Optimiser.adam (Schedule.constant 1e-3)) sampler (Steps 100)

let run = ScoredRun.make corpus (Run.create corpus "artifacts/first" recipe)
let voice = Evaluate.summary "voice" run.Scores
printfn $"after {run.Seconds:F0} s: voice GNSDR {voice.Gnsdr:F2} dB"
