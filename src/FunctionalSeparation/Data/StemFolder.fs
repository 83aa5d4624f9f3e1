namespace FunctionalSeparation

open System
open System.IO
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// Any folder of stems: `train`, `dev` and `test` (any of them may be absent) hold a folder a song, and this a file a source,
/// named after it: `train/my song/vocals.flac`. Songs of `train` and `dev` may lack some of the
/// sources: a voice alone, or all but the voice.
[<RequireQualifiedAccess>]
module StemFolder =

    let private ordinally (a: string) (b: string) = String.CompareOrdinal(a, b)

    /// A song of a folder.
    [<NoEquality; NoComparison>]
    type private Song = { Folder: string; Clip: Clip; Notes: string list }

    /// How much earlier than the longest a sound may end, in seconds: encoders and editors leave stems that different.
    let internal tolerance = 0.1

    /// The stems in these files, in this order, with silence behind those that end early.
    let internal readFiles (files: (string * SoundFile) list) : Stems =
        let sounds = [ for name, file in files -> name, AudioFile.Read file.Path ]
        let longest = sounds |> List.map (fun (_, sound) -> sound.Length) |> List.max

        let filled (sound: AudioBuffer) =
            if float (longest - sound.Length) > tolerance * float sound.SampleRate then
                sound
            else
                Silence.after sound longest

        [ for name, sound in sounds -> { Name = name; Sound = filled sound } ]

    /// The length of each file once: all its tracks have one length.
    let private lengths (files: (string * SoundFile) list) =
        [ for _, file in List.distinctBy (fun (_, file: SoundFile) -> file.Path) files -> file.Shape.Length ]

    /// Parts of the stems in these files; none where a header does not tell how long its sound is.
    let internal partsOf (files: (string * SoundFile) list) : ClipParts option =
        let lengths = lengths files

        if List.contains 0L lengths then
            None
        else
            Some
                { Samples = int (List.max lengths)
                  Read = fun source -> (files |> List.find (fst >> (=) source) |> snd).Read }

    /// Checks by their headers that files are the stems of one song, and tells which of them end early. Raises InputException,
    /// naming the song's folder, where they differ in rate or channels, or end more than a tenth of a second apart.
    let internal requireAlike (folder: string) (files: (string * SoundFile) list) : string list =
        let first, firstFile = files.Head
        let longest = List.max (lengths files)
        let refuse why = raise (InputException $"{folder}: {why}")
        // Headers of other files than WAV tell their length by the millisecond.
        let uncertain =
            if files |> List.forall (fun (_, file) -> file.Shape.IsWav) then
                0L
            else
                int64 firstFile.Shape.SampleRate / 1000L + 1L

        [ for name, file in files do
              let shape, wanted = file.Shape, firstFile.Shape
              let early = longest - shape.Length

              if (shape.SampleRate, shape.Channels) <> (wanted.SampleRate, wanted.Channels) then
                  refuse (
                      $"{name} has {shape.Channels} channel(s) at {shape.SampleRate} Hz, "
                      + $"{first} {wanted.Channels} at {wanted.SampleRate} Hz. Convert one of them."
                  )
              elif shape.Length > 0L && float early > tolerance * float shape.SampleRate then
                  refuse (
                      $"{name} has {shape.Length} samples, the longest of its song {longest}: stems "
                      + "of a song end together. Cut them alike, or add the silence that is missing."
                  )
              elif shape.Length > 0L && early > uncertain then
                  $"{file.Path} ends {early} samples before the longest of its song: silence follows" ]

    /// Whether the file is a source: in the folder of a song, only `mixture`, in upper or lower case, is not.
    let private isSource path = not ((AudioFolder.clipName path).Equals("mixture", StringComparison.OrdinalIgnoreCase))

    let private clip (folder: string) (files: (string * SoundFile) list) : Clip =
        let shape = (snd files.Head).Shape
        let read () = readFiles files

        { Clip.create (Path.GetFileName folder) shape.SampleRate shape.Channels (List.map fst files) read with
            Parts = partsOf files }

    /// A song, and what is left out in its folder.
    let private song (folder: string) : Song * LeftOut list =
        let listed = AudioFolder.list folder |> AudioFolder.fitting "the mixture, not a source" isSource

        if listed.Files.IsEmpty then
            raise (InputException $"{folder}: holds the mixture alone. Add its sources, or remove it.")

        let files =
            [ for path in listed.Files -> AudioFolder.clipName path, SoundFile(path, None) ]
            |> List.sortWith (fun (a, _) (b, _) -> ordinally a b)

        let notes = requireAlike folder files
        { Folder = folder; Clip = clip folder files; Notes = notes }, listed.LeftOut

    /// The songs of a part, and what is left out there: folders without sound are no songs.
    let private songs (part: string) : Song list * LeftOut list =
        if Directory.Exists part then
            let folders, leftOut = AudioFolder.folders part
            let sounding, silent = List.partition AudioFolder.hasSound folders

            let found, faults = [ for folder in sounding -> LeftOut.tryUse folder (fun () -> song folder) ] |> LeftOut.split

            let songs, within = List.unzip found

            let without =
                [ for folder in silent do
                      yield! (AudioFolder.files folder).LeftOut
                      { Path = folder; Reason = "a folder without sound" } ]

            songs, leftOut @ List.concat within @ without @ faults
        else
            [], []

    /// A song to test on has all sources.
    let private whole (root: string) (names: string list) (song: Song) : Result<Song, LeftOut> =
        match names |> List.except song.Clip.Sources with
        | [] -> Ok song
        | missing ->
            let lacking = String.concat ", " missing

            Error(
                LeftOut.unusable
                    song.Folder
                    $"it has no {lacking}, which other songs of {root} have, and a song to test on needs all sources"
            )

    /// Whether a folder has songs as folders of sound in one of its parts.
    let isIn (folder: string) : bool =
        AudioFolder.parts
        |> List.map (fun part -> Path.Combine(folder, part))
        |> List.filter Directory.Exists
        |> List.exists (fun part -> fst (AudioFolder.folders part) |> List.exists AudioFolder.hasSound)

    /// <summary>
    /// Reads a folder of stems of any format that `AudioFile` reads, each song at its own rate. The sources are in the ordinal
    /// order of their names (`Corpus.grouped` gives another) and are summed as they are; a file called mixture is none of them.
    /// Sound is read when it is used; training reads only the parts that it uses. A stem that ends up to a tenth of a second
    /// before the others of its song is filled up with silence, and `Notes` tells of it. A song is left out and named where its
    /// stems differ more than that, have several rates or numbers of channels, cannot be opened, or are there twice. So is a song
    /// of `test` that lacks a source which another song has. Raises InputException where the folder is missing or holds no song.
    /// </summary>
    /// <example><code lang="fsharp">
    /// let songs () = StemFolder.load "path/to/songs" // path/to/songs/train/my song/vocals.flac, ...
    /// </code></example>
    let load (folder: string) : Corpus =
        let part name = songs (Path.Combine(folder, name))
        let (train, besideTrain), (dev, besideDev), (test, besideTest) = part "train", part "dev", part "test"
        let sourcesOf (song: Song) = song.Clip.Sources
        let names = train @ dev @ test |> List.collect sourcesOf |> List.distinct |> List.sortWith ordinally
        let test, lacking = test |> List.map (whole folder names) |> LeftOut.split

        let beside =
            if Directory.Exists folder then
                AudioFolder.beside AudioFolder.parts folder
            else
                []

        let leftOut = besideTrain @ besideDev @ besideTest @ lacking @ beside
        let all = train @ dev @ test

        if all.IsEmpty then
            raise (
                InputException(
                    $"{folder}: no songs in 'train', 'dev' or 'test'{AudioFolder.because leftOut}. Give "
                    + "a folder that holds these, in them a folder a song, and in this a file a source."
                )
            )

        { Name = Path.GetFileName(Path.TrimEndingDirectorySeparator folder)
          Place = folder
          Mixing = Mixing.plain
          Train = List.map _.Clip train
          Dev = List.map _.Clip dev
          Test = List.map _.Clip test
          LeftOut = leftOut
          Notes = List.collect _.Notes all }
