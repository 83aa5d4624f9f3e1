namespace FunctionalSeparation

open System

/// A signal of finite samples kept in 16 bits, as recordings are: half of what it takes as float32. Samples are multiples of a
/// 32767th of the largest one, so rounding changes each by a 65534th of that at most.
[<Sealed>]
type internal StoredSound(signal: float32[]) =
    let unit = (signal |> Array.fold (fun most x -> max most (abs x)) 0.0f) / 32767.0f
    let stored x = if unit = 0.0f then 0s else int16 (MathF.Round(x / unit))
    let numbers = Array.map stored signal

    /// Samples.
    member _.Length = numbers.Length

    /// `count` samples from sample `start` on, within the signal.
    member _.Part (start: int) (count: int) : float32[] = Array.init count (fun i -> unit * float32 numbers[start + i])
