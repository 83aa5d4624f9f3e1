namespace FunctionalSeparation

open System
open System.IO
open FunctionalSeparation.Core

/// MIR-1K (Hsu and Jang 2010): stereo clips of karaoke songs, left = music, right = voice, 16 kHz, named
/// `singer_song_clip.wav`. The split is that of Huang et al. (2014): singers abjones and amy train, four of their clips
/// choose, the other singers test.
[<RequireQualifiedAccess>]
module Mir1k =

    /// Sample rate of the data, Hz.
    let sampleRate = 16000

    let private trainingSingers = set [ "abjones"; "amy" ]
    let private devNames = set [ "abjones_5_08"; "abjones_5_09"; "amy_9_08"; "amy_9_09" ]

    let private readStems (path: string) =
        let audio = AudioFile.Read path

        if audio.SampleRate <> sampleRate || audio.Channels.Count <> 2 then
            raise (
                InputException
                    $"{path}: MIR-1K clips have 2 channels (music, voice) at {sampleRate} Hz, this file has {audio.Channels.Count} at {audio.SampleRate} Hz. Convert it or remove it from the folder."
            )

        { Music = audio.Channels[0]; Voice = audio.Channels[1] }

    /// One clip, from its file. The name tells singer and song.
    let clip (path: string) : Clip =
        let name = Path.GetFileNameWithoutExtension path
        let parts = name.Split '_'

        { Name = name
          Song = parts |> Array.truncate 2 |> String.concat "_"
          Singer = parts[0]
          SampleRate = sampleRate
          Read = fun () -> readStems path }

    let private clipsIn folder =
        Directory.GetFiles(folder, "*.wav")
        |> Array.sortWith (fun a b -> String.CompareOrdinal(a, b))
        |> Array.map clip
        |> List.ofArray

    let private official clips =
        let train, test = clips |> List.partition (fun clip -> trainingSingers.Contains clip.Singer)
        let dev, train = train |> List.partition (fun clip -> devNames.Contains clip.Name)
        { Name = "MIR-1K"; Train = train; Dev = dev; Test = test }

    let private folders (root: string) =
        let clips part =
            let folder = Path.Combine(root, part)
            if Directory.Exists folder then clipsIn folder else []

        { Name = Path.GetFileName(Path.TrimEndingDirectorySeparator root)
          Train = clips "train"
          Dev = clips "dev"
          Test = clips "test" }

    /// Reads a data folder: the official layout (`Wavfile/*.wav`, or the clips directly in the folder) with the paper's
    /// split, or folders `train`, `dev`, `test` of stereo clips (any of them may be absent). Sound is read when it is used.
    /// Raises InputException where the folder is missing or holds no clip.
    let load (folder: string) : Corpus =
        if not (Directory.Exists folder) then
            raise (InputException $"{folder}: there is no such folder. Give the folder of MIR-1K, the one that holds 'Wavfile'.")

        let wavfile = Path.Combine(folder, "Wavfile")

        let corpus =
            if Directory.Exists wavfile then
                official (clipsIn wavfile)
            elif [ "train"; "dev"; "test" ] |> List.exists (fun part -> Directory.Exists(Path.Combine(folder, part))) then
                folders folder
            else
                official (clipsIn folder)

        if corpus.Train.IsEmpty && corpus.Dev.IsEmpty && corpus.Test.IsEmpty then
            raise (InputException $"{folder}: no WAV clips in 'Wavfile', in 'train', 'dev' or 'test', or in the folder itself.")

        corpus

    /// The data in a folder (as `load`), or the embedded corpus where there is none.
    let loadOrEmbedded (folder: string option) : Corpus =
        match folder with
        | Some folder -> load folder
        | None -> Corpus.embedded 0
