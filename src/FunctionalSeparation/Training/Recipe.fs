namespace FunctionalSeparation

open System
open System.Text.Json.Nodes
open FunctionalSeparation.Core

/// The loss that a network is trained with.
type LossKind =
    /// 1/2 of the sum of squares.
    | SquaredError
    /// The mean of squares.
    | MeanSquaredError
    | KullbackLeibler

/// Settings of L-BFGS on mini-batches.
type MiniBatchSettings =
    {
        /// Samples between rotations of the music (or the second speaker); none: one batch, unrotated.
        ShiftStep: int option
        /// How often all rotations are gone through.
        Passes: int
        /// Iterations on each rotation, with a fresh memory.
        Iterations: int
        /// How the gradient is kept small.
        Clipping: Clipping
    }

/// How the training data is walked through.
[<NoComparison>]
type TrainingPlan =
    /// The paper's: all clips with all rotations at every step of L-BFGS.
    | FullBatch of shiftStep: int option * iterations: int
    /// Ours: Adam with a cosine-decayed rate on random excerpts.
    | RandomExcerpts of excerpts: ExcerptSettings * epochs: int * rate: float
    /// L-BFGS with a fresh memory on each rotation of the music (Huang et al. 2015).
    | MiniBatches of MiniBatchSettings

/// Which parameters a run ends with.
type Selection =
    /// The last ones.
    | LastStep
    /// Those with the best voice GNSDR on the development clips, looked at every so many steps (the paper's protocol).
    | BestOnDev of everySteps: int

/// Everything that decides the outcome of a training run, apart from the clips.
[<NoComparison>]
type Recipe =
    {
        /// The network.
        Architecture: Architecture
        /// The loss, without the discriminative term.
        Loss: LossKind
        /// Weight of the discriminative term; 0 = none.
        Gamma: float
        /// How the training data is walked through, and by which optimiser.
        Plan: TrainingPlan
        /// What the network's products are computed in while it trains.
        Precision: Precision
        /// Which parameters the run ends with.
        Selection: Selection
        /// Seed of the start weights and of all draws.
        Seed: int
    }

[<RequireQualifiedAccess>]
module Recipe =

    /// The best setting of Huang et al. (ISMIR 2014), table 3: DRNN-2, discriminative, 400 iterations of L-BFGS on music
    /// rotated by steps of 10 000 samples, chosen on the development clips every 20 iterations.
    let paper: Recipe =
        { Architecture = Architecture.huang2014
          Loss = SquaredError
          Gamma = 0.05
          Plan = FullBatch(Some 10000, 400)
          Precision = Precision.Float32
          Selection = BestOnDev 20
          Seed = 0 }

    /// Semitones, from a fifth down to a fifth up.
    let semitones = [ 0.67; 0.71; 0.75; 0.79; 0.84; 0.89; 0.94; 1.0; 1.06; 1.12; 1.19; 1.26; 1.33; 1.41; 1.5 ]

    /// Ours: the same network in about an hour on one core. Random excerpts, each voice with another song's music, both
    /// at playing speeds around the recorded one, and Adam. Chosen on held-out training singers
    /// (`scripts/huang2014/ablation.fsx`, `heldout.fsx`).
    let desk: Recipe =
        { paper with
            Plan = RandomExcerpts({ ExcerptSettings.ofSize 50 16 with OtherSong = 1.0; Speeds = semitones }, 150, 5e-4)
            Selection = LastStep }

    /// The network and optimiser of `desk` for a few minutes, with plainer excerpts, and inputs scaled so that the first layer
    /// sees numbers near one (what that costs is in the table `ablation`): for the rows of a table.
    let brief: Recipe =
        { desk with
            Architecture = { desk.Architecture with FrontEnd = { desk.Architecture.FrontEnd with InputScale = 30.0 } }
            Plan = RandomExcerpts({ ExcerptSettings.ofSize 50 16 with OtherSong = 0.5 }, 6, 5e-4) }

    /// A small network and a short run, to see that everything works.
    let smoke: Recipe =
        { brief with
            Architecture = { brief.Architecture with Hidden = [ 150; 150 ] }
            Plan = RandomExcerpts({ ExcerptSettings.ofSize 50 8 with OtherSong = 0.5 }, 8, 1e-3) }

    /// The recipe with another recurrence.
    let withRecurrence (recurrence: Recurrence) (recipe: Recipe) : Recipe =
        { recipe with Architecture = { recipe.Architecture with Recurrence = recurrence } }

    /// The recipe with another context window (odd, in frames).
    let withContext (frames: int) (recipe: Recipe) : Recipe =
        let frontEnd = { recipe.Architecture.FrontEnd with Context = frames }
        { recipe with Architecture = { recipe.Architecture with FrontEnd = frontEnd } }

    /// The recipe with another loss, and the mask gradient that goes with it in the authors' code.
    let withLoss (loss: LossKind) (recipe: Recipe) : Recipe =
        let mask =
            match loss, recipe.Architecture.Mask with
            | KullbackLeibler, Absolute -> AbsoluteExact
            | _, mask -> mask

        { recipe with Loss = loss; Architecture = { recipe.Architecture with Mask = mask } }

    /// The recipe with other excerpts; a recipe of whole clips stays as it is.
    let withExcerpts (change: ExcerptSettings -> ExcerptSettings) (recipe: Recipe) : Recipe =
        match recipe.Plan with
        | RandomExcerpts(excerpts, epochs, rate) -> { recipe with Plan = RandomExcerpts(change excerpts, epochs, rate) }
        | FullBatch _
        | MiniBatches _ -> recipe

    /// The recipe with another learning rate; one without a rate stays as it is.
    let withRate (rate: float) (recipe: Recipe) : Recipe =
        match recipe.Plan with
        | RandomExcerpts(excerpts, epochs, _) -> { recipe with Plan = RandomExcerpts(excerpts, epochs, rate) }
        | FullBatch _
        | MiniBatches _ -> recipe

    /// The recipe with another mask layer inside the network.
    let withMask (mask: MaskKind) (recipe: Recipe) : Recipe =
        { recipe with Architecture = { recipe.Architecture with Mask = mask } }

    /// The recipe with another weight of the discriminative term; 0 = none.
    let withGamma (gamma: float) (recipe: Recipe) : Recipe = { recipe with Gamma = gamma }

    /// The recipe with its products in another precision.
    let withPrecision (precision: Precision) (recipe: Recipe) : Recipe = { recipe with Precision = precision }

    /// The parts of a corpus without which a run cannot be made and scored.
    let needs (recipe: Recipe) : Split list =
        match recipe.Selection with
        | LastStep -> [ Split.Train; Split.Test ]
        | BestOnDev _ -> [ Split.Train; Split.Dev; Split.Test ]

    /// The loss function.
    let loss (recipe: Recipe) : Loss =
        match recipe.Loss with
        | SquaredError -> Loss.squaredError
        | MeanSquaredError -> Loss.meanSquaredError
        | KullbackLeibler -> Loss.kullbackLeibler
        |> Loss.discriminative recipe.Gamma

    let private clippingText =
        function
        | NoClipping -> "no clipping"
        | ClipNorm bound -> FormattableString.Invariant $"gradient norm at most {bound}"
        | ClipElements bound -> FormattableString.Invariant $"gradient elements at most {bound}"

    let private planText =
        function
        | FullBatch(shift, iterations) ->
            let shift = shift |> Option.map string |> Option.defaultValue "none"
            $"L-BFGS, {iterations} iterations, shift {shift}"
        | RandomExcerpts(excerpts, epochs, rate) ->
            let speeds =
                match excerpts.Speeds with
                | [ 1.0 ] -> ""
                | speeds -> ", speeds " + (speeds |> List.map string |> String.concat " ")

            let rotation =
                match excerpts.Rotation with
                | Anywhere -> ""
                | ShiftStep None -> ", unshifted"
                | ShiftStep(Some step) -> $", shift step {step}"

            let sequences =
                match excerpts.Sequence with
                | None -> ""
                | Some frames -> $" in sequences of {frames}"

            FormattableString.Invariant
                $"Adam {rate}, {epochs} epochs of {excerpts.Count} x {excerpts.Frames} frames{sequences}, other song {excerpts.OtherSong}, gain {excerpts.GainRange} dB{rotation}{speeds}"
        | MiniBatches plan ->
            let shift = plan.ShiftStep |> Option.map string |> Option.defaultValue "none"

            $"mini-batch L-BFGS, {plan.Passes} passes, {plan.Iterations} iterations a rotation, shift {shift}, {clippingText plan.Clipping}"

    let private precisionText =
        function
        | Precision.Float32 -> ""
        | Precision.Bfloat16 -> ", products in bfloat16"

    /// The recipe as JSON, for provenance and to tell runs apart.
    let toJson (recipe: Recipe) : JsonObject =
        let json = JsonObject()
        json["architecture"] <- ArchitectureJson.write recipe.Architecture

        json["loss"] <-
            JsonValue.Create(
                match recipe.Loss with
                | SquaredError -> "squared error"
                | MeanSquaredError -> "mean squared error"
                | KullbackLeibler -> "generalised KL"
            )

        json["gamma"] <- JsonValue.Create recipe.Gamma
        json["plan"] <- JsonValue.Create(planText recipe.Plan + precisionText recipe.Precision)

        json["selection"] <-
            JsonValue.Create(
                match recipe.Selection with
                | LastStep -> "last step"
                | BestOnDev every -> $"best on the development clips, every {every} steps"
            )

        json["seed"] <- JsonValue.Create recipe.Seed
        json

    /// DRNN-2 + discriminative, in short.
    let title (recipe: Recipe) =
        let loss =
            match recipe.Loss with
            | SquaredError
            | MeanSquaredError -> ""
            | KullbackLeibler -> " KL"

        let discriminative = if recipe.Gamma > 0.0 then " + discrim" else ""
        Architecture.name recipe.Architecture + loss + discriminative
