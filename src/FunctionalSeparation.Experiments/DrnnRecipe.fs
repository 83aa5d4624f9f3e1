namespace FunctionalSeparation

open FunctionalSeparation.Learning

/// Settings of L-BFGS on mini-batches.
[<NoEquality; NoComparison>]
type MiniBatchSettings =
    {
        /// Samples between rotations of the music (or the second speaker); none: one batch, unrotated.
        ShiftStep: int option
        /// Number of passes over all rotations.
        Passes: int
        /// Iterations on each rotation, with a fresh memory.
        Iterations: int
        /// The gradient clipping, if any.
        Clipping: Transform option
    }

/// How training passes over the data: full batches, random excerpts or mini-batches.
[<NoEquality; NoComparison>]
type TrainingPlan =
    /// The paper's: all clips with all rotations at every step of L-BFGS.
    | FullBatch of shiftStep: int option * iterations: int
    /// Ours: Adam with a cosine-decayed rate on random excerpts.
    | RandomExcerpts of excerpts: ExcerptSettings * epochs: int * rate: float
    /// L-BFGS with a fresh memory on each rotation of the music (Huang et al. 2015).
    | MiniBatches of MiniBatchSettings

/// A recipe for the networks of the papers, as data that rows of tables change one by one.
[<NoEquality; NoComparison>]
type DrnnRecipe =
    {
        Network: Drnn
        /// The loss, without the discriminative term.
        Loss: Loss
        /// Weight of the discriminative term; 0 = none.
        Gamma: float
        /// How training passes over the data, and with which optimiser.
        Plan: TrainingPlan
        /// Precision of the network's matrix products during training.
        Precision: Precision
        /// Which parameters the run ends with.
        Selection: Selection
        /// Seed of the start weights and of all draws.
        Seed: int
    }

[<RequireQualifiedAccess>]
module DrnnRecipe =

    /// The best setting of Huang et al. (ISMIR 2014), table 3: DRNN-2, discriminative, 400 iterations of L-BFGS on music
    /// rotated by steps of 10 000 samples, chosen on the development clips every 20 iterations.
    let paper: DrnnRecipe =
        { Network = Drnn.huang2014
          Loss = Loss.squaredError
          Gamma = 0.05
          Plan = FullBatch(Some 10000, 400)
          Precision = Precision.Float32
          Selection = Selection.bestOnDev 20
          Seed = 0 }

    /// Semitones, from a fifth down to a fifth up.
    let semitones = [ 0.67; 0.71; 0.75; 0.79; 0.84; 0.89; 0.94; 1.0; 1.06; 1.12; 1.19; 1.26; 1.33; 1.41; 1.5 ]

    let private excerptsFor epochs =
        RandomExcerpts({ ExcerptSettings.ofSize 50 16 with OtherSong = 1.0; Speeds = semitones }, epochs, 5e-4)

    /// Ours: the same network in about an hour on one core. Random excerpts, each voice with another song's music, both
    /// at playing speeds around the recorded one, and Adam. Chosen on held-out training singers
    /// (`scripts/huang2014/ablation.fsx`, `heldout.fsx`).
    let desk: DrnnRecipe = { paper with Plan = excerptsFor 150; Selection = Selection.lastStep }

    /// The network and optimiser of `desk` for a few minutes, for the rows of a table. Excerpts are plainer, and inputs are
    /// scaled so that the first layer receives values near one. The table `ablation` has the cost of that.
    let brief: DrnnRecipe =
        { desk with
            Network = { desk.Network with InputScale = 30.0 }
            Plan = RandomExcerpts({ ExcerptSettings.ofSize 50 16 with OtherSong = 0.5 }, 6, 5e-4) }

    /// `desk` in bfloat16, a third as long as our best training. It is for the rows of a table that are compared after they have
    /// learnt.
    let full: DrnnRecipe = { desk with Plan = excerptsFor 100; Precision = Precision.Bfloat16 }

    /// A small network and a short run, to see that everything works.
    let smoke: DrnnRecipe =
        { brief with
            Network = { brief.Network with Hidden = [ 150; 150 ] }
            Plan = RandomExcerpts({ ExcerptSettings.ofSize 50 8 with OtherSong = 0.5 }, 8, 1e-3) }

    /// The recipe of a preset: DRNN-2 + discrim.
    let ofPreset (preset: Preset) : DrnnRecipe =
        match preset with
        | Smoke -> smoke
        | Brief -> brief
        | Full -> full
        | Desk -> desk
        | Paper -> paper

    /// The recipe that a network's row starts from: the preset's DRNN-2 + discrim. Smoke has a smaller and shorter one, with
    /// three layers, so that a whole table takes less than a minute.
    let forTables (preset: Preset) : DrnnRecipe =
        match preset with
        | Smoke ->
            { smoke with
                Network = { smoke.Network with Hidden = [ 40; 40; 40 ] }
                Plan = RandomExcerpts({ ExcerptSettings.ofSize 25 8 with OtherSong = 0.5 }, 1, 1e-3) }
        | _ -> ofPreset preset

    /// The recipe with another recurrence.
    let withRecurrence (recurrence: Recurrence) (recipe: DrnnRecipe) : DrnnRecipe =
        { recipe with Network = { recipe.Network with Recurrence = recurrence } }

    /// The recipe with another context window (odd, in frames).
    let withContext (frames: int) (recipe: DrnnRecipe) : DrnnRecipe =
        { recipe with Network = { recipe.Network with Context = frames } }

    /// The recipe with another loss, and the mask gradient that goes with it in the authors' code.
    let withLoss (loss: Loss) (recipe: DrnnRecipe) : DrnnRecipe =
        let isExact = loss.Id = Loss.kullbackLeibler.Id && recipe.Network.Mask = Absolute
        let network = if isExact then { recipe.Network with Mask = AbsoluteExact } else recipe.Network
        { recipe with Loss = loss; Network = network }

    /// The recipe with other excerpts; a recipe of whole clips stays as it is.
    let withExcerpts (change: ExcerptSettings -> ExcerptSettings) (recipe: DrnnRecipe) : DrnnRecipe =
        match recipe.Plan with
        | RandomExcerpts(excerpts, epochs, rate) -> { recipe with Plan = RandomExcerpts(change excerpts, epochs, rate) }
        | FullBatch _
        | MiniBatches _ -> recipe

    /// The recipe with another learning rate; one without a rate stays as it is.
    let withRate (rate: float) (recipe: DrnnRecipe) : DrnnRecipe =
        match recipe.Plan with
        | RandomExcerpts(excerpts, epochs, _) -> { recipe with Plan = RandomExcerpts(excerpts, epochs, rate) }
        | FullBatch _
        | MiniBatches _ -> recipe

    /// The recipe with another mask layer inside the network.
    let withMask (mask: MaskKind) (recipe: DrnnRecipe) : DrnnRecipe =
        { recipe with Network = { recipe.Network with Mask = mask } }

    /// The recipe with another weight of the discriminative term; 0 = none.
    let withGamma (gamma: float) (recipe: DrnnRecipe) : DrnnRecipe = { recipe with Gamma = gamma }

    /// The recipe with its products in another precision.
    let withPrecision (precision: Precision) (recipe: DrnnRecipe) : DrnnRecipe = { recipe with Precision = precision }

    /// The optimiser, the sampler and the length of a plan.
    let private parts =
        function
        | FullBatch(shift, iterations) -> Lbfgs.minFunc iterations, Sampler.wholeClips shift, Steps iterations
        | RandomExcerpts(excerpts, epochs, rate) ->
            Optimiser.adam (Schedule.cosine rate), Sampler.excerpts excerpts, Epochs epochs
        | MiniBatches plan ->
            let clip = plan.Clipping |> Option.map Optimiser.clipped |> Option.defaultValue id

            Lbfgs.minFunc plan.Iterations |> clip |> Optimiser.restarted plan.Iterations,
            Sampler.rotations plan.ShiftStep plan.Iterations,
            Epochs plan.Passes

    /// The recipe as a `Recipe`. Raises ArgumentException for a network with contradictory settings.
    let toRecipe (recipe: DrnnRecipe) : Recipe =
        let optimiser, sampler, length = parts recipe.Plan
        let loss = recipe.Loss |> Loss.discriminative recipe.Gamma

        { Recipe.create (Drnn.network recipe.Network) loss optimiser sampler length with
            Precision = recipe.Precision
            Selection = recipe.Selection
            Seed = recipe.Seed }
