namespace FunctionalSeparation

open System
open System.Runtime.InteropServices
open System.Security.Cryptography
open System.Text.Json.Nodes
open TorchSharp
open FunctionalSeparation.Core

/// Which parameters a run ends with.
[<NoEquality; NoComparison>]
type Selection =
    {
        /// Part of the identity of a run.
        Words: string
        /// Steps between two evaluations on the development clips. None: no evaluation; the run keeps the last parameters.
        Every: int option
        /// Score of a model on the development clips. The run keeps the model with the highest score, the earliest in a tie.
        /// Raises InputException where no clip has a score.
        Judge: Mixing -> torch.Device -> Clip list -> TrainedModel -> float
    }

/// Usual ways to choose the parameters that a run ends with.
[<RequireQualifiedAccess>]
module Selection =

    /// The last ones.
    let lastStep: Selection = { Words = "last step"; Every = None; Judge = fun _ _ _ _ -> nan }

    /// GNSDR of the network's last source (the papers' voice) on the clips, with the soft mask.
    let private gnsdr (mixing: Mixing) (device: torch.Device) (clips: Clip list) (trained: TrainedModel) : float =
        let separator = Separation.separator trained Soft
        let rows = Evaluate.clips { Mixing = mixing; Pairing = ByBestSir } torch.float32 device ignore separator clips
        let summary = Evaluate.summary (List.last separator.Sources) rows

        if summary.Clips = 0 then
            let names = String.concat ", " (List.truncate 3 summary.Unscored)

            raise (
                InputException
                    $"{names}: no development clip has a score (a silent source, or an estimate without sound), so no model can be chosen on them."
            )

        summary.Gnsdr

    /// Those with the best GNSDR of the last source on the development clips, looked at every so many steps (the protocol of Huang et
    /// al. 2014). Raises ArgumentException for a number below 1.
    let bestOnDev (everySteps: int) : Selection =
        Numbers.atLeast 1 "A selection" (nameof everySteps) everySteps

        { Words = $"best on the development clips, every {everySteps} steps"; Every = Some everySteps; Judge = gnsdr }

/// Everything that decides the outcome of a training run, apart from the clips. Each part carries the words that tell it from others.
[<NoEquality; NoComparison>]
type Recipe =
    {
        /// The network to train.
        Network: Network
        /// The training loss.
        Loss: Loss
        /// How mixtures are made of the sources of clips, in training and in scoring.
        Mixing: Mixing
        /// How the training data is walked through, and by which optimiser.
        Learning: Learning
        /// Precision of the network's matrix products during training.
        Precision: Precision
        /// Which parameters the run ends with.
        Selection: Selection
        /// Seed of the start weights and of all draws.
        Seed: int
        /// Weights to start from, such as those of a model that was trained on other data (fine-tuning); None: they are drawn. They are in
        /// the layout of the network, and stay the caller's.
        Start: Params option
    }

/// Recipes: made of parts, told apart by their words.
[<RequireQualifiedAccess>]
module Recipe =

    /// <summary>
    /// A recipe in float32 that takes the last parameters, each source at unit norm, with seed 0.
    /// </summary>
    /// <example><code lang="fsharp">
    /// let network = Drnn.network { Drnn.huang2014 with Hidden = [ 150; 150 ] }
    /// let learning = Learning.excerpts (ExcerptSettings.ofSize 50 8) |> Learning.create (Rule.adam 1e-3) (Steps 2000)
    /// let recipe = { Recipe.create network Loss.squaredError learning with Selection = Selection.bestOnDev 100; Seed = 1 }
    /// </code></example>
    let create (network: Network) (loss: Loss) (learning: Learning) : Recipe =
        { Network = network
          Loss = loss
          Mixing = Mixing.unitNorm
          Learning = learning
          Precision = Precision.Float32
          Selection = Selection.lastStep
          Seed = 0
          Start = None }

    /// The parts of a corpus without which a run cannot be made and scored.
    let needs (recipe: Recipe) : Split list =
        match recipe.Selection.Every with
        | None -> [ Split.Train; Split.Test ]
        | Some _ -> [ Split.Train; Split.Dev; Split.Test ]

    let private precisionWords =
        function
        | Precision.Float32 -> ""
        | Precision.Bfloat16 -> ", products in bfloat16"

    /// SHA-256 of weights, in lower-case hexadecimal digits.
    let private hash (weights: Params) =
        Memory.plain (fun () ->
            let numbers = weights.Vector.cpu().``to``(torch.float32).data<float32>().ToArray()
            Convert.ToHexStringLower(SHA256.HashData(MemoryMarshal.AsBytes(ReadOnlySpan numbers))))

    /// The recipe as JSON, for provenance and to tell runs apart.
    let toJson (recipe: Recipe) : JsonObject =
        let json = JsonObject()
        json["architecture"] <- recipe.Network.Words.DeepClone()
        json["loss"] <- JsonValue.Create recipe.Loss.Words
        json["gamma"] <- JsonValue.Create recipe.Loss.Gamma

        // Runs of the first recipes, all at unit norm, did not say so.
        if recipe.Mixing.Words <> Mixing.unitNorm.Words then
            json["mixing"] <- JsonValue.Create recipe.Mixing.Words

        json["plan"] <- JsonValue.Create(recipe.Learning.Words + precisionWords recipe.Precision)
        json["selection"] <- JsonValue.Create recipe.Selection.Words
        json["seed"] <- JsonValue.Create recipe.Seed
        recipe.Start |> Option.iter (fun weights -> json["startWeightsSha256"] <- JsonValue.Create(hash weights))
        json

    /// Losses that a title need not tell, and what it calls another.
    let private lossTitle (loss: Loss) =
        if loss.Words = Loss.squaredError.Words || loss.Words = Loss.meanSquaredError.Words then
            ""
        elif loss.Words = Loss.kullbackLeibler.Words then
            " KL"
        else
            $", {loss.Words}"

    /// The recipe in short, such as DRNN-2 + discrim.
    let title (recipe: Recipe) : string =
        let discriminative = if recipe.Loss.Gamma > 0.0 then " + discrim" else ""
        recipe.Network.Name + lossTitle recipe.Loss + discriminative
