namespace FunctionalSeparation

open System
open System.Diagnostics
open System.Globalization
open System.IO
open Argu
open FunctionalSeparation.Core

/// How long a run may take.
type Preset =
    /// Under a minute: does everything work?
    | Smoke
    /// A few minutes a run: enough to compare the rows of a table, not to reach the papers.
    | Brief
    /// An hour on one core.
    | Desk
    /// The paper's exact setting.
    | Paper

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
                "smoke (under a minute), brief (a few minutes), desk (about an hour on one core) or paper (the exact setting). Default: smoke."
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

/// What experiment scripts share: options, the recipe they describe, progress, exit codes.
[<RequireQualifiedAccess>]
module Experiment =

    /// From here on this process reads and prints numbers as files hold them, whatever the language of the machine: 0.5 is a half.
    /// For scripts (`load.fsx` and `main` call it): the library itself needs no such setting, and applications keep their own.
    let plainNumbers () : unit =
        CultureInfo.CurrentCulture <- CultureInfo.InvariantCulture
        CultureInfo.DefaultThreadCurrentCulture <- CultureInfo.InvariantCulture

    /// Runs a script's work, with numbers read and printed as files hold them. Results go to standard output, all else to
    /// standard error. An InputException prints its one line and exits with code 2; wrong options print the usage and
    /// exit with code 2; other failures are bugs and show their trace. A script that is stopped says so (see `Stop`).
    let main (work: unit -> unit) : unit =
        plainNumbers ()

        try
            TorchRuntime.Initialize()
            Stop.watch work
        with
        | :? InputException as wrong ->
            eprintfn $"error: {wrong.Message}"
            exit 2
        | :? IOException
        | :? UnauthorizedAccessException as cause ->
            let message = cause.Message.ReplaceLineEndings " "
            eprintfn $"error: {message} Check the disk and the permissions."
            exit 2
        | :? ArguParseException as usage ->
            eprintfn $"{usage.Message}"
            exit (if usage.ErrorCode = ErrorCode.HelpText then 0 else 2)

    /// Parses the options of a script: `fsi.CommandLineArgs`, whose first entry is the script.
    let arguments<'argument when 'argument :> IArgParserTemplate> (commandLine: string[]) : ParseResults<'argument> =
        let parser = ArgumentParser.Create<'argument>(programName = $"dotnet fsi {commandLine[0]}")
        parser.ParseCommandLine(Array.skip 1 commandLine, raiseOnUsage = true)

    let private recurrence (name: string) =
        match name.ToLowerInvariant() with
        | "dnn" -> FeedForward
        | "srnn" -> Stacked
        | "drnn-1" -> RecurrentAt 1
        | "drnn-2" -> RecurrentAt 2
        | "drnn-3" -> RecurrentAt 3
        | _ -> raise (InputException $"'{name}' is not a known model. Choose DNN, DRNN-1, DRNN-2, DRNN-3 or sRNN.")

    let private lossKind (name: string) =
        match name.ToLowerInvariant() with
        | "mse" -> SquaredError
        | "kl" -> KullbackLeibler
        | _ -> raise (InputException $"'{name}' is not a known loss. Choose mse or kl.")

    /// The recipe of a preset: DRNN-2 + discrim.
    let presetRecipe =
        function
        | Smoke -> Recipe.smoke
        | Brief -> Recipe.brief
        | Desk -> Recipe.desk
        | Paper -> Recipe.paper

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
    let recipe (arguments: ParseResults<TrainArgument>) : Recipe =
        let recipe = presetRecipe (preset arguments)
        let frontEnd = recipe.Architecture.FrontEnd
        let context = arguments.GetResult(TrainArgument.Context, frontEnd.Context)

        if context < 1 || context % 2 = 0 then
            raise (InputException $"--context {context}: a context window has an odd number of frames, such as 1, 3 or 5.")

        let gamma = arguments.GetResult(TrainArgument.Gamma, recipe.Gamma)

        if not (gamma >= 0.0 && gamma < 1.0) then
            raise (InputException $"--gamma {gamma}: the discriminative weight is at least 0 and below 1.")

        requireAtLeast 1 "--epochs" (arguments.TryGetResult TrainArgument.Epochs)
        requireAtLeast 1 "--iterations" (arguments.TryGetResult TrainArgument.Iterations)
        requireAtLeast 0 "--shift" (arguments.TryGetResult TrainArgument.Shift)
        let loss = arguments.GetResult(TrainArgument.Loss, "mse") |> lossKind
        let recurrence = arguments.GetResult(TrainArgument.Model, "DRNN-2") |> recurrence

        match recurrence with
        | RecurrentAt layer when layer > recipe.Architecture.Hidden.Length ->
            raise (
                InputException $"DRNN-{layer} needs {layer} hidden layers; this preset has {recipe.Architecture.Hidden.Length}."
            )
        | _ -> ()

        { recipe with Plan = plan arguments recipe.Plan; Seed = arguments.GetResult(TrainArgument.Seed, recipe.Seed) }
        |> Recipe.withRecurrence recurrence
        |> Recipe.withContext context
        |> Recipe.withLoss loss
        |> Recipe.withGamma gamma
        |> if arguments.Contains TrainArgument.Bfloat16 then
               Recipe.withPrecision Precision.Bfloat16
           else
               id

    /// Says on standard error, in one line, what the corpus's folder holds that was not read; nothing where all of it was.
    let tellLeftOut (corpus: Corpus) : unit =
        if not corpus.LeftOut.IsEmpty then
            eprintfn $"{corpus.Place}: {LeftOut.text corpus.LeftOut}"

    let mutable private announced = false

    /// Says on standard error which device computes; once in a process, however often it is called.
    let announce (device: TorchSharp.torch.Device) : unit =
        if not announced then
            announced <- true
            eprintfn $"running on {Devices.Describe device}"

    let private bar finished total =
        let filled = 24 * finished / max 1 total
        String('█', filled) + String('░', 24 - filled) + " "

    /// Tells on standard error how far a long job is: a bar, in place, on a terminal; a line every ten seconds elsewhere. What
    /// comes late, behind a later count, is not told.
    let progress (label: string) : (int -> int -> string -> unit) =
        let clock = Stopwatch.StartNew()
        let isTerminal = not Console.IsErrorRedirected
        let pause = if isTerminal then 0.2 else 10.0
        let mutable shown = TimeSpan.Zero
        let mutable furthest = -1
        // Where the count stood when it was first heard of: a resumed run does not begin at zero.
        let mutable first = None

        let tell finished total detail =
            let before = first |> Option.defaultValue (finished - 1)
            first <- Some before

            if finished >= total || (clock.Elapsed - shown).TotalSeconds >= pause then
                shown <- clock.Elapsed
                let left = clock.Elapsed * (float (total - finished) / float (max 1 (finished - before)))
                let count = $"{finished}/{total}  {detail}  {int left.TotalMinutes}:{left.Seconds:D2} left"

                if not isTerminal then eprintfn $"{label} {count}"
                elif finished >= total then eprintfn $"\r{label} {bar finished total}{count}   "
                else eprintf $"\r{label} {bar finished total}{count}   "

        fun finished total detail ->
            if finished > furthest then
                furthest <- finished
                tell finished total detail

    /// Evaluates a separator on clips, with a progress bar. Raises InputException as `Clip.requireScorable`, before the first is
    /// scored.
    let evaluate
        (scoring: Scoring)
        (device: TorchSharp.torch.Device)
        (label: string)
        (separator: Separator)
        (clips: Clip list)
        : ClipScores list =
        announce device
        Clip.requireScorable separator.Sources separator.FrontEnd clips
        let tell = progress label
        let mutable finished = 0

        Evaluate.clips
            scoring
            TorchSharp.torch.float32
            device
            (fun row ->
                finished <- finished + 1
                tell finished clips.Length row.Clip)
            separator
            clips
