namespace FunctionalSeparation

open System
open System.Runtime.InteropServices
open System.Security.Cryptography
open System.Text.Json.Nodes
open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// Which parameters a run ends with.
[<NoEquality; NoComparison>]
type Selection =
    {
        /// Identity of the selection.
        Id: Id
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
    let lastStep: Selection = { Id = Id.named "last step"; Every = None; Judge = fun _ _ _ _ -> nan }

    /// GNSDR of the network's last source (the papers' voice) on the clips, with the soft mask.
    let private gnsdr (mixing: Mixing) (device: torch.Device) (clips: Clip list) (trained: TrainedModel) : float =
        let separator = Separation.separator trained Soft
        let rows = Evaluate.clips { Mixing = mixing; Pairing = ByBestSir } torch.float32 device ignore separator clips
        let summary = Evaluate.summary (List.last separator.Sources) rows

        if summary.Clips = 0 then
            let names = String.concat ", " (List.truncate 3 summary.Unscored)

            raise (
                InputException(
                    $"{names}: no development clip has a score (a silent source, or "
                    + "an estimate without sound), so no model can be chosen on them."
                )
            )

        summary.Gnsdr

    /// Those with the best GNSDR of the last source on the development clips, evaluated every `everySteps` steps (the protocol of
    /// Huang et al. 2014). Raises ArgumentException for a number below 1.
    let bestOnDev (everySteps: int) : Selection =
        Numbers.atLeast 1 "A selection" (nameof everySteps) everySteps

        { Id = Id.create "best on dev" [ "every", float everySteps ] []; Every = Some everySteps; Judge = gnsdr }

/// Everything that determines the outcome of a training run, apart from the clips.
[<NoEquality; NoComparison>]
type Recipe =
    {
        /// The network to train.
        Network: Network
        /// The training loss.
        Loss: Loss
        /// How mixtures are made of the sources of clips, in training and in scoring.
        Mixing: Mixing
        /// How the parameters move.
        Optimiser: Optimiser
        /// How the batches are drawn from the clips.
        Sampler: Sampler
        /// How long the run is.
        Length: Length
        /// Precision of the network's matrix products during training.
        Precision: Precision
        /// Which parameters the run ends with.
        Selection: Selection
        /// Seed of the start weights and of all draws.
        Seed: int
        /// Weights to start from, such as those of a model that was trained on other data (fine-tuning). None: they are drawn.
        /// They have the layout of the network, and still belong to the caller.
        Init: Params option
    }

/// Recipes, made of parts whose identities identify the recipe.
[<RequireQualifiedAccess>]
module Recipe =

    /// <summary>
    /// A recipe in float32 that takes the last parameters, each source at unit norm, with seed 0. Raises ArgumentException for a
    /// length below 1.
    /// </summary>
    /// <example><code lang="fsharp">
    /// let network = Drnn.network { Drnn.huang2014 with Hidden = [ 150; 150 ] }
    /// let optimiser = Optimiser.adam (Schedule.cosine 1e-3)
    /// let sampler = Sampler.excerpts (ExcerptSettings.ofSize 50 8)
    /// let plain = Recipe.create network Loss.squaredError optimiser sampler (Steps 2000)
    /// let recipe = { plain with Selection = Selection.bestOnDev 100; Seed = 1 }
    /// </code></example>
    let create (network: Network) (loss: Loss) (optimiser: Optimiser) (sampler: Sampler) (length: Length) : Recipe =
        match length with
        | Steps count
        | Epochs count -> Numbers.atLeast 1 "A run" "Length" count

        { Network = network
          Loss = loss
          Mixing = Mixing.unitNorm
          Optimiser = optimiser
          Sampler = sampler
          Length = length
          Precision = Precision.Float32
          Selection = Selection.lastStep
          Seed = 0
          Init = None }

    /// The parts of a corpus without which a run cannot be made and scored.
    let needs (recipe: Recipe) : Split list =
        match recipe.Selection.Every with
        | None -> [ Split.Train; Split.Test ]
        | Some _ -> [ Split.Train; Split.Dev; Split.Test ]

    let private precisionWords =
        function
        | Precision.Float32 -> ""
        | Precision.Bfloat16 -> ", products in bfloat16"

    /// A one-sentence description of the training, for tables.
    let plan (recipe: Recipe) : string =
        IdText.plan recipe.Optimiser.Id recipe.Length recipe.Sampler.Id + precisionWords recipe.Precision

    /// SHA-256 of weights, in lower-case hexadecimal digits.
    let private hash (weights: Params) =
        Memory.plain (fun () ->
            let numbers = weights.Vector.cpu().``to``(torch.float32).data<float32>().ToArray()
            Convert.ToHexStringLower(SHA256.HashData(MemoryMarshal.AsBytes(ReadOnlySpan numbers))))

    /// The loss without its discriminative term, which the released form stores separately.
    let private plainLoss (loss: Loss) = if Loss.gamma loss = 0.0 then loss.Id else loss.Id.Parts.Head

    /// The recipe as JSON, for provenance and to identify runs, in the form of version 0.1.
    let toJson (recipe: Recipe) : JsonObject =
        let json = JsonObject()
        json["architecture"] <- recipe.Network.Architecture.DeepClone()
        json["loss"] <- JsonValue.Create(IdText.text (plainLoss recipe.Loss))
        json["gamma"] <- JsonValue.Create(Loss.gamma recipe.Loss)

        // Runs of the first recipes, all at unit norm, did not say so.
        if recipe.Mixing.Id <> Mixing.unitNorm.Id then
            json["mixing"] <- JsonValue.Create(IdText.text recipe.Mixing.Id)

        json["plan"] <- JsonValue.Create(plan recipe)
        json["selection"] <- JsonValue.Create(IdText.text recipe.Selection.Id)
        json["seed"] <- JsonValue.Create recipe.Seed
        recipe.Init |> Option.iter (fun weights -> json["startWeightsSha256"] <- JsonValue.Create(hash weights))
        json

    /// The loss in a title: nothing for the squared errors, a short name for any other.
    let private lossTitle (id: Id) =
        if id = Loss.squaredError.Id || id = Loss.meanSquaredError.Id then ""
        elif id = Loss.kullbackLeibler.Id then " KL"
        else $", {IdText.text id}"

    /// The recipe in short, such as DRNN-2 + discrim.
    let title (recipe: Recipe) : string =
        let discriminative = if Loss.gamma recipe.Loss > 0.0 then " + discrim" else ""
        recipe.Network.Name + lossTitle (plainLoss recipe.Loss) + discriminative

    let private key number (recipe: Recipe) = Key.fold number (Key.ofSeed recipe.Seed)

    /// The weights that a run starts from, float32 on `device`: those of the recipe, or drawn ones. The caller owns them.
    let init (device: torch.Device) (recipe: Recipe) : Params =
        let layout = Network.layout recipe.Network

        match recipe.Init with
        | None -> Params.init layout torch.float32 device (key 0 recipe)
        | Some weights -> Params.create layout (weights.Vector.``to``(torch.float32).``to``(device, copy = true))

    /// The training of a recipe on clips, and the tensors that live as long as it does. Raises as `Sampler.Open`.
    let internal openOn
        (device: torch.Device)
        (clips: Clip list)
        (recipe: Recipe)
        : struct (TrainingTask<Batch> * torch.Tensor list) =
        let spec = BatchSpec.create recipe.Network recipe.Loss recipe.Mixing
        let samples = recipe.Sampler.Open recipe.Network spec device (key 1 recipe) clips
        let steps = Length.steps samples recipe.Length
        // A warm-up that is no shorter than the run is refused before anything is written.
        recipe.Optimiser.Rate |> Option.iter (fun schedule -> Schedule.rate schedule steps 0 |> ignore)

        struct ({ Layout = Network.layout recipe.Network
                  Loss = Batch.loss (Network.modelIn recipe.Precision recipe.Network) recipe.Loss
                  Optimiser = recipe.Optimiser
                  Steps = steps
                  Feed = samples.Batches
                  Key = key 2 recipe },
                samples.Owned)

    /// <summary>
    /// The training of a recipe on clips, for `Train.states`. Raises InputException for clips that the network cannot learn from,
    /// and ArgumentException for settings that make no batches.
    /// </summary>
    /// <example><code lang="fsharp">
    /// let recipe =
    ///     Recipe.create
    ///         (Drnn.network { Drnn.huang2014 with Hidden = [ 16; 16 ] })
    ///         Loss.squaredError
    ///         (Optimiser.adam (Schedule.cosine 1e-3))
    ///         (Sampler.excerpts (ExcerptSettings.ofSize 20 4))
    ///         (Steps 5)
    ///
    /// let task = Recipe.task torch.CPU (Corpus.embedded 2).Train recipe
    /// let curve = Train.states task (Train.start task (Recipe.init torch.CPU recipe).Vector) |> Seq.map _.Value |> List.ofSeq
    /// </code></example>
    let task (device: torch.Device) (clips: Clip list) (recipe: Recipe) : TrainingTask<Batch> =
        let struct (task, _) = openOn device clips recipe
        task
