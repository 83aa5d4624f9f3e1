(**
---
title: A first separation
category: Guides
categoryindex: 1
index: 1
---
# A first separation

A song goes in, its voice and its accompaniment come out. A script begins with one line that loads the library. From the root of
the repository, `dotnet fsi build.fsx build` builds it, and `dotnet fsi scripts/guides/firstSeparation.fsx` runs this page.
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
## A song whose sources are known

`Synthetic.song` makes a song up, so that nothing has to be downloaded: the same key always makes the same one. Its *stems* are
named sources, which sum to the mixture. With a song of your own, `AudioFile.Read "song.wav"` takes the place of the mixture.
*)
let song = Synthetic.song 6.0 "song" (Key.ofSeed 0)
let mixture = Stems.sum song.Stems

printfn $"{song.Description}: {Stems.names song.Stems}, {mixture.Seconds} s at {mixture.SampleRate} Hz"
(*** include-output ***)

(**
## Separate it

The library's own model knows singing voice and accompaniment of recorded music. It takes any rate, length and number of channels,
and its estimates are as long as the mixture.
*)
let separator = Separators.Default "cpu"
let estimates = separator.Separate mixture

for estimate in estimates do
    printfn $"{estimate.Key}: {estimate.Value.Length} samples"
(*** include-output ***)

(**
They sum to the mixture: nothing is lost between the two.
*)
let samples name = estimates[name].Channels[0]

let lost =
    Array.map3 (fun x m v -> abs (x - m - v)) mixture.Channels[0] (samples "music") (samples "voice") |> Array.max

printfn $"less than 0.00001 of full scale is lost: {lost < 1e-5f}"
(*** include-output ***)

(**
## Keep it

`separator.SeparateFile("song.mp3", "stems")` does all of this to a file of any length, in constant memory. A sound in memory is
written as it is: 32-bit samples, nothing is clipped.
*)
let folder = Path.Combine("artifacts", "guides", "stems")

for estimate in estimates do
    AudioFile.Write(Path.Combine(folder, $"{estimate.Key}.wav"), estimate.Value) |> ignore

printfn $"{Directory.GetFiles folder |> Array.map Path.GetFileName |> Array.sort |> List.ofArray}"
(*** include-output ***)

(**
## How good is it?

The sources are known, so the estimates can be scored: BSS Eval 3, in dB. As an estimate of a source, the mixture itself has about
0 dB. Generated songs are unlike the recordings that the model was trained on: what it reaches on MIR-1K is in its model card.
*)
let inOrder = [ for stem in song.Stems -> { stem with Sound = estimates[stem.Name] } ]
let scores = BssEval.Version3Channels(Stems.tensor song.Stems, Stems.tensor inOrder)

for source, sdr in Seq.zip (Stems.names song.Stems) scores.Sdr do
    printfn $"{source}: SDR {sdr:F1} dB"
(*** include-output ***)

separator.Dispose()
