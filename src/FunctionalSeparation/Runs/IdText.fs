namespace FunctionalSeparation

open System
open System.Globalization
open FunctionalSeparation.Learning

/// Identities as text: the form that version 0.1 wrote into checkpoints, model folders and results. The texts here are a file
/// format and do not change; values that are not listed have the text of `Id.text`.
[<RequireQualifiedAccess>]
module IdText =

    let private number (value: float) = value.ToString("R", CultureInfo.InvariantCulture)

    let private find name (id: Id) = Id.tryNumber name id |> Option.defaultValue nan |> number

    let private part name (id: Id) = id.Parts |> List.tryFind (fun part -> part.Name = name)

    let private clip (id: Id) =
        match id with
        | { Name = "clip norm"; Numbers = [ _, bound ] } -> $"gradient norm at most {number bound}"
        | { Name = "clip elements"; Numbers = [ _, bound ] } -> $"gradient elements at most {number bound}"
        | other -> Id.text other

    /// Adam with its authors' settings.
    let private isAdam (id: Id) = id.Name = "adam" && List.map snd id.Numbers = [ 0.9; 0.999; 1e-8 ]

    let private levels (id: Id) =
        let range name = $"""{name} {find $"{name} from" id} to {find $"{name} to" id} dB"""
        let share name = (Id.tryNumber name id |> Option.defaultValue 0.0).ToString("F3", CultureInfo.InvariantCulture)
        $"""{range "lead"}, {range "accompaniment"}, alone {share "lead alone"}, silent {share "lead silent"}"""

    let rec private excerpts (id: Id) =
        let where name (text: string -> string) = Id.tryNumber name id |> Option.map (number >> text) |> Option.defaultValue ""

        let speeds =
            match
                [ for name, speed in id.Numbers do
                      if name = "speed" then number speed ]
            with
            | [] -> ""
            | speeds -> ", speeds " + String.concat " " speeds

        let effects name before =
            part name id
            |> Option.map (fun part -> part.Parts |> List.map (fun effect -> before + text effect) |> String.concat "")
            |> Option.defaultValue ""

        [ $"""{find "count" id} x {find "frames" id} frames"""
          where "sequence" (fun frames -> $" in sequences of {frames}")
          $""", other song {find "other song" id}, gain {find "gain range" id} dB"""
          where "unshifted" (fun _ -> ", unshifted")
          where "shift step" (fun step -> $", shift step {step}")
          speeds
          where "second accompaniment" (fun probability -> $", second accompaniment {probability}")
          where "second lead" (fun probability -> $", second lead {probability}")
          effects "effects" ", "
          effects "lead effects" ", lead "
          effects "accompaniment effects" ", accompaniment "
          part "levels" id |> Option.map (fun part -> ", " + levels part) |> Option.defaultValue "" ]
        |> String.concat ""

    /// The text of an identity.
    and text (id: Id) : string =
        match id.Name, id.Parts with
        | "excerpts", _ -> excerpts id
        // Optimisers.
        | "descend", [ adam; { Name = "cosine"; Numbers = [ _, rate ] } ] when isAdam adam -> $"Adam {number rate}"
        | "descend",
          [ { Name = "chain"; Parts = [ adam; { Name = "weight decay"; Numbers = [ _, decay ] } ] }
            { Name = "warm-up, cosine"; Numbers = [ _, warmup; _, rate ] } ] when isAdam adam ->
            $"AdamW {number rate}, decay {number decay}, warm-up {number warmup}"
        | "descend", [ transform; schedule ] -> $"{text transform}, {Id.text schedule}"
        | "clipped", [ bound; optimiser ] -> $"{text optimiser}, {clip bound}"
        | "averaged", [ optimiser ] -> $"""{text optimiser}, weights averaged with {find "decay" id}"""
        // Losses.
        | "log error share", [] -> $"""log error share, least {find "least" id}"""
        | "log error share in parts", [] -> $"""log error share in parts of {find "frames" id} frames, least {find "least" id}"""
        | "scale", [ loss ] -> $"""{find "factor" id} x ({text loss})"""
        | "sum", [ first; second ] -> $"{text first} + {text second}"
        | "multi-resolution STFT", [] ->
            let sizes = id.Numbers |> List.map (snd >> number) |> String.concat " "
            $"multi-resolution STFT of {sizes}"
        | "discriminative", [ loss ] -> $"""{text loss}, discriminative {find "gamma" id}"""
        | "permutation-invariant", [ loss ] -> $"{text loss}, permutation-invariant"
        // Mixing.
        | "unit norm", [] -> "each source at unit norm"
        | "gains", [] -> $"""gains of up to {find "range" id} dB"""
        | "then", [ first; second ] -> $"{text first}, {text second}"
        // Effects.
        | "sometimes", [ effect ] -> $"""{text effect} ({find "probability" id})"""
        | "equalise", [] -> $"""equalised by {find "range" id} dB"""
        | "formants", [] -> $"""formants moved by {find "most" id}"""
        | "panned", [] -> $"""panned by {find "most" id}"""
        | "width", [] -> $"""width {find "narrowest" id} to {find "widest" id}"""
        // Selections.
        | "best on dev", [] -> $"""best on the development clips, every {find "every" id} steps"""
        | _ -> Id.text id

    let private shift (sampler: Id) = Id.tryNumber "shift step" sampler |> Option.map number |> Option.defaultValue "none"

    let private lengthText =
        function
        | Steps count -> $"{count} steps"
        | Epochs count -> $"{count} epochs"

    /// The plan of a training: its optimiser, its length and its sampler.
    let plan (optimiser: Id) (length: Length) (sampler: Id) : string =
        /// L-BFGS with the settings of the papers, and so many iterations.
        let isLbfgs iterations (id: Id) = id = Id.create "L-BFGS" [ "maxIterations", iterations ] []

        /// The clipping of L-BFGS that restarts with each rotation.
        let restartedWith (id: Id) =
            match id, Id.tryNumber "steps" sampler with
            | { Name = "restarted"; Numbers = [ _, period ]; Parts = [ inner ] }, Some steps when period = steps ->
                match inner with
                | { Name = "clipped"; Parts = [ bound; lbfgs ] } when isLbfgs steps lbfgs -> Some(clip bound)
                | lbfgs when isLbfgs steps lbfgs -> Some "no clipping"
                | _ -> None
            | _ -> None

        match sampler.Name, length, restartedWith optimiser with
        | "whole clips", Steps count, _ when isLbfgs (float count) optimiser ->
            $"L-BFGS, {count} iterations, shift {shift sampler}"
        | "rotations", Epochs passes, Some clipping ->
            let iterations = find "steps" sampler
            $"mini-batch L-BFGS, {passes} passes, {iterations} iterations a rotation, shift {shift sampler}, {clipping}"
        | _ -> $"{text optimiser}, {lengthText length} of {text sampler}"
