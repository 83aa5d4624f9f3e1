// Makes the corpus of the library's own model for real songs: music and voices of free game music, MIR-1K, choirs and speakers,
// at 16 kHz, train and dev; test of four produced songs. Needs ffmpeg, dpkg-deb and, for packages that are not in their folder,
// apt-get. Finished songs are skipped, and songs that are no longer part of the corpus are removed. The same folders make the
// same bytes. papers/beyond/corpus.md tells more.
//   dotnet fsi scripts/beyond/corpus.fsx --data FOLDER --packages FOLDER --out FOLDER
#load "corpusPlan.fsx"

open System
open System.ComponentModel
open System.Diagnostics
open System.IO
open System.IO.Compression
open System.Runtime.ExceptionServices
open System.Security.Cryptography
open System.Threading.Tasks
open Argu
open FunctionalSeparation
open FunctionalSeparation.Core
open CorpusPlan

type CorpusArgument =
    | [<AltCommandLine("-d"); Mandatory>] Data of folder: string
    | [<AltCommandLine("-p"); Mandatory>] Packages of folder: string
    | [<AltCommandLine("-o"); Mandatory>] Out of folder: string

    interface IArgParserTemplate with
        member this.Usage =
            match this with
            | Data _ -> "folder with MIR-1K, voices, songs, TSP and TIMIT-pair."
            | Packages _ -> "folder of Debian packages; those that are missing are fetched into it."
            | Out _ -> "folder of the corpus."

let execute folder program (arguments: string list) =
    let start = ProcessStartInfo(program, arguments, WorkingDirectory = folder, RedirectStandardOutput = true)

    use running =
        try
            Process.Start start
        with :? Win32Exception ->
            raise (InputException $"{program} is not installed or '{folder}' is no folder. See the first lines of this script.")

    running.StandardOutput.ReadToEnd() |> ignore
    running.WaitForExit()

    if running.ExitCode <> 0 then
        let line = String.concat " " (program :: arguments)
        raise (InputException $"{line}: ended with code {running.ExitCode}. See its message above.")

/// The folder of a package's files, unpacked whole or not at all. Archives of the game (.pk3) are unpacked beside themselves.
let unpacked folder package =
    let target = Path.Combine(folder, "unpacked", $"{package.Name}_{package.Version}")

    if not (Directory.Exists target) then
        let file = $"{package.Name}_{package.Version}_all.deb"

        if not (File.Exists(Path.Combine(folder, file))) then
            execute folder "apt-get" [ "download"; $"{package.Name}={package.Version}" ]

        let part = target + ".part"
        if Directory.Exists part then Directory.Delete(part, true)
        Directory.CreateDirectory part |> ignore
        execute folder "dpkg-deb" [ "-x"; file; part ]

        for archive in Directory.GetFiles(part, "*.pk3", SearchOption.AllDirectories) do
            ZipFile.ExtractToDirectory(archive, archive + ".files")

        Directory.Move(part, target)

    Path.Combine(target, "usr/share/games")

/// SHA-256 of files read one after the other.
let hash files =
    use total = IncrementalHash.CreateHash HashAlgorithmName.SHA256

    for file: string in files do
        use stream = File.OpenRead file
        let buffer = Array.zeroCreate<byte>(1 <<< 20)
        let mutable count = stream.Read buffer

        while count > 0 do
            total.AppendData(ReadOnlySpan(buffer, 0, count))
            count <- stream.Read buffer

    Convert.ToHexStringLower(total.GetHashAndReset())

/// A line of the manifest: file; its seconds, rate, channels and gain; where it comes from; and the two hashes.
type Row = { File: string; Sound: string list; Origin: string; SourceHash: string; Hash: string }

let folderOf row = Path.GetDirectoryName row.File
let header = [ "file"; "seconds"; "rate"; "channels"; "gain"; "source"; "source_sha256"; "sha256" ]
let fields row = [ row.File; yield! row.Sound; row.Origin; row.SourceHash; row.Hash ]

let readManifest path =
    if not (File.Exists path) then
        []
    else
        [ for line in Seq.skip 1 (File.ReadLines path) do
              match List.ofArray (line.Split '\t') with
              | [ file; seconds; rate; channels; gain; origin; source; hash ] ->
                  { File = file; Sound = [ seconds; rate; channels; gain ]; Origin = origin; SourceHash = source; Hash = hash }
              | _ -> raise (InputException $"{path}: '{line}' is no line of a manifest. Remove the file.") ]

let writeManifest path (rows: Row list) =
    let lines = rows |> List.sortBy _.File |> List.map (fields >> String.concat "\t")
    File.WriteAllLines(path + ".part", String.concat "\t" header :: lines)
    File.Move(path + ".part", path, true)

/// The factor that keeps all stems of a song within full scale, where its format has one. 1 where they are.
let gainOf (song: Song) (sounds: AudioBuffer list) =
    // 16 bits reach from -1 to 32767 / 32768.
    let reach x = if x < 0.0f then -x else x * 32768.0f / 32767.0f
    let top (samples: float32[]) = samples |> Array.fold (fun top x -> max top (reach x)) 0.0f
    let peak = sounds |> Seq.collect _.Channels |> Seq.map top |> Seq.max

    if song.Format = SampleFormat.Float32 || peak <= 1.0f then
        1.0f
    else
        0.999f / peak

/// Makes the stems of a song.
let make out (song: Song) source =
    let stems = song.Stems [ for file in song.Files -> Resampler.Resample(AudioFile.Read file, song.Rate) ]
    let gain = gainOf song (List.map snd stems)

    [ for stem, sound in stems do
          let file = $"{song.Folder}/{stem}.wav"
          let path = Path.Combine(out, file)
          let scaled = AudioBuffer([| for samples in sound.Channels -> Array.map ((*) gain) samples |], song.Rate)

          if AudioFile.Write(path, scaled, song.Format) > 0 then failwith $"{path}: clips."

          { File = file
            Sound = [ $"{sound.Seconds:F3}"; $"{song.Rate}"; $"{sound.Channels.Count}"; $"{gain:R}" ]
            Origin = song.Origin
            SourceHash = source
            Hash = hash [ path ] } ]

/// The rows of a song: those of before where its recordings and files are as they were, else new ones.
let rowsOf out (before: Row list) (song: Song) =
    let source = hash song.Files
    let known = before |> List.filter (fun row -> folderOf row = song.Folder)

    let isDone row =
        let path = Path.Combine(out, row.File)
        row.SourceHash = source && row.Origin = song.Origin && File.Exists path && hash [ path ] = row.Hash

    if not known.IsEmpty && List.forall isDone known then
        known
    else
        make out song source

/// Removes files of songs that are no longer part of the corpus.
let remove out (rows: Row list) =
    for row in rows do
        let path = Path.Combine(out, row.File)
        File.Delete path
        let folder = Path.GetDirectoryName path

        if Directory.Exists folder && Seq.isEmpty (Directory.EnumerateFileSystemEntries folder) then
            Directory.Delete folder

        eprintfn $"removed {row.File}"

/// Makes all songs, as many at once as there are processors. The manifest is written after each.
let makeAll out (songs: Song list) =
    let manifest = Path.Combine(out, "manifest.tsv")
    let before = readManifest manifest
    let tell = Experiment.progress "corpus"
    let gate = obj ()
    let mutable finished = 0
    let mutable rows = before

    let one song =
        let added = rowsOf out before song

        lock gate (fun () ->
            finished <- finished + 1
            rows <- added @ List.filter (fun row -> folderOf row <> song.Folder) rows
            writeManifest manifest rows
            tell finished songs.Length song.Folder)

    let options = ParallelOptions(MaxDegreeOfParallelism = Environment.ProcessorCount)

    try
        Parallel.ForEach(songs, options, one) |> ignore
    with :? AggregateException as several ->
        ExceptionDispatchInfo.Throw several.InnerException

    let folders = set [ for song in songs -> song.Folder ]
    let kept, others = rows |> List.partition (fun row -> folders.Contains(folderOf row))
    remove out others
    writeManifest manifest kept
    kept

let summary (rows: Row list) =
    for kind, rows in rows |> List.groupBy (fun row -> (row.File.Split '/')[0], Path.GetFileName row.File) |> List.sortBy fst do
        let seconds = rows |> List.sumBy (fun row -> float row.Sound.Head)
        printfn $"{fst kind} {snd kind}: {rows.Length} files, {seconds / 60.0:F1} minutes"

Experiment.main (fun () ->
    let arguments = Experiment.arguments<CorpusArgument> fsi.CommandLineArgs
    let folder = arguments.GetResult Packages
    let out = arguments.GetResult Out
    Directory.CreateDirectory out |> ignore
    let game = packages |> List.collect (fun package -> tracks package (unpacked folder package))
    summary (makeAll out (game @ ofData (arguments.GetResult Data))))
