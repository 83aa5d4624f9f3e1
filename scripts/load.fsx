// The only script with #r lines: what every experiment loads first. Build before: dotnet fsi build.fsx build
[<AutoOpen>]
module Load

#r "../src/FunctionalSeparation.Experiments/bin/Release/net10.0/FSharp.Core.dll"
#r "../src/FunctionalSeparation.Experiments/bin/Release/net10.0/TorchSharp.dll"
#r "../src/FunctionalSeparation.Experiments/bin/Release/net10.0/NWaves.dll"
#r "../src/FunctionalSeparation.Experiments/bin/Release/net10.0/Argu.dll"
#r "../src/FunctionalSeparation.Experiments/bin/Release/net10.0/FFMpegCore.dll"
#r "../src/FunctionalSeparation.Experiments/bin/Release/net10.0/Instances.dll"
#r "../src/FunctionalSeparation.Experiments/bin/Release/net10.0/DynamicObj.dll"
#r "../src/FunctionalSeparation.Experiments/bin/Release/net10.0/Giraffe.ViewEngine.dll"
#r "../src/FunctionalSeparation.Experiments/bin/Release/net10.0/Newtonsoft.Json.dll"
#r "../src/FunctionalSeparation.Experiments/bin/Release/net10.0/Plotly.NET.dll"
#r "../src/FunctionalSeparation.Experiments/bin/Release/net10.0/FunctionalSeparation.Core.dll"
#r "../src/FunctionalSeparation.Experiments/bin/Release/net10.0/FunctionalSeparation.Learning.dll"
#r "../src/FunctionalSeparation.Experiments/bin/Release/net10.0/FunctionalSeparation.dll"
#r "../src/FunctionalSeparation.Experiments/bin/Release/net10.0/FunctionalSeparation.Plots.dll"
#r "../src/FunctionalSeparation.Experiments/bin/Release/net10.0/FunctionalSeparation.Experiments.dll"

open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Learning

Experiment.plainNumbers ()

// Whichever assembly is touched first, libtorch is found.
try
    Core.TorchRuntime.Initialize()
with :? Core.InputException as wrong ->
    eprintfn $"error: {wrong.Message}\nIn this repository 'dotnet fsi build.fsx restore' fetches libtorch."
    exit 2

/// Found without opening its namespace, by whoever explores.
type Show = FunctionalSeparation.Plots.Show

// Short descriptions of values, instead of all their properties.
fsi.AddPrinter Describe.tensor
fsi.AddPrinter Describe.layout
fsi.AddPrinter(fun (model: Model<Activations, Activations>) -> Describe.model model)
fsi.AddPrinter Describe.parameters
fsi.AddPrinter Describe.network
fsi.AddPrinter Describe.trained
fsi.AddPrinter Describe.clip
fsi.AddPrinter Describe.corpus
fsi.AddPrinter Describe.scores
fsi.AddPrinter Describe.recipe
fsi.AddPrinter(fun (sound: Core.AudioBuffer) -> string sound)
