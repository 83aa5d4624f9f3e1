// Scores a trained model with BSS Eval 3 on a data folder:
//   dotnet fsi scripts/evaluate.fsx --model DIR --data DIR [--split test] [--mask soft] [--no-permutation] --json FILE
// A clip that cannot be read is named and left out; the exit code tells.
#load "load.fsx"

open System.Text.Json.Nodes
open Argu
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

type EvaluateArgument =
    | [<Mandatory>] Model of folder: string
    | [<Mandatory>] Data of folder: string
    | Split of Split
    | Mask of TestMask
    | No_Permutation
    | Json of file: string
    | Device of name: string

    interface IArgParserTemplate with
        member this.Usage =
            match this with
            | Model _ -> "the model folder that training wrote."
            | Data _ ->
                ("folder of MIR-1K (with Wavfile inside), or with folders train, "
                 + "dev, test: of such clips, or of a folder of stems a song.")
            | Split _ -> "train, dev or test. Default: test."
            | Mask _ -> "soft or hard. Default: soft."
            | No_Permutation ->
                ("score each source by the estimate of its name. Default: "
                 + "by the one with the greatest mean SIR, as BSS Eval 3 does.")
            | Json _ -> "file for the scores: summaries, a row a clip, provenance."
            | Device _ -> "cpu, cuda, cuda:N or auto. Default: auto."

/// Folders of stems have names; two channels of a file are the two sources, whatever the model calls them.
let load sources folder =
    if StemFolder.isIn folder then
        StemFolder.load folder
    else
        Mir1k.load folder |> Corpus.named sources

/// The other parts are not read.
let only split (corpus: Corpus) =
    let part other = if other = split then Corpus.clips split corpus else []
    { corpus with Train = part Split.Train; Dev = part Split.Dev; Test = part Split.Test }

Experiment.main (fun () ->
    let arguments = Experiment.arguments<EvaluateArgument> fsi.CommandLineArgs
    let device = Devices.Parse(arguments.GetResult(Device, "auto"))
    let folder = arguments.GetResult Model
    let trained = ModelFolder.load ModelFolder.families device folder
    let split = arguments.GetResult(EvaluateArgument.Split, Split.Test)
    let frontEnd = trained.Network.Spec.FrontEnd
    arguments.TryGetResult Json |> Option.iter Results.requireWritable
    let corpus = load trained.Network.Spec.Sources (arguments.GetResult Data)
    Experiment.tellLeftOut corpus

    let corpus =
        only split corpus
        |> Inputs.usable (fun _ clip -> Clip.readableSamples clip |> Clip.requireSamples frontEnd.Stft clip)

    Corpus.require [ split ] corpus
    let clips = Corpus.clips split corpus
    let mask = arguments.GetResult(Mask, Soft)
    let pairing = if arguments.Contains No_Permutation then ByName else ByBestSir
    let scoring = { Scoring.ofCorpus corpus with Pairing = pairing }
    let score (separator: Separator) = Experiment.evaluate scoring device separator.Name separator clips
    let floor, ceiling = score (Evaluate.mixture frontEnd), score (Evaluate.idealBinaryMask frontEnd)
    let rows = score (Separation.separator trained mask)
    let name = trained.Network.Name
    printfn $"\n{clips.Length} {split} clips of {corpus.Name}, {mask} mask, BSS Eval 3, dB\n"

    printfn
        "%s"
        (Results.table
            (Results.header trained.Network.Spec.Sources)
            [ Results.row "mixture" floor; Results.row "ideal binary mask" ceiling; Results.row name rows ])

    for line in Results.remarks rows do
        printfn "%s" line

    match arguments.TryGetResult Json with
    | None -> ()
    | Some file ->
        let results = Results.ofSystem name rows

        results["provenance"] <-
            Provenance.create
                (string device)
                [ "model", ModelFolder.provenance ModelFolder.families folder
                  "split", JsonValue.Create(string split)
                  "mask", JsonValue.Create(string mask)
                  "pairing", JsonValue.Create(string pairing)
                  "data", JsonValue.Create(Corpus.fingerprint clips) ]

        Results.save file results)
