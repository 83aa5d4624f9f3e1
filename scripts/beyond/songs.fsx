// Trains networks for produced songs on the corpus of corpus.fsx and scores them on its songs, which no training hears: the
// median SDR of voice and music (BSS Eval 4) over the seconds in which the source is above -50 dBFS, song by song, and how silent
// a stem is where its source is absent. Rows add one thing after the other. A run that was stopped goes on when the same is
// started again.
//   dotnet fsi scripts/beyond/songs.fsx --corpus FOLDER --row "effects" --seed 0 --out artifacts/songs
#load "start.fsx"

open System
open System.IO
open Argu
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core
open Start

type SongsArgument =
    | [<Mandatory>] Corpus of folder: string
    | Row of name: string
    | Seed of seed: int
    | Steps of count: int
    | Start of folder: string
    | Out of folder: string
    | Model of folder: string
    | Songs of folder: string
    | Record of file: string
    | Smoke

    interface IArgParserTemplate with
        member this.Usage =
            match this with
            | Corpus _ -> "folder that corpus.fsx made."
            | Row _ -> "what to train: see the list in the script. Default: the recipe of the library's own model."
            | Seed _ -> "of weights and draws. Default: 0."
            | Steps _ -> "of training. Default: those of the row."
            | Start _ -> "model folder whose weights training starts from. Default: none, they are drawn."
            | Out _ -> "folder of the runs. Default: artifacts/songs."
            | Model _ -> "trains nothing: scores this model folder, or `default`, `mixture`, `mask` (ideal ratio masks)."
            | Songs _ ->
                "folder of the songs to score, a folder a song with voice, music and mixture. Default: test of the corpus."
            | Record _ -> "CSV file that the scores are added to, a row a song, such as papers/beyond/songs.csv."
            | Smoke -> "110 steps of a tiny network, to see that it works."

/// Levels that songs have, other songs' music always, a second accompaniment and a second voice now and then, a fourth up and
/// down.
let songExcerpts =
    { ExcerptSettings.ofSize 128 2 with
        OtherSong = 0.9
        SecondAccompaniment = 0.1
        Speeds = Huang2014.semitones |> List.filter (fun speed -> speed > 0.78 && speed < 1.3)
        GainRange = 0.0
        Effects = [ Effect.polarity; Effect.equalise 4.0 ]
        Levels = Some ExcerptLevels.songs }

/// Producers change voices, and the rest, in these ways.
let produced =
    { songExcerpts with
        SecondLead = 0.15
        LeadEffects =
            [ Effect.sometimes 0.15 Effect.harmony
              Effect.sometimes 0.05 Effect.robotised
              Effect.sometimes 0.05 Effect.stutter
              Effect.sometimes 0.3 Effect.saturated
              Effect.sometimes 0.1 Effect.bandPassed
              Effect.sometimes 0.5 Effect.compressed
              Effect.sometimes 0.2 (Effect.panned 0.6)
              Effect.sometimes 0.3 Effect.doubled
              Effect.sometimes 0.3 Effect.echo
              Effect.sometimes 0.6 Effect.room ]
        AccompanimentEffects =
            [ Effect.sometimes 0.3 (Effect.width 0.0 2.0)
              Effect.sometimes 0.2 Effect.saturated
              Effect.sometimes 0.3 Effect.compressed ] }

/// And what electronic pop does: pitch to the nearest semitone, voices in layers and chords, and wide.
let layered =
    { produced with
        SecondLead = 0.3
        LeadEffects =
            [ Effect.sometimes 0.4 Effect.tuned; Effect.sometimes 0.25 Effect.harmony ]
            @ produced.LeadEffects
            @ [ Effect.sometimes 0.3 Effect.doubled; Effect.sometimes 0.3 (Effect.width 1.0 3.0) ] }

/// Every second of an excerpt counts alike, and music alone comes more often.
let pauses = { layered with Levels = Some { ExcerptLevels.songs with LeadSilent = 0.2 } }

/// And voices that hardly are any: vocoders of chords, choirs of harmonies, all of it wide.
let electronic =
    { pauses with
        SecondLead = 0.4
        LeadEffects =
            [ Effect.sometimes 0.5 Effect.tuned
              Effect.sometimes 0.35 Effect.vocoded
              Effect.sometimes 0.35 Effect.harmony
              Effect.sometimes 0.2 Effect.harmony ]
            @ produced.LeadEffects
            @ [ Effect.sometimes 0.4 Effect.doubled; Effect.sometimes 0.5 (Effect.width 1.0 4.0) ] }

/// Four voices in ten as they were recorded.
let mixed = { electronic with LeadEffects = [ Effect.sometimes 0.6 (Effect.chain electronic.LeadEffects) ] }

/// Excerpts that count as a whole, and by the second (32 frames).
let whole, bySecond = Loss.logErrorShareAbove 3e-4, Loss.logErrorShareInParts 32 3e-4

/// Silence down to 20 dB only: where a network is not sure of a voice, more would pay for leaving it out.
let bySecondTo20 = Loss.logErrorShareInParts 32 1e-2

type Row =
    { Name: string
      Settings: StereoUNetSettings
      Channels: int
      Excerpts: ExcerptSettings
      Loss: Loss
      Steps: int }

let row name settings channels excerpts loss steps =
    { Name = name; Settings = settings; Channels = channels; Excerpts = excerpts; Loss = loss; Steps = steps }

let narrow (settings: StereoUNetSettings) = { settings with BandWidth = 0 }

let rows =
    [ row "data" (narrow StereoUNet.small) 1 songExcerpts whole 1200
      row "stereo" (narrow StereoUNet.small) 2 songExcerpts whole 1200
      row "effects" (narrow StereoUNet.small) 2 produced whole 1200
      row "layers" (narrow StereoUNet.small) 2 layered whole 1200
      row "pauses" (narrow StereoUNet.small) 2 pauses bySecond 1200
      row "bands" StereoUNet.small 2 pauses bySecond 1200
      row "electronic" (narrow StereoUNet.small) 2 electronic bySecond 1200
      row "mixed" (narrow StereoUNet.small) 2 mixed bySecond 1200
      row "certain" (narrow StereoUNet.small) 2 mixed bySecondTo20 1200
      row "medium" (narrow StereoUNet.medium) 2 mixed bySecond 9000
      row "own" (narrow StereoUNet.small) 2 pauses bySecond 8500 ]

let tinyStereo (settings: StereoUNetSettings) =
    { settings with UNet = { tiny settings.UNet with InputScale = settings.UNet.InputScale } }

let recipeOf isSmoke seed steps start (row: Row) =
    let spec = { FrontEnd = UNet.frontEnd; Channels = row.Channels; Sources = Stems.musicAndVoice }
    let network = StereoUNet.family.Network (if isSmoke then tinyStereo row.Settings else row.Settings) spec
    let excerpts = if isSmoke then short row.Excerpts else row.Excerpts

    { Recipe.create network row.Loss (muon 0.005 network) (Sampler.excerpts excerpts) (Length.Steps steps) with
        Mixing = Mixing.plain
        Precision = (if isSmoke then Precision.Float32 else Precision.Bfloat16)
        Seed = seed
        Init = Option.map weightsOf start }

let train (corpus: Corpus) folder (recipe: Recipe) =
    let tell = Experiment.progress "training"

    let finished =
        Run.train
            { Run.create corpus folder recipe with
                Report = fun step -> tell step.Step step.Steps $"objective {step.Value:G3}" }

    ModelFolder.save
        folder
        finished.Trained
        (Provenance.create
            "cpu"
            [ "recipe", Recipe.toJson recipe
              "corpus", System.Text.Json.Nodes.JsonValue.Create corpus.Name
              "trainingClips", System.Text.Json.Nodes.JsonValue.Create corpus.Train.Length
              "trainingData", System.Text.Json.Nodes.JsonValue.Create(Corpus.fingerprint corpus.Train)
              "trainingSeconds", System.Text.Json.Nodes.JsonValue.Create(Math.Round(finished.Seconds, 1)) ])

    new NetworkSeparator(Path.GetFileName folder, finished.Trained) :> ISeparator, finished.Seconds

/// Seconds in which a source is softer than this, in dB against full scale, are not counted.
let active = -50.0

let level (sound: AudioBuffer) = 20.0 * log10 (max 1e-9 (sound.Level().RootMeanSquare))

let rec folderOf name (folder: string) =
    Path.Combine(folder, name) |> fun path -> [ path + ".wav"; path + ".flac" ] |> List.find File.Exists

/// How a song is taken apart: from its true stems, music first, to estimates.
type System = AudioBuffer list -> AudioBuffer list

let sum (stems: AudioBuffer list) = Stems.sum [ for stem in stems -> { Name = "stem"; Sound = stem } ]

let bySeparator (separator: ISeparator) : System =
    fun stems ->
        let estimates = separator.Separate(sum stems)
        [ for name in Stems.musicAndVoice -> estimates[name] ]

let byMixture: System = fun stems -> [ for _ in stems -> sum stems ]

/// Magnitudes of the true stems as masks, windows of 4096.
let byMask: System =
    fun stems ->
        Memory.plain (fun () ->
            let stft = Stft(4096, 1024, StftWindow.Hann, true)
            let spectra = [ for stem in stems -> stft.Forward(stem.ToTensor()) ]
            let total = spectra |> List.map _.abs() |> List.reduce (.+)
            let mixture = spectra |> List.reduce (.+)

            [ for spectrum in spectra do
                  let estimate = stft.Inverse(mixture * spectrum.abs () / total.add 1e-12, int64 stems.Head.Length)
                  AudioTensors.FromTensor(estimate, stems.Head.SampleRate) ])

/// The minute in the middle of a sound.
let middle (sound: AudioBuffer) =
    let count = min sound.Length (60 * sound.SampleRate)
    AudioBuffer([| for channel in sound.Channels -> Array.sub channel ((sound.Length - count) / 2) count |], sound.SampleRate)

let silent (sound: AudioBuffer) =
    AudioBuffer([| for channel in sound.Channels -> Array.zeroCreate channel.Length |], sound.SampleRate)

let score (system: System) folder =
    let stems = [ for name in Stems.musicAndVoice -> AudioFile.Read(folderOf name folder) ]
    let estimates = system stems

    let sdr index = WindowedSdr.medianAbove active stems[index] (WindowedSdr.ofEstimate stems[index] estimates[index])

    /// Decibels of the stem of an absent source against the other, alone, in the middle of the song.
    let leak index =
        let alone = stems |> List.mapi (fun other stem -> if other = index then silent (middle stem) else middle stem)
        level (List.item index (system alone)) - level (sum alone)

    Path.GetFileName folder, [ sdr 1; sdr 0; leak 1; leak 0 ]

let columns = [ "voice SDR"; "music SDR"; "voice's stem, music alone"; "music's stem, voice alone" ]

let report name folder record (system: System) =
    let scored = [ for song in fst (AudioFolder.folders folder) -> score system song ]
    let mean = "mean", List.transpose (List.map snd scored) |> List.map List.average
    let rows = [ for song, values in scored @ [ mean ] -> song :: List.map Results.decibels values ]
    printfn "%s\n\n%s\n" name (Results.table ("song" :: columns) rows)

    for file in Option.toList record do
        for row in rows do
            Results.appendCsv file (List.zip ("system" :: "song" :: columns) (name :: row))

Experiment.main (fun () ->
    let arguments = Experiment.arguments<SongsArgument> fsi.CommandLineArgs
    let folder = arguments.GetResult Corpus
    let songs = arguments.GetResult(Songs, Path.Combine(folder, "test"))
    let isSmoke = arguments.Contains Smoke
    let record = arguments.TryGetResult Record
    record |> Option.iter (fun file -> Results.requireColumns file ("system" :: "song" :: columns))
    let report name system = report name songs record system

    match arguments.TryGetResult Model with
    | Some "mixture" -> report "mixture" byMixture
    | Some "mask" -> report "ideal ratio mask" byMask
    | Some "default" -> report "the library's own model" (bySeparator (Separators.Default()))
    | Some model -> report model (bySeparator (Separators.Open model))
    | None ->
        let name = arguments.GetResult(Row, "own")
        let row = rows |> List.find (fun row -> row.Name = name)
        let seed = arguments.GetResult(Seed, 0)
        let steps = if isSmoke then 110 else arguments.GetResult(Steps, row.Steps)
        let corpus = StemFolder.load folder |> if row.Channels = 1 then Corpus.mono else id
        let out = Path.Combine(arguments.GetResult(Out, "artifacts/songs"), $"{name}-{steps}-{seed}")
        let separator, seconds = train corpus out (recipeOf isSmoke seed steps (arguments.TryGetResult Start) row)
        eprintfn $"{seconds:F0} s of training"
        report $"{name}, {steps} steps, seed {seed}" (bySeparator separator))
