namespace FunctionalSeparation

open System

/// A signal kept in 16 bits, as recordings are: half of what it takes as float32. Samples are multiples of a 32767th of the largest
/// one, so what rounding adds is 98 dB below that.
[<Sealed>]
type internal StoredSound(signal: float32[]) =
    let unit = (if signal.Length = 0 then 0.0f else signal |> Array.maxBy abs |> abs) / 32767.0f

    let numbers =
        if unit = 0.0f then
            Array.zeroCreate signal.Length
        else
            signal |> Array.map (fun x -> int16 (MathF.Round(x / unit)))

    /// Samples.
    member _.Length = numbers.Length

    /// Writes `target.Length` samples into `target`, from `start` on, as if the signal went round for ever. It must have samples.
    member _.CopyCircular(start: int, target: Span<float32>) =
        let mutable position = ((start % numbers.Length) + numbers.Length) % numbers.Length

        for i in 0 .. target.Length - 1 do
            target[i] <- unit * float32 numbers[position]
            position <- if position + 1 = numbers.Length then 0 else position + 1
