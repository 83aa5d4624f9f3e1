namespace FunctionalSeparation

open System
open FunctionalSeparation.Core
open FunctionalSeparation.Learning
open TorchSharp

/// A source by its name, as recorded: any number of channels, full scale = ±1.
[<NoEquality; NoComparison>]
type Stem =
    {
        /// Name of the source, such as `voice`.
        Name: string
        /// Its samples, a row for each channel, and their rate in Hz.
        Sound: AudioBuffer
    }

/// The true sources of a clip in the order of its corpus, all of one rate, channel count and length. Tables put the last of them
/// first: the voice, the vocals.
type Stems = Stem list

/// Sources as a list of named sounds.
[<RequireQualifiedAccess>]
module Stems =

    /// The sources of the papers' corpora, in the order of their networks' outputs.
    let musicAndVoice = [ "music"; "voice" ]

    /// The order of tables: the last source first, then the others as they are.
    let lastFirst (sources: 'a list) : 'a list =
        match List.rev sources with
        | [] -> []
        | last :: others -> last :: List.rev others

    /// The names, in order.
    let names (stems: Stems) : string list = stems |> List.map _.Name

    /// Mono sources of a rate (Hz), [samples] each.
    let ofMono (sampleRate: int) (sources: (string * float32[]) list) : Stems =
        [ for name, samples in sources -> { Name = name; Sound = AudioBuffer([| samples |], sampleRate) } ]

    /// The sound of a name. Raises ArgumentException, naming those there are, where it is not among them.
    let find (name: string) (stems: Stems) : AudioBuffer =
        match stems |> List.tryFind (fun stem -> stem.Name = name) with
        | Some stem -> stem.Sound
        | None ->
            let known = names stems |> String.concat ", "
            invalidArg (nameof name) $"There is no source '{name}' among {known}."

    /// Samples of each channel of each source; 0 where there is no source.
    let length (stems: Stems) : int = stems |> List.tryHead |> Option.map _.Sound.Length |> Option.defaultValue 0

    /// Each sound changed; the names stay.
    let map (change: AudioBuffer -> AudioBuffer) (stems: Stems) : Stems =
        [ for stem in stems -> { stem with Sound = change stem.Sound } ]

    let private added (first: AudioBuffer) (second: AudioBuffer) =
        AudioBuffer(Seq.map2 (Array.map2 (+)) first.Channels second.Channels |> Array.ofSeq, first.SampleRate)

    /// The sum of all sources as they are. Raises ArgumentException where there is none, or for unequal lengths.
    let sum (stems: Stems) : AudioBuffer = stems |> List.map _.Sound |> List.reduce added

    /// Whether a sound is zero from its first to its last sample, in all channels.
    let isSilent (sound: AudioBuffer) : bool = sound.Channels |> Seq.forall (Array.forall (fun x -> x = 0.0f))

    /// The sources as a float32 tensor [sources, channels, samples] on the CPU. Raises ArgumentException where their shapes
    /// differ.
    let tensor (stems: Stems) : torch.Tensor =
        let channels = [ for stem in stems -> stem.Sound.Channels.Count ]

        if List.exists ((<>) channels.Head) channels then
            invalidArg (nameof stems) $"Sources have one number of channels, got {channels}."

        let samples =
            [| for stem in stems do
                   yield! stem.Sound.Channels |]

        Memory.tensor (fun () ->
            torch.stack([ for one in samples -> torch.tensor one ]).view(int64 stems.Length, -1L, int64 samples[0].Length))
