// Makes the picture of the README and the sounds of the documentation's front page: a generated song of the embedded corpus,
// taken apart by the library's own model. Needs ffmpeg.
//   dotnet fsi scripts/picture.fsx
#load "load.fsx"

open System.Diagnostics
open System.IO
open FunctionalSeparation
open FunctionalSeparation.Core

let folder = Path.Combine(__SOURCE_DIRECTORY__, "guides")
let seconds = 6

let ffmpeg (arguments: string list) =
    use running = Process.Start(ProcessStartInfo("ffmpeg", [ "-v"; "error"; "-y" ] @ arguments))
    running.WaitForExit()
    if running.ExitCode <> 0 then raise (InputException "ffmpeg could not make the picture.")

/// The first seconds of a sound, as a file.
let write name (sound: AudioBuffer) =
    let path = Path.Combine(Path.GetTempPath(), $"{name}.wav")
    let count = min sound.Length (seconds * sound.SampleRate)

    AudioFile.Write(path, AudioBuffer([| for channel in sound.Channels -> channel[.. count - 1] |], sound.SampleRate))
    |> ignore

    path

Experiment.main (fun () ->
    let song = (Clip.read (Corpus.embedded 0).Test.Head) |> Stems.sum
    use separator = Separators.Default()
    let stems = separator.Separate song
    let files = [ write "song" song; write "voice" stems["voice"]; write "music" stems["music"] ]

    let spectrogram index =
        $"[{index}:a]showspectrumpic=s=400x256:stop=4000:legend=0:scale=log:drange=70:color=magma:win_func=hann,"
        + $"pad=iw+16:ih:8:0:white[s{index}]"

    let filter = [ for index in 0..2 -> spectrogram index ] @ [ "[s0][s1][s2]hstack=3" ] |> String.concat ";"
    let inputs = files |> List.collect (fun file -> [ "-i"; file ])
    ffmpeg (inputs @ [ "-filter_complex"; filter; "-frames:v"; "1"; Path.Combine(folder, "picture.png") ])

    for file in files do
        let name = Path.GetFileNameWithoutExtension file
        ffmpeg [ "-i"; file; "-b:a"; "64k"; "-map_metadata"; "-1"; Path.Combine(folder, $"{name}.mp3") ])
