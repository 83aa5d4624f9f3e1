namespace FunctionalSeparation

open System
open System.IO
open System.Text.Json.Nodes
open TorchSharp
open FunctionalSeparation.Learning

/// Where a row of a table is made.
[<NoEquality; NoComparison>]
type RowSite =
    {
        /// The row's own folder.
        Folder: string
        /// Holds a folder for each network: rows that use one network in different ways train it once.
        Models: string
        Corpus: Corpus
        /// Fingerprint of the corpus.
        Data: string
        Device: torch.Device
        Preset: Preset
        Seed: int
        /// Whether training also writes event files for TensorBoard.
        TensorBoard: bool
    }

/// Result of a row of a table.
[<NoComparison>]
type RowOutcome =
    {
        /// One entry a test clip.
        Scores: ClipScores list
        /// Seconds of training, over all sessions; 0 where nothing is learnt.
        Seconds: float
        /// Further figures of the row, by name (such as STOI).
        Extra: (string * float) list
        /// Step and objective of the training, `Row.mostPoints` at most; empty where there is none.
        Curve: (int * float) list
    }

/// One row of an experiment's table: a system and how its scores come about.
[<NoEquality; NoComparison>]
type Row =
    {
        /// Name of the row, unique in the table.
        Name: string
        /// Everything that determines the row apart from clips and seed: a finished row with the same settings is this row. The
        /// entry `plan` describes the training in tables.
        Settings: Preset -> JsonObject
        /// The parts of the corpus without which the row cannot be made.
        Needs: Preset -> Split list
        /// Makes the row; resumes where an interrupted call stopped.
        Run: RowSite -> RowOutcome
    }

/// Rows of the usual kinds.
[<RequireQualifiedAccess>]
module Row =

    let private settings (pairs: (string * string) list) : JsonObject =
        let json = JsonObject()

        for name, text in pairs do
            json[name] <- JsonValue.Create text

        json

    /// The largest number of points of a training curve.
    let internal mostPoints = 200

    /// A curve of means over equal stretches, each at its last step.
    let internal thinned (curve: (int * float) list) =
        if curve.Length <= mostPoints then
            curve
        else
            curve
            |> List.splitInto mostPoints
            |> List.map (fun stretch -> fst (List.last stretch), List.averageBy snd stretch)

    /// Keeps the sounds of the first test clip, for the page of the table.
    let private keepHeard (site: RowSite) separator =
        site.Corpus.Test
        |> List.tryHead
        |> Option.iter (HeardClip.write site.Folder site.Corpus.Mixing site.Device separator)

    let private evaluate (site: RowSite) separator =
        keepHeard site separator
        Experiment.evaluate (Scoring.ofCorpus site.Corpus) site.Device "scoring" separator site.Corpus.Test

    let private modelFolder (site: RowSite) (recipe: Recipe) =
        let text = Text.Encoding.UTF8.GetBytes((Recipe.toJson recipe).ToJsonString() + site.Data)
        let hash = Security.Cryptography.SHA256.HashData text
        Path.Combine(site.Models, (Convert.ToHexStringLower hash).Substring(0, 16))

    let private train (site: RowSite) (recipe: Recipe) : ScoredRun =
        let folder = modelFolder site recipe
        use _ = FolderLock.take folder

        ScoredRun.make
            site.Corpus
            { Run.create site.Corpus folder recipe with Device = site.Device; TensorBoard = site.TensorBoard }

    /// A network, scored with the given test mask. Its training starts or resumes in the model folder of its recipe.
    let trainedWith (mask: TestMask) (name: string) (recipe: Preset -> Recipe) : Row =
        { Name = name
          Settings =
            fun preset ->
                let json = Recipe.toJson (recipe preset)
                json["testMask"] <- JsonValue.Create $"{mask}"
                json
          Needs = recipe >> Recipe.needs
          Run =
            fun site ->
                let outcome = train site { recipe site.Preset with Seed = site.Seed }
                use _ = outcome.Trained.Parameters.Vector

                let separator = Separation.separator outcome.Trained mask

                let scores =
                    match mask with
                    | Soft ->
                        keepHeard site separator
                        outcome.Scores
                    | _ -> evaluate site separator

                { Scores = scores; Seconds = outcome.Seconds; Extra = []; Curve = thinned outcome.Curve } }

    /// A network, scored with the soft mask.
    let trained (name: string) (recipe: Preset -> Recipe) : Row = trainedWith Soft name recipe

    /// A system that learns from the training clips, all at once. `parameters` says what else decides its scores.
    let fitted (name: string) (parameters: string) (fit: Clip list -> Separator) : Row =
        { Name = name
          Settings = fun _ -> settings [ "system", name; "plan", parameters ]
          Needs = fun _ -> [ Split.Train; Split.Test ]
          Run =
            fun site ->
                let clock = Diagnostics.Stopwatch.StartNew()
                let separator = fit site.Corpus.Train
                let seconds = clock.Elapsed.TotalSeconds
                { Scores = evaluate site separator; Seconds = seconds; Extra = []; Curve = [] } }

    /// A system that has nothing to learn, made where the row is made: it may depend on the preset. `parameters` says what
    /// decides its scores.
    let systemAt (name: string) (parameters: string) (separator: RowSite -> Separator) : Row =
        { Name = name
          Settings = fun preset -> settings [ "system", name; "plan", parameters; "preset", $"{preset}" ]
          Needs = fun _ -> [ Split.Test ]
          Run = fun site -> { Scores = evaluate site (separator site); Seconds = 0.0; Extra = []; Curve = [] } }

    /// A system that has nothing to learn. `parameters` says what decides its scores.
    let system (name: string) (parameters: string) (separator: Separator) : Row =
        { systemAt name parameters (fun _ -> separator) with
            Settings = fun _ -> settings [ "system", name; "plan", parameters ] }

    /// The row made from a corpus that is changed first; `how` says how, and is part of what the table says of the training.
    let onCorpus (how: string) (change: Corpus -> Corpus) (cell: Row) : Row =
        let settings preset =
            let json = cell.Settings preset
            json["plan"] <- JsonValue.Create(json["plan"].GetValue<string>() + ", " + how)
            json

        let changed (site: RowSite) = { site with Corpus = change site.Corpus; Data = $"{site.Data}, {how}" }
        { cell with Settings = settings; Run = changed >> cell.Run }

    /// The row with further figures, made where it was made.
    let withFigures (figures: RowSite -> ClipScores list -> (string * float) list) (cell: Row) : Row =
        let run site =
            let outcome = cell.Run site
            { outcome with Extra = outcome.Extra @ figures site outcome.Scores }

        { cell with Run = run }

    /// The row with SDR, SIR and SAR themselves, not as a gain over the mixture, of some sources: what papers on speech report.
    /// BSS Eval 3, length-weighted means in dB.
    let withSdr (sources: string list) (cell: Row) : Row =
        let ofSource rows (source: string) =
            let mean (figure: SourceScores -> float) = Evaluate.mean (fun row -> figure (row[source])) rows
            [ $"{source} SDR", mean _.Sdr; $"{source} SIR", mean _.Sir; $"{source} SAR", mean _.Sar ]

        withFigures (fun _ rows -> List.collect (ofSource rows) sources) cell

    /// The row with the mean STOI of a source over the test clips, as `STOI`. `separator` makes the row's separator again, from
    /// the contents of its folder; `Row.network` does so for a trained network.
    let withStoi (source: string) (separator: RowSite -> Separator) (cell: Row) : Row =
        let stoi site =
            let separator = separator site

            site.Corpus.Test
            |> List.averageBy (Evaluate.stoi site.Corpus.Mixing torch.float32 site.Device separator source)

        withFigures (fun site _ -> [ "STOI", stoi site ]) cell

    /// The network that a row with this recipe has trained, with the soft mask. Its weights live as long as the process.
    let network (recipe: Preset -> Recipe) (site: RowSite) : Separator =
        let folder = modelFolder site { recipe site.Preset with Seed = site.Seed }
        Separation.separator (ModelFolder.load ModelFolder.families site.Device folder) Soft
