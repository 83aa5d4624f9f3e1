namespace FunctionalSeparation

open System
open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// How the music of an excerpt is moved against its voice.
type Rotation =
    /// To any place.
    | Anywhere
    /// By the offsets of the paper: multiples of a step (samples), or not at all (see `Augment.shifts`).
    | ShiftStep of int option

/// How clips become random training excerpts.
[<NoEquality; NoComparison>]
type ExcerptSettings =
    {
        /// Frames of an excerpt.
        Frames: int
        /// Excerpts of a batch.
        Count: int
        /// Each excerpt is cut into sequences of this number of frames, for recurrent layers that forget after that time. The
        /// number must divide `Frames`. None: one sequence for each excerpt.
        Sequence: int option
        /// How the music is moved against the voice.
        Rotation: Rotation
        /// Probability that a voice is mixed with the music of another song instead of its own.
        OtherSong: float
        /// Range in dB of the random gain of each source: from minus to plus this value.
        GainRange: float
        /// Playback speeds, of which one is drawn for each source of an excerpt. A speed of 1.1 is a tenth faster and higher in
        /// pitch, so one singer sounds like several. [ 1.0 ]: as recorded.
        Speeds: float list
        /// Probability that another song's accompaniment is added to the excerpt's own.
        SecondAccompaniment: float
        /// Random effects on each source of an excerpt, applied in this order.
        Effects: Effect list
        /// Probability that another song's last source (a second voice) is added to the excerpt's own.
        SecondLead: float
        /// Further random effects on the last source (the voice), applied before `Effects`.
        LeadEffects: Effect list
        /// Further random effects on the other sources, applied before `Effects`.
        AccompanimentEffects: Effect list
        /// Levels at which sources are mixed; None: as the mixing of the corpus has it. `GainRange` comes on top.
        Levels: ExcerptLevels option
    }

/// Settings of excerpts.
[<RequireQualifiedAccess>]
module ExcerptSettings =

    /// <summary>
    /// Excerpts of `frames` frames, `count` in each batch. Each has a voice and the rotated music of its own song, as recorded.
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
          SecondAccompaniment = 0.0
          Effects = []
          SecondLead = 0.0
          LeadEffects = []
          AccompanimentEffects = []
          Levels = None }

    /// The identity of the settings. Fields with the values of `ofSize` are left out.
    let id (settings: ExcerptSettings) : Id =
        let count name (number: int) = name, float number
        let unless ordinary name (number: float) = if number = ordinary then [] else [ name, number ]

        let rotation =
            match settings.Rotation with
            | Anywhere -> []
            | ShiftStep None -> [ "unshifted", 1.0 ]
            | ShiftStep(Some step) -> [ count "shift step" step ]

        let speeds =
            if settings.Speeds = [ 1.0 ] then
                []
            else
                [ for speed in settings.Speeds -> "speed", speed ]

        let effects name (effects: Effect list) =
            if effects.IsEmpty then
                []
            else
                [ Id.create name [] [ for effect in effects -> effect.Id ] ]

        Id.create
            "excerpts"
            ([ count "count" settings.Count; count "frames" settings.Frames ]
             @ [ for frames in Option.toList settings.Sequence -> count "sequence" frames ]
             @ [ "other song", settings.OtherSong; "gain range", settings.GainRange ]
             @ rotation
             @ speeds
             @ unless 0.0 "second accompaniment" settings.SecondAccompaniment
             @ unless 0.0 "second lead" settings.SecondLead)
            (effects "effects" settings.Effects
             @ effects "lead effects" settings.LeadEffects
             @ effects "accompaniment effects" settings.AccompanimentEffects
             @ [ for levels in Option.toList settings.Levels -> ExcerptLevels.id levels ])

    /// Raises ArgumentException, naming the setting, for numbers that make no excerpts.
    let internal require (settings: ExcerptSettings) : unit =
        let owner = "A feed of excerpts"
        let refuse name (wanted: string) got = invalidArg name $"{owner} needs {name} {wanted}, got {got}."
        Numbers.atLeast 1 owner "Frames" settings.Frames
        Numbers.atLeast 1 owner "Count" settings.Count
        Numbers.notNegative owner "GainRange" settings.GainRange

        for name, probability in
            [ "OtherSong", settings.OtherSong
              "SecondAccompaniment", settings.SecondAccompaniment
              "SecondLead", settings.SecondLead ] do
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

        Option.iter ExcerptLevels.require settings.Levels

    /// The factor of a random gain of a source.
    let internal gain (settings: ExcerptSettings) key : float32 =
        float32 (10.0 ** ((2.0 * Key.uniform key - 1.0) * settings.GainRange / 20.0))

    /// Passes the sources of an excerpt, [sources][channels], the lead last, through their effects.
    let internal applyEffects (settings: ExcerptSettings) rate (sources: System.Memory<float32> list list) key : unit =
        let lead = sources.Length - 1

        for source, channels in List.indexed sources do
            // A source's own effects have keys far from those of the effects of all.
            let first, own =
                if source = lead then
                    100, settings.LeadEffects
                else
                    200, settings.AccompanimentEffects

            if not (own.IsEmpty && settings.Effects.IsEmpty) then
                let key = Key.fold source key
                let sound = [| for channel in channels -> channel.ToArray() |]
                let changed = sound |> Effect.through first own rate key |> Effect.through 0 settings.Effects rate key

                for channel, changed in Seq.zip channels changed do
                    changed.AsSpan().CopyTo channel.Span
