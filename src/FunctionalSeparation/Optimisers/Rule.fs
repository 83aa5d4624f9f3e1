namespace FunctionalSeparation

open System

/// An optimiser for a run of so many steps, and the words that tell it from others.
[<NoEquality; NoComparison>]
type Rule =
    {
        /// Its name and numbers: part of the identity of a run.
        Words: string
        /// The optimiser of a run of so many steps.
        Optimiser: int -> Optimiser
        /// Its learning rate in such a run, where it has one.
        Rate: int -> Schedule option
    }

/// Optimisers as values that carry their words.
[<RequireQualifiedAccess>]
module Rule =

    let private requireWords (words: string) =
        if String.IsNullOrWhiteSpace words then
            invalidArg (nameof words) "A rule needs words that tell it from others, its numbers included."

    /// <summary>
    /// A rule of one's own: a transform of gradients at a rate that may depend on the number of steps of the run. `words` tell it
    /// from others, its numbers included. Raises ArgumentException where there are none.
    /// </summary>
    /// <example><code lang="fsharp">
    /// let heavyBall = Optim.momentum 0.9 |> Rule.descend "heavy ball 0.9, rate 0.01" (Rule.cosine 0.01)
    /// let careful = heavyBall |> Rule.clipped 5.0 |> Rule.averaged 0.999
    /// </code></example>
    let descend (words: string) (rate: int -> Schedule) (transform: Transform) : Rule =
        requireWords words

        { Words = words
          Optimiser = fun steps -> Optim.descend (rate steps) transform
          Rate = rate >> Some }

    /// A rule of one's own from an optimiser without a learning rate. Raises ArgumentException for words that are empty.
    let ofOptimiser (words: string) (optimiser: Optimiser) : Rule =
        requireWords words
        { Words = words; Optimiser = (fun _ -> optimiser); Rate = fun _ -> None }

    /// A rate that falls along half a cosine to 0 at the end of the run.
    let cosine (rate: float) : int -> Schedule = fun steps -> Schedule.cosine rate steps 0

    /// A rate that rises over so many steps and then falls along half a cosine to 0 at the end of the run.
    let warmCosine (warmup: int) (rate: float) : int -> Schedule = fun steps -> Schedule.cosine rate steps warmup

    /// Adam with a rate that falls along half a cosine to 0 at the end of the run.
    let adam (rate: float) : Rule =
        descend (FormattableString.Invariant $"Adam {rate}") (cosine rate) (Optim.adamDirection 0.9 0.999 1e-8)

    /// Adam with decoupled weight decay, after so many steps of warming up, along a cosine to 0 at the end of the run.
    let adamW (decay: float) (warmup: int) (rate: float) : Rule =
        descend
            (FormattableString.Invariant $"AdamW {rate}, decay {decay}, warm-up {warmup}")
            (warmCosine warmup rate)
            (Optim.chain [ Optim.adamDirection 0.9 0.999 1e-8; Optim.weightDecay decay ])

    /// The rule with gradients shortened to this Euclidean norm where they are longer.
    let clipped (maxNorm: float) (rule: Rule) : Rule =
        { rule with
            Words = FormattableString.Invariant $"{rule.Words}, gradient norm at most {maxNorm}"
            Optimiser = rule.Optimiser >> MiniBatch.clipped (ClipNorm maxNorm) }

    /// The rule, whose answer is an exponential moving average of the parameters (see `Optim.averaged`).
    let averaged (decay: float) (rule: Rule) : Rule =
        { rule with
            Words = FormattableString.Invariant $"{rule.Words}, weights averaged with {decay}"
            Optimiser = rule.Optimiser >> Optim.averaged decay }
