/// Separation of files of any length, beside the matrix products of the network alone.
module FunctionalSeparation.Benchmarks.Songs

open System.IO
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core
open FunctionalSeparation.Benchmarks.Paired

/// The network's products of so many frames, block by block, and nothing else.
let private products (frames: int64) () =
    use _ = torch.no_grad ()
    let weights = Params.split Sounds.network.Value.Parameters |> List.filter (fun weight -> weight.dim () = 2L)

    for first in 0L .. 1024L .. frames - 1L do
        Memory.plain (fun () ->
            for weight in weights do
                let rows = torch.zeros (min 1024L (frames - first), weight.shape[0])
                rows.mm weight |> ignore)

/// Writes a song of noise piece by piece.
let private write path rate channels (minutes: int) =
    use writer = new WavWriter(path, rate, channels, SampleFormat.Pcm16)
    let piece = Sounds.audio rate channels 10.0

    for _ in 1 .. 6 * minutes do
        writer.Write piece

    writer.Complete()

let private separation folder rate channels minutes rounds : Figure =
    let song = Path.Combine(folder, "song.wav")
    write song rate channels minutes

    // Not disposed: the network is shared.
    let separator = new NetworkSeparator("benchmark", Sounds.network.Value) :> ISeparator
    let seconds = 60.0 * float minutes

    let own =
        { Name = $"separate a file of {minutes} min, {rate} Hz, {channels} channel(s)"
          Amount = seconds
          Run = fun () -> separator.SeparateFile(song, folder) |> ignore }

    let limit =
        { Name = "the network's products alone"
          Amount = seconds
          Run = products (int64 (float channels * seconds * 16000.0 / 512.0)) }

    let figure = compare rounds "x real time" "" own limit
    { figure with Remark = $"aim: 100 x real time; peak memory so far {peakMemory ():F0} MB" }

let files () : Figure list =
    let folder = Directory.CreateTempSubdirectory("funcsep-bench-").FullName

    try
        [ separation folder 16000 1 1 5
          separation folder 16000 1 10 3
          separation folder 16000 1 60 1
          separation folder 44100 2 10 1 ]
    finally
        Directory.Delete(folder, true)
