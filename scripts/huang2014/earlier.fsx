// The earlier systems that Huang et al. (ISMIR 2014) compare with: RPCA, RPCA with a harmonic prior, MLRR and RNMF; plain
// supervised NMF, and HPSS. Settings were chosen on training clips, those of learnt systems with a held-out singer: see
// papers/huang2014/notes.md.
//   dotnet fsi scripts/huang2014/earlier.fsx --preset desk --data MIR-1K
#load "../load.fsx"

open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

let stft = Stft(1024, 256, StftWindow.Hann, true)

let rendering rule voiceFrom = { SampleRate = Mir1k.sampleRate; Stft = stft; Rule = rule; VoiceFrom = voiceFrom }

/// Settings as one line of a table.
let line settings = (sprintf "%A" settings).ReplaceLineEndings(";").Replace(" ", "")

/// A system that learns nothing.
let unlearnt name rendering settings decompose =
    Decomposition.separator name rendering decompose |> Row.system name (line (rendering, settings))

let plan =
    { MusicAtoms = 100; VoiceAtoms = 100; Frames = 6000; Iterations = 60; Divergence = Divergence.Euclidean }

/// A system that knows dictionaries learnt from the training clips.
let learnt name rendering settings decompose =
    let fit clips =
        Dictionaries.learn torch.CPU stft plan (Key.ofSeed 0) clips
        |> decompose
        |> Decomposition.separator name rendering

    Row.fitted name (line (rendering, settings, plan)) fit

// Tighter tolerances change no mask: scores agree to 0.01 dB from 1e-3 to 1e-7.
let rpca2012 = { Rpca.huang2012 with Tolerance = 1e-3 }
let rpca = ClassicalSystems.rpcaSettings
let plain = rendering (MaskRule.Binary 1.0) 0.0
let sharp = ClassicalSystems.rendering ()
let soft = rendering (MaskRule.Ratio 1.0) 120.0
let mlrr = { VoiceRank = 0.7; Sparsity = 4.0; Tolerance = 1e-3; Iterations = 60 }
let rnmf = { Sparsity = 4.0; Ridge = 1.0; Iterations = 50 }
let prior = HarmonicPrior.standard
let hpss = ClassicalSystems.hpssSettings ()

{ Paper = "huang2014"
  Name = "comparison"
  Title = "Earlier systems"
  Load = Mir1k.loadOrEmbedded
  Rows =
    [ unlearnt "RPCA (setting of 2012)" plain rpca2012 (Rpca.decompose rpca2012)
      unlearnt "RPCA" sharp rpca (Rpca.decompose rpca)
      unlearnt "RPCAh" sharp (rpca, prior) (HarmonicPrior.decompose rpca prior Mir1k.sampleRate stft)
      Hpss.separator "HPSS" hpss |> Row.system "HPSS" (line hpss)
      learnt "MLRR" soft mlrr (Mlrr.decompose mlrr)
      learnt "RNMF" soft rnmf (fun atoms -> Rnmf.decomposeWith rnmf atoms.OfMusic)
      learnt "NMF" soft 50 (Dictionaries.decompose Divergence.Euclidean 50) ]
  Claims =
    [ { Text = "A harmonic prior helps RPCA"; Pairs = [ ("RPCAh", "RPCA") ] }
      { Text = "Learnt dictionaries beat RPCA"; Pairs = [ "MLRR", "RPCA"; "RNMF", "RPCA" ] }
      { Text = "RNMF beats MLRR"; Pairs = [ ("RNMF", "MLRR") ] } ] }
|> Table.main fsi.CommandLineArgs TablePage.save
