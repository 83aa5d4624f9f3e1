namespace FunctionalSeparation.Learning

open System

/// The objective seen along a search direction: the value and the directional derivative at a step length.
[<NoEquality; NoComparison>]
type Probe<'gradient> =
    {
        /// The step length t.
        At: float
        /// The objective at x + t d.
        Value: float
        /// The directional derivative, gradient . d; not finite where the gradient is not.
        Slope: float
        /// The gradient at x + t d, carried along unread.
        Gradient: 'gradient
    }

/// Conditions and limits of the strong Wolfe search.
[<NoEquality; NoComparison>]
type WolfeSettings =
    {
        /// c1: the value must fall by at least c1 * t * slope(0).
        Decrease: float
        /// c2: |slope(t)| must be at most c2 * |slope(0)|.
        Curvature: float
        /// How often the step length is changed before the best one so far is taken.
        MaxTrials: int
        /// A bracket or step that moves no parameter by more than this is not pursued.
        Resolution: float
    }

/// A line search for the strong Wolfe conditions by bracketing and cubic interpolation (Nocedal & Wright 2006, algorithms
/// 3.5 and 3.6), with the safeguards that minFunc 2012 documents. It works on numbers alone: tensors stay with the caller.
[<RequireQualifiedAccess>]
module LineSearch =

    let private legal probe = Double.IsFinite probe.Value && Double.IsFinite probe.Slope

    /// The nearest number to t in [low, high]; low where t is not a number.
    let private confine low high t = if Double.IsNaN t then low else t |> max low |> min high

    /// The minimiser in [low, high] of the cubic through two values and two slopes (Nocedal & Wright 2006, eq. 3.59); the
    /// middle of [low, high] where the cubic has no minimum.
    let internal cubicMinimum (low: float) (high: float) (first: Probe<'g>) (second: Probe<'g>) : float =
        let a, b = if second.At < first.At then second, first else first, second
        let d1 = a.Slope + b.Slope - 3.0 * (a.Value - b.Value) / (a.At - b.At)
        let radicand = d1 * d1 - a.Slope * b.Slope

        if radicand < 0.0 then
            (high + low) / 2.0
        else
            let d2 = sqrt radicand
            b.At - (b.At - a.At) * ((b.Slope + d2 - d1) / (b.Slope - a.Slope + 2.0 * d2)) |> confine low high

    let private lower a b = if b.Value < a.Value || Double.IsNaN a.Value then b else a

    /// How far the value may be at step t and still count as a sufficient decrease.
    let private ceiling settings start t = start.Value + settings.Decrease * t * start.Slope

    let private flat settings start probe = abs probe.Slope <= -settings.Curvature * start.Slope

    /// Shorter and shorter steps until the value falls enough: the way back from a region where the objective is not finite.
    let private backtrack settings reach evaluate start first =
        let shorter probe =
            if not (Double.IsFinite probe.Value) then
                0.5 * probe.At
            elif not (Double.IsFinite probe.Slope) then
                let rise = probe.Value - start.Value - start.Slope * probe.At
                -start.Slope * probe.At * probe.At / (2.0 * rise) |> confine 0.0 probe.At
            else
                cubicMinimum 0.0 probe.At start probe

        let rec go count probe =
            if Double.IsFinite probe.Value && probe.Value <= ceiling settings start probe.At then
                struct (probe, count)
            else
                let next: Probe<_> = shorter probe |> confine (probe.At * 1e-3) (probe.At * 0.6) |> evaluate

                if next.At * reach <= settings.Resolution then
                    struct (start, count + 1)
                else
                    go (count + 1) next

        go 1 (evaluate first)

    [<NoEquality; NoComparison>]
    type private Bracketing<'g> =
        | Found of Probe<'g>
        | Between of Probe<'g> * Probe<'g>
        | Illegal of previous: Probe<'g> * current: Probe<'g>

    /// Longer and longer steps until an interval holds a Wolfe point. Also returns how often the step was lengthened.
    let private bracket settings evaluate start first =
        let rec go trials previous current =
            let tooHigh = current.Value > ceiling settings start current.At

            if trials >= settings.MaxTrials then
                struct (Between(start, current), trials)
            elif not (legal current) then
                struct (Illegal(previous, current), trials)
            elif tooHigh || (trials > 1 && current.Value >= previous.Value) then
                struct (Between(previous, current), trials)
            elif flat settings start current then
                struct (Found current, trials)
            elif current.Slope >= 0.0 then
                struct (Between(previous, current), trials)
            else
                let least = current.At + 0.01 * (current.At - previous.At)
                let next: Probe<_> = cubicMinimum least (current.At * 10.0) previous current |> evaluate
                go (trials + 1) current next

        go 0 start first

    /// The next step length to try inside a bracket. A point within a tenth of the width from an end is moved to that tenth if it
    /// is no inner point, or the second such point in a row. The flag says that the next such point would be the second.
    let private inner hesitant a b =
        let low, high = min a.At b.At, max a.At b.At
        let t = if legal a && legal b then cubicMinimum low high a b else (a.At + b.At) / 2.0
        let tenth = 0.1 * (high - low)

        if not (min (high - t) (t - low) / (high - low) < 0.1) then struct (t, false)
        elif not (hesitant || t >= high || t <= low) then struct (t, true)
        elif abs (t - high) < abs (t - low) then struct (high - tenth, false)
        else struct (low + tenth, false)

    /// Narrows a bracket until a Wolfe point is found, it is too narrow, or the trials are used up; then the better end.
    let private zoom settings reach evaluate start trials first second =
        let rec go trials hesitant a b =
            if trials >= settings.MaxTrials then
                struct (lower a b, trials)
            else
                let low = lower a b
                let high = if obj.ReferenceEquals(low, a) then b else a
                let struct (t, hesitant) = inner hesitant a b
                let probe: Probe<_> = evaluate t
                let replace old = if obj.ReferenceEquals(old, a) then struct (probe, b) else struct (a, probe)
                let better = probe.Value < ceiling settings start t && not (probe.Value >= low.Value)

                if better && flat settings start probe then
                    struct (probe, trials + 1)
                else
                    let struct (a, b) =
                        if not better then
                            replace high
                        elif probe.Slope * (high.At - low.At) >= 0.0 then
                            // The old low end takes the high end's place, the new point that of the low end.
                            if obj.ReferenceEquals(low, a) then struct (probe, low) else struct (low, probe)
                        else
                            replace low

                    if abs (a.At - b.At) * reach < settings.Resolution then
                        struct (lower a b, trials + 1)
                    else
                        go (trials + 1) hesitant a b

        go trials false first second

    /// A step that meets the strong Wolfe conditions, or the best one found, with the number of evaluations it took. `reach` is
    /// the direction's largest absolute element, `start` the probe at 0 (its slope must be negative), `first` the step to try
    /// first. From a step where value or slope is not finite, the search goes back half-way to the last good one and continues by
    /// sufficient decrease alone. Where nothing is left of the step, it returns `start` itself, at step 0.
    let strongWolfe
        (settings: WolfeSettings)
        (evaluate: float -> Probe<'g>)
        (reach: float)
        (start: Probe<'g>)
        (first: float)
        : struct (Probe<'g> * int) =
        let struct (bracketing, trials) = bracket settings evaluate start (evaluate first)
        let used = trials + 1

        match bracketing with
        | Found probe -> struct (probe, used)
        | Between(a, b) ->
            let struct (probe, trials) = zoom settings reach evaluate start trials a b
            struct (probe, trials + 1)
        | Illegal(previous, current) ->
            let struct (probe, more) = backtrack settings reach evaluate start ((current.At + previous.At) / 2.0)
            struct (probe, used + more)
