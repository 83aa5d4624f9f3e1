// Scores the library's own model on the test clips of MIR-1K, by singer, and writes the table into its model card:
//   dotnet fsi scripts/beyond/card.fsx --data MIR-1K
#load "../load.fsx"

open System.IO
open System.Text.RegularExpressions
open Argu
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning

type CardArgument =
    | Data of folder: string
    | Card of file: string

    interface IArgParserTemplate with
        member this.Usage =
            match this with
            | Data _ -> "folder of MIR-1K. Default: the embedded corpus."
            | Card _ -> "the file to write the table into. Default: the model card."

let ownCard =
    Path.Combine(__SOURCE_DIRECTORY__, "..", "..", "src", "FunctionalSeparation", "DefaultModel", "README.md")

let markdown (cells: string list) = "| " + String.concat " | " cells + " |"

/// The separator with estimates as long as their mixtures, where its own end with the last whole frame, as the papers have it.
let fullLength (separator: Separator) =
    let longer separate (mixture: torch.Tensor) =
        let padded = torch.nn.functional.pad (mixture, [| 0L; int64 separator.FrontEnd.Stft.HopLength |])
        (separate padded: torch.Tensor).narrow(2L, 0L, mixture.shape[1])

    match separator.Estimator with
    | Blind separate -> { separator with Estimator = Blind(longer separate) }
    | Oracle _ -> separator

/// The singer of singer_song_clip.
let singer (row: ClipScores) = row.Clip.Split('_')[0]

Experiment.main (fun () ->
    let arguments = Experiment.arguments<CardArgument> fsi.CommandLineArgs
    let corpus = Mir1k.loadOrEmbedded (arguments.TryGetResult Data)
    let separator = Separation.separator (DefaultModel.load torch.CPU) Soft
    let score separator = Experiment.evaluate (Scoring.ofCorpus corpus) torch.CPU "scoring" separator corpus.Test
    let scores = score separator

    let row name (rows: ClipScores list) =
        let cells = Results.row name rows
        markdown (cells.Head :: string rows.Length :: cells.Tail)

    let header = Results.header separator.Sources

    let table =
        [ markdown ("singer" :: "clips" :: header.Tail)
          markdown ("---" :: [ for _ in header -> "---" ])
          row "all" scores
          row "all, full length" (score (fullLength separator))
          for name, rows in List.groupBy singer scores |> List.sortBy fst do
              row name rows ]
        |> String.concat "\n"

    printfn "%s" table
    let path = arguments.GetResult(Card, ownCard)
    let card = File.ReadAllText path
    let marked = Regex("(?<=<!-- scores -->\n).*?(?=<!-- end of scores -->)", RegexOptions.Singleline)
    File.WriteAllText(path, marked.Replace(card, table + "\n", 1)))
