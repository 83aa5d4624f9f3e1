namespace FunctionalSeparation

open System
open TorchSharp
open FunctionalSeparation.Core

/// What a network is trained on at once: mixtures and their true sources, as magnitudes.
[<NoEquality; NoComparison>]
type Batch =
    {
        Mixture: MixtureFrames
        /// [time, batch, sources, bins], in the order music, voice.
        References: torch.Tensor
    }

/// How the music of an excerpt is moved against its voice.
type Rotation =
    /// To any place.
    | Anywhere
    /// By the offsets of the paper: multiples of a step (samples), or not at all (see `Augment.shifts`).
    | ShiftStep of int option

/// How clips become random training excerpts.
type ExcerptSettings =
    {
        /// Frames of an excerpt.
        Frames: int
        /// Excerpts of a batch.
        Count: int
        /// Each excerpt is cut into sequences of so many frames, for recurrent layers that forget after so many; must divide
        /// `Frames`. None = one sequence an excerpt.
        Sequence: int option
        /// How the music is moved against the voice.
        Rotation: Rotation
        /// Probability that a voice is mixed with the music of another song instead of its own.
        OtherSong: float
        /// Each source is scaled by a random gain of up to ± so many dB.
        GainRange: float
        /// Each source of an excerpt plays at one of these speeds, drawn anew: 1.1 is a tenth faster and as much higher, so that
        /// one singer sounds like several. [ 1.0 ] = as recorded.
        Speeds: float list
    }

[<RequireQualifiedAccess>]
module ExcerptSettings =

    /// Excerpts of so many frames, so many a batch, from a voice with the rotated music of its own song, as recorded.
    let ofSize (frames: int) (count: int) : ExcerptSettings =
        { Frames = frames
          Count = count
          Sequence = None
          Rotation = Anywhere
          OtherSong = 0.0
          GainRange = 0.0
          Speeds = [ 1.0 ] }

    /// Raises ArgumentException, naming the setting, for numbers that make no excerpts.
    let internal require (settings: ExcerptSettings) : unit =
        let owner = "A feed of excerpts"
        let refuse name (wanted: string) got = invalidArg name $"{owner} needs {name} {wanted}, got {got}."
        Numbers.atLeast 1 owner "Frames" settings.Frames
        Numbers.atLeast 1 owner "Count" settings.Count
        Numbers.notNegative owner "GainRange" settings.GainRange

        if not (settings.OtherSong >= 0.0 && settings.OtherSong <= 1.0) then
            refuse "OtherSong" "from 0 to 1, a probability" $"{settings.OtherSong}"

        match settings.Sequence with
        | Some frames when frames < 1 || settings.Frames % frames <> 0 ->
            refuse "Sequence" $"that divides its {settings.Frames} frames" $"{frames}"
        | _ -> ()

        match settings.Rotation with
        | ShiftStep(Some step) -> Numbers.atLeast 1 owner "ShiftStep" step
        | ShiftStep None
        | Anywhere -> ()

        if settings.Speeds.IsEmpty || List.exists (fun speed -> not (speed >= 0.5 && speed <= 2.0)) settings.Speeds then
            let speeds = settings.Speeds |> List.map string |> String.concat ", "
            refuse "Speeds" "from 0.5 to 2, at least one" $"[{speeds}]"

[<RequireQualifiedAccess>]
module Batch =

    /// Every tensor of a batch.
    let tensors (batch: Batch) = [ batch.Mixture.Magnitude; batch.References ]

    /// Frames in the batch, over all its sequences.
    let frames (batch: Batch) = batch.References.shape[0] * batch.References.shape[1]

    /// Windows of `size` frames, `step` apart, side by side: [time, batch, ...] -> [size, windows * batch, ...].
    let private windows size step (frames: torch.Tensor) =
        let cut = frames.unfold (0L, size, step)
        let rest = [| 2L .. cut.dim () - 2L |]
        cut.permute(Array.concat [ [| cut.dim () - 1L; 0L; 1L |]; rest ]).flatten(1L, 2L).contiguous()

    /// Cuts the sequences of a batch into shorter ones that begin at zero states; the context of their edge frames stays.
    /// Raises ArgumentException where `frames` does not divide their length.
    let inSequences (frames: int) (batch: Batch) : Batch =
        if frames < 1 || batch.References.shape[0] % int64 frames <> 0L then
            invalidArg (nameof frames) $"{batch.References.shape[0]} frames cannot be cut into sequences of {frames}."

        let size, margin = int64 frames, batch.Mixture.Margin

        { Mixture = { batch.Mixture with Magnitude = windows (size + 2L * margin) size batch.Mixture.Magnitude; Start = [] }
          References = windows size size batch.References }

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

    /// Magnitudes of unit-norm sources [2, samples]: mixture [time, bins] and sources [time, 2, bins].
    let private magnitudes (frontEnd: FrontEnd) (sources: torch.Tensor) =
        let mixture = sources.sum (0L)
        Spectra.magnitude frontEnd.Stft mixture, (Spectra.magnitude frontEnd.Stft sources).transpose(0L, 1L)

    /// One piece of a clip: its length, mixture with margins [margin + length + margin, bins], references [length, 2, bins].
    let private piecesOf frontEnd (sources: torch.Tensor) =
        let margin = FrontEnd.margin frontEnd
        let mixture, references = magnitudes frontEnd sources
        let padded = Spectra.withMargins margin mixture

        [ for start, length in chunks chunkLengths (int mixture.shape[0]) ->
              length,
              padded.narrow(0L, int64 start, int64 length + 2L * margin).clone(),
              references.narrow(0L, int64 start, int64 length).clone() ]

    /// The sound of a clip that this feed can use: two mono sources, the second of which stands still while the first is rotated.
    let private usable (frontEnd: FrontEnd) (clip: Clip) : Stems =
        Clip.requireTwoSources clip

        if clip.Channels <> 1 then
            raise (
                InputException
                    $"{clip.Name}: training takes mono sounds, it has {clip.Channels} channels. Mix it down (Corpus.mono)."
            )

        Clip.requireRate frontEnd.SampleRate clip
        let stems = Clip.read clip
        Clip.requireUsable frontEnd.Stft clip stems
        stems

    /// The unit-norm sources of a mono clip: [2, samples].
    let private unitNormPair dtype device (stems: Stems) =
        Memory.tensor (fun () -> (Clip.sources Mixing.unitNorm (Key.ofSeed 0) dtype device stems).squeeze 1L)

    let private stackPieces frontEnd pieces =
        let mixtures, references = pieces |> List.map (fun (_, mixture, reference) -> mixture, reference) |> List.unzip

        { Mixture = { Magnitude = torch.stack (mixtures, 1L); Margin = FrontEnd.margin frontEnd; Start = [] }
          References = torch.stack (references, 1L) }

    /// Pieces of equal length side by side, about `framesPerBatch` frames a batch. Frees the pieces.
    let private batchesOf frontEnd framesPerBatch pieces =
        [ for length, group in List.groupBy (fun (length, _, _) -> length) pieces do
              for part in List.chunkBySize (max 1 (framesPerBatch / length)) group do
                  Memory.scoped Batch.tensors (fun () -> stackPieces frontEnd part)

                  for _, mixture, reference in part do
                      mixture.Dispose()
                      reference.Dispose() ]

    /// The pieces of a clip whose music is rotated by each of the offsets. The caller owns the tensors.
    let private rotatedPieces frontEnd (offsets: int list) (sources: unit -> torch.Tensor) =
        Memory.scoped (List.collect (fun (_, mixture, reference) -> [ mixture; reference ])) (fun () ->
            let sources = sources ()

            [ for offset in offsets do
                  let rotated = torch.stack [ Augment.rotate (int64 offset) sources[0L]; sources[1L] ]
                  yield! piecesOf frontEnd rotated ])

    /// The whole training set as the paper sees it: every clip with every rotation of its music, context stacked over the
    /// whole clip, cut into pieces of 100, 50, 25, 10 and 1 frames whose states start at zero. Pieces of equal length from
    /// several clips are run side by side, about `framesPerBatch` frames a batch. The caller owns the tensors. Raises
    /// ArgumentException for no frame in a batch.
    let wholeClips
        (frontEnd: FrontEnd)
        (shiftStep: int option)
        (framesPerBatch: int)
        dtype
        device
        (clips: Clip list)
        : Batch list =
        Numbers.atLeast 1 "A feed of whole clips" (nameof framesPerBatch) framesPerBatch

        [ for clip in clips do
              let stems = usable frontEnd clip
              let offsets = Augment.shifts shiftStep (Stems.length stems)
              yield! rotatedPieces frontEnd offsets (fun () -> unitNormPair dtype device stems) ]
        |> batchesOf frontEnd framesPerBatch

    /// A clip in memory: unit-norm sources, at each speed.
    type private Loaded = { Song: string; Voice: float32[][]; Music: float32[][] }

    let private unitNorm (samples: float32[]) =
        let norm = samples |> Array.sumBy (fun x -> float x * float x) |> sqrt
        samples |> Array.map (fun x -> float32 (float x / norm))

    let private atSpeeds (settings: ExcerptSettings) rate (samples: float32[]) =
        [| for speed in settings.Speeds -> if speed = 1.0 then samples else Augment.playAt speed rate samples |> unitNorm |]

    /// The unit-norm sources of a clip that can be used: music, voice.
    let private sound (frontEnd: FrontEnd) (clip: Clip) =
        Memory.plain (fun () ->
            let sources = usable frontEnd clip |> unitNormPair torch.float32 torch.CPU
            sources[0L].data<float32>().ToArray(), sources[1L].data<float32>().ToArray())

    let private loadClip frontEnd settings (clip: Clip) =
        let music, voice = sound frontEnd clip

        { Song = clip.Song
          Music = atSpeeds settings clip.SampleRate music
          Voice = atSpeeds settings clip.SampleRate voice }

    let private gain range key = float32 (10.0 ** ((2.0 * Key.uniform key - 1.0) * range / 20.0))

    /// Random excerpts of clips that stay in memory: a pure function of key and step. An epoch shows every clip about once,
    /// in a fresh order, from a fresh phase, with freshly rotated music.
    type Excerpts internal (frontEnd: FrontEnd, settings: ExcerptSettings, device: torch.Device, clips: Clip list) =
        let margin = FrontEnd.margin frontEnd
        let stft = frontEnd.Stft
        let loaded = clips |> List.map (loadClip frontEnd settings) |> Array.ofList
        let window = int (stft.Samples(int64 settings.Frames + 2L * margin))

        /// Excerpts that fit a clip; at least one: a short clip is filled up with silence.
        let perClip = loaded |> Array.map (fun clip -> max 1 (int (stft.Frames clip.Voice[0].Length) / settings.Frames))
        let units = perClip |> Array.mapi (fun clip count -> Array.init count (fun index -> clip, index)) |> Array.concat
        let stepsPerEpoch = max 1 (units.Length / settings.Count)

        /// First sample of excerpt `index` of a clip, shifted by a random part of an excerpt.
        let startOf clip index (voice: float32[]) key =
            let span = max 0 (voice.Length - window)
            let phase = (float index + Key.uniform key) / float perClip[clip]
            int (phase * float span)

        let musicFor clip key =
            let own = loaded[clip]

            if Key.uniform (Key.fold 0 key) >= settings.OtherSong then
                own.Music
            else
                let others = loaded |> Array.filter (fun other -> other.Song <> own.Song)

                if others.Length = 0 then
                    own.Music
                else
                    others[Key.integer 0 others.Length (Key.fold 1 key)].Music

        /// First sample of the music beside a voice that starts at `start`.
        let musicStart (music: float32[]) start key =
            match settings.Rotation with
            | Anywhere -> Key.integer 0 music.Length key
            | ShiftStep step ->
                let offsets = Augment.shifts step music.Length
                start + offsets[Key.integer 0 offsets.Length key]

        let fill (target: float32[]) (gains: float32[]) slot (clip, index) key =
            let voiceKey, musicKey, choiceKey = Key.fold 0 key, Key.fold 1 key, Key.fold 2 key
            let speed part = Key.integer 0 settings.Speeds.Length (Key.fold (5 + part) key)
            let musicSpan = Span(target, 2 * slot * window, window)
            let voiceSpan = Span(target, (2 * slot + 1) * window, window)
            let voice = loaded[clip].Voice[speed 0]
            let start = startOf clip index voice voiceKey
            let count = min window (voice.Length - start)
            ReadOnlySpan(voice, start, count).CopyTo voiceSpan
            let music = (musicFor clip choiceKey)[speed 1]
            Augment.copyCircular music (musicStart music start musicKey) (musicSpan.Slice(0, count))

            for part in 0..1 do
                gains[2 * slot + part] <- gain settings.GainRange (Key.fold (3 + part) key)

        let toBatch (samples: float32[]) (gains: float32[]) =
            let raw = torch.tensor(samples).view(int64 settings.Count, 2L, int64 window)
            let sources = (raw * torch.tensor(gains).view(-1L, 2L, 1L)).``to`` device
            let references = (Spectra.magnitude stft sources).permute(2L, 0L, 1L, 3L)
            let mixture = (Spectra.magnitude stft (sources.sum 1L)).transpose(0L, 1L)

            { Mixture = { Magnitude = mixture.contiguous (); Margin = margin; Start = [] }
              References = references.narrow(0L, margin, int64 settings.Frames).contiguous() }

        /// Steps that make an epoch.
        member _.StepsPerEpoch = stepsPerEpoch

        /// The batch of a step. The caller owns its tensors.
        member _.Batch (key: Key) (step: int) : Batch =
            let epoch, place = step / stepsPerEpoch, step % stepsPerEpoch
            let epochKey = Key.fold epoch key
            let order = Key.permutation units.Length (Key.fold 0 epochKey)
            let samples = Array.zeroCreate (settings.Count * 2 * window)
            let gains = Array.zeroCreate (settings.Count * 2)

            for slot in 0 .. settings.Count - 1 do
                let unit = units[order[(place * settings.Count + slot) % order.Length]]
                fill samples gains slot unit (Key.fold (1 + place * settings.Count + slot) epochKey)

            Memory.scoped Batch.tensors (fun () ->
                let batch = toBatch samples gains
                settings.Sequence |> Option.fold (fun batch frames -> Batch.inSequences frames batch) batch)

    let private requireClips (clips: Clip list) =
        if clips.IsEmpty then
            invalidArg (nameof clips) "A feed needs at least one clip, got none."

    /// Loads the clips and makes random excerpts of them. Raises ArgumentException for settings that make no excerpts, and where
    /// there is no clip.
    let excerpts (frontEnd: FrontEnd) (settings: ExcerptSettings) device (clips: Clip list) =
        ExcerptSettings.require settings
        requireClips clips
        Excerpts(frontEnd, settings, device, clips)

    /// One rotation of the music at a time: all clips whole and cut into pieces as in `wholeClips`. Clips stay in memory as
    /// sound. A clip with fewer rotations than the longest one begins again with its first.
    type Rotations
        internal (frontEnd: FrontEnd, shiftStep: int option, framesPerBatch: int, device: torch.Device, clips: Clip list) =
        let loaded =
            [ for clip in clips do
                  let music, voice = sound frontEnd clip
                  music, voice, Augment.shifts shiftStep music.Length |> Array.ofList ]

        let sources (music: float32[]) (voice: float32[]) () =
            torch.stack([ torch.tensor music; torch.tensor voice ]).``to`` device

        /// Rotations of the longest clip.
        member val Count = loaded |> List.map (fun (_, _, offsets) -> offsets.Length) |> List.max

        /// The whole set with rotation `index` (modulo `Count`). The caller owns the tensors.
        member rotations.Batches(index: int) : Batch list =
            let rotation = index % rotations.Count

            [ for music, voice, offsets in loaded do
                  yield! rotatedPieces frontEnd [ offsets[rotation % offsets.Length] ] (sources music voice) ]
            |> batchesOf frontEnd framesPerBatch

    /// Loads the clips and rotates their music by 0, step, 2 step, ... samples, one rotation a mini-batch (Huang et al. 2015,
    /// authors' code). Raises ArgumentException where there is no clip, or no frame in a batch.
    let rotations (frontEnd: FrontEnd) (shiftStep: int option) (framesPerBatch: int) device (clips: Clip list) =
        requireClips clips
        Numbers.atLeast 1 "A feed of rotations" (nameof framesPerBatch) framesPerBatch
        Rotations(frontEnd, shiftStep, framesPerBatch, device, clips)
