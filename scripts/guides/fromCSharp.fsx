(**
---
title: The library from C#
category: Guides
categoryindex: 1
index: 6
---
# The library from C#

Applications need no F#: the separators, files and scores of the library are plain .NET types. This page walks through the whole
of a small C# program, `tests/FunctionalSeparation.CSharpConsumer/Program.cs`, and then runs it.

A separator is opened once and used for many songs. Without a model folder it is the library's own. Errors that a user can mend
are `InputException`s, whose message is one line that says what to do.

```csharp
using FunctionalSeparation;
using FunctionalSeparation.Core;

// song.wav out-folder [model-folder]: with the library's own model, or one that training wrote.
using ISeparator separator = args.Length < 3 ? Separators.Default() : Separators.Open(args[2]);
```

A file of any length is separated in constant memory. Until all stems are whole, none of them has its name; a separation that is
cancelled leaves nothing behind. The result tells the file of each stem.

```csharp
// A file of any length, in constant memory: song_music.wav and song_voice.wav.
var progress = new OrderedProgress(share => Console.Error.Write($"\r{share:P0} "));
using var stop = new CancellationTokenSource();
var files = await separator.SeparateFileAsync(args[0], args[1], progress: progress, cancellation: stop.Token);
```

A sound in memory is an `AudioBuffer`: a rate, and an array of samples for each channel. Printed, it tells its shape.

```csharp
// A sound in memory.
AudioBuffer song = AudioFile.Read(args[0]);
var stems = separator.Separate(song);
Console.WriteLine(stems["voice"]);
```

A stream takes pieces of any size. Its stems are late by its latency, in samples.

```csharp
// A sound that comes piece by piece, whose level nobody knows yet: stems with a fixed delay.
using StemStream stream = separator.Open(song.SampleRate, song.Channels.Count);
int ready = stream.Push(song)["voice"].Length + stream.Finish()["voice"].Length;
Console.WriteLine($"{separator.Name}: {string.Join(", ", files.Keys)}, {ready} samples, {stream.Latency} late");
```

For sound that is heard while it comes, such as a player's, `separator.OpenLive` gives a `LiveStream`: it works on a thread of its
own, and the pieces of the stems are as long as those that come.

Scores take sounds as they are: first the true stems, then the estimates. Of estimates that are the truth, distortion has no
bound.

```csharp
// Against the true stems, here the estimates themselves: median SDR, ISR, SIR and SAR of windows of a second (BSS Eval 4).
Console.WriteLine(BssEval.InWindows([stems["music"], stems["voice"]], [stems["music"], stems["voice"]]));
```

## Run it

The build has compiled the program. It is given a generated song.
*)
#load "../load.fsx"
(*** hide ***)
// fsdocs runs a guide in its own folder.
System.IO.Directory.SetCurrentDirectory(System.IO.Path.Combine(__SOURCE_DIRECTORY__, "..", ".."))
(** *)

open System.Diagnostics
open System.IO
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

let repository = Path.GetFullPath(Path.Combine(__SOURCE_DIRECTORY__, "..", ".."))
let consumer = "FunctionalSeparation.CSharpConsumer"
let program = Path.Combine(repository, "tests", consumer, "bin", "Release", "net10.0", $"{consumer}.dll")

let song, stems = Path.Combine("artifacts", "guides", "song.wav"), Path.Combine("artifacts", "guides", "consumer")
let generated = Synthetic.song 3.0 "song" (Key.ofSeed 0)
AudioFile.Write(song, Stems.sum generated.Stems) |> ignore

let info =
    ProcessStartInfo("dotnet", [ program; song; stems ], RedirectStandardOutput = true, RedirectStandardError = true)

let running = Process.Start info
let said = running.StandardError.ReadToEndAsync()
printf $"{running.StandardOutput.ReadToEnd()}"
running.WaitForExit()

if running.ExitCode <> 0 then failwith $"{program}: {said.Result}"
(*** include-output ***)
