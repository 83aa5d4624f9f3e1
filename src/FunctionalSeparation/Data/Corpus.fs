namespace FunctionalSeparation

open System
open TorchSharp
open FunctionalSeparation.Core

/// The true sources of a clip, [samples] each: mono, of equal length, as recorded, full scale = ±1. `Voice` is the source that
/// is wanted; `Music` is the other one, be it accompaniment, noise or a second speaker.
[<NoEquality; NoComparison>]
type Stems = { Music: float32[]; Voice: float32[] }

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
        /// Loads the sound. Raises InputException, naming the file, where it cannot be read or has another shape than the corpus.
        Read: unit -> Stems
    }

/// A part of a corpus.
[<RequireQualifiedAccess>]
type Split =
    /// To learn from.
    | Train
    /// To choose with.
    | Dev
    /// To test on.
    | Test

/// Clips to learn from, to choose with, and to test on.
[<NoEquality; NoComparison>]
type Corpus =
    {
        Name: string
        /// Where it was read: the folder, which messages name.
        Place: string
        Train: Clip list
        Dev: Clip list
        Test: Clip list
        /// What the place holds besides and was not read.
        LeftOut: LeftOut list
    }

[<RequireQualifiedAccess>]
module Clip =

    /// Raises InputException, naming the clip, where its sample rate is not `expected` (Hz).
    let requireRate (expected: int) (clip: Clip) =
        if clip.SampleRate <> expected then
            raise (
                InputException
                    $"{clip.Name}: the sample rate is {clip.SampleRate} Hz, the model works at {expected} Hz. Resample the data first."
            )

    /// Raises InputException, naming the clip, where it is shorter than one window.
    let requireLength (stft: Stft) (clip: Clip) (stems: Stems) =
        if stft.Frames(int64 stems.Voice.Length) < 1L then
            raise (
                InputException
                    $"{clip.Name}: {stems.Voice.Length} samples are fewer than one window of {stft.FftSize}. Remove the clip or use a shorter window."
            )

    /// Raises InputException, naming the clip, where it is shorter than one window or a source is silent: nothing can be learnt
    /// from such a clip, and its unit norm does not exist.
    let requireUsable (stft: Stft) (clip: Clip) (stems: Stems) =
        requireLength stft clip stems

        for name, samples in [ "other source (music)", stems.Music; "voice", stems.Voice ] do
            if Array.forall (fun x -> x = 0.0f) samples then
                raise (
                    InputException
                        $"{clip.Name}: the {name} is silent, so the clip cannot be mixed at 0 dB. Remove it from the training data."
                )

    /// Whether a source of the clip is silent from its first to its last sample: then there is nothing to separate.
    let isSilent (stems: Stems) : bool =
        let isZero = Array.forall (fun x -> x = 0.0f)
        isZero stems.Music || isZero stems.Voice

    /// Reads all clips to see that they can be scored by a separator with this front end, before hours of work that would end
    /// there. Raises InputException, naming the clip, where one cannot be read, has another sample rate or is shorter than one
    /// window; and where there is no clip, or none whose sources both sound.
    let requireScorable (frontEnd: FrontEnd) (clips: Clip list) : unit =
        let isScorable clip =
            requireRate frontEnd.SampleRate clip
            let stems = clip.Read()
            requireLength frontEnd.Stft clip stems
            not (isSilent stems)

        // Filtered, not searched: every clip is looked at.
        if (List.filter isScorable clips).IsEmpty then
            match clips with
            | [] -> raise (InputException "There are no clips to score. Give data that has some.")
            | first :: _ ->
                raise (
                    InputException
                        $"{first.Name}: in this clip and all {clips.Length} of its part a source is silent, so there is nothing to score. Give clips in which both sources sound."
                )

    /// The sources as a tensor [2, samples] (music, voice), each scaled to unit L2 norm over the whole clip, so that their sum
    /// is a 0 dB mixture (authors' code of Huang et al. 2014). A silent source stays silent.
    let unitNorm (dtype: torch.ScalarType) (device: torch.Device) (stems: Stems) : torch.Tensor =
        Memory.tensor (fun () ->
            let sources = torch.stack([ torch.tensor stems.Music; torch.tensor stems.Voice ]).``to``(dtype).``to`` device
            let norms = (sources * sources).sum(1L, keepdim = true).sqrt()
            sources / torch.where (norms.eq 0.0, torch.ones_like norms, norms))

[<RequireQualifiedAccess>]
module Corpus =

    let private ofSong (song: SyntheticSong) : Clip =
        { Name = song.Name
          Song = song.Name
          Singer = song.Name
          SampleRate = song.SampleRate
          Read = fun () -> { Music = song.Music; Voice = song.Voice } }

    /// The embedded corpus: generated songs, for demonstrations and tests (see `Synthetic`).
    let embedded (seed: int) : Corpus =
        let songs = Synthetic.corpus seed

        { Name = "embedded corpus"
          Place = "embedded corpus"
          Train = List.map ofSong songs.Train
          Dev = List.map ofSong songs.Dev
          Test = List.map ofSong songs.Test
          LeftOut = [] }

    /// The clips of a part.
    let clips (split: Split) (corpus: Corpus) : Clip list =
        match split with
        | Split.Train -> corpus.Train
        | Split.Dev -> corpus.Dev
        | Split.Test -> corpus.Test

    let private nameOf =
        function
        | Split.Train -> "training clips"
        | Split.Dev -> "development clips"
        | Split.Test -> "test clips"

    /// Raises InputException, naming the corpus's place and the part, where one of the parts has no clip.
    let require (splits: Split list) (corpus: Corpus) : unit =
        for split in splits do
            if (clips split corpus).IsEmpty then
                let folder = $"{split}".ToLowerInvariant()

                raise (
                    InputException
                        $"{corpus.Place}: there are no {nameOf split}{AudioFolder.because corpus.LeftOut}. Give the folder of a data set that has some, or one with clips in a folder '{folder}'."
                )

    /// One singer of the training clips held out to test on; no clip to choose with. A choice between recipes that looks at this
    /// corpus alone leaves the test clips untouched.
    let heldOut (singer: string) (corpus: Corpus) : Corpus =
        let test, train = corpus.Train |> List.partition (fun clip -> clip.Singer = singer)

        if test.IsEmpty || train.IsEmpty then
            let singers = corpus.Train |> List.map _.Singer |> List.distinct |> String.concat ", "
            raise (InputException $"'{singer}' cannot be held out: the training singers of {corpus.Name} are {singers}.")

        { corpus with Name = $"{corpus.Name} without {singer}"; Train = train; Dev = []; Test = test }

    /// A fingerprint of clips for provenance: SHA-256 over names and samples, the first 16 hexadecimal digits.
    let fingerprint (clips: Clip list) : string =
        use hash = Security.Cryptography.IncrementalHash.CreateHash Security.Cryptography.HashAlgorithmName.SHA256

        for clip in clips do
            let stems = clip.Read()
            hash.AppendData(Text.Encoding.UTF8.GetBytes clip.Name)
            hash.AppendData(Runtime.InteropServices.MemoryMarshal.AsBytes(ReadOnlySpan stems.Music))
            hash.AppendData(Runtime.InteropServices.MemoryMarshal.AsBytes(ReadOnlySpan stems.Voice))

        Convert.ToHexStringLower(hash.GetHashAndReset()).Substring(0, 16)
