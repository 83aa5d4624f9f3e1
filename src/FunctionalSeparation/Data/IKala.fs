namespace FunctionalSeparation

open System.IO
open System.Text.RegularExpressions
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// iKala (Chan et al. 2015): 252 stereo clips of 30 s from Chinese pop songs, left = music, right = voice, 44.1 kHz, named
/// `SONG_chorus.wav` or `SONG_verse.wav` with SONG a number. The data set is no longer handed out; this reads existing copies.
[<RequireQualifiedAccess>]
module IKala =

    /// Sample rate at which the clips are given, Hz (Fan et al. 2017).
    let sampleRate = 16000

    let private clipName = Regex(@"^(\d+)_(chorus|verse)$", RegexOptions.CultureInvariant)

    let private readStems (path: string) =
        let audio = AudioFile.Read path

        if audio.Channels.Count <> 2 then
            raise (
                InputException(
                    $"{path}: iKala clips have 2 channels (music, voice), this "
                    + $"file has {audio.Channels.Count}. Remove it or copy it again."
                )
            )

        let resampled = Resampler.Resample(audio, sampleRate)
        Stems.ofMono sampleRate [ "music", resampled.Channels[0]; "voice", resampled.Channels[1] ]

    /// One clip, from its file, resampled to 16 kHz as it is read. The name tells the song; who sings is not told, so the song
    /// stands for the singer. Raises InputException where the name is not of iKala's form.
    let clip (path: string) : Clip =
        let name = AudioFolder.clipName path
        let parts = clipName.Match name

        if not parts.Success then
            raise (
                InputException(
                    $"{path}: iKala clips are named SONG_chorus.wav or SONG_verse.wav, "
                    + "such as 10161_chorus.wav. Remove it from the folder."
                )
            )

        let song = parts.Groups[1].Value

        { Clip.create name sampleRate 1 Stems.musicAndVoice (fun () -> readStems path) with
            Song = song
            Singer = song }

    let private wavfile folder = Path.Combine(folder, "Wavfile")

    let private clipFolder folder = if Directory.Exists(wavfile folder) then wavfile folder else folder

    /// Whether a folder holds clips named as iKala's.
    let isIn (folder: string) : bool =
        Directory.Exists folder
        && (AudioFolder.files (clipFolder folder)).Files |> List.exists (AudioFolder.clipName >> clipName.IsMatch)

    /// Reads the official layout (`Wavfile/*.wav`, or the clips directly in the folder). Fan et al. (2017) train on 63 clips and
    /// test on the other 189, but do not list them. Here the first quarter in ordinal order of the names is for training, 63 of
    /// all 252. The split may fall between the two clips of one song. There are no development clips. `LeftOut` lists all other
    /// contents, and files that share a clip name. Raises InputException where the folder is missing or holds no clip.
    let load (folder: string) : Corpus =
        if not (Directory.Exists folder) then
            raise (InputException $"{folder}: there is no such folder. Give the folder of iKala, the one that holds 'Wavfile'.")

        let isNamed path = clipName.IsMatch(AudioFolder.clipName path)

        let listed =
            AudioFolder.files (clipFolder folder)
            |> AudioFolder.fitting "not named SONG_chorus or SONG_verse" isNamed
            |> AudioFolder.distinct

        let clips = List.map clip listed.Files

        let beside =
            if Directory.Exists(wavfile folder) then
                AudioFolder.beside [ "Wavfile" ] folder
            else
                []

        let leftOut = listed.LeftOut @ beside

        if clips.IsEmpty then
            raise (
                InputException
                    $"{folder}: no audio clips in 'Wavfile' or in the folder itself{AudioFolder.because leftOut}. Check the path."
            )

        let train, test = clips |> List.splitAt (clips.Length / 4)

        { Name = "iKala"
          Place = folder
          Mixing = Mixing.unitNorm
          Train = train
          Dev = []
          Test = test
          LeftOut = leftOut
          Notes = [] }
