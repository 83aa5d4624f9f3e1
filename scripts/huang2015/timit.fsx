// Huang et al. (TASLP 2015), section IV-B: two speakers of TIMIT, a woman (speaker 1, the voice) and a man (speaker 2).
//   dotnet fsi scripts/huang2015/timit.fsx --preset brief --data TIMIT-pair
#load "pair.fsx"

open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

let load =
    function
    | Some folder -> SpeechPair.timit folder
    | None -> Corpus.embedded 0 |> Corpus.named SpeechPair.speakers

/// 32 ms at 16 kHz.
let stft = Stft(512, 256, StftWindow.Sine, false)

/// Pieces about as long as the test part, which unit norm makes as loud.
let inPieces = Row.onCorpus "in pieces of 3 s" (SpeechPair.inPieces 3.0)

let settings = ExcerptSettings.ofSize 50 8
let excerpts = Pair.excerpts (Pair.network stft (RecurrentAt 1) 200) 0.05 settings 1200

/// Speeds in steps of a third of a semitone, gains, and five times the steps: chosen on the development part.
let varied = { settings with Speeds = [ 0.92; 0.94; 0.96; 0.98; 1.0; 1.02; 1.04; 1.06; 1.08 ]; GainRange = 3.0 }

let nearby = Pair.excerpts (Pair.spectraNetwork stft) 0.05 (Pair.nearSpeeds settings) 600

let ours =
    Pair.excerpts (Pair.spectraNetwork stft) 0.05 varied 3000
    >> fun recipe -> { recipe with Precision = Precision.Bfloat16 }

{ Paper = "huang2015"
  Name = "timit"
  Title = "Two speakers, in the setting for TIMIT"
  Load = load
  Rows =
    Pair.baselines stft
    @ [ Row.trained "the authors' sRNN by mini-batch L-BFGS" (Pair.miniBatches (Pair.network stft Stacked 100) 0.075 32000)
        Row.trained "DRNN-1 on random excerpts" excerpts |> inPieces
        Row.trained "ours: spectra of 3 frames and playing speeds" nearby |> inPieces
        Row.trained "ours: more speeds, gains and steps" ours |> inPieces ]
    |> List.map (Row.withSdr [ "speaker 1"; "speaker 2" ])
  Claims =
    Pair.networkBeatsNmf
        [ "the authors' sRNN by mini-batch L-BFGS"
          "DRNN-1 on random excerpts"
          "ours: spectra of 3 frames and playing speeds"
          "ours: more speeds, gains and steps" ] }
|> Table.main fsi.CommandLineArgs TablePage.save
