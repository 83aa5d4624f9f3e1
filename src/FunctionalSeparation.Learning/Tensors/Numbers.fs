namespace FunctionalSeparation.Learning

open System

/// Checks of numeric settings. A failed check raises an ArgumentException that names the owner, the setting and its value.
[<RequireQualifiedAccess>]
module internal Numbers =

    /// A count of at least `least`.
    let atLeast (least: int) (owner: string) (name: string) (value: int) : unit =
        if value < least then
            invalidArg name $"{owner} needs {name} of at least {least}, got {value}."

    /// A finite number above 0.
    let positive (owner: string) (name: string) (value: float) : unit =
        if not (value > 0.0 && Double.IsFinite value) then
            invalidArg name $"{owner} needs a positive, finite {name}, got {value}."

    /// A finite number of at least 0.
    let notNegative (owner: string) (name: string) (value: float) : unit =
        if not (value >= 0.0 && Double.IsFinite value) then
            invalidArg name $"{owner} needs a finite {name} of at least 0, got {value}."

    /// A number in [0, 1).
    let fraction (owner: string) (name: string) (value: float) : unit =
        if not (value >= 0.0 && value < 1.0) then
            invalidArg name $"{owner} needs {name} in [0, 1), got {value}."
