namespace FunctionalSeparation

open System
open System.Collections.Concurrent
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// The sources of a clip for training, at any of the given playback speeds. They are read in parts where the clip has parts, else
/// kept in memory in 16 bits (see `StoredSound`). Raises InputException, naming the clip, for a clip without parts that has
/// samples that are not finite. Raises InputException also for a silent source where the mixing requires that all sources sound.
[<Sealed>]
type internal ClipSound(clip: Clip, mixing: Mixing, speeds: float list) =

    let refuse reason = raise (InputException $"{clip.Name}: {reason}")

    let kept: Map<string, StoredSound[]> =
        match clip.Parts with
        | Some _ -> Map.empty
        | None ->
            let stored (channel: float32[]) =
                if not (Array.forall Single.IsFinite channel) then
                    refuse "has samples that are not finite. Repair it or leave it out."

                StoredSound channel

            Map [ for stem in Clip.read clip -> stem.Name, stem.Sound.Channels |> Seq.map stored |> Array.ofSeq ]

    let samples =
        match clip.Parts with
        | Some parts -> parts.Samples
        | None -> kept |> Map.values |> Seq.head |> Array.head |> _.Length

    let rates =
        [| for speed in speeds ->
               if speed = 1.0 then
                   clip.SampleRate
               else
                   Augment.rateOfSpeed speed clip.SampleRate |]

    let lengths = [| for rate in rates -> int (Resampler.LengthAt(int64 samples, clip.SampleRate, rate)) |]

    /// All channels of a part of a source at the clip's own speed.
    let read source (start: int) count : float32[] list =
        match clip.Parts with
        | Some parts -> List.ofSeq (parts.Read source start count).Channels
        | None -> [ for channel in kept[source] -> channel.Part start count ]

    /// Writes a part at a speed, which lies within the clip, into channels of equal length.
    let readAt source speed (start: int) (targets: Memory<float32> list) =
        let mutable own: float32[] list = []

        let ofChannel number (first: int64) count =
            if own.IsEmpty then own <- read source (int first) count
            own[min number (own.Length - 1)]

        for number, target in List.indexed targets do
            if number = 0 || own.IsEmpty || own.Length > 1 then
                let channel = ofChannel number
                Resampler.ResamplePart(int64 samples, clip.SampleRate, rates[speed], int64 start, target.Span, channel)
            else
                targets.Head.CopyTo target

    let norms = ConcurrentDictionary<int, Lazy<float list>>()

    /// The L2 norm of each source at a speed, over the whole clip and its channels.
    let normsAt speed =
        let ofSource source =
            let channels = List.init clip.Channels (fun _ -> Memory(Array.zeroCreate<float32> lengths[speed]))
            readAt source speed 0 channels
            let energy = channels |> List.sumBy (fun channel -> channel.ToArray() |> Array.sumBy (fun x -> float x * float x))

            if mixing.NeedsSound && energy = 0.0 then
                refuse $"the source '{source}' is silent, so the clip cannot be mixed at 0 dB. Remove it from the training data."

            sqrt energy

        norms.GetOrAdd(speed, (fun _ -> lazy (List.map ofSource clip.Sources))).Value

    let factors = ConcurrentDictionary<int, float list>()

    let factorOf source speed =
        let make speed = mixing.Factors (Clip.key clip) (lazy normsAt speed) clip.Sources.Length
        (factors.GetOrAdd(speed, make))[List.findIndex ((=) source) clip.Sources]

    do if mixing.NeedsSound && clip.Parts.IsNone then normsAt 0 |> ignore

    /// The song that it is from.
    member _.Song = clip.Song

    /// Whether it has a source.
    member _.Has(source: string) = List.contains source clip.Sources

    /// Samples at its own speed.
    member _.Samples = samples

    /// Samples at the speed with this index.
    member _.Length(speed: int) = lengths[speed]

    /// Adds a source at a speed, as it is mixed, to channels of equal length, from sample `start` (not negative) on. The sound
    /// repeats in a loop. A clip of one channel is added to all channels.
    member _.AddTo (channels: Memory<float32> list) (source: string) (speed: int) (start: int) : unit =
        let length, factor = lengths[speed], float32 (factorOf source speed)
        let total = channels.Head.Length
        let mutable written = 0

        while written < total do
            let position = (start + written) % length
            let count = min (total - written) (length - position)
            let parts = [ for _ in channels -> Memory(Array.zeroCreate<float32> count) ]
            readAt source speed position parts

            for target, part in List.zip channels parts do
                let target = target.Slice(written, count).Span
                let part = part.Span

                for i in 0 .. count - 1 do
                    target[i] <- target[i] + factor * part[i]

            written <- written + count
