// A network, a loss and an optimiser rule of one's own: a row of a table beside the papers', a run, a model folder, a song.
//   dotnet fsi scripts/own.fsx [--preset brief --data MIR-1K]      the table
//   dotnet fsi scripts/own.fsx train FOLDER                        a run; the same command again goes on with it
//   dotnet fsi scripts/own.fsx separate MODEL SONG OUT             a song of any length, with the model of such a run
#load "load.fsx"

open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

/// Convolutions that look two frames back and ahead: complex spectrograms in, complex masks out.
let tiny =
    Family.define "tiny" (fun (settings: {| Channels: int |}) spec ->
        let n, ears = settings.Channels, spec.Channels
        let block = Norm.batch n --> Layer.activation Relu --> Conv.layer 3 n n

        Conv.layer 3 (2 * ears) n --> Model.residual block --> Conv.layer 1 n (2 * ears * spec.Sources.Length)
        |> NetworkPlan.complexMask (2, 2))

let logDistance =
    let energy (x: torch.Tensor) = (x.real.squared () .+ x.imag.squared ()).sum()
    Loss.onSpectra "log distance of spectra" (fun estimate reference -> (energy (estimate - reference)).log())

/// Chen et al. 2023: steps of one size, along the sign of the gradient mixed with its average.
let lion (rate: float) =
    let mix (decay: float) (gradient: torch.Tensor) (average: torch.Tensor) = average.mul(decay).add(gradient, 1.0 - decay)

    Transform.remembering (Id.named "Lion") "average" (fun gradient average ->
        struct ((mix 0.9 gradient average).sign(), mix 0.99 gradient average))
    |> Optimiser.descend (Schedule.cosine rate)

let recipe preset =
    let network =
        tiny.Network {| Channels = 8 |} { FrontEnd = FrontEnd.create 16000 512 128; Channels = 1; Sources = Stems.musicAndVoice }

    let sampler = Sampler.excerpts { ExcerptSettings.ofSize 64 4 with OtherSong = 0.8; Effects = [ Effect.polarity ] }
    Recipe.create network logDistance (lion 1e-3) sampler (Steps(if preset = Smoke then 30 else 2000))

match List.tail (List.ofArray fsi.CommandLineArgs) with
| [ "train"; folder ] ->
    let corpus = Corpus.embedded 0
    let run = { Run.create corpus folder (recipe Smoke) with CheckpointEvery = 10 }
    Experiment.main (fun () -> ScoredRun.make corpus run |> ignore)
| [ "separate"; model; song; out ] ->
    Experiment.main (fun () ->
        use separator = ModelFolder.openWith [ tiny.Reader ] "auto" model

        for stem in separator.SeparateFile(song, out) do
            printfn $"{stem.Value}")
| _ ->
    { Paper = "own"
      Name = "own"
      Title = "A network of one's own"
      Load = Mir1k.loadOrEmbedded
      Rows =
        [ Row.trained "tiny" recipe
          Row.trained "DRNN-2" (fun preset -> Huang2014.recipe preset (Huang2014.network preset) Huang2014.loss)
          Row.system "mixture" "nothing" (Evaluate.mixture FrontEnd.huang2014) ]
      Claims = [ { Text = "Convolutions beat the mixture"; Pairs = [ ("tiny", "mixture") ] } ] }
    |> Table.main fsi.CommandLineArgs TablePage.save
