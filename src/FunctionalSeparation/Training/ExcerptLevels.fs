namespace FunctionalSeparation

open System
open FunctionalSeparation.Learning

/// Levels, such as those of songs, at which the sources of excerpts are mixed, whatever the levels of their recordings. Each
/// level is drawn uniformly between two values in dB.
[<NoEquality; NoComparison>]
type ExcerptLevels =
    {
        /// The lead (the last source) relative to the accompaniment.
        Lead: float * float
        /// The accompaniment relative to full scale; where it is absent, the lead.
        Accompaniment: float * float
        /// Probability that the lead is alone.
        LeadAlone: float
        /// Probability that the lead is silent.
        LeadSilent: float
    }

/// Levels of excerpts.
[<RequireQualifiedAccess>]
module ExcerptLevels =

    /// Levels of produced songs. The lead is 15 dB below to 5 dB above the accompaniment, which is at -35 to -15 dB. One excerpt
    /// in twelve has the lead alone, one in eight the accompaniment alone.
    let songs: ExcerptLevels =
        { Lead = -15.0, 5.0; Accompaniment = -35.0, -15.0; LeadAlone = 1.0 / 12.0; LeadSilent = 1.0 / 8.0 }

    /// The identity of the levels.
    let id (levels: ExcerptLevels) : Id =
        Id.create
            "levels"
            [ "lead from", fst levels.Lead
              "lead to", snd levels.Lead
              "accompaniment from", fst levels.Accompaniment
              "accompaniment to", snd levels.Accompaniment
              "lead alone", levels.LeadAlone
              "lead silent", levels.LeadSilent ]
            []

    /// Raises ArgumentException, naming the setting, for numbers that are no levels or probabilities.
    let internal require (levels: ExcerptLevels) : unit =
        for name, (low, high) in [ "Lead", levels.Lead; "Accompaniment", levels.Accompaniment ] do
            if not (Double.IsFinite low && Double.IsFinite high && low <= high) then
                invalidArg name $"Levels of excerpts need a {name} from one finite number of dB to another, got {low} to {high}."

        let both = levels.LeadAlone + levels.LeadSilent

        if not (levels.LeadAlone >= 0.0 && levels.LeadSilent >= 0.0 && both <= 1.0) then
            invalidArg
                "LeadAlone"
                ("Levels of excerpts need probabilities LeadAlone and LeadSilent, "
                 + $"together at most 1, got {levels.LeadAlone} and {levels.LeadSilent}.")

    /// Blocks in which a level is taken, samples: 100 ms at 16 kHz.
    let private block = 1600

    /// Below this root mean square a source is silent.
    let private faintest = 1e-4

    /// The sum of sounds of one shape, [sounds][channels]; one alone as it is.
    let private sum (sounds: Memory<float32> list list) : Memory<float32> list =
        let added (first: Memory<float32>) (second: Memory<float32>) = Memory(Array.map2 (+) (first.ToArray()) (second.ToArray()))

        List.reduce (List.map2 added) sounds

    /// The energy of samples from `start` on, before `until`.
    let private energy (start: int) (until: int) (samples: Memory<float32>) =
        let samples = samples.Span.Slice(start, until - start)
        let mutable energy = 0.0f

        for x in samples do
            energy <- energy + x * x

        float energy

    /// Root mean square of a sound over the blocks in which it is active: within 20 dB of the loudest.
    let private activeLevel (channels: Memory<float32> list) : float =
        let length = channels.Head.Length

        let powerFrom start =
            let until = min length (start + block)
            (channels |> List.sumBy (energy start until)) / float (channels.Length * (until - start))

        let powers = [| for start in 0..block .. length - 1 -> powerFrom start |]
        let loudest = Array.max powers
        powers |> Array.filter (fun power -> power >= 0.01 * loudest) |> Array.average |> sqrt

    /// A factor for each source of an excerpt, [sources][channels], samples in memory; the last source is the lead. Levels are
    /// the root mean square of the active parts: the blocks of 1600 samples within 20 dB of the loudest. A level below 1e-4
    /// counts as silence and is not adjusted. Raises ArgumentException for fewer than two sources.
    let factors (levels: ExcerptLevels) (sources: Memory<float32> list list) (key: Key) : float list =
        if sources.Length < 2 then
            invalidArg (nameof sources) $"Levels are of a lead and what accompanies it, got {sources.Length} source(s)."

        let between (low, high) number = low + (high - low) * Key.uniform (Key.fold number key)
        let accompaniment = between levels.Accompaniment 0
        let lead = accompaniment + between levels.Lead 1
        let draw = Key.uniform (Key.fold 2 key)
        let isAlone = draw < levels.LeadAlone
        let isSilent = not isAlone && draw < levels.LeadAlone + levels.LeadSilent
        let others, last = List.take (sources.Length - 1) sources, List.last sources

        let factor decibels sounds =
            let level = activeLevel (sum sounds)
            if level < faintest then 1.0 else 10.0 ** (decibels / 20.0) / level

        let ofOthers = if isAlone then 0.0 else factor accompaniment others

        let ofLead =
            if isSilent then
                0.0
            else
                factor (if isAlone then accompaniment else lead) [ last ]

        List.replicate others.Length ofOthers @ [ ofLead ]
