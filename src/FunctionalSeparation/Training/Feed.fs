namespace FunctionalSeparation

open System
open System.Buffers
open System.Runtime.InteropServices
open TorchSharp
open FunctionalSeparation.Core

/// Feeds: what training sees at each step, as a function of clips, keys and step numbers.
[<RequireQualifiedAccess>]
module Feed =

    /// Lengths of the pieces into which Huang et al. (2014, authors' code) cut a clip, greedily.
    let chunkLengths = [ 100; 50; 25; 10; 1 ]

    /// Cuts `frames` frames greedily into pieces: (start, length), in order. What is shorter than the shortest length is left
    /// out. Raises ArgumentException for a length below 1.
    let chunks (lengths: int list) (frames: int) : (int * int) list =
        for length in lengths do
            Numbers.atLeast 1 "A cut into pieces" (nameof length) length

        let rec cut start =
            match lengths |> List.tryFind (fun length -> length <= frames - start) with
            | Some length -> (start, length) :: cut (start + length)
            | None -> []

        cut 0

    /// Spectrograms of sounds [..., samples] in these domains, time first: [time, ..., bins].
    let private spectrograms (stft: Stft) (domains: Domain list) (sounds: torch.Tensor) : Map<Domain, torch.Tensor> =
        let spectrum = (stft.Forward sounds).movedim([| -2L |], [| 0L |])

        Map.ofList [ for domain in domains -> domain, (if domain = Domain.Magnitude then spectrum.abs () else spectrum) ]

    let private mapped (change: torch.Tensor -> torch.Tensor) = Map.map (fun _ tensor -> change tensor)

    /// One piece of a clip: its length, its mixture with margins and its references, time first, by domain.
    [<NoEquality; NoComparison>]
    type private Piece = { Length: int; Mixed: Map<Domain, torch.Tensor>; Sources: Map<Domain, torch.Tensor> }

    let private tensorsOf (piece: Piece) = [ yield! Map.values piece.Mixed; yield! Map.values piece.Sources ]

    /// The sources of a clip that this network can learn from, in the network's order. Where each is brought to unit norm, none may be
    /// silent.
    let private usable (network: Network) (mixing: Mixing) (clip: Clip) : Stems =
        let setting = network.Setting

        if clip.Channels <> setting.Channels then
            raise (
                InputException
                    $"{clip.Name}: has {clip.Channels} channel(s), {network.Name} learns from {setting.Channels}. Mix it down (Corpus.mono), or build the network for as many."
            )

        Clip.requireRate setting.FrontEnd.SampleRate clip
        Clip.requireSources setting.Sources clip
        let stems = Clip.read clip

        if mixing.Words = Mixing.unitNorm.Words then
            Clip.requireUsable setting.FrontEnd.Stft clip stems
        else
            Clip.requireLength setting.FrontEnd.Stft clip stems

        [ for name in setting.Sources -> { Name = name; Sound = Stems.find name stems } ]

    /// The pieces of sources [sources, channels, samples].
    let private piecesOf (network: Network) (needs: Needs) (sources: torch.Tensor) =
        let stft, margin = network.Setting.FrontEnd.Stft, network.Margin
        let padded = spectrograms stft needs.Mixture (sources.sum 0L) |> mapped (Spectra.withMargins margin)
        let references = spectrograms stft needs.References sources

        [ for start, length in chunks chunkLengths (int (stft.Frames sources.shape[2])) ->
              let cut extra (frames: torch.Tensor) = frames.narrow(0L, int64 start, int64 length + extra).clone()
              { Length = length; Mixed = mapped (cut (2L * margin)) padded; Sources = mapped (cut 0L) references } ]

    let private sideBySide (all: Map<Domain, torch.Tensor> list) =
        all.Head |> Map.map (fun domain _ -> torch.stack (all |> List.map (Map.find domain), 1L))

    let private stackPieces (network: Network) (pieces: Piece list) : Batch =
        { Mixture = pieces |> List.map _.Mixed |> sideBySide
          References = pieces |> List.map _.Sources |> sideBySide
          Margin = network.Margin
          Stft = network.Setting.FrontEnd.Stft }

    /// Pieces of equal length side by side, about `framesPerBatch` frames a batch. Frees the pieces.
    let private batchesOf network framesPerBatch (pieces: Piece list) =
        [ for length, group in List.groupBy _.Length pieces do
              for part in List.chunkBySize (max 1 (framesPerBatch / length)) group do
                  Memory.scoped Batch.tensors (fun () -> stackPieces network part)

                  for tensor in List.collect tensorsOf part do
                      tensor.Dispose() ]

    /// The pieces of a clip whose other sources are rotated by each of the offsets against the last one. The caller owns the tensors.
    let private rotatedPieces network needs (offsets: int list) (sources: unit -> torch.Tensor) =
        Memory.scoped (List.collect tensorsOf) (fun () ->
            let sources = sources ()
            let last = sources.shape[0] - 1L

            [ for offset in offsets do
                  let others = Augment.rotate (int64 offset) (sources.narrow (0L, 0L, last))
                  yield! piecesOf network needs (torch.cat [| others; sources.narrow (0L, last, 1L) |]) ])

    /// The whole training set as the paper sees it: every clip with every rotation of its music, context stacked over the
    /// whole clip, cut into pieces of 100, 50, 25, 10 and 1 frames whose states start at zero. Pieces of equal length from
    /// several clips are run side by side, about `framesPerBatch` frames a batch. The caller owns the tensors. Raises
    /// ArgumentException for no frame in a batch.
    let wholeClips
        (network: Network)
        (needs: Needs)
        (shiftStep: int option)
        (framesPerBatch: int)
        dtype
        device
        (clips: Clip list)
        : Batch list =
        Numbers.atLeast 1 "A feed of whole clips" (nameof framesPerBatch) framesPerBatch

        [ for clip in clips do
              let stems = usable network needs.Mixing clip
              let offsets = Augment.shifts shiftStep (Stems.length stems)
              let sources () = Clip.sources needs.Mixing (Clip.key clip) dtype device stems
              yield! rotatedPieces network needs offsets sources ]
        |> batchesOf network framesPerBatch

    /// A clip in memory: its sources at each speed, [source][speed][channel].
    [<NoEquality; NoComparison>]
    type private Loaded = { Song: string; Sources: StoredSound[][][] }

    /// Channels as they are, but of unit norm over all of them.
    let private normalised (channels: float32[][]) : float32[][] =
        let norm = channels |> Array.sumBy (Array.sumBy (fun x -> float x * float x)) |> sqrt
        channels |> Array.map (Array.map (fun x -> float32 (float x / norm)))

    /// The channels of a source at each speed; of unit norm again where that is how sources are mixed.
    let private atSpeeds
        (settings: ExcerptSettings)
        (mixing: Mixing)
        (sampleRate: int)
        (channels: float32[][])
        : StoredSound[][] =
        let restored = if mixing.Words = Mixing.unitNorm.Words then normalised else id

        let played speed =
            if speed = 1.0 then
                channels
            else
                channels |> Array.map (Augment.playAt speed sampleRate) |> restored

        [| for speed in settings.Speeds -> played speed |> Array.map StoredSound |]

    /// The sources of a clip as they are mixed: [source][channel][samples].
    let private sound (network: Network) (mixing: Mixing) (clip: Clip) : float32[][][] =
        Memory.plain (fun () ->
            let sources = usable network mixing clip |> Clip.sources mixing (Clip.key clip) torch.float32 torch.CPU

            [| for source in sources.unbind 0 -> [| for channel in source.unbind 0 -> channel.data<float32>().ToArray() |] |])

    let private loadClip network settings mixing (clip: Clip) =
        let sources = sound network mixing clip

        if sources |> Array.exists (Array.exists (Array.exists (Single.IsFinite >> not))) then
            raise (InputException $"{clip.Name}: has samples that are not finite. Repair it or leave it out.")

        { Song = clip.Song; Sources = sources |> Array.map (atSpeeds settings mixing clip.SampleRate) }

    let private gain range key = float32 (10.0 ** ((2.0 * Key.uniform key - 1.0) * range / 20.0))

    /// A copy of the first numbers of an array as a tensor of this shape, float32, on the CPU.
    let private tensorOf (numbers: float32[]) (shape: int64[]) =
        let tensor = torch.empty (shape, dtype = torch.float32)
        MemoryMarshal.AsBytes(ReadOnlySpan(numbers, 0, int tensor.NumberOfElements)).CopyTo tensor.bytes
        tensor

    /// Random excerpts of clips that stay in memory: a pure function of key and step. An epoch shows every clip about once,
    /// in a fresh order, from a fresh phase. The last source of a clip (the voice) leads; the others, freshly rotated, accompany it.
    [<Sealed>]
    type Excerpts internal (network: Network, needs: Needs, settings: ExcerptSettings, device: torch.Device, clips: Clip list) =
        let margin, stft = network.Margin, network.Setting.FrontEnd.Stft
        let loaded = clips |> List.map (loadClip network settings needs.Mixing) |> Array.ofList
        let sources, channels = loaded[0].Sources.Length, loaded[0].Sources[0].[0].Length
        let lead = sources - 1
        let window = int (stft.Samples(int64 settings.Frames + 2L * margin))

        /// Excerpts that fit a clip; at least one: a short clip is filled up with silence.
        let perClip =
            loaded
            |> Array.map (fun clip -> max 1 (int (stft.Frames(int64 clip.Sources[lead].[0].[0].Length)) / settings.Frames))

        let units = perClip |> Array.mapi (fun clip count -> Array.init count (fun index -> clip, index)) |> Array.concat
        let stepsPerEpoch = max 1 (units.Length / settings.Count)

        /// First sample of excerpt `index` of a clip of so many samples, shifted by a random part of an excerpt.
        let startOf clip index samples key =
            let span = max 0 (samples - window)
            let phase = (float index + Key.uniform key) / float perClip[clip]
            int (phase * float span)

        /// Another song's clip, or the own one where there is no other.
        let otherSong clip key =
            let own = loaded[clip]
            let others = loaded |> Array.filter (fun other -> other.Song <> own.Song)
            if others.Length = 0 then own else others[Key.integer 0 others.Length key]

        /// The clip that accompanies.
        let company clip key =
            if Key.uniform (Key.fold 0 key) >= settings.OtherSong then
                loaded[clip]
            else
                otherSong clip (Key.fold 1 key)

        /// Adds another song's accompaniment, wherever it begins.
        let addCompany clip (place: int -> int -> Memory<float32>) key =
            let other = otherSong clip (Key.fold 0 key)
            let speed = Key.integer 0 settings.Speeds.Length (Key.fold 1 key)
            let start = Key.integer 0 other.Sources[0].[speed].[0].Length (Key.fold 2 key)

            for source in 0 .. lead - 1 do
                for channel in 0 .. channels - 1 do
                    let target = (place source channel).Span
                    let added = Array.zeroCreate target.Length
                    other.Sources[source].[speed].[channel].CopyCircular(start, Span added)

                    for i in 0 .. added.Length - 1 do
                        target[i] <- target[i] + added[i]

        /// Passes each source through the effects.
        let applyEffects (place: int -> int -> Memory<float32>) key =
            for source in 0..lead do
                let sound = Array.init channels (fun channel -> (place source channel).ToArray())

                let through sound (index, effect: Effect) =
                    effect.Apply network.Setting.FrontEnd.SampleRate (Key.fold index (Key.fold source key)) sound

                // The lead's own have keys far from those of the effects of all.
                let own = if source = lead then settings.LeadEffects else []
                let effects = List.indexed settings.Effects
                let changed = (own |> List.mapi (fun i effect -> 100 + i, effect)) @ effects |> List.fold through sound

                for channel in 0 .. channels - 1 do
                    changed[channel].AsSpan().CopyTo((place source channel).Span)

        /// First sample of what accompanies a lead that starts at `start`.
        let companyStart samples start key =
            match settings.Rotation with
            | Anywhere -> Key.integer 0 samples key
            | ShiftStep step ->
                let offsets = Augment.shifts step samples
                start + offsets[Key.integer 0 offsets.Length key]

        /// Writes an excerpt into its place, [slot, source, channel, window], and the gains of its sources.
        let fill (target: float32[]) (gains: float32[]) slot (clip, index) key =
            let child number = Key.fold number key
            let speed number = Key.integer 0 settings.Speeds.Length (child number)
            let first = loaded[clip].Sources[lead].[speed 5]
            let start = startOf clip index first[0].Length (child 0)
            let count = min window (first[0].Length - start)
            let place source channel = Memory<float32>(target, ((slot * sources + source) * channels + channel) * window, count)
            let others, otherSpeed = company clip (child 2), speed 6
            let otherStart = companyStart others.Sources[0].[otherSpeed].[0].Length start (child 1)

            for channel in 0 .. channels - 1 do
                first[channel].CopyCircular(start, (place lead channel).Span)

                for source in 0 .. lead - 1 do
                    others.Sources[source].[otherSpeed].[channel].CopyCircular(otherStart, (place source channel).Span)

            if settings.SecondCompany > 0.0 && Key.uniform (child 1000) < settings.SecondCompany then
                addCompany clip place (child 1001)

            if not (settings.Effects.IsEmpty && settings.LeadEffects.IsEmpty) then
                applyEffects place (child 1002)

            // Children 3 and 4, then from 7 on: 5 and 6 are the speeds.
            for source in 0..lead do
                let number = if source < 2 then 3 + source else 5 + source
                gains[sources * slot + source] <- gain settings.GainRange (child number)

        // What lies between is freed at once: fresh memory costs more than the transforms.
        let framesOf domains skip count sounds =
            Memory.scoped (Map.values >> List.ofSeq) (fun () ->
                spectrograms stft domains sounds |> mapped (fun frames -> frames.narrow(0L, skip, count).contiguous()))

        let toBatch (samples: float32[]) (gains: float32[]) : Batch =
            let count, frames = int64 settings.Count, int64 settings.Frames
            let raw = tensorOf samples [| count; int64 sources; int64 channels; int64 window |]
            let sounds = (raw * torch.tensor(gains).view(count, int64 sources, 1L, 1L)).``to`` device

            { Mixture = framesOf needs.Mixture 0L (frames + 2L * margin) (sounds.sum 1L)
              References = framesOf needs.References margin frames sounds
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

        /// Steps that make an epoch.
        member _.StepsPerEpoch = stepsPerEpoch

        /// The batch of a step, counted from 0. The caller owns its tensors. Raises nothing of its own: clips and settings were
        /// checked when the feed was made.
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

    let private requireClips (clips: Clip list) =
        if clips.IsEmpty then
            invalidArg (nameof clips) "A feed needs at least one clip, got none."

    /// Loads the clips, in 16 bits (see `StoredSound`), and makes random excerpts of them. Raises ArgumentException for settings that make
    /// no excerpts, and where there is no clip; InputException, naming the clip, for one that the network cannot learn from.
    let excerpts (network: Network) (needs: Needs) (settings: ExcerptSettings) device (clips: Clip list) =
        ExcerptSettings.require settings
        requireClips clips
        let feed = Excerpts(network, needs, settings, device, clips)
        // What loading left behind is 0.7 GB for MIR-1K at 15 speeds, and a training run makes too little garbage to have it collected.
        GC.Collect(2, GCCollectionMode.Aggressive, true, true)
        feed

    /// One rotation of the music at a time: all clips whole and cut into pieces as in `wholeClips`. Clips stay in memory as
    /// sound. A clip with fewer rotations than the longest one begins again with its first.
    [<Sealed>]
    type Rotations
        internal
        (network: Network, needs: Needs, shiftStep: int option, framesPerBatch: int, device: torch.Device, clips: Clip list) =
        let loaded =
            [ for clip in clips do
                  let sources = sound network needs.Mixing clip
                  sources, Augment.shifts shiftStep (sources[0].[0]).Length |> Array.ofList ]

        let tensor (sources: float32[][][]) () =
            torch.stack([| for source in sources -> torch.stack [| for channel in source -> torch.tensor channel |] |]).``to``
                device

        /// Rotations of the longest clip.
        member val Count = loaded |> List.map (fun (_, offsets) -> offsets.Length) |> List.max

        /// The whole set with rotation `index` (modulo `Count`). The caller owns the tensors.
        member rotations.Batches(index: int) : Batch list =
            let rotation = index % rotations.Count

            [ for sources, offsets in loaded do
                  yield! rotatedPieces network needs [ offsets[rotation % offsets.Length] ] (tensor sources) ]
            |> batchesOf network framesPerBatch

    /// Loads the clips and rotates their music by 0, step, 2 step, ... samples, one rotation a mini-batch (Huang et al. 2015,
    /// authors' code). Raises ArgumentException where there is no clip, or no frame in a batch.
    let rotations (network: Network) (needs: Needs) (shiftStep: int option) (framesPerBatch: int) device (clips: Clip list) =
        requireClips clips
        Numbers.atLeast 1 "A feed of rotations" (nameof framesPerBatch) framesPerBatch
        Rotations(network, needs, shiftStep, framesPerBatch, device, clips)
