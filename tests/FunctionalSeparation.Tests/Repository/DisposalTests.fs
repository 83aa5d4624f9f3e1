/// Use after Dispose: an ObjectDisposedException that names the object; disposing again is harmless.
module FunctionalSeparation.Tests.DisposalTests

open System
open System.IO
open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

let private small =
    { Drnn.huang2014 with
        FrontEnd = { FrontEnd.huang2014 with Stft = Stft(64, 32, StftWindow.Sine, false) }
        Context = 1
        Hidden = [ 6 ]
        Recurrence = RecurrentAt 1 }

let private separator () =
    let parameters = Model.init torch.float32 torch.CPU (Key.ofSeed 1) (Network.model (Drnn.network small))
    new NetworkSeparator("tiny", { Network = Drnn.network small; Parameters = parameters; Level = Some 0.01 })

let private sound = AudioBuffer([| Array.init 500 (fun i -> float32 (sin (0.05 * float i))) |], 16000)

let private isDisposed (name: string) (act: unit -> unit) =
    try
        act ()
        failtest $"{name} went on after Dispose"
    with :? ObjectDisposedException as wrong ->
        Expect.stringContains wrong.Message name "names the object"

[<Tests>]
let tests =
    testList
        "disposal"
        [ test "a separator" {
              let network = separator ()
              let separator = network :> ISeparator
              separator.Dispose()
              separator.Dispose()
              isDisposed "tiny" (fun () -> separator.Open(16000, 1, SoundLevel.WithoutOffset 0.1) |> ignore)
              isDisposed "tiny" (fun () -> separator.Separate sound |> ignore)
              isDisposed "tiny" (fun () -> ignore network.Model)
          }

          test "a stream, and a stream whose separator was disposed" {
              use separator = separator () :> ISeparator
              let stream = separator.Open(16000, 1, SoundLevel.WithoutOffset 0.1)
              stream.Push sound |> ignore
              stream.Dispose()
              stream.Dispose()
              isDisposed "StemStream" (fun () -> stream.Push sound |> ignore)
              isDisposed "StemStream" (fun () -> stream.Finish() |> ignore)

              let orphan, another =
                  separator.Open(16000, 1, SoundLevel.WithoutOffset 0.1), separator.Open(16000, 1, SoundLevel.WithoutOffset 0.1)

              orphan.Push sound |> ignore
              separator.Dispose()
              isDisposed "tiny" (fun () -> orphan.Push sound |> ignore)
              isDisposed "tiny" (fun () -> another.Finish() |> ignore)
              orphan.Dispose()
              another.Dispose()
          }

          test "readers and writers of sound" {
              Scratch.inFolder (fun folder ->
                  let path = Path.Combine(folder, "sound.wav")
                  let writer = new WavWriter(path, 16000, 1)
                  writer.Write sound
                  writer.Complete()
                  writer.Dispose()
                  writer.Dispose()
                  isDisposed "WavWriter" (fun () -> writer.Write sound)
                  writer.Complete()

                  let unfinished = new WavWriter(Path.Combine(folder, "deep", "other.wav"), 16000, 1)
                  unfinished.Write sound
                  unfinished.Dispose()
                  Directory.Delete(Path.Combine(folder, "deep"), true)
                  unfinished.Dispose()
                  isDisposed "WavWriter" (fun () -> unfinished.Write sound)
                  isDisposed "WavWriter" (fun () -> unfinished.Complete())

                  let reader = new WavReader(path)
                  reader.Dispose()
                  reader.Dispose()
                  isDisposed "WavReader" (fun () -> reader.Read(0L, 10) |> ignore)
                  isDisposed "WavReader" (fun () -> reader.Read(0L, 0) |> ignore)
                  Expect.equal reader.Info.Length 500L "what it knows it still tells")
          }

          test "event files" {
              Scratch.inFolder (fun folder ->
                  let writer = new EventFileWriter(folder, 0L)
                  writer.Scalar(1L, "x", 1.0)
                  writer.Dispose()
                  writer.Dispose()
                  isDisposed "EventFileWriter" (fun () -> writer.Scalar(2L, "x", 1.0))
                  isDisposed "EventFileWriter" (fun () -> writer.Sound(2L, "x", sound))
                  isDisposed "EventFileWriter" (fun () -> writer.Flush()))
          } ]
