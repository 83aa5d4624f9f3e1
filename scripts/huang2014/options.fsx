// The options of drnn.fsx, and the recipe that they describe.
#load "../load.fsx"

open Argu
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

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
                ("folder of MIR-1K (with Wavfile inside) or with folders train, "
                 + "dev, test; without it the embedded corpus is used (smoke only).")
            | Preset _ ->
                ("smoke (under a minute), brief (a few minutes), full (a quarter of an hour), "
                 + "desk (about an hour on one core) or paper (the exact setting). Default: smoke.")
            | Model _ -> "DNN, DRNN-1, DRNN-2, DRNN-3 or sRNN. Default: DRNN-2."
            | Loss _ -> "mse (squared error) or kl (generalised Kullback-Leibler). Default: mse."
            | Gamma _ -> "weight of the discriminative term, 0 for none. Default: 0.05."
            | Context _ -> "frames that the network sees at once: 1, 3 or 5. Default: 3."
            | Shift _ -> "paper preset: step of the music rotation in samples, 0 for none. Default: 10000."
            | Epochs _ -> "smoke and desk: passes over the training clips."
            | Iterations _ -> "paper preset: iterations of L-BFGS. Default: 400."
            | Bfloat16 ->
                ("train with matrix products in bfloat16: about twice as fast "
                 + "on processors with instructions for it, slower on others.")
            | Seed _ -> "seed of all randomness. Default: 0."
            | Device _ -> "cpu, cuda, cuda:N or auto. Default: auto."
            | Resume -> "go on with the run in the folder."
            | TensorBoard -> "also write event files for TensorBoard, into the folder 'tensorboard' of the run's folder."
            | Out _ -> "the run's folder. Default: artifacts/runs/<preset>-<model>."

let private recurrence (name: string) =
    match name.ToLowerInvariant() with
    | "dnn" -> FeedForward
    | "srnn" -> Stacked
    | "drnn-1" -> RecurrentAt 1
    | "drnn-2" -> RecurrentAt 2
    | "drnn-3" -> RecurrentAt 3
    | _ -> raise (InputException $"'{name}' is not a known model. Choose DNN, DRNN-1, DRNN-2, DRNN-3 or sRNN.")

/// The loss of that name, and the network with the mask gradient that goes with it in the authors' code.
let private withLoss (name: string) (network: Drnn) =
    match name.ToLowerInvariant() with
    | "mse" -> Loss.squaredError, network
    | "kl" -> Loss.kullbackLeibler, { network with Mask = AbsoluteExact }
    | _ -> raise (InputException $"'{name}' is not a known loss. Choose mse or kl.")

let private requireAtLeast least name (value: int option) =
    match value with
    | Some value when value < least -> raise (InputException $"{name} {value}: the smallest value is {least}.")
    | _ -> ()

/// The preset that the options name.
let presetOf (arguments: ParseResults<TrainArgument>) = arguments.GetResult(TrainArgument.Preset, Smoke)

/// A small network of two layers for a run that shows that everything works.
let private smoke = { Huang2014.network Smoke with Hidden = [ 150; 150 ] }

let private smokeRecipe network loss =
    let excerpts = { ExcerptSettings.ofSize 50 8 with OtherSong = 0.5 }
    Recipe.create network loss (Optimiser.adam (Schedule.cosine 1e-3)) (Sampler.excerpts excerpts) (Epochs 8)

let private network (arguments: ParseResults<TrainArgument>) preset =
    let network = if preset = Smoke then smoke else Huang2014.network preset
    let context = arguments.GetResult(TrainArgument.Context, network.Context)

    if context < 1 || context % 2 = 0 then
        raise (InputException $"--context {context}: a context window has an odd number of frames, such as 1, 3 or 5.")

    match recurrence (arguments.GetResult(TrainArgument.Model, "DRNN-2")) with
    | RecurrentAt layer when layer > network.Hidden.Length ->
        raise (InputException $"DRNN-{layer} needs {layer} hidden layers; this preset has {network.Hidden.Length}.")
    | recurrence -> { network with Recurrence = recurrence; Context = context }

/// The paper's training with the shift and the iterations of the options.
let private paperRecipe (arguments: ParseResults<TrainArgument>) network loss =
    if arguments.Contains TrainArgument.Epochs then
        raise (InputException "--epochs belongs to smoke and desk; the paper preset counts --iterations.")

    let shift = arguments.GetResult(TrainArgument.Shift, 10000)
    let iterations = arguments.GetResult(TrainArgument.Iterations, 400)
    Huang2014.paperRecipe (if shift = 0 then None else Some shift) iterations network loss

/// Our training with the epochs of the options.
let private ownTraining (arguments: ParseResults<TrainArgument>) (recipe: Recipe) =
    if arguments.Contains TrainArgument.Shift then
        raise (InputException "--shift belongs to the paper preset; smoke and desk rotate the music at random.")

    if arguments.Contains TrainArgument.Iterations then
        raise (InputException "--iterations belongs to the paper preset; smoke and desk count --epochs.")

    match arguments.TryGetResult TrainArgument.Epochs with
    | Some epochs -> { recipe with Length = Epochs epochs }
    | None -> recipe

/// The recipe that the options describe: a preset, and what they change of it.
let recipeOf (arguments: ParseResults<TrainArgument>) : Recipe =
    let preset = presetOf arguments
    let gamma = arguments.GetResult(TrainArgument.Gamma, 0.05)

    if not (gamma >= 0.0 && gamma < 1.0) then
        raise (InputException $"--gamma {gamma}: the discriminative weight is at least 0 and below 1.")

    requireAtLeast 1 "--epochs" (arguments.TryGetResult TrainArgument.Epochs)
    requireAtLeast 1 "--iterations" (arguments.TryGetResult TrainArgument.Iterations)
    requireAtLeast 0 "--shift" (arguments.TryGetResult TrainArgument.Shift)
    let loss, network = network arguments preset |> withLoss (arguments.GetResult(TrainArgument.Loss, "mse"))
    let loss = Loss.discriminative gamma loss

    let recipe =
        match preset with
        | Smoke -> smokeRecipe (Drnn.network network) loss |> ownTraining arguments
        | Paper -> paperRecipe arguments network loss
        | _ -> Huang2014.recipe preset network loss |> ownTraining arguments

    let precision =
        if arguments.Contains TrainArgument.Bfloat16 then
            Precision.Bfloat16
        else
            recipe.Precision

    { recipe with Seed = arguments.GetResult(TrainArgument.Seed, 0); Precision = precision }
