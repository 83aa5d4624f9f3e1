namespace FunctionalSeparation

open System

/// A signal of finite samples kept in 16 bits, as recordings are: half of what it takes as float32. Samples are multiples of a 32767th
/// of the largest one, so rounding changes each by a 65534th of that at most.
[<Sealed>]
type internal StoredSound(signal: float32[]) =
    let unit = (signal |> Array.fold (fun most x -> max most (abs x)) 0.0f) / 32767.0f
    let stored x = if unit = 0.0f then 0s else int16 (MathF.Round(x / unit))
    let numbers = Array.map stored signal

    /// Samples.
    member _.Length = numbers.Length

    /// Writes `target.Length` samples into `target`, from `start` (not negative) on, as if the signal went round for ever. There must
    /// be samples.
    member _.CopyCircular(start: int, target: Span<float32>) =
        let mutable position = start % numbers.Length

        for i in 0 .. target.Length - 1 do
            target[i] <- unit * float32 numbers[position]
            position <- if position + 1 = numbers.Length then 0 else position + 1
