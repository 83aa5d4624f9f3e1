namespace FunctionalSeparation.Learning

open TorchSharp
open FunctionalSeparation.Core

/// A splittable key: the only source of randomness in the library. The same key always gives the same draws, on every platform
/// (`normals` up to the rounding of its logarithm and cosine). Two keys made by `Key.split` or `Key.fold` with different numbers
/// are independent for all practical purposes.
[<Struct>]
type Key = private Key of uint64

/// <summary>
/// Draws from keys. Raises ArgumentException for a negative count. A key is a value that no draw changes: use a key once, and
/// split it for the next draw. Draw number i of a key is the SplitMix64 finaliser (Steele, Lea, Flood 2014) of key + (i + 1) *
/// golden ratio.
/// </summary>
/// <example><code lang="fsharp">
/// let key = Key.ofSeed 0
/// let noiseOfStep step = key |> Key.fold step |> Key.normals 1000 // the same for the same step, whatever was drawn before
/// let first, second = Key.fold 0 key, Key.fold 1 key // independent
/// </code></example>
[<RequireQualifiedAccess>]
module Key =

    let private golden = 0x9E3779B97F4A7C15UL

    let private mix (z: uint64) =
        let z = (z ^^^ (z >>> 30)) * 0xBF58476D1CE4E5B9UL
        let z = (z ^^^ (z >>> 27)) * 0x94D049BB133111EBUL
        z ^^^ (z >>> 31)

    let private draw (Key key) (index: int) = mix (key + uint64 (index + 1) * golden)

    let private toUnit (bits: uint64) = float (bits >>> 11) * (1.0 / 9007199254740992.0)

    /// The key of a seed.
    let ofSeed (seed: int) = Key(mix (uint64 (int64 seed) + golden))

    /// The child of `key` with the given number (an epoch, a step, an item).
    let fold (number: int) (key: Key) = Key(mix (draw key number ^^^ golden))

    /// `count` independent children of `key`.
    let split (count: int) (key: Key) =
        Numbers.atLeast 0 "Key.split" (nameof count) count
        List.init count (fun i -> fold i key)

    /// A number in [0, 1).
    let uniform (key: Key) = toUnit (draw key 0)

    /// `count` numbers in [0, 1).
    let uniforms (count: int) (key: Key) =
        Numbers.atLeast 0 "Key.uniforms" (nameof count) count
        Array.init count (fun i -> toUnit (draw key i))

    /// An integer in [low, high). Raises ArgumentException where the range is empty.
    let integer (low: int) (high: int) (key: Key) =
        if high <= low then
            invalidArg (nameof high) $"Key.integer needs low < high, got [{low}, {high})."

        low + int (uniform key * float (high - low))

    /// `count` numbers from the standard normal distribution (Box-Muller).
    let normals (count: int) (key: Key) =
        Numbers.atLeast 0 "Key.normals" (nameof count) count

        let pair i =
            let radius = sqrt (-2.0 * log (1.0 - toUnit (draw key (2 * i))))
            let angle = 2.0 * System.Math.PI * toUnit (draw key (2 * i + 1))
            radius, angle

        Array.init count (fun i ->
            let radius, angle = pair (i / 2)
            if i % 2 = 0 then radius * cos angle else radius * sin angle)

    /// A random permutation of 0 .. count-1 (Fisher-Yates).
    let permutation (count: int) (key: Key) =
        Numbers.atLeast 0 "Key.permutation" (nameof count) count
        let order = Array.init count id

        for i in count - 1 .. -1 .. 1 do
            let j = int (toUnit (draw key i) * float (i + 1))
            let kept = order[i]
            order[i] <- order[j]
            order[j] <- kept

        order

    /// A tensor of numbers in [low, high), on the CPU. Raises ArgumentException unless low <= high, both finite, and the shape
    /// has no negative size and at most 2^31 - 57 elements.
    let uniformTensor (low: float) (high: float) (shape: int64 list) (key: Key) : torch.Tensor =
        TorchRuntime.Initialize()

        if not (System.Double.IsFinite(high - low) && low <= high) then
            invalidArg (nameof high) $"Key.uniformTensor needs finite low <= high, got [{low}, {high})."

        let elements = List.fold (fun product size -> product * bigint (size: int64)) 1I shape

        if List.exists (fun size -> size < 0L) shape || elements > bigint System.Array.MaxLength then
            let sizes = shape |> List.map string |> String.concat ", "
            invalidArg (nameof shape) $"Key.uniformTensor cannot make a tensor of shape [{sizes}]."

        let count = int elements
        let values = Array.init count (fun i -> low + (high - low) * toUnit (draw key i))
        torch.tensor(values, dtype = torch.float64).reshape(List.toArray shape)
