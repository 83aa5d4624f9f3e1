/// Data folders as people have them: other formats, other cases, leftovers of copies and of other systems.
module FunctionalSeparation.Tests.DataFolderTests

open System
open System.Diagnostics
open System.IO
open Expecto
open FunctionalSeparation
open FunctionalSeparation.Core

let private tone frequency = Array.init 4000 (fun i -> 0.5f * MathF.Sin(frequency * float32 i))

let private stereo = [| tone 0.1f; tone 0.3f |]

/// A stereo clip at 16 kHz, under any name.
let private writeAs (path: string) (channels: float32[][]) =
    let wav = path + ".wav"
    AudioFile.Write(wav, AudioBuffer(channels, 16000), SampleFormat.Pcm16) |> ignore
    File.Move(wav, path, true)

let private ffmpeg (arguments: string list) =
    try
        use running = Process.Start(ProcessStartInfo("ffmpeg", arguments, RedirectStandardError = true))
        running.StandardError.ReadToEnd() |> ignore
        running.WaitForExit()
        Expect.equal running.ExitCode 0 "ffmpeg ends without an error"
    with :? ComponentModel.Win32Exception ->
        skiptest "ffmpeg is not installed"

/// Stray entries in folders of audio files: a name, a function that creates the entry, and words of the reason for skipping it.
let private leftovers: (string * (string -> unit) * string) list =
    let text (path: string) = File.WriteAllText(path, "x")
    let folder (path: string) = Directory.CreateDirectory path |> ignore

    [ "._a.wav", text, "macOS"
      ".DS_Store", text, "hidden"
      ".hidden.wav", text, "hidden"
      "Thumbs.db", text, "not audio"
      "notes.txt", text, "not audio"
      "b.wav.part", text, "not audio"
      "c.wav", (fun path -> File.WriteAllBytes(path, [||])), "empty"
      "desktop.ini", text, "not audio"
      "d.wav", folder, "a folder"
      "@eaDir", folder, "kept by the system"
      "lost+found", folder, "kept by the system"
      "loop.wav", (fun path -> File.CreateSymbolicLink(path, path) |> ignore), "leads to itself"
      "gone.wav", (fun path -> File.CreateSymbolicLink(path, path + ".nowhere") |> ignore), "not there" ]

/// Loaders, the folder below the root that they list, and the names of two clips that they take.
let private loaders: (string * string * string list * (string -> Corpus)) list =
    [ "MIR-1K, official", "Wavfile", [ "abjones_1_01"; "Ani_1_01" ], Mir1k.load
      "MIR-1K, flat", "", [ "abjones_1_01"; "Ani_1_01" ], Mir1k.load
      "train, dev, test", "test", [ "one"; "two" ], Mir1k.load
      "iKala, official", "Wavfile", [ "10161_chorus"; "10161_verse" ], IKala.load
      "iKala, flat", "", [ "10161_chorus"; "10161_verse" ], IKala.load
      "two speakers",
      "A",
      [ "s1"; "s2" ],
      (fun root ->
          let other = Path.Combine(root, "B")
          Directory.CreateDirectory other |> ignore
          AudioFile.Write(Path.Combine(other, "s.wav"), AudioBuffer([| tone 0.2f |], 16000)) |> ignore
          SpeechPair.ofFolders (Path.Combine(root, "A")) other)
      "a speaker in noise",
      "noise",
      [ "car"; "train" ],
      (fun root ->
          let speech = Path.Combine(root, "speech")
          Directory.CreateDirectory speech |> ignore
          AudioFile.Write(Path.Combine(speech, "s.wav"), AudioBuffer([| tone 0.2f |], 16000)) |> ignore
          SpeechPair.inNoise speech (Path.Combine(root, "noise"))) ]

let private isOfPairs (name: string) =
    name.StartsWith("two", StringComparison.Ordinal) || name.StartsWith("a speaker", StringComparison.Ordinal)

let private channelsOf name = if isOfPairs name then [| tone 0.1f |] else stereo
let private all (corpus: Corpus) = corpus.Train @ corpus.Dev @ corpus.Test

let private leftOutOf (corpus: Corpus) name =
    corpus.LeftOut |> List.filter (fun one -> Path.GetFileName one.Path = name) |> List.map _.Reason

[<Tests>]
let tests =
    testList
        "data folders"
        [ for name, below, clips, load in loaders do
              let prepared (root: string) =
                  let folder = Path.Combine(root, below)
                  Directory.CreateDirectory folder |> ignore
                  let write (file: string) = writeAs (Path.Combine(folder, file)) (channelsOf name)
                  folder, write

              test $"{name}: upper case is read like lower case" {
                  Scratch.inFolder (fun root ->
                      let _, write = prepared root
                      write $"{clips[0]}.wav"
                      write $"{clips[1]}.WAV"
                      let corpus = load root
                      let length = corpus.Test |> List.sumBy (fun clip -> Stems.length (Clip.read clip))
                      Expect.isGreaterThan length 0 "the test clips have sound"

                      if not (isOfPairs name) then
                          Expect.equal (all corpus |> List.map _.Name |> List.sort) (List.sort clips) "both clips are found"

                      Expect.isEmpty corpus.LeftOut "nothing is left out")
              }

              test $"{name}: what is no clip is left out, and named with the reason" {
                  Scratch.inFolder (fun root ->
                      let folder, write = prepared root
                      clips |> List.iter (fun clip -> write $"{clip}.wav")
                      let before = load root |> all |> List.map _.Name

                      for file, make, _ in leftovers do
                          make (Path.Combine(folder, file))

                      let corpus = load root
                      Expect.equal (all corpus |> List.map _.Name) before "the same clips"

                      for file, _, reason in leftovers do
                          match leftOutOf corpus file with
                          | [ said ] -> Expect.stringContains said reason file
                          | others -> failtest $"{file}: {others}")
              }

              test $"{name}: two files of one clip are left out, naming both, and the others are read" {
                  Scratch.inFolder (fun root ->
                      let _, write = prepared root
                      write $"{clips[1]}.wav"

                      for first, second in [ ".wav", ".WAV"; ".flac", ".wav" ] do
                          write $"{clips[0]}{first}"
                          write $"{clips[0]}{second}"
                          let corpus = load root

                          if not (isOfPairs name) then
                              Expect.equal (all corpus |> List.map _.Name) [ clips[1] ] "the other clip is read"

                          for one, other in [ first, second; second, first ] do
                              match leftOutOf corpus (clips[0] + one) with
                              | [ said ] -> Expect.stringContains said (clips[0] + other) "the reason names the other file"
                              | others -> failtest $"{one}: {others}"

                          Expect.equal (corpus.LeftOut |> List.filter LeftOut.isUnusable |> List.length) 2 "both are unusable"
                          File.Delete(Path.Combine(root, below, clips[0] + second)))
              }

              test $"{name}: a folder of nothing but leftovers is refused, naming them" {
                  Scratch.inFolder (fun root ->
                      let folder, _ = prepared root
                      File.WriteAllText(Path.Combine(folder, "._a.wav"), "x")
                      Scratch.refuses [ root; "no audio"; "._a.wav" ] (fun () -> load root |> ignore))
              }

          test "a name that is not in UTF-8 is called so, and not hidden" {
              if not (OperatingSystem.IsLinux()) then skiptest "the file system takes no such names"

              Scratch.inFolder (fun root ->
                  let inShell (command: string) = Expect.isTrue (Scratch.succeeds "bash" [ "-c"; command ]) command
                  inShell $"echo x > '{root}'/$'caf\\xe9.wav'"

                  try
                      match (AudioFolder.files root).LeftOut with
                      | [ one ] ->
                          Expect.stringContains one.Reason "not in UTF-8" "the reason says what is wrong"
                          Expect.isTrue (LeftOut.isUnusable one) "the file counts as a fault"
                          Scratch.refuses [ "not in UTF-8"; "rename" ] (fun () -> AudioFile.Open one.Path |> ignore)
                      | others -> failtest $"{others}"
                  finally
                      inShell $"rm '{root}'/caf*")
          }

          test "a link that leads to itself is refused by name where it is asked for" {
              Scratch.inFolder (fun root ->
                  let link = Path.Combine(root, "loop.wav")
                  File.CreateSymbolicLink(link, link) |> ignore
                  Scratch.refuses [ link; "links" ] (fun () -> AudioFile.Open link |> ignore))
          }

          test "books, films and other containers of sound are audio by their names" {
              for name in [ "a.mkv"; "a.m4b"; "a.mka"; "a.MOV"; "a.dsf" ] do
                  Expect.isTrue (AudioFile.HasAudioName name) name
          }

          test "a FLAC clip is a clip like any other" {
              Scratch.inFolder (fun root ->
                  let folder = Path.Combine(root, "Wavfile")

                  AudioFile.Write(Path.Combine(folder, "abjones_1_01.wav"), AudioBuffer(stereo, 16000), SampleFormat.Pcm16)
                  |> ignore

                  let voice clip = (Clip.read clip |> Stems.find "voice").Channels[0]
                  let expected = voice (Mir1k.load root).Train.Head
                  let wav, flac = Path.Combine(folder, "abjones_1_01.wav"), Path.Combine(folder, "abjones_1_01.FLAC")
                  ffmpeg [ "-v"; "error"; "-i"; wav; "-f"; "flac"; flac ]
                  File.Delete wav
                  let corpus = Mir1k.load root
                  Expect.equal [ for clip in corpus.Train -> clip.Name ] [ "abjones_1_01" ] "the FLAC clip is for training"
                  Expect.equal (voice corpus.Train.Head) expected "the same samples")
          }

          test "the TIMIT pair in other formats, and what is beside it" {
              Scratch.inFolder (fun root ->
                  for speaker in [ "female"; "male" ] do
                      for part in [ "train"; "dev"; "test" ] do
                          writeAs (Path.Combine(root, $"{speaker}_{part}.WAV")) [| tone 0.1f |]

                  writeAs (Path.Combine(root, "male_tests.wav")) [| tone 0.1f |]
                  let corpus = SpeechPair.timit root
                  Expect.equal (Stems.length (Clip.read corpus.Test.Head)) 4000 "the test clip is read whole"
                  Expect.equal (leftOutOf corpus "male_tests.wav") [ "not one of the six of the pair" ] "the reason is told"
                  File.Delete(Path.Combine(root, "male_dev.WAV"))
                  Scratch.refuses [ "male_dev.wav"; "male_tests.wav" ] (fun () -> SpeechPair.timit root |> ignore))
          }

          test "what lies beside the folders that are read is named, and so are clips of other names" {
              Scratch.inFolder (fun root ->
                  let wavfile = Path.Combine(root, "Wavfile")
                  Directory.CreateDirectory wavfile |> ignore
                  writeAs (Path.Combine(wavfile, "Ani_1_01.wav")) stereo
                  writeAs (Path.Combine(wavfile, "abjones-1-02.wav")) stereo
                  writeAs (Path.Combine(root, "Ani_1_02.wav")) stereo
                  Directory.CreateDirectory(Path.Combine(root, "train")) |> ignore
                  let corpus = Mir1k.load root
                  Expect.equal [ for clip in all corpus -> clip.Name ] [ "Ani_1_01" ] "only the clip with a good name is read"
                  Expect.equal (leftOutOf corpus "abjones-1-02.wav") [ "not named singer_song_clip" ] "not a test singer's"
                  Expect.equal (leftOutOf corpus "Ani_1_02.wav") [ "beside Wavfile" ] "a clip beside Wavfile is not read"
                  Expect.equal (leftOutOf corpus "train") [ "beside Wavfile" ] "nor is a folder beside Wavfile"
                  let said = LeftOut.text corpus.LeftOut

                  Expect.equal
                      said
                      "3 left out: abjones-1-02.wav (not named singer_song_clip); Ani_1_02.wav, train (beside Wavfile)"
                      "in one line")
          }

          test "many leftovers are told in one short line, and none of a kind is hidden behind others" {
              let texts = [ for i in 1..100 -> { Path = $"/folder/{i}.txt"; Reason = "not audio by its name" } ]
              let discs = [ for i in 1..2 -> { Path = $"/folder/CD{i}"; Reason = "a folder" } ]

              Expect.equal
                  (LeftOut.text (texts @ discs))
                  "102 left out: 1.txt, 2.txt, 3.txt and 97 more (not audio by its name); CD1, CD2 (a folder)"
                  "leftovers are told by their reason"

              let each = LeftOut.text [ for i in 1..100 -> { Path = $"{i}.wav"; Reason = $"fault {i}" } ]
              Expect.stringEnds each "8.wav (fault 8); and 92 more" "the rest is only counted"
          }

          test "a part without clips is refused, naming folder and part" {
              Scratch.inFolder (fun root ->
                  Directory.CreateDirectory(Path.Combine(root, "train")) |> ignore
                  writeAs (Path.Combine(root, "train", "a.wav")) stereo
                  Directory.CreateDirectory(Path.Combine(root, "Test")) |> ignore
                  let corpus = Mir1k.load root
                  Corpus.require [ Split.Train ] corpus

                  // A folder of another case is another folder on most systems: at least it is named.
                  for split, words in [ Split.Dev, "no development clips"; Split.Test, "no test clips" ] do
                      Scratch.refuses [ root; words; "Test (beside train, dev, test)" ] (fun () ->
                          Corpus.require [ Split.Train; split ] corpus)

                  let needs preset = Recipe.needs (Huang2014.recipe preset Drnn.huang2014 Huang2014.loss)
                  Expect.equal (needs Paper) [ Split.Train; Split.Dev; Split.Test ] "the paper chooses on clips"
                  Expect.equal (needs Desk) [ Split.Train; Split.Test ] "desk does not")
          }

          test "clips that cannot be scored are refused before the first is" {
              let clip name rate music voice : Clip =
                  Clip.create name rate 1 Stems.musicAndVoice (fun () -> Stems.ofMono rate [ "music", music; "voice", voice ])

              let good = clip "good" 16000 (tone 0.1f) (tone 0.3f)
              let silent = clip "silent" 16000 (tone 0.1f) (Array.zeroCreate 4000)
              let frontEnd = FrontEnd.huang2014
              FrontEnd.requireScorable [] frontEnd [ good; silent ]

              for clips, words in
                  [ [], [ "no clips" ]
                    [ silent; silent ], [ "silent"; "all 2" ]
                    [ good; clip "fast" 44100 (tone 0.1f) (tone 0.3f) ], [ "fast"; "44100" ]
                    [ good; clip "short" 16000 [| 1.0f |] [| 1.0f |] ], [ "short"; "fewer than one window" ] ] do
                  Scratch.refuses words (fun () -> FrontEnd.requireScorable [] frontEnd clips)

                  Scratch.refuses words (fun () ->
                      Experiment.evaluate Scoring.papers TorchSharp.torch.CPU "scoring" (Evaluate.mixture frontEnd) clips
                      |> ignore)
          }

          test "a recording too short to be cut into three is refused by name" {
              Scratch.inFolder (fun root ->
                  for folder, samples in [ "speech", 400; "noise", 9 ] do
                      let path = Path.Combine(root, folder, "x.wav")
                      AudioFile.Write(path, AudioBuffer([| Array.create samples 0.5f |], 8000)) |> ignore

                  let corpus = SpeechPair.inNoise (Path.Combine(root, "speech")) (Path.Combine(root, "noise"))
                  Scratch.refuses [ "x.wav"; "9 samples" ] (fun () -> corpus.Train.Head.Read() |> ignore))
          }

          test "what no clip has a score for is said in words" {
              let none = { Sdr = nan; Sir = nan; Sar = nan; Nsdr = nan }

              let rows =
                  [ for i in 1..2 ->
                        { Clip = $"clip{i}"; Samples = 10; Estimates = AsNamed; Sources = [ "music", none; "voice", none ] } ]

              Expect.equal (Results.row "x" rows) ("x" :: List.replicate 6 "no score") "the table says that there is no score"
              Expect.all (List.tail (Results.columns rows)) (fun (_, cell) -> cell = "no score") "a CSV file"
              Expect.stringContains (List.head (Results.remarks rows)) "all 2 clip(s) have no voice score" "the voice is named"

              let claim = { Text = "A beats B"; Pairs = [ ("A", "B") ] }
              Expect.stringContains (TableReport.verdict None (fun _ -> None) claim) "not measured" "the claim has no verdict"
          } ]
