namespace FunctionalSeparation

open FunctionalSeparation.Learning

/// Networks of Huang et al. (ISMIR 2014) and their training at each preset: values that the rows of tables change one by one.
[<RequireQualifiedAccess>]
module Huang2014 =

    /// Playing speeds in semitones, from a fifth down to a fifth up.
    let semitones = [ 0.67; 0.71; 0.75; 0.79; 0.84; 0.89; 0.94; 1.0; 1.06; 1.12; 1.19; 1.26; 1.33; 1.41; 1.5 ]

    /// The loss of the paper's best setting (table 3): squared error with a discriminative term of weight 0.05.
    let loss: Loss = Loss.squaredError |> Loss.discriminative 0.05

    /// The paper's best network, DRNN-2. Short presets scale its inputs, so that the first layer receives values near one: the
    /// table `ablation` has the cost of that. Smoke has a small network with three layers, so that a whole table takes less than
    /// a minute.
    let network (preset: Preset) : Drnn =
        match preset with
        | Smoke -> { Drnn.huang2014 with InputScale = 30.0; Hidden = [ 40; 40; 40 ] }
        | Brief -> { Drnn.huang2014 with InputScale = 30.0 }
        | Full
        | Desk
        | Paper -> Drnn.huang2014

    let private excerpts =
        function
        | Smoke -> { ExcerptSettings.ofSize 25 8 with OtherSong = 0.5 }
        | Brief -> { ExcerptSettings.ofSize 50 16 with OtherSong = 0.5 }
        | Full
        | Desk
        | Paper -> { ExcerptSettings.ofSize 50 16 with OtherSong = 1.0; Speeds = semitones }

    let private epochs =
        function
        | Smoke -> 1
        | Brief -> 6
        | Full -> 100
        | Desk
        | Paper -> 150

    /// The learning rate of the presets that train by Adam.
    let rate (preset: Preset) : float = if preset = Smoke then 1e-3 else 5e-4

    /// The training of a network by Adam on random excerpts, each voice with the music of its own song or another, where `change`
    /// alters the preset's excerpts. Chosen on held-out training singers (`scripts/huang2014/ablation.fsx`, `heldout.fsx`). The
    /// preset `Paper` has the paper's training instead, and changes nothing: 400 iterations of L-BFGS on whole clips with the
    /// music rotated by steps of 10 000 samples, and the model chosen on the development clips every 20 iterations. Raises
    /// ArgumentException for a network with contradictory settings.
    let recipeOn (change: ExcerptSettings -> ExcerptSettings) (preset: Preset) (network: Drnn) (loss: Loss) : Recipe =
        let recipe = Recipe.create (Drnn.network network) loss

        match preset with
        | Paper ->
            { recipe (Lbfgs.minFunc 400) (Sampler.wholeClips (Some 10000)) (Steps 400) with
                Selection = Selection.bestOnDev 20 }
        | _ ->
            let sampler = Sampler.excerpts (change (excerpts preset))
            let precision = if preset = Full then Precision.Bfloat16 else Precision.Float32

            { recipe (Optimiser.adam (Schedule.cosine (rate preset))) sampler (Epochs(epochs preset)) with
                Precision = precision }

    /// `recipeOn` the preset's excerpts as they are.
    let recipe (preset: Preset) (network: Drnn) (loss: Loss) : Recipe = recipeOn id preset network loss
