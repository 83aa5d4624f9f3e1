/// Folders of stems, and MUSDB18 in both editions, on made-up songs.
module FunctionalSeparation.Tests.StemFolderTests

open System
open System.IO
open Expecto
open FunctionalSeparation
open FunctionalSeparation.Core
open FunctionalSeparation.Tests.AudioFileTests

/// Half a second, of another sound for each seed.
let private sound seed channels rate = noise seed channels (rate / 2) rate 0.9

let private band = [ "drums"; "bass"; "other"; "vocals" ]

/// A song as a folder of 16-bit WAV files: the sources, and other files beside them.
let private writeSong (folder: string) (sources: (string * AudioBuffer) list) =
    for name, audio in sources do
        AudioFile.Write(Path.Combine(folder, name + ".wav"), audio, SampleFormat.Pcm16) |> ignore

let private song rate channels names = [ for seed, name in List.indexed names -> name, sound seed channels rate ]

let private all (corpus: Corpus) = corpus.Train @ corpus.Dev @ corpus.Test

let private leftOut (corpus: Corpus) =
    [ for one in corpus.LeftOut -> Path.GetRelativePath(corpus.Place, one.Path).Replace('\\', '/'), one.Reason ]

let private stems =
    testList
        "a folder of stems"
        [ test "songs of parts, sources in the order of their names, each song at its own rate and channels" {
              Scratch.inFolder (fun root ->
                  writeSong (Path.Combine(root, "train", "one")) (song 16000 2 band)
                  writeSong (Path.Combine(root, "test", "two")) (song 8000 1 band)
                  let corpus = StemFolder.load root
                  let one, two = corpus.Train.Head, corpus.Test.Head
                  Expect.equal (one.Name, one.SampleRate, one.Channels) ("one", 16000, 2) "song one is as it was written"
                  Expect.equal (two.Name, two.SampleRate, two.Channels) ("two", 8000, 1) "song two is as it was written"

                  Expect.equal
                      [ for clip in all corpus -> clip.Sources ]
                      (List.replicate 2 [ "bass"; "drums"; "other"; "vocals" ])
                      "the sources are in the order of their names"

                  Expect.isEmpty corpus.Dev "no development songs"
                  Expect.isEmpty corpus.LeftOut "nothing is left out"
                  Expect.equal corpus.Mixing.Id Mixing.plain.Id "summed as recorded"
                  let bass = Clip.read one |> Stems.find "bass"
                  Expect.isLessThan (worst bass (sound 1 2 16000)) (1.0 / 32768.0) "the sound of its file"
                  Scratch.refuses [ "two"; "8000 Hz"; "Corpus.resampled" ] (fun () -> Clip.requireRate 16000 two)
                  let together = Clip.read (Corpus.resampled 16000 (Corpus.mono corpus)).Test.Head
                  Expect.equal (Stems.length together) 8000 "resampled where it is asked for")
          }

          test "sources are in the order of their names, not of their files" {
              Scratch.inFolder (fun root ->
                  writeSong (Path.Combine(root, "train", "one")) (song 16000 1 [ "bass-2"; "bass" ])
                  Expect.equal (StemFolder.load root).Train.Head.Sources [ "bass"; "bass-2" ] "the order is that of the names")
          }

          test "what is no source and no song is left out, and named with the reason" {
              Scratch.inFolder (fun root ->
                  let folder = Path.Combine(root, "train", "one")
                  writeSong folder (song 16000 1 [ "noise"; "speech"; "mixture" ])
                  let text (parts: string list) = File.WriteAllText(Path.Combine(Array.ofList (root :: parts)), "x")
                  text [ "train"; "one"; "._speech.wav" ]
                  text [ "train"; "one"; "cover.jpg" ]
                  text [ "train"; "list.txt" ]
                  text [ "readme.md" ]
                  Directory.CreateDirectory(Path.Combine(root, "train", "empty")) |> ignore
                  Directory.CreateDirectory(Path.Combine(root, "train", ".cache")) |> ignore
                  let corpus = StemFolder.load root
                  Expect.equal [ for clip in all corpus -> clip.Name, clip.Sources ] [ "one", [ "noise"; "speech" ] ] "one song"

                  for path, word in
                      [ "train/one/._speech.wav", "macOS"
                        "train/one/cover.jpg", "not audio"
                        "train/one/mixture.wav", "the mixture"
                        "train/list.txt", "not audio"
                        "train/empty", "without sound"
                        "train/.cache", "hidden"
                        "readme.md", "beside train, dev, test" ] do
                      match leftOut corpus |> List.filter (fst >> (=) path) with
                      | [ _, reason ] -> Expect.stringContains reason word path
                      | others -> failtest $"{path}: {others}"

                  Expect.hasLength corpus.LeftOut 7 "nothing else is left out")
          }

          test "a song that cannot be used is named with its path and the reason, and the rest is read" {
              Scratch.inFolder (fun root ->
                  let place part name = Path.Combine(root, part, name)
                  let pair = [ "music", sound 1 1 16000; "voice", sound 2 1 16000 ]
                  let write part name sources = writeSong (place part name) sources
                  write "train" "good" pair
                  write "test" "good too" pair
                  write "test" "lacking" [ pair.Head ]
                  write "train" "twice" pair
                  File.Copy(Path.Combine(place "train" "twice", "voice.wav"), Path.Combine(place "train" "twice", "voice.WAVE"))
                  write "train" "rate" [ pair.Head; "voice", sound 3 1 8000 ]
                  write "train" "channels" [ pair.Head; "voice", sound 3 2 16000 ]
                  write "train" "length" [ pair.Head; "voice", noise 3 1 6399 16000 0.9 ]
                  write "train" "mixture" [ "mixture", sound 1 1 16000 ]
                  write "dev" "cut" pair
                  let cut = Path.Combine(place "dev" "cut", "music.wav")
                  File.WriteAllBytes(cut, File.ReadAllBytes cut |> Array.truncate 1000)
                  let corpus = StemFolder.load root
                  Expect.equal [ for clip in all corpus -> clip.Name ] [ "good"; "good too" ] "the good songs are read"
                  let faults = corpus.LeftOut |> List.filter LeftOut.isUnusable

                  for part, name, words in
                      [ "test", "lacking", [ "voice" ]
                        "train", "twice", [ "voice.wav"; "voice.WAVE" ]
                        "train", "rate", [ "voice"; "8000 Hz"; "16000 Hz" ]
                        "train", "channels", [ "voice"; "2 channel" ]
                        "train", "length", [ "voice"; "6399"; "8000" ]
                        "train", "mixture", [ "the mixture alone" ]
                        "dev", "cut", [ "music.wav"; "truncated" ] ] do
                      match faults |> List.filter (fun one -> one.Path = place part name) with
                      | [ fault ] ->
                          for word in words do
                              Expect.stringContains (LeftOut.why fault) word name
                      | others -> failtest $"{name}: {others}"

                  Expect.hasLength faults 7 "nothing else is at fault")
          }

          test "a stem that ends a little early is filled up with silence, read whole or in parts, and noted" {
              Scratch.inFolder (fun root ->
                  let folder = Path.Combine(root, "train", "one")
                  writeSong folder [ "music", sound 1 1 16000; "voice", noise 2 1 7000 16000 0.9 ]
                  let corpus = StemFolder.load root

                  match corpus.Notes with
                  | [ note ] ->
                      for word in [ Path.Combine(folder, "voice.wav"); "1000 samples"; "silence" ] do
                          Expect.stringContains note word "which, and by how much"
                  | others -> failtest $"{others}"

                  let clip = corpus.Train.Head
                  let voice = Clip.read clip |> Stems.find "voice"
                  let written = (AudioFile.Read(Path.Combine(folder, "voice.wav"))).Channels[0]
                  Expect.equal voice.Channels[0] (Array.append written (Array.zeroCreate 1000)) "silence fills the stem up"
                  Expect.equal (Clip.readableSamples clip) 8000 "as long as the longest"
                  let part start count = (clip.Parts.Value.Read "voice" start count).Channels[0]

                  for start, count in [ 6990, 20; 7500, 500; 0, 8000; 7999, 1 ] do
                      Expect.equal (part start count) (Array.sub voice.Channels[0] start count) $"from {start}")
          }

          test "to see that a clip can be read, only its last samples are where it is read in parts" {
              let mutable read = []

              let parts =
                  { Samples = 100000
                    Read =
                      fun source start count ->
                          read <- (source, start, count) :: read
                          sound 1 1 16000 }

              let whole () = failtest "the whole clip is not read"
              let clip = { Clip.create "long" 16000 1 [ "music"; "voice" ] whole with Parts = Some parts }
              Expect.equal (Clip.readableSamples clip) 100000 "the length is that of the parts"
              Expect.equal (List.rev read) [ "music", 99999, 1; "voice", 99999, 1 ] "what is read"
          }

          test "what holds no song is refused, with what was left out" {
              Scratch.inFolder (fun root ->
                  Scratch.refuses [ "nowhere"; "no songs" ] (fun () -> StemFolder.load (Path.Combine(root, "nowhere")) |> ignore)
                  Directory.CreateDirectory(Path.Combine(root, "train", "empty")) |> ignore

                  Scratch.refuses [ root; "no songs"; "empty (a folder without sound)" ] (fun () ->
                      StemFolder.load root |> ignore))
          }

          decoded "stems of other formats are stems like any other" (fun root ->
              let folder = Path.Combine(root, "train", "one")
              writeSong folder (song 16000 2 [ "music"; "voice" ])
              let expected = AudioFile.Read(Path.Combine(folder, "voice.wav"))
              ffmpeg [ "-i"; Path.Combine(folder, "voice.wav"); Path.Combine(folder, "voice.flac") ]
              File.Delete(Path.Combine(folder, "voice.wav"))
              let found = Clip.read (StemFolder.load root).Train.Head |> Stems.find "voice"
              Expect.equal (samplesOf found) (samplesOf expected) "the same samples") ]

let private musdb =
    testList
        "MUSDB18"
        [ test "HQ: sources in their order; the 14 songs choose, the others train; artists are singers" {
              Scratch.inFolder (fun root ->
                  for part, name in
                      [ "train", "Actions - One Minute Smile"; "train", "A Band - A - Song"; "test", "Other - Song" ] do
                      writeSong (Path.Combine(root, part, name)) (song 44100 2 (band @ [ "mixture" ]))

                  let corpus = Musdb.load root
                  Expect.equal [ for clip in corpus.Dev -> clip.Name ] [ "Actions - One Minute Smile" ] "a listed song chooses"
                  Expect.equal [ for clip in corpus.Train -> clip.Name, clip.Singer ] [ "A Band - A - Song", "A Band" ] "trains"
                  Expect.equal [ for clip in corpus.Test -> clip.Name ] [ "Other - Song" ] "the test song is for testing"
                  Expect.isEmpty corpus.LeftOut "mixtures are part of the layout"
                  let read = Clip.read corpus.Test.Head
                  Expect.equal (Stems.names read) band "the sources keep their order"

                  for seed, stem in List.indexed read do
                      Expect.isLessThan (worst stem.Sound (sound seed 2 44100)) (1.0 / 32768.0) stem.Name)
          }

          test "HQ: a missing source, another rate and strangers are named" {
              Scratch.inFolder (fun root ->
                  let folder = Path.Combine(root, "test", "A - B")
                  writeSong folder (song 22050 2 band)
                  File.WriteAllText(Path.Combine(root, "test", "._A - B.stem.mp4"), "x")
                  writeSong (Path.Combine(root, "test")) [ "stray", sound 1 1 44100 ]
                  let corpus = Musdb.load root

                  Expect.equal
                      (leftOut corpus |> List.map snd)
                      [ "a companion file of macOS, not sound"; "not named .stem.mp4" ]
                      "strange files are left out with a reason"

                  Scratch.refuses [ "A - B"; "22050 Hz"; "44100 Hz" ] (fun () -> Clip.read corpus.Test.Head |> ignore)
                  File.Delete(Path.Combine(folder, "vocals.wav"))
                  Scratch.refuses [ "A - B"; "vocals.wav" ] (fun () -> Musdb.load root |> ignore)
                  writeSong (Path.Combine(root, "test", "C - D")) (song 44100 2 band)
                  let corpus = Musdb.load root
                  Expect.equal [ for clip in corpus.Test -> clip.Name ] [ "C - D" ] "the rest is read"
                  let faults = corpus.LeftOut |> List.filter LeftOut.isUnusable |> List.map _.Path
                  Expect.equal faults [ folder ] "what lacks a source is named"
                  Scratch.refuses [ "nowhere"; "no songs" ] (fun () -> Musdb.load (Path.Combine(root, "nowhere")) |> ignore))
          }

          decoded ".stem.mp4: the four sound tracks behind the mixture" (fun root ->
              let hertz = [ 300; 500; 700; 1100; 1300 ]
              let path = Path.Combine(root, "train", "A - B.stem.mp4")
              Directory.CreateDirectory(Path.Combine(root, "train")) |> ignore

              let tones =
                  [ for frequency in hertz do
                        yield! [ "-f"; "lavfi"; "-i"; $"sine=f={frequency}:d=1:r=44100" ] ]

              let tracks =
                  [ for track in 0..4 do
                        yield! [ "-map"; $"{track}" ] ]

              ffmpeg (tones @ tracks @ [ "-ac"; "2"; "-c:a"; "aac"; path ])
              let clip = (Musdb.load root).Train.Head
              Expect.equal (clip.Name, clip.Singer) ("A - B", "A") "the clip is called after its file"
              let read = Clip.read clip
              Expect.equal (Stems.names read) band "the four sources keep their order"

              let energyAt (samples: float32[]) frequency =
                  let sum wave =
                      samples
                      |> Array.mapi (fun i x -> float x * wave (2.0 * Math.PI * float frequency * float i / 44100.0))
                      |> Array.sum

                  sum sin ** 2.0 + sum cos ** 2.0

              for stem, frequency in List.zip read hertz.Tail do
                  let loudest = hertz |> List.maxBy (energyAt stem.Sound.Channels[1])
                  Expect.equal loudest frequency stem.Name

              // The same song as a folder, too.
              writeSong (Path.Combine(root, "train", "A - B")) (song 44100 2 band)
              Scratch.refuses [ "A - B (cannot be used: there as a folder and as a file" ] (fun () -> Musdb.load root |> ignore)) ]

[<Tests>]
let tests = testList "stem folders" [ stems; musdb ]
