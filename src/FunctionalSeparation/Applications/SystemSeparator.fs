namespace FunctionalSeparation

open System
open System.Collections.Generic
open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// Estimates of a sound that comes piece by piece, by a system that separates whole sounds. It separates blocks with some sound
/// around each, and crossfades them.
type internal BlockStream(separate: torch.Tensor -> torch.Tensor, sources: int, channels: int, rate: int, around: int) =
    let block, fade = 30 * rate, 2 * rate

    /// The sound from `around` before the next block on.
    let mutable pending = Array.init channels (fun _ -> Array.zeroCreate<float32> around)

    /// The end of the block before, [source][channel][fade]; empty before the first.
    let mutable tail: float32[][][] = [||]

    /// Estimates [source][channel][count] of the samples that follow the first `around` ones of a sound.
    let estimates count (sound: float32[][]) : float32[][][] =
        Memory.plain (fun () ->
            let mixture =
                torch.stack [| for channel in sound -> torch.tensor (Array.append channel (Array.zeroCreate around)) |]

            let estimates = (separate mixture).narrow(2L, int64 around, int64 count).to_type(torch.float32).cpu()
            [| for source in estimates.unbind 0 -> [| for channel in source.unbind 0 -> channel.data<float32>().ToArray() |] |])

    /// The beginning of an estimate, faded in while the end of the block before fades out.
    let faded (before: float32[]) (now: float32[]) =
        now
        |> Array.mapi (fun n x ->
            if n < before.Length then
                let share = (float32 n + 0.5f) / float32 before.Length
                share * x + (1.0f - share) * before[n]
            else
                x)

    let joined (now: float32[][][]) = if tail.Length = 0 then now else Array.map2 (Array.map2 faded) tail now

    let buffers (estimates: float32[][][]) : IReadOnlyList<AudioBuffer> =
        [| for source in estimates -> AudioBuffer(source, rate) |]

    let empty () = Array.init sources (fun _ -> Array.init channels (fun _ -> [||]))

    let append (first: float32[][][]) (second: float32[][][]) = Array.map2 (Array.map2 Array.append) first second

    let next () =
        let now = joined (estimates block pending)
        tail <- now |> Array.map (Array.map (fun channel -> channel[block - fade ..]))
        pending <- pending |> Array.map (fun channel -> channel[block - fade ..])
        now |> Array.map (Array.map (fun channel -> channel[.. block - fade - 1]))

    interface IEstimateStream with
        member _.Latency = block + around

        member _.Push(mixture) =
            pending <-
                Array.map2
                    (fun (before: float32[]) (more: float32[]) -> Array.append before more)
                    pending
                    (Array.ofSeq mixture.Channels)

            let mutable ready = empty ()

            while pending[0].Length >= around + block + around do
                ready <- append ready (next ())

            buffers ready

        member _.Finish() =
            let count = pending[0].Length - around

            if count = 0 then
                buffers (empty ())
            else
                buffers (joined (estimates count pending))

        member _.Dispose() = ()

/// A system of tables behind the interface that applications use: a song of any length and rate, in blocks of 30 s.
type internal SystemSeparator(system: Separator, separate: torch.Tensor -> torch.Tensor) =
    let rate = system.FrontEnd.SampleRate

    interface ISeparator with
        member _.Name = system.Name
        member _.SampleRate = rate
        member _.Stems = Array.ofList system.Sources

        member _.Open(sampleRate, channels, level) =
            ArgumentOutOfRangeException.ThrowIfLessThan(sampleRate, 1)
            ArgumentOutOfRangeException.ThrowIfLessThan(channels, 1)
            if not (isNull level) then level.RequireChannels channels

            // Frames that begin before a block, and those that a cut to whole frames would lose.
            let around = 2 * system.FrontEnd.Stft.FftSize
            let stream = new BlockStream(separate, system.Sources.Length, channels, rate, around)
            new StemStream(Array.ofList system.Sources, stream, rate, sampleRate, channels, null)

        member _.Dispose() = ()

/// Converts separators of tables to separators of applications, and back.
[<RequireQualifiedAccess; CompilationRepresentation(CompilationRepresentationFlags.ModuleSuffix)>]
module Separator =

    /// A system of tables as a separator for applications. It separates a song of any length in blocks of 30 s with a crossfade
    /// of two seconds, so memory does not grow with the length. The system still belongs to the caller. Raises InputException for
    /// a system that is given the true sources.
    let toInterface (system: Separator) : ISeparator =
        match system.Estimator with
        | Blind separate -> new SystemSeparator(system, separate)
        | Oracle _ ->
            raise (
                InputException
                    $"{system.Name} is given the true sources of a mixture, which a song does not have. Choose another system."
            )

    /// A separator of an application as a system of tables. It receives each mixture [channels, samples] as a whole sound. The
    /// separator still belongs to the caller.
    let ofInterface (separator: ISeparator) : Separator =
        let separate (mixture: torch.Tensor) =
            let sound = AudioTensors.FromTensor(mixture, separator.SampleRate)
            let estimates = separator.Separate sound

            torch
                .stack([| for stem in separator.Stems -> estimates[stem].ToTensor() |])
                .``to``(mixture.dtype)
                .``to``(mixture.device)

        { Name = separator.Name
          FrontEnd = { SampleRate = separator.SampleRate; Stft = Stft.Huang2014 }
          Sources = List.ofSeq separator.Stems
          Estimator = Blind separate }
