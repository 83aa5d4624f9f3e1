namespace FunctionalSeparation

open System
open System.IO
open FunctionalSeparation.Core

/// Any folder of stems: `train`, `dev` and `test` (any of them may be absent) hold a folder a song, and this a file a source,
/// named after it: `train/my song/vocals.flac`. Songs of `train` and `dev` may lack some of the
/// sources: a voice alone, or all but the voice.
[<RequireQualifiedAccess>]
module StemFolder =

    let private ordinally (a: string) (b: string) = String.CompareOrdinal(a, b)

    /// A song: its folder, and its files by the names of their sources, in the ordinal order of these.
    type private Song = { Folder: string; Files: (string * string) list }

    /// The stems in these files, in this order.
    let internal readFiles (files: (string * string) list) : Stems =
        [ for name, path in files -> { Name = name; Sound = AudioFile.Read path } ]

    /// Parts of the stems in these files; none where the header of the first does not tell how long it is.
    let internal partsOf (files: (string * SoundFile) list) : ClipParts option =
        match (snd files.Head).Shape.Length with
        | 0L -> None
        | samples -> Some { Samples = int samples; Read = fun source -> (files |> List.find (fst >> (=) source) |> snd).Read }

    /// What a folder of one song holds besides its sources.
    let private isSource path = not ((AudioFolder.clipName path).Equals("mixture", StringComparison.OrdinalIgnoreCase))

    let private song (folder: string) : Song * LeftOut list =
        let listed = AudioFolder.list folder |> AudioFolder.fitting "the mixture, not a source" isSource
        let named = [ for path in listed.Files -> AudioFolder.clipName path, path ]
        { Folder = folder; Files = named |> List.sortWith (fun (a, _) (b, _) -> ordinally a b) }, listed.LeftOut

    /// The songs of a part, and what is left out there: folders without sound are no songs.
    let private songs (part: string) : Song list * LeftOut list =
        if Directory.Exists part then
            let folders, leftOut = AudioFolder.folders part
            let songs, within = folders |> List.map song |> List.unzip
            let silent, sounding = songs |> List.partition _.Files.IsEmpty
            let without = [ for song in silent -> { Path = song.Folder; Reason = "a folder without sound" } ]
            sounding, leftOut @ List.concat within @ without
        else
            [], []

    let private requireAll (root: string) (names: string list) (song: Song) =
        let missing = names |> List.filter (fun name -> not (List.exists (fst >> (=) name) song.Files))

        if not missing.IsEmpty then
            let lacking = String.concat ", " missing

            raise (
                InputException
                    $"{song.Folder}: has no {lacking}, which other songs of {root} have. Every song to test on needs all sources: add what is missing, or remove the song."
            )

    let private clip (song: Song) : Clip =
        let files = [ for name, path in song.Files -> name, SoundFile(path, None) ]
        let shape = (snd files.Head).Shape
        let read () = readFiles song.Files

        { Clip.create (Path.GetFileName song.Folder) shape.SampleRate shape.Channels (List.map fst files) read with
            Parts = partsOf files }

    /// Whether a folder has songs as folders of sound in one of its parts.
    let isIn (folder: string) : bool =
        AudioFolder.parts |> List.exists (fun part -> not (fst (songs (Path.Combine(folder, part)))).IsEmpty)

    /// <summary>
    /// Reads a folder of stems of any format that `AudioFile` reads, each song at its own rate. The sources are in the ordinal order
    /// of their names (`Corpus.grouped` gives another) and are summed as they are; a file called mixture is none of them. Sound is
    /// read when it is used, in training only the parts that are heard. Raises InputException where the folder is missing or holds no song,
    /// where a song of `test` lacks a source that another has, for two files of one source, and for a file whose header cannot be
    /// read.
    /// </summary>
    /// <example><code lang="fsharp">
    /// let songs () = StemFolder.load "path/to/songs" // path/to/songs/train/my song/vocals.flac, ...
    /// </code></example>
    let load (folder: string) : Corpus =
        let part name = songs (Path.Combine(folder, name))
        let (train, besideTrain), (dev, besideDev), (test, besideTest) = part "train", part "dev", part "test"
        let all = train @ dev @ test

        let beside =
            if Directory.Exists folder then
                AudioFolder.beside AudioFolder.parts folder
            else
                []

        let leftOut = besideTrain @ besideDev @ besideTest @ beside

        if all.IsEmpty then
            raise (
                InputException
                    $"{folder}: no songs in 'train', 'dev' or 'test'{AudioFolder.because leftOut}. Give a folder that holds these, in them a folder a song, and in this a file a source."
            )

        let names = all |> List.collect (fun song -> List.map fst song.Files) |> List.distinct |> List.sortWith ordinally

        List.iter (requireAll folder names) test

        { Name = Path.GetFileName(Path.TrimEndingDirectorySeparator folder)
          Place = folder
          Mixing = Mixing.plain
          Train = List.map clip train
          Dev = List.map clip dev
          Test = List.map clip test
          LeftOut = leftOut }
