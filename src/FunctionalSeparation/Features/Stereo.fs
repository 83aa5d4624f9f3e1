namespace FunctionalSeparation

open TorchSharp
open FunctionalSeparation.Learning

/// Two channels as middle and side instead of left and right. Voices stand in the middle (papers/beyond/notes.md has what that
/// gains).
[<RequireQualifiedAccess>]
module Stereo =

    /// Half the sum and half the difference of the two channels along an axis: [..., 2, ...] in and out.
    let toMiddleAndSide (axis: int64) (sound: torch.Tensor) : torch.Tensor =
        let left, right = sound.select (axis, 0L), sound.select (axis, 1L)
        torch.stack([| left .+ right; left - right |], axis).mul 0.5

    /// Left and right of middle and side along an axis: [..., 2, ...] in and out.
    let ofMiddleAndSide (axis: int64) (sound: torch.Tensor) : torch.Tensor = (toMiddleAndSide axis sound).mul 2.0
