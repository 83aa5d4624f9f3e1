namespace FunctionalSeparation

open System
open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// How parts of a clip are read without the rest.
[<NoEquality; NoComparison>]
type ClipParts =
    {
        /// Samples of each channel.
        Samples: int
        /// Reads `count` samples of a source of the clip, by its name, from sample `start` on: `Read source start count`,
        /// where 0 <= start <= start + count <= `Samples`.
        Read: string -> int -> int -> AudioBuffer
    }

/// One piece of a corpus. `Read` loads the sound each time it is called, so a corpus costs no memory by itself.
[<NoEquality; NoComparison>]
type Clip =
    {
        /// Unique within its corpus.
        Name: string
        /// The song it was cut from.
        Song: string
        /// The singer (or speaker).
        Singer: string
        /// Hz.
        SampleRate: int
        /// Channels of every source.
        Channels: int
        /// Names of the sources, in the order of the corpus.
        Sources: string list
        /// Loads the sound. Raises InputException, naming the file, where it cannot be read or has another shape than the corpus.
        Read: unit -> Stems
        /// Reads parts of it. None: it is only read as a whole, and training keeps it in memory.
        Parts: ClipParts option
    }

/// Clips: read, and checked before they are used.
[<RequireQualifiedAccess>]
module Clip =

    /// <summary>
    /// A clip that is its own song and singer.
    /// </summary>
    /// <example><code lang="fsharp">
    /// let clipOf (path: string) =
    ///     Clip.create path 16000 1 [ "music"; "voice" ] (fun () ->
    ///         let sound = AudioFile.Read path
    ///         Stems.ofMono sound.SampleRate [ "music", sound.Channels[0]; "voice", sound.Channels[1] ])
    /// </code></example>
    let create (name: string) (sampleRate: int) (channels: int) (sources: string list) (read: unit -> Stems) : Clip =
        { Name = name
          Song = name
          Singer = name
          SampleRate = sampleRate
          Channels = channels
          Sources = sources
          Read = read
          Parts = None }

    let private refuse (clip: Clip) (reason: string) = raise (InputException $"{clip.Name}: {reason}")

    /// The sound of a clip. Raises what `Read` raises, and InputException, naming the clip, where what was read has other
    /// sources, channels or another rate than the clip says, or sources of unequal length.
    let read (clip: Clip) : Stems =
        let stems = clip.Read()
        let names = Stems.names stems

        if names <> clip.Sources then
            let wanted, got = String.concat ", " clip.Sources, String.concat ", " names
            refuse clip $"has the sources {got}, the corpus says {wanted}. Correct its loader."

        for stem in stems do
            let sound = stem.Sound

            if
                sound.SampleRate <> clip.SampleRate
                || sound.Channels.Count <> clip.Channels
                || sound.Length <> Stems.length stems
            then
                refuse
                    clip
                    ($"the source '{stem.Name}' has {sound.Channels.Count} channel(s) of "
                     + $"{sound.Length} samples at {sound.SampleRate} Hz, the clip {clip.Channels} "
                     + $"of {Stems.length stems} at {clip.SampleRate} Hz. Convert it.")

        stems

    /// Samples of each channel; a clip without parts is read for it.
    let samples (clip: Clip) : int =
        match clip.Parts with
        | Some parts -> parts.Samples
        | None -> Stems.length (read clip)

    /// Samples of each channel of a clip, which must be readable. All of it is read for this; of a clip that can be read in
    /// parts, only the last sample of each source. Raises InputException as `read`.
    let readableSamples (clip: Clip) : int =
        match clip.Parts with
        | Some parts ->
            for source in clip.Sources do
                parts.Read source (parts.Samples - 1) 1 |> ignore

            parts.Samples
        | None -> Stems.length (read clip)

    /// The parts of a clip, read in another way.
    let internal partsBy change (clip: Clip) : ClipParts option =
        clip.Parts |> Option.map (fun parts -> { parts with Read = change parts.Read })

    /// Raises InputException, naming the clip, where its sample rate is not `expected` (Hz).
    let requireRate (expected: int) (clip: Clip) =
        if clip.SampleRate <> expected then
            refuse
                clip
                ($"the sample rate is {clip.SampleRate} Hz, the model works at "
                 + $"{expected} Hz. Resample the data first (Corpus.resampled).")

    /// Raises InputException, naming the clip, where its sources are not called as those that a system estimates, whatever their
    /// order. A system without names takes any.
    let requireSources (estimated: string list) (clip: Clip) =
        if not estimated.IsEmpty && List.sort estimated <> List.sort clip.Sources then
            let wanted, got = String.concat ", " estimated, String.concat ", " clip.Sources

            refuse
                clip
                ($"its sources are {got}, the system estimates {wanted}. Give other "
                 + "data, sum its sources (Corpus.grouped) or call them so (Corpus.named).")

    /// Raises InputException, naming the clip, where it cannot teach a system with these sources. It can where all its sources
    /// are among them, and it has the last of them, all others, or all.
    let requirePart (estimated: string list) (clip: Clip) =
        let lead, others = List.last estimated, List.take (estimated.Length - 1) estimated
        let has source = List.contains source clip.Sources
        let foreign = clip.Sources |> List.exists (fun source -> not (List.contains source estimated))

        if foreign || not (has lead || List.forall has others) then
            let wanted, got = String.concat ", " estimated, String.concat ", " clip.Sources

            refuse
                clip
                ($"its sources are {got}, the system learns from {wanted}, the last of them alone or all "
                 + "others. Give other data, sum its sources (Corpus.grouped) or call them so (Corpus.named).")

    /// Raises InputException, naming the clip, where it has more or less than two sources: the accompanying one and the wanted
    /// one.
    let requireTwoSources (clip: Clip) =
        if clip.Sources.Length <> 2 then
            let got = String.concat ", " clip.Sources
            refuse clip $"two sources are learnt from here, it has {got}. Sum some of them (Corpus.grouped)."

    /// Raises InputException, naming the clip, where `samples` samples are fewer than one window.
    let requireSamples (stft: Stft) (clip: Clip) (samples: int) =
        if stft.Frames(int64 samples) < 1L then
            refuse clip $"{samples} samples are fewer than one window of {stft.FftSize}. Remove the clip or use a shorter window."

    /// Raises InputException, naming the clip, where it is shorter than one window.
    let requireLength (stft: Stft) (clip: Clip) (stems: Stems) = requireSamples stft clip (Stems.length stems)

    /// Raises InputException, naming the clip, where it is shorter than one window or a source is silent. Nothing can be learnt
    /// from such a clip, and its unit norm does not exist.
    let requireUsable (stft: Stft) (clip: Clip) (stems: Stems) =
        requireLength stft clip stems

        for stem in stems do
            if Stems.isSilent stem.Sound then
                refuse
                    clip
                    $"the source '{stem.Name}' is silent, so the clip cannot be mixed at 0 dB. Remove it from the training data."

    /// Whether at least two sources of the clip sound: else there is nothing to separate.
    let isMixture (stems: Stems) : bool = stems |> List.filter (fun stem -> not (Stems.isSilent stem.Sound)) |> List.length >= 2

    /// Default key for the random part of a clip's mixing. It depends only on the name of the clip.
    let key (clip: Clip) : Key = Seq.fold (fun key letter -> Key.fold (int letter) key) (Key.ofSeed 0) clip.Name

    /// The sources [sources, channels, samples] of this type on this device, ready to be summed to the mixture.
    let sources (mixing: Mixing) (key: Key) (dtype: torch.ScalarType) (device: torch.Device) (stems: Stems) : torch.Tensor =
        Memory.tensor (fun () -> Mixing.apply mixing key ((Stems.tensor stems).``to``(dtype).``to`` device))
