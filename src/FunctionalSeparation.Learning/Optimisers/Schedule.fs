namespace FunctionalSeparation.Learning

open System

/// A learning rate over a run.
[<NoEquality; NoComparison>]
type Schedule =
    {
        /// The identity of the schedule.
        Id: Id
        /// The rate, from the number of steps of the run and a step, counted from 0.
        Rate: int -> int -> float
    }

/// Learning-rate schedules.
[<RequireQualifiedAccess>]
module Schedule =

    let private owner = "A schedule"

    /// The same rate at every step. Raises ArgumentException, as all here, for a rate that is negative or not finite.
    let constant (rate: float) : Schedule =
        Numbers.notNegative owner (nameof rate) rate
        { Id = Id.create "constant" [ "rate", rate ] []; Rate = fun _ _ -> rate }

    /// A linear rise over `warmup` steps of a run of `steps` (step 0 already moves), then half a cosine down to 0.
    let private risingCosine (warmup: int -> int) (rate: float) (steps: int) (step: int) =
        let warmup = warmup steps

        if steps <= warmup then
            invalidArg (nameof warmup) $"A warm-up is shorter than its run, got {warmup} of {steps} steps."

        if step < warmup then
            rate * float (step + 1) / float warmup
        else
            let progress = float (step - warmup) / float (steps - warmup) |> min 1.0
            rate * 0.5 * (1.0 + cos (Math.PI * progress))

    /// Half a cosine from `rate` down to 0 at the end of the run (Loshchilov & Hutter 2017, eq. 5, one period). Raises
    /// ArgumentException for a rate that is negative or not finite.
    let cosine (rate: float) : Schedule =
        Numbers.notNegative owner (nameof rate) rate
        { Id = Id.create "cosine" [ "rate", rate ] []; Rate = risingCosine (fun _ -> 0) rate }

    /// A linear rise over `warmup` steps (step 0 already moves), then half a cosine from `rate` down to 0 at the end of the run.
    /// Raises ArgumentException for a warm-up that is negative, and at the first step for one that is not shorter than the run.
    let warmupCosine (warmup: int) (rate: float) : Schedule =
        Numbers.notNegative owner (nameof rate) rate
        Numbers.atLeast 0 owner (nameof warmup) warmup

        { Id = Id.create "warm-up, cosine" [ "warmup", float warmup; "rate", rate ] []
          Rate = risingCosine (fun _ -> warmup) rate }

    /// As `warmupCosine`, with a warm-up of a share of the run's steps. Raises ArgumentException unless 0 <= share < 1.
    let warmupShareCosine (share: float) (rate: float) : Schedule =
        Numbers.notNegative owner (nameof rate) rate
        Numbers.fraction owner (nameof share) share

        { Id = Id.create "warm-up share, cosine" [ "share", share; "rate", rate ] []
          Rate = risingCosine (fun steps -> int (share * float steps)) rate }

    /// `rate`, multiplied by `factor` once for every milestone that the step has reached. Raises ArgumentException for a rate or
    /// factor that is negative or not finite.
    let stepwise (rate: float) (factor: float) (milestones: int list) : Schedule =
        Numbers.notNegative owner (nameof rate) rate
        Numbers.notNegative owner (nameof factor) factor

        { Id = Id.create "stepwise" ([ "rate", rate; "factor", factor ] @ [ for m in milestones -> "milestone", float m ]) []
          Rate = fun _ step -> rate * (factor ** float (milestones |> List.filter (fun m -> step >= m) |> List.length)) }

    /// The rate at `step` of a run of `steps` steps. Raises ArgumentException where the schedule gives a number that is not
    /// finite, which would make all parameters not finite.
    let internal rate (schedule: Schedule) (steps: int) (step: int) : float =
        let rate = schedule.Rate steps step

        if not (Double.IsFinite rate) then
            invalidArg (nameof schedule) $"The learning rate of step {step} (counted from 0) is {rate}: mend the schedule."

        rate
