namespace FunctionalSeparation

open System
open System.Collections.Generic
open System.IO
open System.Text.Json.Nodes
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// A version of BSS Eval for stems in files.
[<RequireQualifiedAccess>]
type BssEvalVersion =
    /// Of whole tracks, each channel by itself.
    | Three
    /// Of images in windows of a second, one filter for the whole track.
    | Four

/// Scores of one stem in dB.
type StemScores =
    {
        /// The name of the stem.
        Stem: string
        /// Seconds of a window.
        WindowSeconds: float
        /// Scores by name (SDR, ISR, SIR, SAR), one for each window; a single one for a whole track. NaN where there is none.
        Windows: (string * float[]) list
        /// Scores of the track by name. SI-SDR is the mean over channels. NSDR, where the mixture is there, is the median SDR
        /// minus that of the mixture.
        Track: (string * float) list
    }

/// A track of two folders: its true stems and their estimates.
type ScoredTrack =
    {
        /// The name of the track.
        Name: string
        /// The folder of its true stems.
        References: string
        /// The folder of their estimates.
        Estimates: string
    }

/// Scores of stems in files against the true ones. A folder holds a folder for each track, which holds a file of any format for
/// each stem.
[<RequireQualifiedAccess>]
module FolderScores =

    /// Seconds of a window of BSS Eval 4.
    let private window = 1.0

    let private isMixture (name: string) = name.Equals("mixture", StringComparison.OrdinalIgnoreCase)

    let private refuse why = raise (InputException why)

    /// The tracks of two folders, in the ordinal order of their names, and the entries that are left out. There is one track
    /// where the folder of references holds the stems themselves. Raises InputException for a folder that is not there.
    let tracks (references: string) (estimates: string) : ScoredTrack list * LeftOut list =
        for folder in [ references; estimates ] do
            if not (Directory.Exists folder) then
                refuse $"{folder}: there is no such folder. Check the path."

        let folders, beside = AudioFolder.folders references

        match List.partition AudioFolder.hasSound folders with
        | [], _ ->
            let name = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath references))
            [ { Name = name; References = references; Estimates = estimates } ], (AudioFolder.files references).LeftOut
        | sounding, silent ->
            [ for folder in sounding ->
                  let name = Path.GetFileName folder
                  { Name = name; References = folder; Estimates = Path.Combine(estimates, name) } ],
            beside @ [ for folder in silent -> { Path = folder; Reason = "a folder without sound" } ]

    /// The files of a track by the names of their stems.
    let private filesOf folder =
        if not (Directory.Exists folder) then
            refuse $"{folder}: there is no such folder. Every track needs its estimates."

        (AudioFolder.list folder).Files |> List.map (fun path -> AudioFolder.clipName path, path) |> Map.ofList

    /// The true stems of a track, and its mixture where it is there.
    let private truthsOf (track: ScoredTrack) =
        let truths = filesOf track.References
        let mixture, names = truths.Keys |> List.ofSeq |> List.partition isMixture

        if names.IsEmpty then
            refuse $"{track.References}: holds no stems. Give a file for each, such as vocals.wav."

        truths, names, List.truncate 1 mixture

    /// Sounds cut to the shortest.
    let private alike (paths: string list) : AudioBuffer list =
        let sounds = paths |> List.map AudioFile.Read
        let first = sounds.Head

        for path, sound in List.zip paths sounds do
            if
                (sound.SampleRate, sound.Channels.Count) <> (first.SampleRate, first.Channels.Count)
                || abs (sound.Seconds - first.Seconds) > StemFolder.tolerance
            then
                refuse $"{path} is a {sound}, {paths.Head} a {first}: stems to score have one rate, channels and length."

        let length = sounds |> List.map _.Length |> List.min

        if length < BssEval.DefaultFilterLength then
            refuse (
                $"{paths.Head}: this track has {length} samples, and BSS Eval needs "
                + $"{BssEval.DefaultFilterLength}. Give longer stems, or remove it."
            )

        [ for sound in sounds ->
              AudioBuffer([| for channel in sound.Channels -> Array.truncate length channel |], sound.SampleRate) ]

    /// The scores of each stem, by name.
    let private bssEval version (references: AudioBuffer list) (estimates: AudioBuffer list) : (string * float[][]) list =
        match version with
        | BssEvalVersion.Four ->
            let scores = BssEval.InWindows(Array.ofList references, Array.ofList estimates)
            [ "SDR", scores.Sdr; "ISR", scores.Isr; "SIR", scores.Sir; "SAR", scores.Sar ]
        | BssEvalVersion.Three ->
            Memory.plain (fun () ->
                let stacked sounds = TorchSharp.torch.stack [| for sound: AudioBuffer in sounds -> sound.ToTensor() |]
                let scores = BssEval.Version3Channels(stacked references, stacked estimates, permute = false)

                [ "SDR", scores.Sdr; "SIR", scores.Sir; "SAR", scores.Sar ]
                |> List.map (fun (name, all) -> name, Array.map Array.singleton all))

    let private siSdr (reference: AudioBuffer) (estimate: AudioBuffer) =
        Seq.zip reference.Channels estimate.Channels
        |> Seq.averageBy (fun (s, e) -> SiSdr.Compute(ReadOnlySpan s, ReadOnlySpan e))

    let private medianSdr (scores: (string * float[][]) list) index = BssEvalWindowScores.Median((snd scores.Head)[index])

    /// Scores only of the windows in which the true stem is louder than a level; the others have none (NaN).
    let private active (above: float option) (references: AudioBuffer list) (scores: (string * float[][]) list) =
        let masked level values (reference: AudioBuffer) =
            let levels = WindowedSdr.levels reference
            Array.mapi (fun index value -> if index < levels.Length && levels[index] > level then value else nan) values

        match above with
        | None -> scores
        | Some level -> [ for name, values in scores -> name, Array.map2 (masked level) values (Array.ofList references) ]

    /// The scores of a track's stems, in the ordinal order of their names. A file called mixture among the references is not a
    /// stem. With `above`, for BSS Eval 4, only windows have scores in which the true stem is louder than this, in dB relative to
    /// full scale. The tails of stems that went through a lossy codec are never quite silent. Raises InputException, naming the
    /// file, where an estimate is missing or cannot be read. Raises InputException also where the rate, number of channels or
    /// length (by more than a tenth of a second) differs from that of the first reference. Raises InputException also for a track
    /// shorter than a filter of BSS Eval. Raises ArgumentException for `above` with BSS Eval 3.
    let score (version: BssEvalVersion) (above: float option) (track: ScoredTrack) : StemScores list =
        if above.IsSome && version = BssEvalVersion.Three then
            invalidArg (nameof above) "BSS Eval 3 scores whole tracks, so no windows can be chosen."

        let truths, names, mixture = truthsOf track
        let found = filesOf track.Estimates

        for name in names do
            if not (found.ContainsKey name) then
                refuse $"{track.Estimates}: there is no estimate of {name}. Call it {name}.wav, or take {truths[name]} away."

        let sounds =
            alike (
                [ for name in names -> truths[name] ]
                @ [ for name in names -> found[name] ]
                @ [ for name in mixture -> truths[name] ]
            )

        let references, others = List.splitAt names.Length sounds
        let estimates, mixtures = List.splitAt names.Length others
        let scoresOf = bssEval version references >> active above references
        let scores = scoresOf estimates
        let ofMixture = [ for mixture in mixtures -> scoresOf (List.replicate names.Length mixture) ]

        [ for index, name in List.indexed names ->
              { Stem = name
                WindowSeconds =
                  (match version with
                   | BssEvalVersion.Four -> window
                   | BssEvalVersion.Three -> references[index].Seconds)
                Windows = [ for metric, values in scores -> metric, values[index] ]
                Track =
                  [ for before in ofMixture do
                        "NSDR", medianSdr scores index - medianSdr before index
                    "SI-SDR", siSdr references[index] estimates[index] ] } ]

    let private energy (channels: float32[] seq) = channels |> Seq.sumBy (Array.sumBy (fun x -> float x * float x))

    /// The stems, all of them or all but one, whose sum is the sound: the residual is 30 dB below it. None where there are no
    /// such stems.
    let private partsOf (sound: AudioBuffer) (others: (string * AudioBuffer) list) : string list option =
        let least = 1e-3 * energy sound.Channels
        let minus (a: float32[] seq) (b: float32[] seq) = Seq.map2 (Array.map2 (-)) a b |> Array.ofSeq
        let sum = others |> List.map (fun (_, other) -> seq other.Channels) |> List.reduce (Seq.map2 (Array.map2 (+)))
        let left = minus sum sound.Channels
        let isLeft (_, other: AudioBuffer) = energy other.Channels > least && energy (minus left other.Channels) < least

        if energy sound.Channels = 0.0 then
            None
        elif energy left < least then
            Some(List.map fst others)
        else
            others |> List.tryFind isLeft |> Option.map (fun (name, _) -> others |> List.map fst |> List.except [ name ])

    /// True stems that are the sum of others, such as an accompaniment beside drums, bass and other, each with its parts. BSS
    /// Eval cannot tell such stems apart. Raises InputException as `score`.
    let sums (track: ScoredTrack) : (string * string list) list =
        let truths, names, _ = truthsOf track
        let stems = List.zip names (alike [ for name in names -> truths[name] ])

        [ for name, sound in stems do
              match List.filter (fst >> (<>) name) stems with
              | _ :: _ :: _ as others ->
                  match partsOf sound others with
                  | Some parts when parts.Length >= 2 -> name, parts
                  | _ -> ()
              | _ -> () ]

    /// One number for each name, of a whole track: medians over its windows.
    let summary (stem: StemScores) : (string * float) list =
        [ for name, values in stem.Windows -> name, BssEvalWindowScores.Median values ] @ stem.Track

    let private numberOrNull (value: float) : JsonNode =
        if Double.IsFinite value then JsonValue.Create(Math.Round(value, 5)) else null

    let private entries (pairs: (string * JsonNode) list) : JsonObject =
        JsonObject [ for name, value in pairs -> KeyValuePair(name, value) ]

    let private figures (pairs: (string * float) list) : JsonObject =
        entries [ for name, value in pairs -> name, numberOrNull value ]

    let private target (stem: StemScores) : JsonObject =
        let frame index =
            entries
                [ "time", JsonValue.Create(float index * stem.WindowSeconds)
                  "duration", JsonValue.Create stem.WindowSeconds
                  "metrics", figures [ for name, values in stem.Windows -> name, values[index] ] ]

        let count = (snd stem.Windows.Head).Length

        entries
            [ "name", JsonValue.Create stem.Stem
              "frames", JsonArray [| for index in 0 .. count - 1 -> frame index :> JsonNode |]
              "track", figures stem.Track ]

    /// The scores of a track in the layout of museval (Stöter et al. 2018). Each target has a frame for each window; null means
    /// no score.
    let toJson (stems: StemScores list) : JsonObject =
        entries [ "targets", JsonArray [| for stem in stems -> target stem :> JsonNode |] ]
