namespace FunctionalSeparation.Plots

open System
open System.Diagnostics
open System.IO
open System.Text.Json.Nodes
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

/// Each call opens a page in the browser and gives the path of the page. Without a screen, the page is only written. Pages load
/// nothing from anywhere. Sounds may have any rate and channels; a spectrogram is the mean power of the channels.
[<AbstractClass; Sealed>]
type Show =

    static member val private Count = 0 with get, set

    /// A screen to open a browser on.
    static member private HasScreen =
        OperatingSystem.IsWindows()
        || OperatingSystem.IsMacOS()
        || [ "DISPLAY"; "WAYLAND_DISPLAY" ]
           |> List.exists (Environment.GetEnvironmentVariable >> String.IsNullOrEmpty >> not)

    static member private Open(path: string) =
        try
            use _ = Process.Start(ProcessStartInfo(path, UseShellExecute = true))
            ()
        with :? ComponentModel.Win32Exception ->
            () // no program for pages: the path is given all the same

    /// Writes a report into the folder for temporary files and opens it.
    static member page(report: Report) : string =
        Show.Count <- Show.Count + 1

        let path =
            Path.Combine(Path.GetTempPath(), $"functionalseparation-{Environment.ProcessId}", $"page-{Show.Count}.html")

        Report.save path report
        if Show.HasScreen then Show.Open path
        path

    static member private Report(title, charts, clips) =
        Show.page { Title = title; Summary = []; Tables = []; Charts = charts; Clips = clips; Provenance = [] }

    /// A window of about 64 ms.
    static member private Spectrogram(sound: AudioBuffer) =
        let size = int (2.0 ** round (log (0.064 * float sound.SampleRate) / log 2.0))
        // A sound shorter than a window has silence behind it.
        let padded (channel: float32[]) = Array.append channel (Array.zeroCreate (max 0 (size - channel.Length)))
        let long = AudioBuffer([| for channel in sound.Channels -> padded channel |], sound.SampleRate)
        Listening.wholeSpectrogram (Stft(size, size / 4, StftWindow.Hann, true)) long

    /// Sounds below each other, with their names, as spectrograms of one scale and with players in step.
    static member compare(sounds: (string * AudioBuffer) list) : string =
        if sounds.IsEmpty then invalidArg (nameof sounds) "There is nothing to compare."

        let names = sounds |> List.map fst |> String.concat ", "
        let panels = [ for name, sound in sounds -> name, Show.Spectrogram sound ]
        let isOne = sounds.Length = 1
        let view = { Name = (if isOne then "Spectrogram" else names); Panels = panels; Audio = sounds }
        Show.Report((if isOne then names else "Sounds compared"), [], [ view ])

    /// A sound as a spectrogram up to half its rate, and to hear.
    static member spectrogram(sound: AudioBuffer) : string = Show.compare [ string sound, sound ]

    /// Samples [channels, samples] or [samples] at a rate in Hz, as a spectrogram and to hear.
    static member spectrogram(samples: torch.Tensor, sampleRate: int) : string =
        Show.spectrogram (AudioTensors.FromTensor(samples, sampleRate))

    /// A sound to hear, with its spectrogram.
    static member listen(sound: AudioBuffer) : string = Show.spectrogram sound

    /// Sounds to hear, one under the other.
    static member listen(sounds: (string * AudioBuffer) list) : string = Show.compare sounds

    /// A sound as its waveform, channel by channel: the least and greatest sample of each of at most 2000 stretches.
    static member waveform(sound: AudioBuffer) : string = Show.Report(string sound, Figures.waveforms sound, [])

    /// Samples [channels, samples] or [samples] at a rate in Hz, as their waveform.
    static member waveform(samples: torch.Tensor, sampleRate: int) : string =
        Show.waveform (AudioTensors.FromTensor(samples, sampleRate))

    /// The curves of a training run, finished or under way: of the folder that a `Run` writes. Raises InputException where it
    /// holds no log.
    static member training(folder: string) : string =
        let path = Path.Combine(folder, "log.jsonl")

        if not (File.Exists path) then
            raise (InputException $"{folder}: holds no log.jsonl. Give the folder of a training run.")

        let lines =
            [ for line in File.ReadLines path do
                  // A run under way may be writing the last one.
                  if line.EndsWith '}' then JsonNode.Parse(line).AsObject() ]

        let series (name: string) =
            [ for line in lines do
                  match line[name] with
                  | null -> ()
                  | value -> line["step"].GetValue<int>(), value.GetValue<float>() ]

        let curves =
            [ "objective", "value"; "voice GNSDR of the development clips (dB)", "devGnsdr" ]
            |> List.map (fun (title, name) -> title, series name)
            |> List.filter (snd >> List.isEmpty >> not)

        Show.Report(
            $"Training: {Path.GetFileName(Path.TrimEndingDirectorySeparator folder)}",
            [ for title, points in curves -> title, Figures.trainingCurve title [ title, points ] ],
            []
        )
