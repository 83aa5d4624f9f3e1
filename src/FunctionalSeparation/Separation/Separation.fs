namespace FunctionalSeparation

open System
open System.Collections.Generic
open TorchSharp
open FunctionalSeparation.Core

/// How the outputs of a network become masks at test time (Huang et al. 2014, section 2.2).
type TestMask =
    /// The ratio mask that the network was trained with; for a network without one inside, the ratio of its magnitudes.
    | Soft
    /// One for the larger output, zero for the others.
    | Hard
    /// None: the network's own magnitudes with the phase of the mixture. Only for a network without a mask inside: the outputs
    /// of the others have no scale of their own.
    | Unmasked

/// A network with its weights: all that separation needs.
[<NoEquality; NoComparison>]
type TrainedModel =
    {
        /// The network, described in full.
        Architecture: Architecture
        /// The weights, in the layout of the architecture's model.
        Parameters: Params
        /// Root mean square of a training mixture: other mixtures are brought to this level for the network, and back.
        Level: float
    }

/// What a separator is given, and what it does: estimates [sources, samples'], music first, cut to whole frames.
[<NoEquality; NoComparison>]
type Hearing =
    /// The mixture alone, [samples].
    | Blind of (torch.Tensor -> torch.Tensor)
    /// The true sources, [sources, samples]: a ceiling, not a system.
    | Oracle of (torch.Tensor -> torch.Tensor)

/// A way to take mixtures apart, as evaluation sees it.
[<NoEquality; NoComparison>]
type Separator =
    {
        /// What tables call it.
        Name: string
        /// The sample rate and the shortest clip that it can work on follow from this.
        FrontEnd: FrontEnd
        /// What it is given, and what it does.
        Hearing: Hearing
    }

/// Separation with a trained network.
[<RequireQualifiedAccess>]
module Separation =

    /// What the mixture [time, batch, bins] is multiplied by: [time, batch, sources, bins].
    let private masksOf (trained: TrainedModel) testMask (mixture: torch.Tensor) (separated: Separated) =
        match testMask, trained.Architecture.Mask with
        | Hard, _ -> Mask.binary separated.Outputs
        | Soft, Squared -> Mask.wiener separated.Outputs
        | Soft, (Absolute | AbsoluteExact | NoMask) -> Mask.ratio separated.Outputs
        | Unmasked, NoMask -> separated.Outputs.abs () / (mixture.unsqueeze 2L + Mask.epsilon)
        | Unmasked, _ ->
            raise (
                InputException
                    "The network has its mask inside, so its outputs mean nothing without one. Choose the soft or the hard mask."
            )

    /// Masks [batch, sources, time, bins] of spectrograms [batch, margin + time + margin, bins], and the recurrent states after
    /// them.
    let private masks trained testMask margin states (spectrogram: torch.Tensor) =
        let magnitude = spectrogram.abs().transpose(0L, 1L)

        let separated =
            Model.apply
                (Architecture.model trained.Architecture)
                trained.Parameters
                { Magnitude = magnitude; Margin = margin; Start = states }

        let inner = magnitude.narrow (0L, margin, magnitude.shape[0] - 2L * margin)
        (masksOf trained testMask inner separated).permute(1L, 2L, 0L, 3L), separated.States

    /// `estimate`, with masked spectrograms [batch, sources, frames, bins] passed through `finish`.
    let private estimateWith (finish: Stft -> torch.Tensor -> torch.Tensor) trained testMask (mixture: torch.Tensor) =
        Memory.tensor (fun () ->
            use _ = torch.no_grad ()
            let stft = trained.Architecture.FrontEnd.Stft
            let margin = FrontEnd.margin trained.Architecture.FrontEnd
            let spectrogram = stft.Forward mixture
            let padded = (spectrogram.transpose (0L, 1L) |> Spectra.withMargins margin).transpose(0L, 1L)
            let masks, _ = masks trained testMask margin [] padded
            stft.Inverse(finish stft (masks * spectrogram.unsqueeze 1L)))

    /// Separates whole clips as the paper does at test time: one sequence, edge frames repeated for the context, no padding, a
    /// tail that does not fill a frame dropped. Mixtures [batch, samples] give estimates [batch, sources, samples'].
    let estimate (trained: TrainedModel) (testMask: TestMask) (mixture: torch.Tensor) : torch.Tensor =
        estimateWith (fun _ masked -> masked) trained testMask mixture

    let private separatorOf suffix finish (trained: TrainedModel) testMask : Separator =
        if trained.Architecture.Sources.Length <> 2 then
            let sources = String.Join(", ", trained.Architecture.Sources)
            raise (InputException $"The model estimates {sources}; only models of two sources can be scored here.")

        { Name = Architecture.name trained.Architecture + suffix
          FrontEnd = trained.Architecture.FrontEnd
          Hearing = Blind(fun mixture -> (estimateWith finish trained testMask (mixture.unsqueeze 0L)).squeeze 0L) }

    /// The network as a separator of mixtures at the level of the training data. Raises InputException where its sources are
    /// not two: the other source (music, noise, a second speaker), then the voice.
    let separator (trained: TrainedModel) (testMask: TestMask) : Separator =
        separatorOf "" (fun _ masked -> masked) trained testMask

    /// `separator`, with the phases of each estimate refined from the mixture's by Griffin-Lim. The estimates then no longer sum
    /// to the mixture.
    let refinedSeparator (griffinLim: GriffinLim) (trained: TrainedModel) (testMask: TestMask) : Separator =
        separatorOf $" + Griffin-Lim {griffinLim.Iterations}" (GriffinLim.refine griffinLim) trained testMask

    /// What is carried from block to block: recurrent states, and the part of the output that later frames still add to.
    [<NoEquality; NoComparison>]
    type private Carry = { States: torch.Tensor list; Tail: torch.Tensor }

    let private carried (output: torch.Tensor, carry: Carry) = output :: carry.Tail :: carry.States

    /// One block of frames: its finished samples [batch, sources, frames hop], and what to carry.
    let private block trained (stft: Stft) (signal: torch.Tensor) margin frames (carry: Carry) =
        let spectrogram = stft.Forward signal
        let own = spectrogram.narrow (1L, margin, frames)
        let masks, states = masks trained Soft margin carry.States spectrogram
        let sum = stft.Inverse(masks * own.unsqueeze 1L)
        let tail = int64 (stft.FftSize - stft.HopLength)
        let finished = frames * int64 stft.HopLength
        let head = sum.narrow (-1L, 0L, tail) + carry.Tail
        let whole = torch.cat ([| head; sum.narrow (-1L, tail, finished) |], -1L)
        whole.narrow(-1L, 0L, finished).clone(), { States = states; Tail = whole.narrow(-1L, finished, tail).clone() }

    /// The overlapped squared windows at each sample of a hop, [hop]: what overlap-add multiplies the signal by.
    let private overlapGain (stft: Stft) (like: torch.Tensor) =
        (stft.Weights(like.dtype, like.device)).square().view(-1L, int64 stft.HopLength).sum(0L)

    /// `separateLong` with blocks of so many frames.
    let separateInBlocks
        (blockFrames: int)
        (trained: TrainedModel)
        (report: float -> unit)
        (channels: torch.Tensor)
        : torch.Tensor =
        let frontEnd = trained.Architecture.FrontEnd
        let stft = Stft(frontEnd.Stft.FftSize, frontEnd.Stft.HopLength, frontEnd.Stft.Window, false)
        let margin = FrontEnd.margin frontEnd
        let batch, samples = channels.shape[0], channels.shape[1]
        let sources = int64 trained.Architecture.Sources.Length
        let hop, lead = int64 stft.HopLength, int64 (stft.FftSize - stft.HopLength)
        let frames = (samples + lead + hop - 1L) / hop
        let pad = [| lead + margin * hop; frames * hop - samples + margin * hop |]

        Memory.tensor (fun () ->
            use _ = torch.no_grad ()
            let padded = torch.nn.functional.pad (channels, pad)
            let result = channels.new_zeros [| batch; sources; frames * hop |]
            let mutable carry = { States = []; Tail = channels.new_zeros [| batch; sources; lead |] }
            let mutable first = 0L

            while first < frames do
                let count = min (int64 blockFrames) (frames - first)
                let window = padded.narrow (-1L, first * hop, stft.Samples(count + 2L * margin))
                let output, next = Memory.scoped carried (fun () -> block trained stft window margin count carry)
                result.narrow(-1L, first * hop, count * hop).copy_ output |> ignore

                for old in output :: carry.Tail :: carry.States do
                    old.Dispose()

                carry <- next
                first <- first + count
                report (float first / float frames)

            result.view(batch, sources, frames, hop).div_(overlapGain stft channels) |> ignore
            result.narrow(-1L, lead, samples).clone())

    /// Separates sound of any length; apart from the sound itself, memory does not grow with it: it runs block by block, with
    /// recurrent states carried on. `channels` [channels, samples] at the model's rate and level gives estimates
    /// [channels, sources, samples]: nothing is dropped, the ends are not tapered. `report` is told the share done.
    let separateLong (trained: TrainedModel) (report: float -> unit) (channels: torch.Tensor) : torch.Tensor =
        separateInBlocks 1024 trained report channels

/// A trained network behind the interface that applications use. Takes over the model: disposing the separator frees its
/// parameters.
type NetworkSeparator(name: string, trained: TrainedModel) =

    let frontEnd = trained.Architecture.FrontEnd

    let resampled (rate: int) (audio: AudioBuffer) = Resampler.Resample(audio, rate)

    let toTensor (audio: AudioBuffer) =
        let device = trained.Parameters.Vector.device

        torch.stack([| for channel in audio.Channels -> torch.tensor channel |]).``to``(trained.Parameters.Vector.dtype).``to``
            device

    let level (channels: torch.Tensor) = channels.square().mean().sqrt().to_type(torch.float64).item<float>()

    let check (mixture: AudioBuffer) =
        if mixture.Length = 0 then
            raise (InputException "The mixture is empty: there is nothing to separate.")

        for index, channel in Seq.indexed mixture.Channels do
            match Array.tryFindIndex (Single.IsFinite >> not) channel with
            | Some position ->
                raise (
                    InputException
                        $"The mixture holds a value that is no finite number (channel {index + 1}, sample {position}). Export it again."
                )
            | None -> ()

    /// Estimates at the model's rate, one buffer a source.
    let estimates report (mixture: AudioBuffer) =
        Memory.plain (fun () ->
            let channels = toTensor mixture
            let found = level channels
            let gain = if found > 0.0 then trained.Level / found else 1.0
            let separated = (Separation.separateLong trained report (channels * gain) / gain).``to``(torch.float32).cpu()

            [ for source in 0 .. trained.Architecture.Sources.Length - 1 ->
                  let buffers =
                      [| for channel in 0 .. mixture.Channels.Count - 1 ->
                             separated[int64 channel, int64 source].data<float32>().ToArray() |]

                  AudioBuffer(buffers, mixture.SampleRate) ])

    /// What the estimates leave of the mixture goes to the first source, so that the stems sum to the mixture: rounding at the
    /// model's own rate, and all that lies above its band for mixtures of a higher rate.
    let withRemainder (mixture: AudioBuffer) (stems: AudioBuffer list) =
        let remainder channel =
            (Array.copy mixture.Channels[channel], List.tail stems)
            ||> List.fold (fun rest stem -> Array.map2 (-) rest stem.Channels[channel])

        AudioBuffer([| for channel in 0 .. mixture.Channels.Count - 1 -> remainder channel |], mixture.SampleRate)
        :: List.tail stems

    /// Cut or filled up to a length: resampling there and back can change it by a sample.
    let fitted length (audio: AudioBuffer) =
        let fit (channel: float32[]) =
            if channel.Length >= length then
                channel[.. length - 1]
            else
                Array.append channel (Array.zeroCreate (length - channel.Length))

        if audio.Length = length then
            audio
        else
            AudioBuffer(Seq.map fit audio.Channels |> Array.ofSeq, audio.SampleRate)

    /// The network inside.
    member _.Model = trained

    interface ISeparator with
        member _.Name = name
        member _.SampleRate = frontEnd.SampleRate
        member _.Stems = trained.Architecture.Sources |> Array.ofList :> IReadOnlyList<string>

        member _.Separate(mixture, progress, cancellation) =
            check mixture

            let report share =
                cancellation.ThrowIfCancellationRequested()
                if not (isNull progress) then progress.Report share

            let stems =
                resampled frontEnd.SampleRate mixture
                |> estimates report
                |> List.map (resampled mixture.SampleRate >> fitted mixture.Length)
                |> withRemainder mixture

            List.zip trained.Architecture.Sources stems |> dict |> Dictionary :> IReadOnlyDictionary<string, AudioBuffer>

        member _.Dispose() = trained.Parameters.Vector.Dispose()
