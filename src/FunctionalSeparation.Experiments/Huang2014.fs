namespace FunctionalSeparation

open FunctionalSeparation.Learning

/// Networks of Huang et al. (ISMIR 2014) and their training at each preset: values that the rows of tables change one by one.
[<RequireQualifiedAccess>]
module Huang2014 =

    /// Playing speeds as factors, a semitone apart, from a fifth down to a fifth up.
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

    /// The excerpts of a preset, its passes over the clips, and its learning rate.
    let private training =
        function
        | Smoke -> { ExcerptSettings.ofSize 25 8 with OtherSong = 0.5 }, 1, 1e-3
        | Brief -> { ExcerptSettings.ofSize 50 16 with OtherSong = 0.5 }, 6, 5e-4
        | preset ->
            let excerpts = { ExcerptSettings.ofSize 50 16 with OtherSong = 1.0; Speeds = semitones }
            excerpts, (if preset = Full then 100 else 150), 5e-4

    /// The learning rate of a preset that trains by Adam.
    let rate (preset: Preset) : float =
        let _, _, rate = training preset
        rate

    /// The paper's training of a network: so many iterations of L-BFGS on whole clips. The music is rotated by steps of `shift`
    /// samples (None: not at all), and the model is chosen on the development clips every 20 iterations. Raises ArgumentException
    /// for a network with contradictory settings.
    let paperRecipe (shift: int option) (iterations: int) (network: Drnn) (loss: Loss) : Recipe =
        let optimiser, sampler = Lbfgs.minFunc iterations, Sampler.wholeClips shift

        { Recipe.create (Drnn.network network) loss optimiser sampler (Steps iterations) with
            Selection = Selection.bestOnDev 20 }

    /// The training of a network by Adam on random excerpts, each voice with the music of its own song or another, where `change`
    /// alters the preset's excerpts. `Full` has its matrix products in bfloat16. The settings were chosen on held-out training
    /// singers (`scripts/huang2014/ablation.fsx`, `heldout.fsx`). The preset `Paper` has the paper's training instead, with 400
    /// iterations and steps of 10 000 samples, and changes nothing. Raises ArgumentException for a network with contradictory
    /// settings.
    let recipeOn (change: ExcerptSettings -> ExcerptSettings) (preset: Preset) (network: Drnn) (loss: Loss) : Recipe =
        if preset = Paper then
            paperRecipe (Some 10000) 400 network loss
        else
            let excerpts, epochs, rate = training preset
            let optimiser, sampler = Optimiser.adam (Schedule.cosine rate), Sampler.excerpts (change excerpts)

            { Recipe.create (Drnn.network network) loss optimiser sampler (Epochs epochs) with
                Precision = (if preset = Full then Precision.Bfloat16 else Precision.Float32) }

    /// `recipeOn` with the preset's own excerpts.
    let recipe (preset: Preset) (network: Drnn) (loss: Loss) : Recipe = recipeOn id preset network loss
