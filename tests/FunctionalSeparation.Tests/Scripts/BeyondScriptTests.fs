/// Scripts that train and score networks for songs, run as a user runs them on small folders made here.
module FunctionalSeparation.Tests.BeyondScriptTests

open System
open System.IO
open Expecto
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core
open FunctionalSeparation.Tests.Scripts

[<Tests>]
let tests =
    testList
        "scripts beyond the papers"
        [ Scratch.long
              "train.fsx: folders of stems at two rates make a model for the sources that they have, which separates a song"
              (fun () ->
                  Scratch.inFolder (fun folder ->
                      let write name rate part (song: string) =
                          let tone hertz = Array.init (3 * rate) (fun n -> 0.3f * float32 (sin (hertz * float n / float rate)))

                          for source, hertz in [ "guitar", 2000.0; "speech", 5000.0 ] do
                              let path = Path.Combine(folder, name, part, song, source + ".wav")
                              AudioFile.Write(path, AudioBuffer([| tone hertz; tone (1.1 * hertz) |], rate)) |> ignore

                      for name, rate in [ "one", 8000; "two", 16000 ] do
                          for part, song in [ "train", "first"; "train", "second"; "test", "third" ] do
                              write name rate part song

                      let at name = Path.Combine(folder, name)
                      let data = [ "--data"; at "one"; "--data"; at "two"; "--out"; at "model" ]
                      let output = succeed "beyond/train.fsx" (data @ [ "--smoke" ])
                      Expect.stringContains output "speech GNSDR" "the scores name the source speech"
                      let song = Path.Combine(at "two", "test", "third", "guitar.wav")
                      succeed "separate.fsx" [ song; "--model"; at "model"; "--out"; at "stems" ] |> ignore
                      let stem = AudioFile.Read(Path.Combine(at "stems", "guitar_speech.wav"))
                      Expect.equal (stem.SampleRate, stem.Channels.Count, stem.Length) (16000, 2, 48000) "it is like the song"
                      refuse "beyond/train.fsx" [ "--data"; at "stems"; "--out"; at "other" ] [ at "stems" ]
                      refuse "beyond/train.fsx" [ "--out"; at "other"; "--steps"; "60" ] [ "--steps 60" ]))

          Scratch.long "songs.fsx learns from voices and accompaniments that do not belong together, and scores songs" (fun () ->
              Scratch.inFolder (fun folder ->
                  let write song (names: string list) rate channels =
                      for number, name in List.indexed names do
                          let tone channel =
                              Array.init (4 * rate) (fun n ->
                                  0.2f * float32 (sin ((1500.0 + 700.0 * float number + float channel) * float n / float rate)))

                          AudioFile.Write(
                              Path.Combine(folder, song, name + ".wav"),
                              AudioBuffer(Array.init channels tone, rate)
                          )
                          |> ignore

                  write "train/singer" [ "voice" ] 16000 1
                  write "train/band" [ "music" ] 16000 2
                  write "test/song" [ "music"; "voice" ] 44100 2
                  let songs options = succeed "beyond/songs.fsx" ([ "--corpus"; folder ] @ options)

                  let figures (output: string) =
                      let line =
                          output.Split '\n'
                          |> Array.find (fun line ->
                              line.StartsWith("song ", StringComparison.Ordinal) && not (line.Contains "SDR"))

                      line.Split([| ' ' |], StringSplitOptions.RemoveEmptyEntries) |> Array.tail |> Array.map float

                  let record = Path.Combine(folder, "songs.csv")
                  let mixture = figures (songs [ "--model"; "mixture"; "--record"; record ])
                  let recorded = (File.ReadAllLines record |> Array.item 1).Split ',' |> Array.skip 2 |> Array.map float
                  Expect.equal recorded mixture "the same in the record"
                  let mask = figures (songs [ "--model"; "mask" ])
                  Expect.isLessThan (abs mixture[0]) 0.5 "two tones as loud as each other"
                  Expect.isGreaterThan mask[0] 20.0 "masks tell them apart"
                  let trained = figures (songs [ "--smoke"; "--out"; Path.Combine(folder, "runs") ])
                  Expect.all trained Double.IsFinite "a trained network has scores"
                  let model = Path.Combine(folder, "runs", "own-110-0")
                  Expect.equal (figures (songs [ "--model"; model ])) trained "its folder has the same"
                  let again = Path.Combine(folder, "again")
                  let further = figures (songs [ "--smoke"; "--out"; again; "--start"; model ])
                  Expect.notEqual further trained "a training that starts from its weights goes elsewhere"))

          Scratch.long "beyond/stereo.fsx has a row for each placing and hearing" (fun () ->
              let lines = (succeed "beyond/stereo.fsx" [ "--clips"; "2" ]).Trim().Split '\n'

              let rows = [ for line in Array.skip 2 lines -> [ for cell in line.Trim('|', ' ').Split '|' -> cell.Trim() ] ]

              Expect.equal
                  (rows |> List.countBy List.head |> List.map snd)
                  [ 3; 3; 3; 3 ]
                  "three hearings of each of four placings"

              for row in rows do
                  Expect.all (row |> List.skip 2 |> List.map float) Double.IsFinite $"scores of {row}")

          Scratch.long "beyond/card.fsx writes a table of singers between the marks of a card" (fun () ->
              Scratch.inFolder (fun folder ->
                  let card = Path.Combine(folder, "card.md")
                  File.WriteAllText(card, "before\n<!-- scores -->\nold\n<!-- end of scores -->\nafter\n")
                  let table = (succeed "beyond/card.fsx" [ "--card"; card ]).TrimEnd()
                  Expect.stringContains table "| all |" "the table has a row of all clips"
                  let wanted = $"before\n<!-- scores -->\n{table}\n<!-- end of scores -->\nafter\n"
                  Expect.equal (File.ReadAllText card) wanted "the table stands between the marks")) ]
