// The songs of the corpus for the library's own model: which recordings make them, which of them are held out, and which left out
// and why.
#load "../load.fsx"

open System
open System.IO
open System.Text.RegularExpressions
open FunctionalSeparation.Core

/// A song in words: the folder it is written to, and the function that makes its stems of its recordings.
type Song =
    {
        /// The folder below the output, such as train/amy_1.
        Folder: string
        /// The place that its recordings come from, and their names there.
        Origin: string
        Files: string list
        Rate: int
        Format: SampleFormat
        /// Names and sounds of the stems, of the recordings at the song's rate.
        Stems: AudioBuffer list -> (string * AudioBuffer) list
    }

/// A Debian package with recordings, and the name that its songs begin with.
type Package = { Name: string; Version: string; Prefix: string }

let packages =
    [ "warzone2100-music", "4.3.3-3", "warzone2100"
      "nexuiz-music", "2.5.2-12", "nexuiz"
      "singularity-music", "007-2", "singularity"
      "asc-music", "1.3-6", "asc"
      "fretsonfire-songs-sectoid", "1.dfsg-3.1", "sectoid"
      "fretsonfire-songs-muldjord", "2.dfsg-2.1", "muldjord" ]
    |> List.map (fun (name, version, prefix) -> { Name = name; Version = version; Prefix = prefix })

/// Tracks, parts of tracks and voices that are not in the corpus: music that sings or speaks, or may, is no accompaniment.
let leftOut =
    Map
        [ "nexuiz-thunder", "a noise sampled at 11 kHz, no music"
          "nexuiz-breakdown-easy", "speech from 5:05 on"
          "nexuiz-infight", "speech from 2:05 on, often"
          "nexuiz-northern-lights", "a murmur of voices at 2:00, in doubt"
          "nexuiz-neuronal-diving", "wailing in the range of a voice from 2:15 to 2:55, in doubt"
          "warzone2100-track1", "calls like those of a radio at 0:46 and 3:10, in doubt"
          "warzone2100-track2", "voices in the noise of battle at the beginning"
          "warzone2100-track21", "whispering every half minute, in doubt"
          "solo-child", "the recording is that of choir-nino_soprano_105"
          for song in [ "armygeddon"; "chaos-god"; "internal-degeneration"; "mutilated-mime" ] do
              $"muldjord-{song}/song", "growls; the guitar is a file of its own and stays" ]

/// Held out of training: tracks of each package, two singers of MIR-1K (a woman and a man) and one of the solo singers.
let heldOutTracks =
    set
        [ "warzone2100-track12"
          "nexuiz-digital-pursuit"
          "singularity-media-threat"
          "asc-machine-wars"
          "sectoid-war-of-freedom"
          "muldjord-armygeddon" ]

let heldOutSingers = set [ "ariel"; "khair"; "solo-adult1" ]

let private mapChannels change (sound: AudioBuffer) =
    AudioBuffer([| for channel in sound.Channels -> change channel |], sound.SampleRate)

/// Sounds that begin together, summed to the length of the longest.
let sum (sounds: AudioBuffer list) =
    let length = sounds |> List.map _.Length |> List.max
    let total = Array.init sounds.Head.Channels.Count (fun _ -> Array.zeroCreate<float32> length)

    for sound in sounds do
        for channel in 0 .. total.Length - 1 do
            let samples = sound.Channels[channel]

            for i in 0 .. samples.Length - 1 do
                total[channel][i] <- total[channel][i] + samples[i]

    AudioBuffer(total, sounds.Head.SampleRate)

/// Sounds one after the other. Each begins and ends with a ramp of 5 ms, so that no seam clicks.
let joined (sounds: AudioBuffer list) =
    let ramp = sounds.Head.SampleRate / 200
    let share length i = min 1.0f (float32 (min i (length - 1 - i)) / float32 ramp)

    let faded =
        sounds
        |> List.map (mapChannels (fun samples -> samples |> Array.mapi (fun i x -> x * share samples.Length i)))

    let channels =
        [| for channel in 0 .. sounds.Head.Channels.Count - 1 -> [| for sound in faded -> sound.Channels[channel] |] |]

    AudioBuffer(channels |> Array.map Array.concat, sounds.Head.SampleRate)

let private channel index (sound: AudioBuffer) = AudioBuffer([| sound.Channels[index] |], sound.SampleRate)

/// A song at 16 kHz.
let private song folder origin files stems =
    { Folder = folder; Origin = origin; Files = files; Rate = 16000; Format = SampleFormat.Pcm16; Stems = stems }

let private sorted files = files |> Seq.sortWith (fun a b -> String.CompareOrdinal(a, b)) |> List.ofSeq
let private stemOf (file: string) = Path.GetFileNameWithoutExtension file
let private split isHeldOut = if isHeldOut then "dev" else "train"

/// Clips named singer_song_clip, a list for each song.
let private clipsBySong folder =
    sorted (Directory.EnumerateFiles folder)
    |> List.groupBy (fun file -> Regex.Replace(stemOf file, "_[^_]+$", ""))

let private singerOf (song: string) = (song.Split '_')[0]

/// The tracks of an unpacked package: a folder with song.ogg is one, whose parts are summed.
let tracks package folder =
    let track (file: string) =
        let place = Path.GetDirectoryName file
        let isInParts = File.Exists(Path.Combine(place, "song.ogg"))
        let name = if isInParts then Path.GetFileName place else stemOf file
        let slug = Regex.Replace(name.ToLowerInvariant(), "[^a-z0-9]+", "-").Trim '-'
        $"{package.Prefix}-{slug}"

    sorted (Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories) |> Seq.filter AudioFile.HasAudioName)
    |> List.filter (fun file ->
        let name = track file
        not (leftOut.ContainsKey name || leftOut.ContainsKey $"{name}/{stemOf file}"))
    |> List.groupBy track
    |> List.map (fun (name, files) ->
        let names = files |> List.map (fun file -> Path.GetRelativePath(folder, file)) |> String.concat " + "
        let origin = $"{package.Name} {package.Version}: {names}"
        song $"{split (heldOutTracks.Contains name)}/{name}" origin files (fun sounds -> [ ("music", sum sounds) ]))

/// MIR-1K: pairs of the training singers, and the karaoke of the others.
let private mir1k folder =
    [ for name, files in clipsBySong folder do
          let origin = $"MIR-1K/Wavfile/{name}_*.wav"
          let music sounds = "music", channel 0 (joined sounds)

          if List.contains (singerOf name) [ "abjones"; "amy" ] then
              song $"train/{name}" origin files (fun sounds -> [ music sounds; "voice", channel 1 (joined sounds) ])
          else
              let place = split (heldOutSingers.Contains(singerOf name))
              song $"{place}/mir1k-karaoke-{name}" origin files (fun sounds -> [ music sounds ]) ]

let private voice place name origin files = song $"{place}/{name}" origin files (fun sounds -> [ ("voice", joined sounds) ])

let private singers folder =
    [ for singer in sorted (Directory.EnumerateDirectories folder) |> List.map Path.GetFileName do
          if singer = "choir" || singer = "solo" then
              for file in sorted (Directory.EnumerateFiles(Path.Combine(folder, singer))) do
                  let name = $"{singer}-{stemOf file}"
                  let origin = $"voices/{singer}/{Path.GetFileName file}"

                  if not (leftOut.ContainsKey name) then
                      voice (split (heldOutSingers.Contains name)) name origin [ file ]
          else
              for name, files in clipsBySong (Path.Combine(folder, singer)) do
                  let origin = $"voices/{singer}/{name}_*.opus"
                  voice (split (heldOutSingers.Contains singer)) $"voice-{name}" origin files ]

let private speakers data =
    [ for speaker in [ "FA"; "MC" ] do
          let files = sorted (Directory.EnumerateFiles(Path.Combine(data, "TSP", speaker), "*.wav"))
          voice "train" $"speech-tsp-{speaker}" $"TSP/{speaker}/*.wav" files
      for speaker in [ "female"; "male" ] do
          let file = $"TIMIT-pair/{speaker}_train.wav"
          voice "train" $"speech-timit-{speaker}" file [ Path.Combine(data, file) ] ]

/// Produced songs at their own rate; in float32, so that their stems sum to the mixture.
let private produced folder =
    [ for place in sorted (Directory.EnumerateDirectories folder) do
          let name = Path.GetFileName place

          let voice, instruments =
              sorted (Directory.EnumerateFiles place) |> List.partition (fun file -> stemOf file = "voice")

          let stems (sounds: AudioBuffer list) = [ "voice", sounds.Head; "music", sum sounds.Tail; "mixture", sum sounds ]

          { song $"test/{name}" $"songs/{name}/*.opus" (voice @ instruments) stems with
              Rate = 44100
              Format = SampleFormat.Float32 } ]

/// All songs that a data folder makes.
let ofData data =
    let folder (name: string) = Path.Combine(data, name)

    List.concat [ mir1k (folder "MIR-1K/Wavfile"); singers (folder "voices"); speakers data; produced (folder "songs") ]
