namespace FunctionalSeparation

open System.IO
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// MIR-1K (Hsu and Jang 2010): stereo clips of karaoke songs, left = music, right = voice, 16 kHz, named
/// `singer_song_clip.wav`. The split is that of Huang et al. (2014): singers abjones and amy train, four of their clips
/// choose, the other singers test.
[<RequireQualifiedAccess>]
module Mir1k =

    /// Sample rate of the data, Hz.
    let sampleRate = 16000

    let private trainingSingers = set [ "abjones"; "amy" ]
    let private devNames = set [ "abjones_5_08"; "abjones_5_09"; "amy_9_08"; "amy_9_09" ]

    let private stemsOf (path: string) (audio: AudioBuffer) =
        if audio.SampleRate <> sampleRate || audio.Channels.Count <> 2 then
            raise (
                InputException(
                    $"{path}: MIR-1K clips have 2 channels (music, voice) at "
                    + $"{sampleRate} Hz, this file has {audio.Channels.Count} at "
                    + $"{audio.SampleRate} Hz. Convert it or remove it from the folder."
                )
            )

        Stems.ofMono sampleRate [ "music", audio.Channels[0]; "voice", audio.Channels[1] ]

    /// One clip, from its file. The name tells singer and song.
    let internal clip (path: string) : Clip =
        let name = AudioFolder.clipName path
        let parts = name.Split '_'

        { Clip.create name sampleRate 1 Stems.musicAndVoice (fun () -> stemsOf path (AudioFile.Read path)) with
            Song = parts |> Array.truncate 2 |> String.concat "_"
            Singer = parts[0] }

    /// Singer, song and clip, none of them empty: without them a clip would be taken for a test singer's.
    let private isOfficialName (path: string) =
        let parts = (AudioFolder.clipName path).Split '_'
        parts.Length >= 3 && Array.forall (fun part -> part <> "") parts

    let private official root folder beside =
        let listed =
            AudioFolder.files folder
            |> AudioFolder.fitting "not named singer_song_clip" isOfficialName
            |> AudioFolder.distinct

        let train, test =
            listed.Files |> List.map clip |> List.partition (fun clip -> trainingSingers.Contains clip.Singer)

        let dev, train = train |> List.partition (fun clip -> devNames.Contains clip.Name)

        { Name = "MIR-1K"
          Place = root
          Mixing = Mixing.unitNorm
          Train = train
          Dev = dev
          Test = test
          LeftOut = listed.LeftOut @ beside
          Notes = [] }

    let private ofParts (root: string) =
        let list part =
            let folder = Path.Combine(root, part)

            if Directory.Exists folder then
                AudioFolder.files folder |> AudioFolder.distinct
            else
                { Files = []; LeftOut = [] }

        let train, dev, test = list "train", list "dev", list "test"

        { Name = Path.GetFileName(Path.TrimEndingDirectorySeparator root)
          Place = root
          Mixing = Mixing.unitNorm
          Train = List.map clip train.Files
          Dev = List.map clip dev.Files
          Test = List.map clip test.Files
          LeftOut = train.LeftOut @ dev.LeftOut @ test.LeftOut @ AudioFolder.beside AudioFolder.parts root
          Notes = [] }

    /// Reads a data folder. With the official layout (`Wavfile/singer_song_clip.wav`, or the clips directly in the folder), the
    /// split is the paper's. Otherwise the folders `train`, `dev` and `test` hold stereo clips of any name; any of the three may
    /// be absent. Clips may be of any format that `AudioFile` reads. `LeftOut` names all other contents, and files that share a
    /// clip name. Sound is read when it is used. Raises InputException where the folder is missing or holds no clip.
    let load (folder: string) : Corpus =
        if not (Directory.Exists folder) then
            raise (InputException $"{folder}: there is no such folder. Give the folder of MIR-1K, the one that holds 'Wavfile'.")

        let wavfile = Path.Combine(folder, "Wavfile")

        let corpus =
            if Directory.Exists wavfile then
                official folder wavfile (AudioFolder.beside [ "Wavfile" ] folder)
            elif AudioFolder.parts |> List.exists (fun part -> Directory.Exists(Path.Combine(folder, part))) then
                ofParts folder
            else
                official folder folder []

        if corpus.Train.IsEmpty && corpus.Dev.IsEmpty && corpus.Test.IsEmpty then
            raise (
                InputException(
                    $"{folder}: no audio clips in 'Wavfile', in 'train', 'dev' or 'test', or "
                    + $"in the folder itself{AudioFolder.because corpus.LeftOut}. Check the path."
                )
            )

        corpus

    /// The data in a folder (as `load`), or the embedded corpus where there is none.
    let loadOrEmbedded (folder: string option) : Corpus =
        match folder with
        | Some folder -> load folder
        | None -> Corpus.embedded 0
