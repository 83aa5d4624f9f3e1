namespace FunctionalSeparation

open System
open System.Buffers
open System.Runtime.InteropServices
open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// Random excerpts of clips: a pure function of key and step. An epoch uses every clip that has the last source (the lead: the
/// voice) about once, in a new order and with a new offset. The other sources accompany it with a new rotation. Sound is read,
/// resampled to its speed and mixed when it is drawn. A corpus therefore takes memory only where its clips cannot be read in
/// parts.
[<Sealed>]
type Excerpts internal (network: Network, spec: BatchSpec, settings: ExcerptSettings, device: torch.Device, clips: Clip list) =
    let margin, stft = network.Margin, network.Spec.FrontEnd.Stft
    let names, channels = Array.ofList network.Spec.Sources, network.Spec.Channels
    let sources, lead = names.Length, names.Length - 1
    let window = int (stft.Samples(int64 settings.Frames + 2L * margin))
    let speeds = settings.Speeds.Length

    let refuseChannels (clip: Clip) =
        raise (
            InputException(
                $"{clip.Name}: has {clip.Channels} channel(s), {network.Name} learns from {channels}. "
                + "Mix it down (Corpus.mono; train.fsx: --mono), or build the network for as many."
            )
        )

    let load (clip: Clip) =
        if clip.Channels <> 1 && clip.Channels <> channels then refuseChannels clip
        Clip.requireRate network.Spec.FrontEnd.SampleRate clip
        Clip.requirePart network.Spec.Sources clip
        let sound = ClipSound(clip, spec.Mixing, settings.Speeds)
        Clip.requireSamples stft clip sound.Samples
        sound

    let loaded = clips |> List.map load |> Array.ofList
    let leads = loaded |> Array.filter _.Has(names[lead])
    let accompaniments = loaded |> Array.filter (fun clip -> Array.forall clip.Has names[.. lead - 1])

    do
        for name, some in [ names[lead], leads; "accompaniment", accompaniments ] do
            if some.Length = 0 then
                raise (InputException $"No training clip has the {name}. Give clips that do.")

    /// Number of excerpts that fit into a clip, at least one: a short clip is padded with silence.
    let perClip = leads |> Array.map (fun clip -> max 1 (int (stft.Frames(int64 (clip.Length 0))) / settings.Frames))

    let units = perClip |> Array.mapi (fun clip count -> Array.init count (fun index -> clip, index)) |> Array.concat
    let stepsPerEpoch = max 1 (units.Length / settings.Count)

    /// First sample of excerpt `index` of a clip of `samples` samples, shifted by a random part of an excerpt.
    let startOf clip index samples key =
        let span = max 0 (samples - window)
        let phase = (float index + Key.uniform key) / float perClip[clip]
        int (phase * float span)

    /// A clip of another song, or `own` where there is no other song.
    let otherSong (clips: ClipSound[]) (own: ClipSound) key =
        let others = clips |> Array.filter (fun other -> other.Song <> own.Song)
        if others.Length = 0 then own else others[Key.integer 0 others.Length key]

    /// The clip that accompanies a lead: its own song, or another.
    let accompanying (own: ClipSound) key =
        let hasOwn = Array.forall own.Has names[.. lead - 1]

        if hasOwn && Key.uniform (Key.fold 0 key) >= settings.OtherSong then
            own
        else
            otherSong accompaniments own (Key.fold 1 key)

    /// Adds sources of another song, from a random place on and at a random speed.
    let addOther clips (own: ClipSound) (place: int -> Memory<float32> list) which key =
        let other: ClipSound = otherSong clips own (Key.fold 0 key)
        let speed = Key.integer 0 speeds (Key.fold 1 key)
        let start = Key.integer 0 (other.Length speed) (Key.fold 2 key)

        for source in which do
            other.AddTo (place source) names[source] speed start

    /// First sample of the accompaniment of a lead that starts at `start`.
    let accompanimentStart samples start key =
        match settings.Rotation with
        | Anywhere -> Key.integer 0 samples key
        | ShiftStep step ->
            let offsets = Augment.shifts step samples
            start + offsets[Key.integer 0 offsets.Length key]

    let happens probability key = probability > 0.0 && Key.uniform key < probability

    /// Writes the sources of an excerpt, as they are in their clips, into its place.
    let mix place slotLength (clip, index) key =
        let child number = Key.fold number key
        let speed number = Key.integer 0 speeds (child number)
        let own, leadSpeed, otherSpeed = leads[clip], speed 5, speed 6
        let start = startOf clip index (own.Length leadSpeed) (child 0)
        let count = min slotLength (own.Length leadSpeed - start)
        let place source = place source count
        let other = accompanying own (child 2)
        let otherStart = accompanimentStart (other.Length otherSpeed) start (child 1)
        own.AddTo (place lead) names[lead] leadSpeed start

        for source in 0 .. lead - 1 do
            other.AddTo (place source) names[source] otherSpeed otherStart

        if happens settings.SecondAccompaniment (child 1000) then
            addOther accompaniments own place [ 0 .. lead - 1 ] (child 1001)

        if happens settings.SecondLead (child 1003) then
            addOther leads own place [ lead ] (child 1004)

        count

    /// Writes an excerpt into its place, [slot, source, channel, window], and the gains of its sources.
    let fill (target: float32[]) (gains: float32[]) slot unit key =
        let child number = Key.fold number key

        let place source count =
            [ for channel in 0 .. channels - 1 ->
                  Memory<float32>(target, ((slot * sources + source) * channels + channel) * window, count) ]

        let count = mix place window unit key

        ExcerptSettings.applyEffects
            settings
            network.Spec.FrontEnd.SampleRate
            [ for source in 0..lead -> place source count ]
            (child 1002)

        // Children 3 and 4, then from 7 on: 5 and 6 are the speeds.
        for source in 0..lead do
            let number = if source < 2 then 3 + source else 5 + source
            gains[sources * slot + source] <- ExcerptSettings.gain settings (child number)

        match settings.Levels with
        | None -> ()
        | Some levels ->
            let factors = ExcerptLevels.factors levels [ for source in 0..lead -> place source count ] (child 1005)

            for source, factor in List.indexed factors do
                gains[sources * slot + source] <- gains[sources * slot + source] * float32 factor

    // Intermediate tensors are freed at once: fresh memory costs more than the transforms.
    let framesOf domains skip count sounds =
        Memory.scoped (Map.values >> List.ofSeq) (fun () ->
            Batch.spectrograms stft domains sounds
            |> Map.map (fun _ frames -> frames.narrow(0L, skip, count).contiguous()))

    /// A copy of the first numbers of an array as a tensor of this shape, float32, on the CPU.
    let tensorOf (numbers: float32[]) (shape: int64[]) =
        let tensor = torch.empty (shape, dtype = torch.float32)
        MemoryMarshal.AsBytes(ReadOnlySpan(numbers, 0, int tensor.NumberOfElements)).CopyTo tensor.bytes
        tensor

    let toBatch (samples: float32[]) (gains: float32[]) : Batch =
        let count, frames = int64 settings.Count, int64 settings.Frames
        let raw = tensorOf samples [| count; int64 sources; int64 channels; int64 window |]
        let sounds = (raw * torch.tensor(gains).view(count, int64 sources, 1L, 1L)).``to`` device
        let heard = Network.toHeardChannels network 2L sounds

        { Mixture = framesOf spec.Mixture 0L (frames + 2L * margin) (heard.sum 1L)
          References = framesOf spec.References margin frames heard
          Margin = margin
          Stft = stft }

    /// Writes the excerpts of a step into samples of zeros, [slot, source, channel, window]; gives the gains of their sources.
    let draw (samples: float32[]) key step : float32[] =
        let epoch, place = step / stepsPerEpoch, step % stepsPerEpoch
        let epochKey = Key.fold epoch key
        let order = Key.permutation units.Length (Key.fold 0 epochKey)
        let gains = Array.zeroCreate (settings.Count * sources)

        for slot in 0 .. settings.Count - 1 do
            let unit = units[order[(place * settings.Count + slot) % order.Length]]
            fill samples gains slot unit (Key.fold (1 + place * settings.Count + slot) epochKey)

        gains

    /// Steps in an epoch.
    member _.StepsPerEpoch = stepsPerEpoch

    /// The batch of a step, counted from 0. The caller owns its tensors. Raises InputException for a file that can no longer be
    /// read.
    member _.Batch (key: Key) (step: int) : Batch =
        let length = settings.Count * sources * channels * window
        // A fresh array of this size at each step would cost more than all that is done with it.
        let samples = ArrayPool.Shared.Rent length

        try
            Array.Clear(samples, 0, length)
            let gains = draw samples key step

            Memory.scoped Batch.tensors (fun () ->
                let batch = toBatch samples gains
                settings.Sequence |> Option.fold (fun batch frames -> Batch.inSequences frames batch) batch)
        finally
            ArrayPool.Shared.Return samples
