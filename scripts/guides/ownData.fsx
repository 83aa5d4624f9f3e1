(**
---
title: Data of your own
category: Guides
categoryindex: 1
index: 4
---
# Data of your own

A corpus is three lists of clips: to train on, to choose with, to test on. A clip tells its sources, channels and rate, and reads
its sound when it is used.
*)
#load "../load.fsx"
(*** hide ***)
// fsdocs runs a guide in its own folder.
System.IO.Directory.SetCurrentDirectory(System.IO.Path.Combine(__SOURCE_DIRECTORY__, "..", ".."))
(** *)

open System.IO
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

(**
## A folder of stems

The usual case needs no code: `StemFolder.load` reads `train`, `dev` and `test`, in them a folder a song, in this a file a source.
Here such a folder is written first, from two generated songs in stereo.
*)
let root = Path.Combine("artifacts", "guides", "songs")

let write part number =
    let song = Synthetic.bandSong 3.0 $"song {number}" (Key.ofSeed number)

    for stem in song.Stems do
        AudioFile.Write(Path.Combine(root, part, song.Name, $"{stem.Name}.wav"), stem.Sound) |> ignore

write "train" 1
write "test" 2
File.WriteAllText(Path.Combine(root, "notes.txt"), "Recorded in May.")

let corpus = StemFolder.load root

for clip in corpus.Train @ corpus.Test do
    printfn $"""{clip.Name}: {String.concat ", " clip.Sources}; {clip.Channels} channels at {clip.SampleRate} Hz"""
(*** include-output ***)

(**
Other files in the folder are named, not skipped silently.
*)
printfn $"{LeftOut.text corpus.LeftOut}"
(*** include-output ***)

(**
## Other corpora of it

A network for voice and accompaniment wants two sources, mono, at its own rate. Each of these makes a corpus of a corpus, and says
so in its name: tables and runs tell them apart.
*)
let pair =
    corpus
    |> Corpus.grouped [ "music", [ "drums"; "bass"; "other" ]; "voice", [ "vocals" ] ]
    |> Corpus.mono
    |> Corpus.resampled 16000

printfn $"{pair.Name}"
(*** include-output ***)

(**
## A loader of your own

Any function that returns stems makes a clip. This one reads a folder in which every song is one file, its accompaniment left and
its voice right. A file that does not fit raises `InputException`, which names the file and says what to do; scripts print it as
one line.
*)
let readPair (path: string) : Stems =
    let audio = AudioFile.Read path

    if audio.Channels.Count <> 2 then
        raise (
            InputException $"{path}: has {audio.Channels.Count} channels, the left and the right one are wanted. Remove the file."
        )

    Stems.ofMono audio.SampleRate [ "music", audio.Channels[0]; "voice", audio.Channels[1] ]

let clipOf (path: string) =
    let shape = AudioFile.Shape path
    Clip.create (AudioFolder.clipName path) shape.SampleRate 1 Stems.musicAndVoice (fun () -> readPair path)

let folder = Path.Combine("artifacts", "guides", "pairs")

for clip in pair.Train @ pair.Test do
    let sound = [| for stem in Clip.read clip -> stem.Sound.Channels[0] |]
    AudioFile.Write(Path.Combine(folder, $"{clip.Name}.wav"), AudioBuffer(sound, clip.SampleRate)) |> ignore

let clips = (AudioFolder.list folder).Files |> List.map clipOf
let own = { pair with Name = "pairs"; Place = folder; Train = [ clips.Head ]; Test = clips.Tail; LeftOut = [] }

(**
## Check it

Mixtures are made by the corpus's mixing: here the sum of the sources as recorded. The ideal ratio mask is given the true sources:
what it reaches is the ceiling of every mask on this data, and the mixture itself is the floor.
*)
let scored (separator: Separator) =
    Evaluate.clips (Scoring.ofCorpus own) TorchSharp.torch.float32 TorchSharp.torch.CPU ignore separator own.Test

for system in [ Evaluate.mixture FrontEnd.huang2014; Evaluate.idealRatioMask FrontEnd.huang2014 ] do
    let voice = Evaluate.summary "voice" (scored system)
    printfn $"{system.Name}: voice GNSDR {voice.Gnsdr:F1} dB"
(*** include-output ***)

(**
Training on it is the same as on any corpus: `Feed.excerpts network spec settings device own.Train`, or from the command line
`dotnet fsi scripts/beyond/train.fsx --data FOLDER`.
*)
