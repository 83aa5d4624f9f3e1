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

/// Clips to learn from, to choose with, and to test on.
[<NoEquality; NoComparison>]
type Corpus = { Name: string; Train: Clip list; Dev: Clip list; Test: Clip list }

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
          Train = List.map ofSong songs.Train
          Dev = List.map ofSong songs.Dev
          Test = List.map ofSong songs.Test }

    /// One singer of the training clips held out to test on; no clip to choose with. A choice between recipes that looks at this
    /// corpus alone leaves the test clips untouched.
    let heldOut (singer: string) (corpus: Corpus) : Corpus =
        let test, train = corpus.Train |> List.partition (fun clip -> clip.Singer = singer)

        if test.IsEmpty || train.IsEmpty then
            let singers = corpus.Train |> List.map _.Singer |> List.distinct |> String.concat ", "
            raise (InputException $"'{singer}' cannot be held out: the training singers of {corpus.Name} are {singers}.")

        { Name = $"{corpus.Name} without {singer}"; Train = train; Dev = []; Test = test }

    /// A fingerprint of clips for provenance: SHA-256 over names and samples, the first 16 hexadecimal digits.
    let fingerprint (clips: Clip list) : string =
        use hash = Security.Cryptography.IncrementalHash.CreateHash Security.Cryptography.HashAlgorithmName.SHA256

        for clip in clips do
            let stems = clip.Read()
            hash.AppendData(Text.Encoding.UTF8.GetBytes clip.Name)
            hash.AppendData(Runtime.InteropServices.MemoryMarshal.AsBytes(ReadOnlySpan stems.Music))
            hash.AppendData(Runtime.InteropServices.MemoryMarshal.AsBytes(ReadOnlySpan stems.Voice))

        Convert.ToHexStringLower(hash.GetHashAndReset()).Substring(0, 16)
