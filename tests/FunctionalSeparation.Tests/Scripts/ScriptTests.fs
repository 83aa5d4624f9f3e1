/// The scripts, run as a user runs them: on the embedded corpus or on small folders made here.
module FunctionalSeparation.Tests.ScriptTests

open System
open System.Diagnostics
open System.IO
open System.Text.Json.Nodes
open Expecto
open FunctionalSeparation
open FunctionalSeparation.Core
open FunctionalSeparation.Tests.Scripts

/// A model trained for a moment on the embedded corpus, shared by the tests.
let private model =
    lazy
        (let folder = Directory.CreateTempSubdirectory("funcsep-model-").FullName
         AppDomain.CurrentDomain.ProcessExit.Add(fun _ -> Directory.Delete(folder, true))
         let output = succeed train [ "--preset"; "smoke"; "--epochs"; "2"; "--out"; folder ]
         folder, output)

/// A clip as MIR-1K has it: a channel a source.
let private channels (stems: Stems) = AudioBuffer([| for stem in stems -> stem.Sound.Channels[0] |], 16000)

/// A data folder in the official flat layout with test clips of the embedded corpus: music left, voice right.
let private dataFolder root (change: int -> Stems -> Stems) =
    let wavfile = Path.Combine(root, "Wavfile")

    (Corpus.embedded 9).Test
    |> List.truncate 2
    |> List.iteri (fun i clip ->
        let stems = change i (Clip.read clip)

        AudioFile.Write(Path.Combine(wavfile, $"singer{i}_1_01.wav"), channels stems, SampleFormat.Pcm16) |> ignore)

    root

let private same (_: int) (stems: Stems) = stems

/// Runs separate.fsx on bytes of standard input; gives the bytes of standard output, and standard error.
let private separatePiped (bytes: byte[]) (arguments: string list) =
    let script = Path.Combine(Golden.repository, "scripts", "separate.fsx")

    let info =
        ProcessStartInfo(
            "dotnet",
            [ "fsi"; script; "-"; "--model"; fst model.Value ] @ arguments,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true
        )

    use running = Process.Start info
    let error = running.StandardError.ReadToEndAsync()
    running.StandardInput.BaseStream.Write(ReadOnlySpan bytes)
    running.StandardInput.Close()
    use output = new MemoryStream()
    running.StandardOutput.BaseStream.CopyTo output
    running.WaitForExit()
    Expect.equal running.ExitCode 0 $"the script succeeds: {error.Result}"
    output.ToArray(), error.Result

[<Tests>]
let tests =
    testList
        "scripts"
        [ test "drnn.fsx trains on the embedded corpus, scores, and writes a model that describes itself" {
              let folder, output = model.Value

              for part in [ "ideal binary mask"; "DRNN-2 + discrim"; "voice GNSDR" ] do
                  Expect.stringContains output part "the table shows its parts"

              let results = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "results.json")))
              Expect.isTrue (Double.IsFinite(results["voice"].["GNSDR"].GetValue<float>())) "the GNSDR is a finite number"

              for entry in [ "commit"; "recipe"; "trainingData"; "torchSharp"; "libTorch"; "device"; "time"; "trainingSeconds" ] do
                  Expect.isNotNull (results["provenance"].[entry]) entry

              let trained = ModelFolder.load ModelFolder.families TorchSharp.torch.CPU folder

              Expect.equal
                  (string trained.Network.Architecture)
                  (string (Drnn.network { Drnn.huang2014 with InputScale = 30.0; Hidden = [ 150; 150 ] }).Architecture)
                  "the model has the network of the recipe"

              trained.Parameters.Vector.Dispose()
          }

          test "behind load.fsx the first line may be about tensors" {
              Scratch.inFolder (fun folder ->
                  let script = Path.Combine(folder, "first.fsx")
                  let load = Path.Combine(Golden.repository, "scripts", "load.fsx")
                  File.WriteAllLines(script, [ $"#load @\"{load}\""; "printfn \"%d\" (TorchSharp.torch.ones(3L).numel ())" ])
                  Expect.equal (succeed script []) "3\n" "the script prints the size of a tensor")
          }

          test "separate.fsx writes stems of the song's rate, channels and length that sum to it" {
              Scratch.inFolder (fun folder ->
                  let clip = (Corpus.embedded 9).Test |> List.head
                  let stems = Clip.read clip
                  let mono, music = (Stems.sum stems).Channels[0], (Stems.find "music" stems).Channels[0]
                  let song = Resampler.Resample(AudioBuffer([| mono; music |], 16000), 22050)
                  let path = Path.Combine(folder, "my song.wav")
                  AudioFile.Write(path, song) |> ignore
                  let separate song = [ song; "--model"; fst model.Value; "--out"; Path.Combine(folder, "stems") ]
                  let output = succeed "separate.fsx" (separate path)
                  let stem name = AudioFile.Read(Path.Combine(folder, "stems", $"my song_{name}.wav"))
                  let music, voice = stem "music", stem "voice"
                  Expect.equal (music.SampleRate, music.Channels.Count, music.Length) (22050, 2, song.Length) "as the song is"

                  for channel in 0..1 do
                      let sum = Array.map2 (+) music.Channels[channel] voice.Channels[channel]
                      let worst = Array.map2 (fun a b -> abs (a - b)) sum song.Channels[channel] |> Array.max
                      Expect.isLessThan worst 1e-6f "stems sum to the song"

                  let names = [ for name in [ "music"; "voice" ] -> Path.Combine(folder, "stems", $"my song_{name}.wav") ]
                  Expect.equal (output.TrimEnd().Split '\n' |> List.ofArray) names "the results are the stems' names"
                  let other = Path.Combine(folder, "other", "my song.wav")
                  AudioFile.Write(other, AudioBuffer([| mono; mono |], 16000)) |> ignore
                  refuse "separate.fsx" (separate other) (names @ [ "another song"; "nothing was written" ]))
          }

          Scratch.long "separate.fsx reads standard input, names the stems after it, and says what it should" (fun () ->
              Scratch.inFolder (fun folder ->
                  let path, out = Path.Combine(folder, "song.wav"), Path.Combine(folder, "stems")
                  let song = AudioBuffer([| Array.init 20000 (fun i -> float32 (sin (float i / 20.0)) / 4.f) |], 16000)
                  AudioFile.Write(path, song, SampleFormat.Pcm16) |> ignore
                  let bytes = File.ReadAllBytes path
                  BitConverter.GetBytes(0x7FFFF000).CopyTo(bytes, bytes.Length - 40004) // as SoX writes to a pipe
                  let _, error = separatePiped bytes [ "--out"; out ]
                  Expect.stringContains error "note: standard input: its header leaves the length open" "the open end is noted"
                  let stem name = (AudioFile.Read(Path.Combine(out, $"stdin_{name}.wav"))).Channels[0]
                  let sum = Array.map2 (+) (stem "music") (stem "voice")
                  let worst = Array.map2 (fun a b -> abs (a - b)) sum (AudioFile.Read path).Channels[0] |> Array.max
                  Expect.isLessThan worst 1e-6f "stems sum to the song"
                  let voice, _ = separatePiped bytes [ "--stems"; "voice"; "--out"; "-" ]
                  Expect.isTrue (voice = File.ReadAllBytes(Path.Combine(out, "stdin_voice.wav"))) "one stem to standard output"))

          Scratch.long "standard output takes one stem of one song" (fun () ->
              let arguments = [ "song.wav"; "--out"; "-"; "--stems"; "voice,music" ]
              refuse "separate.fsx" arguments [ "--out -"; "one stem" ])

          Scratch.long "evaluate.fsx scores a data folder; silent references are counted and named" (fun () ->
              Scratch.inFolder (fun folder ->
                  let data = dataFolder folder (fun i stems -> if i = 1 then Scratch.silenced "voice" stems else stems)

                  let json = Path.Combine(folder, "scores.json")
                  let arguments = [ "--model"; fst model.Value; "--data"; data; "--no-permutation"; "--json"; json ]
                  let output = succeed "evaluate.fsx" arguments
                  Expect.stringContains output "1 clip(s) have no voice score" "the clip without a score is told"
                  let results = JsonNode.Parse(File.ReadAllText json)
                  Expect.equal (results["clips"].AsArray().Count) 2 "a row a clip"
                  Expect.equal (results["provenance"].["pairing"].GetValue<string>()) "ByName" "the pairing is as asked"
                  Expect.equal (results["clips"].[0].["estimates"].GetValue<string>()) "as named" "told of each clip"
                  Expect.equal (results["voice"].["clips"].GetValue<int>()) 1 "only the scored clip counts"
                  Expect.equal (results["voice"].["unscored"].[0].GetValue<string>()) "singer1_1_01" "the silent clip is named"
                  Expect.equal (results["music"].["clips"].GetValue<int>()) 1 "nor does the other source count"
                  let scores = [ for entry in [ "GNSDR"; "GSIR"; "GSAR" ] -> results["music"].[entry].GetValue<float>() ]

                  Expect.isTrue
                      (scores |> List.forall (fun score -> Double.IsFinite score && abs score < 60.0))
                      $"the scores of the music are plausible: {scores}"

                  for row in [ "mixture"; "ideal binary mask" ] do
                      Expect.stringContains output row "floor and ceiling"))

          Scratch.long "a folder that holds a run is not overwritten, nor resumed with other settings" (fun () ->
              let folder, _ = model.Value
              refuse train [ "--epochs"; "2"; "--out"; folder ] [ folder; "--resume" ]
              refuse train [ "--epochs"; "3"; "--resume"; "--out"; folder ] [ "checkpoint.safetensors"; "other settings" ])

          Scratch.long "a missing data folder, an empty one, and one without training singers" (fun () ->
              Scratch.inFolder (fun folder ->
                  let missing = Path.Combine(folder, "nowhere")
                  refuse train [ "--data"; missing ] [ missing; "no such folder" ]
                  refuse train [ "--data"; folder ] [ folder; "no audio clips" ]

                  refuse
                      train
                      [ "--data"; dataFolder folder same; "--out"; Path.Combine(folder, "run") ]
                      [ "no training clips" ]

                  Expect.isFalse (File.Exists(Path.Combine(folder, "run", "weights.safetensors"))) "no weights are left over"))

          Scratch.long "a folder without test clips is refused before training; what is left out is said" (fun () ->
              Scratch.inFolder (fun folder ->
                  let clip part name =
                      let stems = Clip.read (Corpus.embedded 9).Test.Head
                      let path = Path.Combine(folder, part, name)
                      AudioFile.Write(path + ".wav", channels stems) |> ignore
                      File.Move(path + ".wav", path)

                  let out = Path.Combine(folder, "run")
                  clip "train" "a.WAV"
                  File.WriteAllText(Path.Combine(folder, "train", "._a.WAV"), "x")
                  let arguments = [ "--data"; folder; "--epochs"; "1"; "--out"; out ]
                  refuse train arguments [ folder; "no test clips"; "._a.WAV" ]
                  refuse "huang2014/masks.fsx" [ "--data"; folder; "--out"; out ] [ folder; "no test clips" ]
                  Expect.isFalse (Directory.Exists out) "no training has begun"
                  clip "test" "b.wav"
                  // On a machine whose numbers have a comma.
                  let code, output, error = runIn "de_DE.UTF-8" train (arguments @ [ "--gamma"; "0.05" ])
                  Expect.equal code 0 $"it trains: {error}"
                  let told = error.Split '\n' |> Array.filter (fun line -> line.Contains "left out")
                  Expect.hasLength told 1 $"one line: {error}"
                  Expect.stringContains told[0] "1 left out: ._a.WAV" "the file left out is named"
                  Expect.isFalse (Text.RegularExpressions.Regex.IsMatch(output, @"\d,\d|NaN")) $"decimal points: {output}"
                  let recipe = JsonNode.Parse(File.ReadAllText(Path.Combine(out, "model.json"))).["provenance"].["recipe"]
                  Expect.equal (recipe["gamma"].GetValue<float>()) 0.05 "the recipe has the gamma of the options"))

          Scratch.long "a wrong sample rate or channel count, a truncated, foreign, empty or silent file" (fun () ->
              Scratch.inFolder (fun folder ->
                  let training name = Path.Combine(folder, "train", name)
                  let noise = Array.init 32000 (fun i -> float32 (sin (0.1 * float i)) * 0.5f)

                  let write name rate (channels: float32[] list) =
                      AudioFile.Write(training name, AudioBuffer(channels, rate), SampleFormat.Pcm16) |> ignore

                  let cases =
                      [ "rate.wav", (fun name -> write name 8000 [ noise; noise ]), "16000 Hz"
                        "mono.wav", (fun name -> write name 16000 [ noise ]), "2 channels"
                        "cut.wav",
                        (fun name ->
                            write name 16000 [ noise; noise ]
                            File.WriteAllBytes(training name, (File.ReadAllBytes(training name))[..20000])),
                        "cut.wav"
                        "foreign.wav", (fun name -> File.WriteAllText(training name, "this is no sound at all")), "foreign.wav"
                        "empty.wav", (fun name -> File.WriteAllBytes(training name, [||])), "empty"
                        "silent.wav", (fun name -> write name 16000 [ noise; Array.zeroCreate 32000 ]), "silent"
                        "short.wav", (fun name -> write name 16000 [ noise[..499]; noise[..499] ]), "fewer than one window" ]

                  AudioFile.Write(Path.Combine(folder, "test", "good.wav"), AudioBuffer([| noise; noise |], 16000)) |> ignore

                  for name, make, part in cases do
                      Directory.CreateDirectory(Path.Combine(folder, "train")) |> ignore
                      make name

                      refuse
                          train
                          [ "--data"; folder; "--out"; Path.Combine(folder, "run") ]
                          [ Path.GetFileNameWithoutExtension name; part ]

                      Directory.Delete(Path.Combine(folder, "train"), true)

                  Expect.isFalse (File.Exists(Path.Combine(folder, "run", "model.json"))) "no model from any of them"))

          Scratch.long "NaN in the audio to separate, an unknown model folder" (fun () ->
              Scratch.inFolder (fun folder ->
                  let song = Path.Combine(folder, "song.wav")
                  let out = Path.Combine(folder, "stems")
                  AudioFile.Write(song, AudioBuffer([| Array.create 20000 0.5f |], 16000)) |> ignore

                  refuse
                      "separate.fsx"
                      [ song; "--model"; Path.Combine(folder, "nowhere"); "--out"; out ]
                      [ "nowhere"; "no such model folder" ]

                  refuse "separate.fsx" [ song; "--model"; folder; "--out"; out ] [ folder; "model.json" ]
                  let bytes = File.ReadAllBytes song
                  BitConverter.GetBytes(nanf).CopyTo(bytes, bytes.Length - 400)
                  File.WriteAllBytes(song, bytes)
                  refuse "separate.fsx" [ song; "--model"; fst model.Value; "--out"; out ] [ "song.wav" ]
                  Expect.isFalse (Directory.Exists out) "no folder of stems is left"))

          Scratch.long "a full disk" (fun () ->
              Scratch.onSmallDisk 2 (fun folder ->
                  let run = Path.Combine(folder, "run")
                  refuse train [ "--epochs"; "2"; "--out"; run ] [ "checkpoint.safetensors"; "space" ]
                  Expect.isEmpty (Directory.GetFiles(run, "*safetensors*")) "no checkpoint is left on the disk"
                  Expect.isEmpty (Scratch.unfinished run) "no unfinished file is left"))

          Scratch.long "separate.fsx that is stopped says so in one line, ends as SIGTERM wants it and leaves nothing" (fun () ->
              if OperatingSystem.IsWindows() then skiptest "there are no signals to send"

              Scratch.inFolder (fun folder ->
                  let file name = Path.Combine(folder, name)
                  Scratch.saveModel (file "model") [ 512; 512 ]
                  Scratch.writeSong (file "song.wav") 60
                  use running = start "separate.fsx" [ file "song.wav"; "--model"; file "model"; "--out"; file "stems" ]
                  let output, error = running.StandardOutput.ReadToEndAsync(), running.StandardError.ReadToEndAsync()
                  Scratch.waitFor "the stems to begin" (fun () -> Scratch.unfinished (file "stems") <> [||])
                  Scratch.signal "TERM" running
                  running.WaitForExit()
                  Expect.equal running.ExitCode 143 $"exit code ({error.Result})"
                  Expect.equal output.Result "" "a stopped script prints no results"
                  let lines = error.Result.TrimEnd().Split '\n' |> Array.filter (fun line -> line.Contains "stopped")
                  Expect.hasLength lines 1 $"one line: {error.Result}"
                  Expect.stringContains lines[0] "SIGTERM: no stem of " "the line says what was stopped"
                  Expect.isEmpty (Directory.GetFileSystemEntries(file "stems")) "nothing is left"))

          Scratch.long "a training that is stopped keeps its checkpoint and says how to go on" (fun () ->
              if OperatingSystem.IsWindows() then skiptest "there are no signals to send"

              Scratch.inFolder (fun folder ->
                  use running = start train [ "--preset"; "smoke"; "--epochs"; "2000"; "--out"; folder ]
                  let output, error = running.StandardOutput.ReadToEndAsync(), running.StandardError.ReadToEndAsync()
                  let checkpoint = Path.Combine(folder, "checkpoint.safetensors")
                  Scratch.waitFor "a checkpoint" (fun () -> File.Exists checkpoint || running.HasExited)
                  Scratch.signal "TERM" running
                  running.WaitForExit()
                  Expect.equal running.ExitCode 143 $"exit code ({error.Result})"
                  Expect.equal output.Result "" "a stopped script prints no results"
                  Expect.stringContains error.Result "stopped by SIGTERM" "the error names the signal"
                  Expect.stringContains error.Result "--resume" "how to go on"
                  Expect.isGreaterThan (stepOf folder) 0 "a whole checkpoint"
                  Expect.isEmpty (Scratch.unfinished folder) "no unfinished file is left"))

          Scratch.long "on a terminal there is a bar" (fun () ->
              if not (Scratch.succeeds "script" [ "-qec"; "true"; "/dev/null" ]) then
                  skiptest "the program script, which makes a terminal, is not installed"

              Scratch.inFolder (fun folder ->
                  let file name = Path.Combine(folder, name)
                  Scratch.writeSong (file "song.wav") 1
                  let script = Path.Combine(Golden.repository, "scripts", "separate.fsx")
                  let command = $"dotnet fsi '{script}' {folder}/song.wav --model {fst model.Value} --out {folder}/stems"
                  Expect.isTrue (Scratch.succeeds "script" [ "-qec"; command; file "terminal" ]) "the script has succeeded"
                  let shown = File.ReadAllText(file "terminal")
                  Expect.stringContains shown "\rseparating █" "the terminal shows a bar"
                  Expect.stringContains shown "running on" "the terminal shows the device"))

          Scratch.long
              "separate.fsx takes many songs, goes on behind one that cannot be read, and skips what it has done"
              (fun () ->
                  Scratch.inFolder (fun folder ->
                      let at name = Path.Combine(folder, name)
                      Directory.CreateDirectory(at "songs") |> ignore

                      AudioFile.Write(
                          at "songs/a.wav",
                          AudioBuffer([| Array.init 20000 (fun i -> sin (0.1f * float32 i)) |], 16000)
                      )
                      |> ignore

                      File.WriteAllText(at "songs/broken.wav", "no sound")
                      File.Copy(at "songs/a.wav", at "b.wav")

                      let arguments =
                          [ at "songs"; at "b.wav"; "--model"; fst model.Value; "--out"; at "out" ]
                          @ [ "--stems"; "voice"; "--format"; "wav16"; "--name"; "{song}/{stem}" ]

                      let code, output, error = run "separate.fsx" arguments
                      Expect.equal code 2 "one failed song sets the exit code"
                      Expect.equal (output.TrimEnd().Split '\n') [| at "out/a/voice.wav"; at "out/b/voice.wav" |] "the others"
                      Expect.stringContains error "broken.wav" "the broken song is named"
                      Expect.stringContains error "1 of 3 songs" "the error tells how many failed"
                      File.Delete(at "songs/broken.wav")
                      let _, output, error = run "separate.fsx" arguments
                      Expect.equal output "" "the second run writes nothing new"
                      Expect.stringContains error (at "b.wav" + ": separated before") "songs done before are told"))

          Scratch.long
              ("a folder that its stems are written into is separated "
               + "once; a link to itself and a song like another do not stop it")
              (fun () ->
                  Scratch.inFolder (fun folder ->
                      let at name = Path.Combine(folder, name)

                      for name, seed in [ "a", 0.1f; "b", 0.2f ] do
                          let samples = Array.init 20000 (fun i -> sin (seed * float32 i))
                          AudioFile.Write(at (name + ".wav"), AudioBuffer([| samples |], 16000)) |> ignore

                      let arguments = [ folder; "--model"; fst model.Value; "--out"; folder ]
                      Expect.hasLength (succeed "separate.fsx" arguments |> _.TrimEnd().Split('\n')) 4 "stems of two songs"
                      File.CreateSymbolicLink(at "loop.wav", at "loop.wav") |> ignore
                      Directory.CreateDirectory(at "CD1") |> ignore
                      AudioFile.Write(at "b.wave", AudioBuffer([| Array.create 20000 0.1f |], 16000)) |> ignore
                      let code, output, error = run "separate.fsx" arguments
                      Expect.equal (code, output) (2, "") "nothing new, and not all is done"

                      Expect.stringContains
                          error
                          "a_music.wav, a_voice.wav, b_music.wav and 1 more (a stem that was made before)"
                          "stems made before are left out and told"

                      Expect.stringContains error "CD1 (a folder)" "the folder is told as well"
                      Expect.stringContains error $"""not used: {at "loop.wav"}: a link that leads to itself""" "link is named"
                      Expect.stringContains error $"""not used: {at "b.wave"}: nothing was written""" "the other b"
                      Expect.stringContains error (at "a.wav" + ": separated before") "the other songs are told as done"))

          Scratch.long
              "separate.fsx: behind --stems comes a song, names are joined by commas; a rate that changes is told"
              (fun () ->
                  Scratch.inFolder (fun folder ->
                      let song = Path.Combine(folder, "song.wav")

                      AudioFile.Write(song, AudioBuffer([| Array.init 20000 (fun i -> sin (0.1f * float32 i)) |], 15000))
                      |> ignore

                      let arguments names = [ "--model"; fst model.Value; "--out"; folder; "--stems"; names; song ]
                      let code, output, error = run "separate.fsx" (arguments "voice" @ [ "--format"; "mp3" ])
                      Expect.equal (code, output.TrimEnd()) (0, Path.Combine(folder, "song_voice.mp3")) $"one stem: {error}"
                      Expect.stringContains error "the stems have 16000 Hz" "the change of the rate is told"

                      Expect.hasLength
                          (succeed "separate.fsx" (arguments "voice,music") |> _.TrimEnd().Split('\n'))
                          2
                          "both stems are written and named"

                      refuse "separate.fsx" (arguments "voice,song") [ "'song'" ]
                      refuse "separate.fsx" (arguments "voice" @ [ "--from"; "-1" ]) [ "from -1 s to its end" ]
                      refuse "separate.fsx" (arguments "voice" @ [ "--name"; "/{song}" ]) [ "outside" ]))

          Scratch.long "an encoder that ffmpeg lacks is missed before the song is separated" (fun () ->
              if not (OperatingSystem.IsLinux() && Scratch.succeeds "ffmpeg" [ "-version" ]) then
                  skiptest "the ffmpeg program is not installed"

              Scratch.inFolder (fun folder ->
                  let song, lacking = Path.Combine(folder, "song.wav"), Path.Combine(folder, "ffmpeg")
                  Scratch.writeSong song 1
                  File.WriteAllText(lacking, "#!/bin/sh\necho \"Unknown encoder 'libmp3lame'\" >&2\nexit 1\n")
                  File.SetUnixFileMode(lacking, UnixFileMode.UserRead ||| UnixFileMode.UserWrite ||| UnixFileMode.UserExecute)
                  let info = startInfo "separate.fsx" [ song; "--model"; fst model.Value; "--out"; folder; "--format"; "mp3" ]
                  info.Environment["PATH"] <- folder + ":" + info.Environment["PATH"]
                  use running = Process.Start info
                  let error = running.StandardError.ReadToEnd()
                  running.WaitForExit()
                  Expect.equal running.ExitCode 2 error
                  Expect.stringContains error "Unknown encoder" "the error says what ffmpeg lacks"
                  Expect.isFalse (error.Contains "separating") $"nothing was separated: {error}"
                  Expect.equal (Directory.GetFiles folder |> Array.sort) [| lacking; song |] "nothing is left"))

          Scratch.long "places that cannot be written are known before the work, and are not where the shell is" (fun () ->
              Scratch.inFolder (fun folder ->
                  let at name = Path.Combine(folder, name)
                  let page = at "out/tables/huang2014/context-smoke.html"
                  Directory.CreateDirectory page |> ignore
                  refuse "huang2014/context.fsx" [ "--out"; at "out" ] [ page; "a folder" ]
                  Expect.isFalse (Directory.Exists(at "out/rows")) "no row was begun"
                  Directory.CreateDirectory(at "run/results.json") |> ignore
                  refuse train [ "--epochs"; "1"; "--out"; at "run" ] [ "results.json"; "a folder" ]
                  Expect.hasLength (Directory.GetFileSystemEntries(at "run")) 1 "no training was begun"
                  let data = dataFolder (at "data") same
                  Directory.CreateDirectory(at "scores.json") |> ignore

                  refuse
                      "evaluate.fsx"
                      [ "--model"; fst model.Value; "--data"; data; "--json"; at "scores.json" ]
                      [ "scores.json" ]
                  // A shell elsewhere, where `artifacts` is a file.
                  File.WriteAllText(at "artifacts", "x")
                  let info = startInfo train [ "--epochs"; "1"; "--out"; at "elsewhere" ]
                  info.WorkingDirectory <- folder
                  use running = Process.Start info
                  let error = running.StandardError.ReadToEndAsync()
                  Expect.stringContains (running.StandardOutput.ReadToEnd()) "voice GNSDR" "the table goes to the output"
                  running.WaitForExit()
                  Expect.equal running.ExitCode 0 error.Result
                  Expect.equal (File.ReadAllText(at "artifacts")) "x" "nothing was written where the shell is"))

          Scratch.long "a bad clip does not take the others with it, in training, tables and scores" (fun () ->
              Scratch.inFolder (fun folder ->
                  let at name = Path.Combine(folder, name)
                  let clips = (Corpus.embedded 9).Test

                  for part, name in [ "train", "a"; "train", "b"; "test", "c"; "test", "d" ] do
                      AudioFile.Write(at $"{part}/{name}.wav", channels (Clip.read clips.Head), SampleFormat.Pcm16) |> ignore

                  for bad in [ "train/b.wav"; "test/d.wav" ] do
                      File.WriteAllBytes(at bad, (File.ReadAllBytes(at bad))[..20000])

                  let finished script arguments =
                      let code, output, error = run script arguments
                      Expect.equal code 2 $"{script}: the exit code tells: {error}"
                      Expect.stringContains error (at "test/d.wav") "the bad clip's path is named"
                      Expect.stringContains output "voice GNSDR" "the table of the rest"
                      Expect.stringContains (error.TrimEnd().Split '\n' |> Array.last) "error: " "the last line"

                  finished train [ "--data"; folder; "--epochs"; "1"; "--out"; at "run" ]
                  finished "evaluate.fsx" [ "--model"; at "run"; "--data"; folder ]
                  finished "huang2014/ceilings.fsx" [ "--data"; folder; "--out"; at "out" ]))

          Scratch.long "separate.fsx without a model takes the library's own" (fun () ->
              Scratch.inFolder (fun folder ->
                  let song = Path.Combine(folder, "song.wav")
                  Scratch.writeSong song 1
                  succeed "separate.fsx" [ song; "--out"; folder ] |> ignore
                  let voice = AudioFile.Info(Path.Combine(folder, "song_voice.wav"))
                  Expect.equal voice.Length (AudioFile.Info song).Length "the voice is as long as the song"))

          Scratch.long "pack.fsx halves the weights" (fun () ->
              Scratch.inFolder (fun folder ->
                  succeed "pack.fsx" [ "--model"; fst model.Value; "--out"; folder ] |> ignore
                  let bytes model = FileInfo(Path.Combine(model, "weights.safetensors")).Length
                  Expect.isLessThan (bytes folder) (6L * bytes (fst model.Value) / 10L) "the packed weights are much smaller"
                  let weights model = (ModelFolder.load ModelFolder.families TorchSharp.torch.CPU model).Parameters.Vector
                  let packed, whole = weights folder, weights (fst model.Value)
                  let off = (packed - whole).abs().max().item<float32>()
                  Expect.isTrue (off < 1e-3f * whole.abs().max().item<float32>()) $"the weights are but rounded: {off}"))

          Scratch.long "options that make no sense" (fun () ->
              for arguments, part in
                  [ [ "--epochs"; "0" ], "--epochs 0"
                    [ "--context"; "2" ], "--context 2"
                    [ "--gamma"; "nan" ], "--gamma"
                    [ "--model"; "DRNN-9" ], "DRNN-9"
                    [ "--model"; "DRNN-3" ], "3 hidden layers"
                    [ "--preset"; "paper"; "--epochs"; "3" ], "--epochs"
                    [ "--device"; "cuda:77" ], "cuda:77"
                    [ "--preset"; "desk" ], "--data" ] do
                  refuse train arguments [ part ]) ]
