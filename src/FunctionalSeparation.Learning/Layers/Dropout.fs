namespace FunctionalSeparation.Learning

open TorchSharp

/// Dropout (Srivastava et al. 2014).
[<RequireQualifiedAccess>]
module Dropout =

    let private mask (rate: float) (key: Key) (value: torch.Tensor) =
        Memory.tensor (fun () ->
            let draws = Key.uniformTensor 0.0 1.0 (List.ofArray value.shape) key
            (draws.ge rate).``to``(value.dtype).``to``(value.device).div(1.0 - rate))

    /// Sets a share `rate` of all elements to zero while training, and scales the others by 1 / (1 - rate); does nothing
    /// otherwise. Draws from child 0 of the mode's key and passes child 1 on. Raises ArgumentException for a rate outside [0, 1).
    let layer (rate: float) : Model<Activations, Activations> =
        Numbers.fraction "Dropout" (nameof rate) rate

        Model.pureFunction $"dropout {rate}" (fun flow ->
            match flow.Mode with
            | Mode.Training key ->
                { flow with Value = flow.Value * mask rate (Key.fold 0 key) flow.Value; Mode = Mode.Training(Key.fold 1 key) }
            | Mode.Inference
            | Mode.Observing -> flow)
