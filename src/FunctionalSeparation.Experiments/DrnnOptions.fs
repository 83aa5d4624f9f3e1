namespace FunctionalSeparation

open Argu
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// The options of a training script.
[<RequireQualifiedAccess>]
type TrainArgument =
    | [<AltCommandLine("-d")>] Data of folder: string
    | Preset of Preset
    | Model of name: string
    | Loss of name: string
    | Gamma of weight: float
    | Context of frames: int
    | Shift of samples: int
    | Epochs of count: int
    | Iterations of count: int
    | Bfloat16
    | Seed of number: int
    | Device of name: string
    | Resume
    | [<CustomCommandLine("--tensorboard")>] TensorBoard
    | Out of folder: string

    interface IArgParserTemplate with
        member this.Usage =
            match this with
            | Data _ ->
                "folder of MIR-1K (with Wavfile inside) or with folders train, dev, test; without it the embedded corpus is used (smoke only)."
            | Preset _ ->
                "smoke (under a minute), brief (a few minutes), full (a quarter of an hour), desk (about an hour on one core) or paper (the exact setting). Default: smoke."
            | Model _ -> "DNN, DRNN-1, DRNN-2, DRNN-3 or sRNN. Default: DRNN-2."
            | Loss _ -> "mse (squared error) or kl (generalised Kullback-Leibler). Default: mse."
            | Gamma _ -> "weight of the discriminative term, 0 for none. Default: 0.05."
            | Context _ -> "frames that the network sees at once: 1, 3 or 5. Default: 3."
            | Shift _ -> "paper preset: step of the music rotation in samples, 0 for none. Default: 10000."
            | Epochs _ -> "smoke and desk: passes over the training clips."
            | Iterations _ -> "paper preset: iterations of L-BFGS. Default: 400."
            | Bfloat16 ->
                "train with matrix products in bfloat16: about twice as fast on processors with instructions for it, slower on others."
            | Seed _ -> "seed of all randomness. Default: 0."
            | Device _ -> "cpu, cuda, cuda:N or auto. Default: auto."
            | Resume -> "go on with the run in the folder."
            | TensorBoard -> "also write event files for TensorBoard, into the folder 'tensorboard' of the run's folder."
            | Out _ -> "the run's folder. Default: artifacts/runs/<preset>-<model>."

/// The recipes of the papers' networks that the options of a script describe.
[<RequireQualifiedAccess>]
module DrnnOptions =

    let private recurrence (name: string) =
        match name.ToLowerInvariant() with
        | "dnn" -> FeedForward
        | "srnn" -> Stacked
        | "drnn-1" -> RecurrentAt 1
        | "drnn-2" -> RecurrentAt 2
        | "drnn-3" -> RecurrentAt 3
        | _ -> raise (InputException $"'{name}' is not a known model. Choose DNN, DRNN-1, DRNN-2, DRNN-3 or sRNN.")

    let private loss (name: string) =
        match name.ToLowerInvariant() with
        | "mse" -> Loss.squaredError
        | "kl" -> Loss.kullbackLeibler
        | _ -> raise (InputException $"'{name}' is not a known loss. Choose mse or kl.")

    let private plan (arguments: ParseResults<TrainArgument>) plan =
        match plan with
        | FullBatch(shift, iterations) ->
            if arguments.Contains TrainArgument.Epochs then
                raise (InputException "--epochs belongs to smoke and desk; the paper preset counts --iterations.")

            let step =
                arguments.TryGetResult TrainArgument.Shift |> Option.map (fun step -> if step = 0 then None else Some step)

            FullBatch(Option.defaultValue shift step, arguments.GetResult(TrainArgument.Iterations, iterations))
        | RandomExcerpts(excerpts, epochs, rate) ->
            if arguments.Contains TrainArgument.Shift then
                raise (InputException "--shift belongs to the paper preset; smoke and desk rotate the music at random.")

            if arguments.Contains TrainArgument.Iterations then
                raise (InputException "--iterations belongs to the paper preset; smoke and desk count --epochs.")

            RandomExcerpts(excerpts, arguments.GetResult(TrainArgument.Epochs, epochs), rate)
        | MiniBatches _ -> plan

    let private requireAtLeast least name (value: int option) =
        match value with
        | Some value when value < least -> raise (InputException $"{name} {value}: the smallest value is {least}.")
        | _ -> ()

    /// The preset that the options name.
    let preset (arguments: ParseResults<TrainArgument>) = arguments.GetResult(TrainArgument.Preset, Smoke)

    /// The recipe that the options describe: a preset, and what they change of it.
    let recipe (arguments: ParseResults<TrainArgument>) : DrnnRecipe =
        let recipe = DrnnRecipe.ofPreset (preset arguments)
        let context = arguments.GetResult(TrainArgument.Context, recipe.Network.Context)

        if context < 1 || context % 2 = 0 then
            raise (InputException $"--context {context}: a context window has an odd number of frames, such as 1, 3 or 5.")

        let gamma = arguments.GetResult(TrainArgument.Gamma, recipe.Gamma)

        if not (gamma >= 0.0 && gamma < 1.0) then
            raise (InputException $"--gamma {gamma}: the discriminative weight is at least 0 and below 1.")

        requireAtLeast 1 "--epochs" (arguments.TryGetResult TrainArgument.Epochs)
        requireAtLeast 1 "--iterations" (arguments.TryGetResult TrainArgument.Iterations)
        requireAtLeast 0 "--shift" (arguments.TryGetResult TrainArgument.Shift)
        let loss = arguments.GetResult(TrainArgument.Loss, "mse") |> loss
        let recurrence = arguments.GetResult(TrainArgument.Model, "DRNN-2") |> recurrence

        match recurrence with
        | RecurrentAt layer when layer > recipe.Network.Hidden.Length ->
            raise (InputException $"DRNN-{layer} needs {layer} hidden layers; this preset has {recipe.Network.Hidden.Length}.")
        | _ -> ()

        { recipe with Plan = plan arguments recipe.Plan; Seed = arguments.GetResult(TrainArgument.Seed, recipe.Seed) }
        |> DrnnRecipe.withRecurrence recurrence
        |> DrnnRecipe.withContext context
        |> DrnnRecipe.withLoss loss
        |> DrnnRecipe.withGamma gamma
        |> if arguments.Contains TrainArgument.Bfloat16 then
               DrnnRecipe.withPrecision Precision.Bfloat16
           else
               id
