namespace FunctionalSeparation

open System
open System.IO
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// MUSDB18 (Rafii, Liutkus, Stöter, Mimilakis and Bittner 2017): 150 songs in stereo at 44.1 kHz as drums, bass, other and
/// vocals. Both editions are read: MUSDB18-HQ, a folder of WAV files a song, and MUSDB18, whose `.stem.mp4` files hold five sound
/// tracks (ffmpeg decodes them).
[<RequireQualifiedAccess>]
module Musdb =

    /// Sample rate of the songs, Hz.
    let sampleRate = 44100

    /// The sources, in the order of the sound tracks behind the mixture.
    let sources = [ "drums"; "bass"; "other"; "vocals" ]

    /// The usual development songs: the list that comes with the data set's own tools.
    let private devNames =
        set
            [ "ANiMAL - Rockshow"
              "Actions - One Minute Smile"
              "Alexander Ross - Goodbye Bolero"
              "Clara Berry And Wooldog - Waltz For My Victims"
              "Fergessen - Nos Palpitants"
              "James May - On The Line"
              "Johnny Lokke - Promises & Lies"
              "Leaf - Summerghost"
              "Meaxic - Take A Step"
              "Patrick Talbot - A Reason To Leave"
              "Skelpolu - Human Mistakes"
              "Traffic Experiment - Sirens"
              "Triviul - Angelsaint"
              "Young Griffo - Pennies" ]

    let private extension = ".stem.mp4"

    let private isStemFile (path: string) = path.EndsWith(extension, StringComparison.OrdinalIgnoreCase)

    /// Songs are called "artist - title".
    let private clip (name: string) (files: (string * SoundFile) list) (read: unit -> Stems) : Clip =
        { Clip.create name sampleRate 2 sources read with
            Singer = (name.Split(" - ", 2))[0]
            Parts = StemFolder.partsOf files }

    /// The file of a source in a song's folder.
    let private fileOf (files: string list) (folder: string) (source: string) =
        match files |> List.tryFind (fun path -> AudioFolder.clipName path = source) with
        | Some path -> source, path
        | None ->
            raise (
                InputException(
                    $"{folder}: has no {source}.wav. A song of MUSDB18-HQ has "
                    + "drums, bass, other and vocals: copy it again, or remove it."
                )
            )

    /// A song, and notes on it.
    let private ofFolder (folder: string) : Clip * string list =
        let paths = sources |> List.map (fileOf (AudioFolder.list folder).Files folder)
        let files = [ for source, path in paths -> source, SoundFile(path, None) ]
        let notes = StemFolder.requireAlike folder files
        clip (Path.GetFileName folder) files (fun () -> StemFolder.readFiles files), notes

    /// The first sound track is the mixture.
    let private readTracks (path: string) : Stems =
        [ for index, source in List.indexed sources -> { Name = source; Sound = AudioFile.ReadTrack(path, index + 1) } ]

    let private ofFile (path: string) : Clip =
        let file = Path.GetFileName path
        let parts = [ for index, source in List.indexed sources -> source, SoundFile(path, Some(index + 1)) ]
        clip (file.Substring(0, file.Length - extension.Length)) parts (fun () -> readTracks path)

    /// Songs whose name is that of a folder and of a file: nothing tells which of them is meant.
    let private twice (part: string) (clips: Clip list) : LeftOut list =
        clips
        |> List.countBy _.Name
        |> List.filter (fun (_, count) -> count > 1)
        |> List.map (fun (name, _) ->
            LeftOut.unusable (Path.Combine(part, name)) "there as a folder and as a file, remove one of them")

    /// The songs of a part, of either edition, with notes on each, and what is left out there.
    let private songs (part: string) : (Clip * string list) list * LeftOut list =
        if Directory.Exists part then
            let folders, _ = AudioFolder.folders part
            let listed = AudioFolder.files part |> AudioFolder.fitting "not named .stem.mp4" isStemFile

            let found, faults =
                [ for folder in folders -> LeftOut.tryUse folder (fun () -> ofFolder folder)
                  for path in listed.Files -> LeftOut.tryUse path (fun () -> ofFile path, []) ]
                |> LeftOut.split

            let doubtful = twice part (List.map fst found)
            let isDoubtful (clip: Clip, _) = doubtful |> List.exists (fun one -> Path.GetFileName one.Path = clip.Name)
            let isFolder (one: LeftOut) = List.contains one.Path folders
            List.filter (isDoubtful >> not) found, List.filter (isFolder >> not) listed.LeftOut @ faults @ doubtful
        else
            [], []

    /// Reads a copy of MUSDB18 or MUSDB18-HQ, with `train` and `test` in it. Of the 14 songs with which the data set's tools
    /// choose, those that are there are for development. Mixtures are sums of the sources as recorded; MUSDB18-HQ's own are the
    /// same. Sound is read when it is used. A song that lacks a source, cannot be opened, or is there twice, is left out and
    /// named. Raises InputException where the folder is missing or holds no song.
    let load (folder: string) : Corpus =
        let train, besideTrain = songs (Path.Combine(folder, "train"))
        let test, besideTest = songs (Path.Combine(folder, "test"))

        let beside =
            if Directory.Exists folder then
                AudioFolder.beside [ "train"; "test" ] folder
            else
                []

        let leftOut = besideTrain @ besideTest @ beside

        if train.IsEmpty && test.IsEmpty then
            raise (
                InputException(
                    $"{folder}: no songs in 'train' or 'test'{AudioFolder.because leftOut}. "
                    + "Give the folder of MUSDB18 or MUSDB18-HQ that holds these."
                )
            )

        let clips = List.map fst
        let dev, toLearn = clips train |> List.partition (fun clip -> devNames.Contains clip.Name)

        { Name = "MUSDB18"
          Place = folder
          Mixing = Mixing.plain
          Train = toLearn
          Dev = dev
          Test = clips test
          LeftOut = leftOut
          Notes = train @ test |> List.collect snd }

    /// The data in a folder (as `load`), or the embedded band where there is none.
    let loadOrEmbedded (folder: string option) : Corpus =
        match folder with
        | Some folder -> load folder
        | None -> Corpus.embeddedBand 0
