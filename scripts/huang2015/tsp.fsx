// Huang et al. (TASLP 2015), section IV-B: two speakers of TSP, FA (speaker 1, the voice) and MC (speaker 2).
//   dotnet fsi scripts/huang2015/tsp.fsx --preset brief --data TSP
#load "pair.fsx"

open System.IO
open FunctionalSeparation
open FunctionalSeparation.Core

let load =
    function
    | Some folder -> SpeechPair.ofFolders (Path.Combine(folder, "FA")) (Path.Combine(folder, "MC"))
    | None -> Corpus.embedded 0 |> Corpus.named SpeechPair.speakers

let architecture = Pair.network Stft.Huang2014 (RecurrentAt 1) 300

/// Pieces as long as the test part, which unit norm makes as loud.
let inPieces = Row.onCorpus "in pieces of 14 s" (SpeechPair.inPieces 14.0)

let settings = ExcerptSettings.ofSize 50 16
let excerpts = Pair.excerpts architecture 0.05 settings 250
let ours = Pair.excerpts (Pair.spectraNetwork Stft.Huang2014) 0.05 (Pair.nearSpeeds settings) 250

{ Paper = "huang2015"
  Name = "tsp"
  Title = "Two speakers, in the setting for TSP"
  Load = load
  Rows =
    Pair.baselines Stft.Huang2014
    @ [ Row.trained "the authors' network by mini-batch L-BFGS" (Pair.miniBatches architecture 0.0 400000)
        Row.trained "the same network on random excerpts" excerpts |> inPieces
        Row.trained "ours: spectra of 3 frames and playing speeds" ours |> inPieces ]
    |> List.map (Row.withSdr [ "speaker 1"; "speaker 2" ])
  Claims =
    Pair.networkBeatsNmf
        [ "the authors' network by mini-batch L-BFGS"
          "the same network on random excerpts"
          "ours: spectra of 3 frames and playing speeds" ] }
|> Table.main fsi.CommandLineArgs TablePage.save
