namespace FunctionalSeparation

open System
open FunctionalSeparation.Learning

/// A random change of one source of an excerpt.
[<NoEquality; NoComparison>]
type Effect =
    {
        /// Identity of the effect.
        Id: Id
        /// From a rate (Hz), a key and the channels of a source, channels of the same length.
        Apply: int -> Key -> float32[][] -> float32[][]
    }

/// Effects of `Augment` and `AudioEffects` as values that draw their numbers.
[<RequireQualifiedAccess>]
module Effect =

    /// <summary>
    /// A custom effect on each channel. Its name identifies it, so it must contain the effect's numbers. Raises ArgumentException
    /// for an empty name.
    /// </summary>
    /// <example><code lang="fsharp">
    /// let quieter =
    ///     Effect.onChannels "up to 6 dB softer" (fun _ key signal -> Augment.gain (-6.0 * Key.uniform key) signal)
    /// </code></example>
    let onChannels (name: string) (change: int -> Key -> float32[] -> float32[]) : Effect =
        { Id = Id.named name; Apply = fun rate key -> Array.map (change rate key) }

    /// A custom effect on all channels together, [channels][samples]. Its name identifies it, so it must contain the effect's
    /// numbers. Raises ArgumentException for an empty name.
    let create (name: string) (change: int -> Key -> float32[][] -> float32[][]) : Effect = { Id = Id.named name; Apply = change }

    let private withNumbers numbers (effect: Effect) = { effect with Id = Id.create effect.Id.Name numbers effect.Id.Parts }

    /// An effect that happens with a probability. Raises ArgumentException unless it lies from 0 to 1.
    let sometimes (probability: float) (effect: Effect) : Effect =
        if not (probability >= 0.0 && probability <= 1.0) then
            invalidArg (nameof probability) $"A probability lies from 0 to 1, got {probability}."

        { Id = Id.create "sometimes" [ "probability", probability ] [ effect.Id ]
          Apply =
            fun rate key channels ->
                if Key.uniform (Key.fold 0 key) < probability then
                    effect.Apply rate (Key.fold 1 key) channels
                else
                    channels }

    /// Passes channels through effects one after the other; each draws from a child of the key, numbered from `first` on.
    let internal through (first: int) (effects: Effect list) rate key (channels: float32[][]) : float32[][] =
        let apply channels (index, effect: Effect) = effect.Apply rate (Key.fold (first + index) key) channels
        List.indexed effects |> List.fold apply channels

    /// Effects one after the other, each with draws of its own.
    let chain (effects: Effect list) : Effect =
        { Id = Id.create "chain" [] [ for effect in effects -> effect.Id ]; Apply = through 0 effects }

    /// Inverts the polarity of a source with probability 0.5.
    let polarity: Effect =
        onChannels "polarity" (fun _ key signal -> if Key.uniform key < 0.5 then signal else Augment.invert signal)

    /// A smooth random equalisation of up to ±`range` dB (see `Augment.equalise`). Raises ArgumentException for a range that is
    /// negative or not finite.
    let equalise (range: float) : Effect =
        Numbers.notNegative "An equalisation" (nameof range) range
        onChannels "equalise" (Augment.equalise range) |> withNumbers [ "range", range ]

    /// Formants moved up or down by a factor of up to `most`, as of a singer of another size. Pitch and tempo are kept (see
    /// `Augment.formants`). Raises ArgumentException unless 1 <= most <= 2.
    let formants (most: float) : Effect =
        if not (most >= 1.0 && most <= 2.0) then
            invalidArg (nameof most) $"Formants move by a factor of 1 to 2, got {most}."

        onChannels "formants" (fun rate key -> Augment.formants (most ** (2.0 * Key.uniform key - 1.0)) rate)
        |> withNumbers [ "most", most ]

    let private between low high number key = low + (high - low) * Key.uniform (Key.fold number key)

    /// The same on a logarithmic scale.
    let private betweenLogs low high number key = low * (high / low) ** Key.uniform (Key.fold number key)

    /// Doubled at -12 to 0 dB (see `AudioEffects.doubled`).
    let doubled: Effect =
        create "doubled" (fun rate key -> AudioEffects.doubled (between -12.0 0.0 0 key) rate (Key.fold 1 key))

    let private intervals = [| -12.0; -5.0; 3.0; 4.0; 5.0; 7.0; 12.0 |]

    /// A harmony at a third, fourth, fifth or octave, at -12 to -2 dB (see `AudioEffects.harmony`).
    let harmony: Effect =
        create "harmony" (fun rate key ->
            let semitones = intervals[Key.integer 0 intervals.Length (Key.fold 0 key)]
            AudioEffects.harmony semitones (between -12.0 -2.0 1 key) (between -1.0 1.0 2 key) rate)

    /// Echoes 80 to 600 ms apart, the first at -18 to -4 dB (see `AudioEffects.echo`).
    let echo: Effect =
        create "echo" (fun rate key ->
            AudioEffects.echo (betweenLogs 0.08 0.6 0 key) (between 0.2 0.7 1 key) (between -18.0 -4.0 2 key) rate)

    /// A room of 0.2 to 3 s, up to 60 ms late, at -18 to 0 dB (see `AudioEffects.room`).
    let room: Effect =
        create "room" (fun rate key ->
            AudioEffects.room
                (betweenLogs 0.2 3.0 0 key)
                (between 0.0 0.06 1 key)
                (betweenLogs 1500.0 7000.0 2 key)
                (between -18.0 0.0 3 key)
                rate
                (Key.fold 4 key))

    /// Compressed 2 to 8 times above -10 to 0 dB of the mean level (see `AudioEffects.compress`).
    let compressed: Effect =
        create "compressed" (fun rate key -> AudioEffects.compress (between -10.0 0.0 0 key) (betweenLogs 2.0 8.0 1 key) rate)

    /// Saturated, up to 18 dB above where the mean level begins to bend (see `AudioEffects.saturate`).
    let saturated: Effect = create "saturated" (fun _ key -> AudioEffects.saturate (between 0.0 18.0 0 key))

    /// Band-passed, from a lower edge of 150 to 600 Hz to an upper edge of 2 to 6 kHz (see `AudioEffects.bandPass`).
    let bandPassed: Effect =
        create "band-passed" (fun rate key ->
            AudioEffects.bandPass (betweenLogs 150.0 600.0 0 key) (betweenLogs 2000.0 6000.0 1 key) rate)

    /// Slices of 50 to 250 ms repeated (see `AudioEffects.stutter`).
    let stutter: Effect =
        create "stutter" (fun rate key -> AudioEffects.stutter (betweenLogs 0.05 0.25 0 key) rate (Key.fold 1 key))

    /// Constant pitch of 80 to 320 Hz (see `AudioEffects.robotise`).
    let robotised: Effect =
        create "robotised" (fun rate key -> AudioEffects.robotise (betweenLogs 80.0 320.0 0 key) rate)

    /// Intervals in semitones above the lowest note of a vocoder.
    let private chords =
        [| [| 0.0 |]
           [| 0.0; 12.0 |]
           [| 0.0; 7.0 |]
           [| 0.0; 3.0; 7.0 |]
           [| 0.0; 4.0; 7.0 |]
           [| 0.0; 4.0; 7.0; 12.0 |] |]

    /// Notes of 0.15 to 1 s, each up to five semitones from the last, as chords.
    let private melody (rate: int) length key =
        let chord = chords[Key.integer 0 chords.Length (Key.fold 0 key)]
        let hop = int (betweenLogs 0.15 1.0 1 key * float rate)
        let lowest = betweenLogs 90.0 350.0 2 key

        let next semitones number =
            let moved = semitones + float (Key.integer -5 6 (Key.fold (10 + number) key))
            if abs moved > 9.0 then semitones else moved

        let steps = [| 0 .. length / hop |] |> Array.scan next 0.0
        steps |> Array.map (fun step -> [| for interval in chord -> lowest * 2.0 ** ((step + interval) / 12.0) |]), hop

    /// Vocoded with sawtooth chords of 90 to 350 Hz, the sound itself at -30 to 0 dB below (see `AudioEffects.vocode`).
    let vocoded: Effect =
        create "vocoded" (fun rate key channels ->
            let notes, hop = melody rate channels[0].Length (Key.fold 0 key)
            let dry = float32 (10.0 ** (between -30.0 0.0 1 key / 20.0))
            let wet = AudioEffects.vocode notes hop rate (Key.fold 2 key) channels
            Array.map2 (Array.map2 (fun sound vocoded -> dry * sound + vocoded)) channels wet)

    /// Tuned to the nearest semitones (see `AudioEffects.tuned`).
    let tuned: Effect = create "tuned" (fun rate _ -> AudioEffects.tuned rate)

    /// Moved up to `most` to one side, 1 being all of the way (see `AudioEffects.pan`). Raises ArgumentException unless
    /// 0 < most <= 1.
    let panned (most: float) : Effect =
        if not (most > 0.0 && most <= 1.0) then
            invalidArg (nameof most) $"A place lies up to 1 to one side, got {most}."

        create "panned" (fun _ key -> AudioEffects.pan (between -most most 0 key)) |> withNumbers [ "most", most ]

    /// The difference of two channels times a factor from `narrowest` (0: mono) to `widest` (see `AudioEffects.width`). Raises
    /// ArgumentException unless 0 <= narrowest <= widest <= 4.
    let width (narrowest: float) (widest: float) : Effect =
        if not (0.0 <= narrowest && narrowest <= widest && widest <= 4.0) then
            invalidArg (nameof widest) $"A width goes from 0 to 4, got {narrowest} to {widest}."

        create "width" (fun _ key -> AudioEffects.width (between narrowest widest 0 key))
        |> withNumbers [ "narrowest", narrowest; "widest", widest ]
