/// Excerpts that are read as they are drawn: of files in parts, of songs that lack a source, in stereo.
module FunctionalSeparation.Tests.ExcerptsTests

open System
open System.IO
open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

let private noise seed samples = Key.uniforms samples (Key.ofSeed seed) |> Array.map (fun x -> float32 (x - 0.5))

let private sound seed channels samples =
    AudioBuffer(Array.init channels (fun channel -> noise (10 * seed + channel) samples), 8000)

/// A song as a folder of WAV files.
let private write root part song (sources: (string * AudioBuffer) list) =
    for name, audio in sources do
        AudioFile.Write(Path.Combine(root, part, song, name + ".wav"), audio, SampleFormat.Float32) |> ignore

/// So many seconds of silence in stereo at 8 kHz, most of it a hole in the file.
let private writeSilence (seconds: int64) (path: string) =
    Directory.CreateDirectory(Path.GetDirectoryName path) |> ignore
    use file = File.Create path
    let bytes = uint32 (seconds * 8000L * 4L)
    use writer = new BinaryWriter(file)
    writer.Write "RIFF"B
    writer.Write(36u + bytes)
    writer.Write "WAVEfmt "B
    writer.Write 16u
    writer.Write 1us
    writer.Write 2us
    writer.Write 8000u
    writer.Write 32000u
    writer.Write 4us
    writer.Write 16us
    writer.Write "data"B
    writer.Write bytes
    writer.Flush()
    file.SetLength(44L + int64 bytes)

let private frontEnd: FrontEnd = { SampleRate = 8000; Stft = Stft(64, 16, StftWindow.Sine, true) }

let private unet: UNetSettings = { Channels = [ 4; 6 ]; Blocks = [ 1; 1 ]; Bins = 24; InputScale = 1.0 }

let private network channels =
    StereoUNet.family.Network
        { UNet = unet; BandWidth = 0 }
        { FrontEnd = frontEnd; Channels = channels; Sources = Stems.musicAndVoice }

let private feed settings network mixing clips =
    Feed.excerpts network (BatchSpec.create network Loss.logErrorShare mixing) settings torch.CPU clips

let private numbers (batch: Batch) =
    Memory.plain (fun () ->
        [| for tensor in Batch.tensors batch -> (torch.view_as_real tensor).contiguous().data<float32>().ToArray() |])

let private references (batch: Batch) = (Batch.references batch).Spectrum

let private settings =
    { ExcerptSettings.ofSize 40 2 with
        OtherSong = 0.5
        SecondAccompaniment = 0.5
        SecondLead = 0.5
        Speeds = [ 0.8; 1.0; 1.25 ]
        Effects = [ Effect.polarity ]
        Levels = Some ExcerptLevels.songs }

/// The songs of a folder, and the same songs read as a whole.
let private inParts root =
    let corpus = StemFolder.load root
    corpus.Train, [ for clip in corpus.Train -> { clip with Parts = None } ]

let private largest (tensors: float32[][]) = tensors |> Array.map (Array.map abs >> Array.max) |> Array.max

[<Tests>]
let tests =
    testList
        "excerpts"
        [ test "read in parts they are what they are of whole clips, but for their 16 bits" {
              Scratch.inFolder (fun root ->
                  for song in 1..3 do
                      write root "train" $"song {song}" [ "music", sound song 2 9000; "voice", sound (song + 5) 2 9000 ]

                  for mixing in [ Mixing.plain; Mixing.unitNorm ] do
                      let parts, whole = inParts root
                      Expect.isTrue (parts |> List.forall _.Parts.IsSome) "WAV files have parts"
                      let draw clips = (feed settings (network 2) mixing clips).Batch (Key.ofSeed 3) 5 |> numbers
                      let read, kept = draw parts, draw whole
                      let error = Array.map2 (Array.map2 (-)) read kept |> largest
                      Expect.isLessThan (error / largest read) 1e-4f "but for rounding")
          }

          test "at other rates, grouped, named and mixed down, parts are those of the whole clip" {
              Scratch.inFolder (fun root ->
                  write
                      root
                      "train"
                      "song"
                      [ for index, name in List.indexed [ "bass"; "drums"; "vocals" ] -> name, sound index 2 9000 ]

                  let corpus =
                      StemFolder.load root
                      |> Corpus.grouped [ "rest", [ "drums"; "bass" ]; "vocals", [ "vocals" ] ]
                      |> Corpus.named [ "music"; "voice" ]
                      |> Corpus.mono
                      |> Corpus.resampled 11025

                  let clip = corpus.Train.Head
                  let whole, parts = Clip.read clip, clip.Parts.Value
                  Expect.equal parts.Samples (Stems.length whole) "the parts have the length of the clip"

                  for source in [ "music"; "voice" ] do
                      for start, count in [ 0, 100; 5000, 2000; parts.Samples - 50, 50; 77, 0 ] do
                          let part = (parts.Read source start count).Channels[0]
                          let expected = Array.sub (Stems.find source whole).Channels[0] start count
                          Expect.equal part expected $"{source} from {start} on")
          }

          test "songs that lack a source teach what they have" {
              Scratch.inFolder (fun root ->
                  // Voices sound on the right alone, music on the left.
                  let one place seed =
                      AudioBuffer(
                          [| for side in 0..1 -> if side = place then noise seed 9000 else Array.zeroCreate 9000 |],
                          8000
                      )

                  write root "train" "singer" [ "voice", one 1 1 ]
                  write root "train" "band" [ "music", one 0 2 ]
                  let clips = (StemFolder.load root).Train
                  let left, right = 0L, 1L

                  let corpusOf settings =
                      let net = network 2
                      feed settings net Mixing.plain clips

                  let plain = { ExcerptSettings.ofSize 40 2 with OtherSong = 0.0 }

                  Memory.plain (fun () ->
                      let batch = (corpusOf plain).Batch (Key.ofSeed 1) 0
                      // [batch, sources, channels, time, bins] of middle and side: back to left and right.
                      let sources = Stereo.ofMiddleAndSide 2L (references batch)

                      let energy source channel =
                          sources.select(1L, source).select(1L, channel).abs().squared().sum().item<float32>()

                      Expect.isGreaterThan (energy 0L left) 1.0f "music on the left"
                      Expect.isLessThan (energy 0L right) 1e-6f "and nowhere else"
                      Expect.isGreaterThan (energy 1L right) 1.0f "voice on the right"
                      Expect.isLessThan (energy 1L left) 1e-6f "and nowhere else"))
          }

          test "a clip of one channel is heard in the middle by a network of two" {
              Scratch.inFolder (fun root ->
                  write root "train" "song" [ "music", sound 1 1 9000; "voice", sound 2 1 9000 ]

                  Memory.plain (fun () ->
                      let batch =
                          (feed (ExcerptSettings.ofSize 40 2) (network 2) Mixing.plain (StemFolder.load root).Train).Batch
                              (Key.ofSeed 1)
                              0

                      let side = (references batch).select(2L, 1L)
                      Expect.equal (side.abs().max().item<float32>()) 0.0f "nothing at the sides"))
          }

          test "what no training can use is refused, and named" {
              Scratch.inFolder (fun root ->
                  let load () = (StemFolder.load root).Train
                  let ask () = feed (ExcerptSettings.ofSize 40 2) (network 2) Mixing.plain (load ()) |> ignore
                  write root "train" "singer" [ "voice", sound 1 2 9000 ]
                  Scratch.refuses [ "accompaniment" ] ask
                  write root "train" "drummer" [ "drums", sound 1 2 9000 ]
                  Scratch.refuses [ "drummer"; "drums"; "music, voice" ] ask
                  Directory.Delete(Path.Combine(root, "train", "drummer"), true)
                  write root "train" "short" [ "music", sound 1 2 20 ]
                  Scratch.refuses [ "short"; "20 samples" ] ask)
          }

          test "songs to test on need all sources" {
              Scratch.inFolder (fun root ->
                  write root "train" "band" [ "music", sound 1 2 9000; "voice", sound 2 2 9000 ]
                  write root "test" "singer" [ "voice", sound 1 2 9000 ]
                  Scratch.refuses [ "singer"; "music" ] (fun () -> StemFolder.load root |> Corpus.require [ Split.Test ]))
          }

          test "the memory of a feed does not grow with the length of its files" {
              Scratch.inFolder (fun root ->
                  for name in [ "music"; "voice" ] do
                      writeSilence 7200L (Path.Combine(root, "train", "long", name + ".wav"))

                  let before = GC.GetTotalMemory true
                  let feed = feed settings (network 2) Mixing.plain (StemFolder.load root).Train

                  for step in 0..3 do
                      Memory.plain (fun () -> feed.Batch (Key.ofSeed 1) step |> ignore)

                  let grown = GC.GetTotalMemory true - before
                  GC.KeepAlive feed
                  Expect.isLessThan grown 20_000_000L "the feed grows by less than 20 MB")
          }

          test "a fingerprint of long files tells another length, name and sound" {
              Scratch.inFolder (fun root ->
                  let print seed samples song =
                      let root = Path.Combine(root, $"{seed}-{samples}-{song}")
                      write root "train" song [ "music", sound seed 1 samples; "voice", sound 2 1 samples ]
                      Corpus.fingerprint (StemFolder.load root).Train

                  let long = 8000 * 25
                  let prints = [ print 1 long "a"; print 1 long "b"; print 3 long "a"; print 1 (long + 8000) "a" ]
                  Expect.hasLength (List.distinct prints) 4 "each of the four has its own fingerprint"
                  let again = Path.Combine(root, $"1-{long}-a")
                  Expect.equal (Corpus.fingerprint (StemFolder.load again).Train) prints.Head "the same songs, the same print")
          } ]
