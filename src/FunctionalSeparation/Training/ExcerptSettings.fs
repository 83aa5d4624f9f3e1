namespace FunctionalSeparation

open System
open TorchSharp
open FunctionalSeparation.Core

/// How the music of an excerpt is moved against its voice.
type Rotation =
    /// To any place.
    | Anywhere
    /// By the offsets of the paper: multiples of a step (samples), or not at all (see `Augment.shifts`).
    | ShiftStep of int option

/// What is done to one source of an excerpt, at random.
[<NoEquality; NoComparison>]
type Effect =
    {
        /// Its name and numbers: part of the identity of a run.
        Words: string
        /// From a rate (Hz), a key and the channels of a source, channels of the same length.
        Apply: int -> Key -> float32[][] -> float32[][]
    }

/// Effects of `Augment` as values.
[<RequireQualifiedAccess>]
module Effect =

    /// <summary>
    /// An effect of one's own on each channel. `words` tell it from others, its numbers included.
    /// </summary>
    /// <example><code lang="fsharp">
    /// let quieter =
    ///     Effect.onChannels "up to 6 dB softer" (fun _ key signal -> Augment.gain (-6.0 * Key.uniform key) signal)
    /// </code></example>
    let onChannels (words: string) (change: int -> Key -> float32[] -> float32[]) : Effect =
        { Words = words; Apply = fun rate key -> Array.map (change rate key) }

    /// The polarity of a source turned, half of the time.
    let polarity: Effect =
        onChannels "polarity" (fun _ key signal -> if Key.uniform key < 0.5 then signal else Augment.invert signal)

    /// A smooth random equalisation of up to ± so many dB (see `Augment.equalise`). Raises ArgumentException for a
    /// range that is negative or not finite.
    let equalise (range: float) : Effect =
        Numbers.notNegative "An equalisation" (nameof range) range
        onChannels (FormattableString.Invariant $"equalised by {range} dB") (Augment.equalise range)

    /// The formants moved by up to so large a factor, up or down, pitch and tempo kept (see `Augment.formants`): a singer of another
    /// size. Raises ArgumentException unless 1 <= most <= 2.
    let formants (most: float) : Effect =
        if not (most >= 1.0 && most <= 2.0) then
            invalidArg (nameof most) $"Formants move by a factor of 1 to 2, got {most}."

        onChannels (FormattableString.Invariant $"formants moved by {most}") (fun rate key ->
            Augment.formants (most ** (2.0 * Key.uniform key - 1.0)) rate)

    /// The pitch moved by up to ± so many semitones, the tempo kept (see `Augment.transpose`). Raises
    /// ArgumentException unless 0 < semitones <= 12.
    let transpose (semitones: float) : Effect =
        if not (semitones > 0.0 && semitones <= 12.0) then
            invalidArg (nameof semitones) $"A source is transposed by up to 12 semitones, got {semitones}."

        onChannels (FormattableString.Invariant $"transposed by {semitones} semitones") (fun rate key ->
            Augment.transpose ((2.0 * Key.uniform key - 1.0) * semitones) rate)

/// How clips become random training excerpts.
[<NoEquality; NoComparison>]
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
        /// Probability that another song's accompaniment is added to that which there is.
        SecondCompany: float
        /// What is done to each source of an excerpt, in this order, each time at random.
        Effects: Effect list
        /// What is done to the last source (the voice) besides, and before.
        LeadEffects: Effect list
    }

/// Settings of excerpts.
[<RequireQualifiedAccess>]
module ExcerptSettings =

    /// <summary>
    /// Excerpts of so many frames, so many a batch, from a voice with the rotated music of its own song, as recorded.
    /// </summary>
    /// <example><code lang="fsharp">
    /// let excerpts =
    ///     { ExcerptSettings.ofSize 64 4 with
    ///         OtherSong = 0.8
    ///         Speeds = [ 0.94; 1.0; 1.06 ]
    ///         Effects = [ Effect.polarity; Effect.equalise 6.0 ] }
    /// </code></example>
    let ofSize (frames: int) (count: int) : ExcerptSettings =
        { Frames = frames
          Count = count
          Sequence = None
          Rotation = Anywhere
          OtherSong = 0.0
          GainRange = 0.0
          Speeds = [ 1.0 ]
          SecondCompany = 0.0
          Effects = []
          LeadEffects = [] }

    /// The settings in words: part of the identity of a run.
    let words (settings: ExcerptSettings) : string =
        let sequences =
            match settings.Sequence with
            | None -> ""
            | Some frames -> $" in sequences of {frames}"

        let rotation =
            match settings.Rotation with
            | Anywhere -> ""
            | ShiftStep None -> ", unshifted"
            | ShiftStep(Some step) -> $", shift step {step}"

        let speeds =
            match settings.Speeds with
            | [ 1.0 ] -> ""
            | speeds -> ", speeds " + (speeds |> List.map string |> String.concat " ")

        let second =
            if settings.SecondCompany = 0.0 then
                ""
            else
                FormattableString.Invariant $", second accompaniment {settings.SecondCompany}"

        let words before (effects: Effect list) = effects |> List.map (fun effect -> before + effect.Words) |> String.concat ""
        let effects = words ", " settings.Effects + words ", lead " settings.LeadEffects

        FormattableString.Invariant
            $"{settings.Count} x {settings.Frames} frames{sequences}, other song {settings.OtherSong}, gain {settings.GainRange} dB{rotation}{speeds}{second}{effects}"

    /// Raises ArgumentException, naming the setting, for numbers that make no excerpts.
    let internal require (settings: ExcerptSettings) : unit =
        let owner = "A feed of excerpts"
        let refuse name (wanted: string) got = invalidArg name $"{owner} needs {name} {wanted}, got {got}."
        Numbers.atLeast 1 owner "Frames" settings.Frames
        Numbers.atLeast 1 owner "Count" settings.Count
        Numbers.notNegative owner "GainRange" settings.GainRange

        for name, probability in [ "OtherSong", settings.OtherSong; "SecondCompany", settings.SecondCompany ] do
            if not (probability >= 0.0 && probability <= 1.0) then
                refuse name "from 0 to 1, a probability" $"{probability}"

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
