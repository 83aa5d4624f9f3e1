/// Scores of stems in files.
module FunctionalSeparation.Tests.FolderScoresTests

open System
open System.IO
open System.Text.Json.Nodes
open Expecto
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core
open FunctionalSeparation.Tests.Scratch

let private noise seed channels samples =
    AudioBuffer(
        Array.init channels (fun c -> Key.uniforms samples (Key.ofSeed (seed + c)) |> Array.map (fun x -> float32 x - 0.5f)),
        8000
    )

let private sum (factors: (float32 * AudioBuffer) list) =
    let channel c =
        [ for factor, sound in factors -> sound.Channels[c] |> Array.map ((*) factor) ]
        |> List.reduce (Array.map2 (+))

    AudioBuffer(Array.init (snd factors.Head).Channels.Count channel, 8000)

/// Two tracks of two stems and their mixture, and estimates that leak.
let private withFolders (work: string -> string -> unit) =
    inFolder (fun folder ->
        let write parts sound = AudioFile.Write(Path.Combine(Array.ofList (folder :: parts)), sound) |> ignore

        for track, seed, leak in [ "a", 1, 0.1f; "b", 11, 0.4f ] do
            let drums, vocals = noise seed 2 20000, noise (seed + 4) 2 20000
            write [ "true"; track; "drums.wav" ] drums
            write [ "true"; track; "vocals.wav" ] vocals
            write [ "true"; track; "mixture.wav" ] (sum [ 1.0f, drums; 1.0f, vocals ])
            write [ "estimates"; track; "drums.wav" ] (sum [ 1.0f, drums; leak, vocals ])
            write [ "estimates"; track; "vocals.wav" ] (sum [ 1.0f, vocals; leak, drums ])

        work (Path.Combine(folder, "true")) (Path.Combine(folder, "estimates")))

[<Tests>]
let tests =
    testList
        "scores of folders"
        [ for version, metrics in
              [ BssEvalVersion.Four, [ "SDR"; "ISR"; "SIR"; "SAR"; "NSDR"; "SI-SDR" ]
                BssEvalVersion.Three, [ "SDR"; "SIR"; "SAR"; "NSDR"; "SI-SDR" ] ] do
              test $"BSS Eval {version}: a leak is what it is in dB, and the mixture has what it gains" {
                  withFolders (fun references estimates ->
                      let tracks = fst (FolderScores.tracks references estimates)
                      Expect.equal (tracks |> List.map _.Name) [ "a"; "b" ] "both tracks are found"

                      for track, leak in List.zip tracks [ 0.1; 0.4 ] do
                          let stems = FolderScores.score version None track
                          Expect.equal (stems |> List.map _.Stem) [ "drums"; "vocals" ] "both stems of a track have scores"

                          for stem in stems do
                              let summary = FolderScores.summary stem
                              Expect.equal (List.map fst summary) metrics "the version has its own metrics"
                              let scores = Map.ofList summary
                              let expected = -20.0 * log10 leak
                              Expect.isLessThan (abs (scores["SIR"] - expected)) 1.0 "the SIR is that of the leak"
                              Expect.isLessThan (abs (scores["SI-SDR"] - expected)) 0.3 "the SI-SDR is that of the leak"
                              // The mixture has 0 dB.
                              Expect.isLessThan (abs (scores["NSDR"] - expected)) 1.0 "the NSDR is the gain of the stem")
              }

          test "the file of a track holds each window" {
              withFolders (fun references estimates ->
                  let stems = FolderScores.score BssEvalVersion.Four None (fst (FolderScores.tracks references estimates)).Head
                  let json = JsonNode.Parse((FolderScores.toJson stems).ToJsonString())
                  let target = json["targets"].AsArray().[1]
                  Expect.equal (target["name"].GetValue()) "vocals" "the second target is vocals"
                  let frames = target["frames"].AsArray()
                  Expect.equal frames.Count 2 "20000 samples have two windows"
                  let last = frames.[1]
                  Expect.equal (last["time"].GetValue()) 1.0 "the second window begins at 1 s"
                  let metrics = last["metrics"]
                  let sdr: float = metrics["SDR"].GetValue()
                  Expect.isLessThan (abs (sdr - (snd stems[1].Windows.Head).[1])) 1e-5 "the file has the SDR of the window")
          }

          test "a whole track is one frame as long as it" {
              withFolders (fun references estimates ->
                  let stems = FolderScores.score BssEvalVersion.Three None (fst (FolderScores.tracks references estimates)).Head
                  Expect.equal (stems |> List.map _.WindowSeconds) [ 2.5; 2.5 ] "20000 samples are one frame of 2.5 s")
          }

          test "a folder of stems is a track; what is missing or of another kind is refused by name" {
              withFolders (fun references estimates ->
                  let track, _ = FolderScores.tracks (Path.Combine(references, "a")) (Path.Combine(estimates, "a"))
                  Expect.equal (track |> List.map _.Name) [ "a" ] "the folder of stems is one track"
                  let score () = FolderScores.score BssEvalVersion.Three None track.Head |> ignore
                  let vocals = Path.Combine(estimates, "a", "vocals.wav")
                  AudioFile.Write(vocals, noise 1 1 20000) |> ignore
                  refuses [ vocals; "mono"; "stereo" ] score
                  AudioFile.Write(vocals, noise 1 2 18000) |> ignore
                  refuses [ vocals; "2.25 s"; "2.5 s" ] score
                  File.Delete vocals
                  refuses [ "no estimate of vocals" ] score
                  Directory.Delete(Path.Combine(estimates, "b"), true)
                  let second = (fst (FolderScores.tracks references estimates))[1]

                  refuses [ Path.Combine(estimates, "b") ] (fun () ->
                      FolderScores.score BssEvalVersion.Four None second |> ignore)

                  refuses [ "nowhere" ] (fun () -> FolderScores.tracks references "nowhere" |> ignore))
          }

          test "only windows in which the true stem sounds loud enough count, where that is asked for" {
              inFolder (fun folder ->
                  // A loud second, and one 60 dB below, where the estimate is wrong.
                  let voice = Array.append (noise 1 1 8000).Channels[0] ((noise 2 1 8000).Channels[0] |> Array.map ((*) 1e-3f))
                  let estimate = Array.mapi (fun n x -> if n < 8000 then 0.9f * x else 3.0f * x) voice

                  let write part samples =
                      AudioFile.Write(Path.Combine(folder, part, "voice.wav"), AudioBuffer([| samples |], 8000)) |> ignore

                  write "true" voice
                  write "estimates" estimate
                  let tracks, _ = FolderScores.tracks (Path.Combine(folder, "true")) (Path.Combine(folder, "estimates"))
                  let sdr above = snd (FolderScores.score BssEvalVersion.Four above tracks.Head).Head.Windows.Head
                  let all, loud = sdr None, sdr (Some -50.0)
                  Expect.floatClose Accuracy.medium all[0] 20.0 "the loud second has an SDR of 20 dB"
                  Expect.isLessThan all[1] 0.0 "the soft second has more error than sound"
                  Expect.isTrue (Double.IsNaN loud[1]) "the soft second is not counted"
                  Expect.equal loud[0] all[0] "the loud second counts as before"
                  let reference = AudioBuffer([| voice |], 8000)
                  let own = WindowedSdr.ofEstimate reference (AudioBuffer([| estimate |], 8000))
                  Expect.floatClose Accuracy.medium own[0] all[0] "the same without filters"
                  Expect.floatClose Accuracy.medium (WindowedSdr.medianAbove -50.0 reference own) 20.0 "only loud ones count")
          }

          test "what systems and people leave beside tracks is no track, and is named" {
              withFolders (fun references estimates ->
                  for folder in [ "@eaDir"; "lost+found"; ".cache"; "covers" ] do
                      Directory.CreateDirectory(Path.Combine(references, folder)) |> ignore

                  for file in [ ".DS_Store"; "desktop.ini"; "a.txt" ] do
                      File.WriteAllText(Path.Combine(references, file), "x")

                  File.CreateSymbolicLink(Path.Combine(references, "c"), Path.Combine(references, "c")) |> ignore
                  let tracks, leftOut = FolderScores.tracks references estimates
                  Expect.equal (tracks |> List.map _.Name) [ "a"; "b" ] "only folders of stems are tracks"
                  let named = leftOut |> List.map (fun one -> Path.GetFileName one.Path) |> List.sort

                  Expect.equal
                      named
                      (List.sort [ "@eaDir"; "lost+found"; ".cache"; "covers"; ".DS_Store"; "desktop.ini"; "a.txt"; "c" ])
                      "everything left out is named"

                  Expect.equal
                      [ for one in leftOut do
                            if LeftOut.isUnusable one then Path.GetFileName one.Path ]
                      [ "c" ]
                      "only the link to itself is unusable"
                  // The folder of one track, with what a system keeps in it.
                  let alone = Path.Combine(references, "a")
                  Directory.CreateDirectory(Path.Combine(alone, "@eaDir")) |> ignore
                  let tracks, _ = FolderScores.tracks alone (Path.Combine(estimates, "a"))
                  Expect.equal (tracks |> List.map _.References) [ alone ] "the folder itself is the track")
          }

          test "a track shorter than a filter is refused in words" {
              withFolders (fun references estimates ->
                  for folder in [ references; estimates ] do
                      for stem in [ "drums"; "vocals"; "mixture" ] do
                          AudioFile.Write(Path.Combine(folder, "a", stem + ".wav"), noise 1 2 300) |> ignore

                  let track = (fst (FolderScores.tracks references estimates)).Head

                  for version in [ BssEvalVersion.Three; BssEvalVersion.Four ] do
                      refuses [ "drums.wav"; "300 samples"; "512" ] (fun () -> FolderScores.score version None track |> ignore))
          }

          test "a stem that is the sum of others is pointed out with its parts" {
              withFolders (fun references estimates ->
                  let track () = (fst (FolderScores.tracks references estimates)).Head
                  Expect.isEmpty (FolderScores.sums (track ())) "drums and vocals"
                  let at name = Path.Combine(references, "a", name + ".wav")
                  let bass, drums = noise 21 2 20000, AudioFile.Read(at "drums")
                  AudioFile.Write(at "bass", bass) |> ignore
                  Expect.isEmpty (FolderScores.sums (track ())) "none of the three is a sum"
                  AudioFile.Write(at "accompaniment", sum [ 1.0f, bass; 1.0f, drums ], SampleFormat.Pcm16) |> ignore
                  Expect.equal (FolderScores.sums (track ())) [ "accompaniment", [ "bass"; "drums" ] ] "it tells the parts")
          } ]
