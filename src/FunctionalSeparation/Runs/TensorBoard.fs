namespace FunctionalSeparation

open System.IO
open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// Writes a run's event files for TensorBoard, in the folder `tensorboard` of the run's folder. Scalars are written at every
/// step, weights and sound at every checkpoint.
[<RequireQualifiedAccess>]
module TensorBoard =

    /// Starts an event file after `step` steps. Events of later steps, from an interrupted run, are dropped.
    let start (folder: string) (step: int) : EventFileWriter = new EventFileWriter(Path.Combine(folder, "tensorboard"), step)

    /// The curves: objective, largest gradient element, GNSDR on the development clips where it was taken, learning rate (of the
    /// step just made) where the optimiser has one.
    let scalars (board: EventFileWriter) (rate: float option) (devGnsdr: float option) (state: TrainState) : unit =
        let scalar tag value = board.Scalar(state.Step, tag, value)
        scalar "training/objective" state.Value
        scalar "training/max gradient" state.MaxGradient
        rate |> Option.iter (scalar "training/learning rate")
        devGnsdr |> Option.iter (scalar "dev/voice GNSDR (dB)")

    /// How the elements of each named weight are distributed.
    let weights (board: EventFileWriter) (step: int) (parameters: Params) : unit =
        Memory.plain (fun () ->
            for name, weight in Params.named parameters do
                let values = weight.detach().reshape(-1L).``to``(torch.float32).cpu().data<float32>().ToArray()
                board.Distribution(step, $"weights/{name}", Histogram.Of values))

    let private peak (samples: torch.Tensor) = samples.abs().max().to_type(torch.float64).item<float>()

    /// The estimates of one clip, separated with the soft mask at the level of the training data. All of them are louder by the
    /// gain that brings the peak of the mixture to 0.9, so that steps can be compared by ear.
    let sound (board: EventFileWriter) (step: int) (trained: TrainedModel) (clip: Clip) : unit =
        Memory.plain (fun () ->
            let vector = trained.Parameters.Vector
            let sources = Clip.sources Mixing.unitNorm (Clip.key clip) vector.dtype vector.device (Clip.read clip)
            let mixture = sources.sum(0L).squeeze 0L
            let gain = 0.9 / max 1e-9 (peak mixture)
            let estimates = (Separation.estimate trained Soft (mixture.reshape (1L, 1L, -1L))).squeeze(0L).mul gain

            for index, source in List.indexed trained.Network.Spec.Sources do
                let samples = estimates[int64 index, 0L].``to``(torch.float32).cpu().data<float32>().ToArray()
                board.Sound(step, $"{clip.Name}/{source}", AudioBuffer([| samples |], clip.SampleRate)))
