namespace FunctionalSeparation

open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// Spectra that represent the two sources of a clip in their order, music and voice or their equivalents, [atoms, bins] each. The
/// type also holds the frames to learn them from, [frames, bins] each.
[<NoEquality; NoComparison>]
type Dictionaries =
    {
        /// Of the first source, [atoms, bins].
        OfMusic: torch.Tensor
        /// Of the second source, [atoms, bins].
        OfVoice: torch.Tensor
    }

/// How dictionaries are learnt from training clips.
type DictionaryPlan =
    {
        /// Atoms of the music.
        MusicAtoms: int
        /// Atoms of the voice.
        VoiceAtoms: int
        /// Frames of each source to learn from, drawn at random.
        Frames: int
        /// Updates.
        Iterations: int
        /// The objective that the factorisation minimises.
        Divergence: Divergence
    }

/// Dictionaries of music and of voice, learnt from training clips; and supervised separation with them.
[<RequireQualifiedAccess>]
module Dictionaries =

    let private tensors dictionaries = [ dictionaries.OfMusic; dictionaries.OfVoice ]

    let private drawRows (count: int) key (spectra: torch.Tensor) =
        let rows = Key.permutation (int spectra.shape[0]) key |> Array.truncate count |> Array.map int64
        spectra.index_select (0L, torch.tensor (rows, device = spectra.device))

    let private framesOf device stft count key (clip: Clip) =
        Memory.scoped tensors (fun () ->
            Clip.requireTwoSources clip
            let stems = Clip.read clip
            Clip.requireUsable stft clip stems
            let sources = Clip.sources Mixing.unitNorm (Clip.key clip) torch.float32 device stems
            // Frames of all channels, one after the other.
            let spectra = (Spectra.magnitude stft sources).flatten(1L, 2L)

            { OfMusic = drawRows count (Key.fold 0 key) spectra[0L]
              OfVoice = drawRows count (Key.fold 1 key) spectra[1L] })

    /// Frames of the separate sources, drawn at random: about `count` of each, equally many from each clip. Raises
    /// InputException, naming the clip, where it does not have two sources, is too short or a source is silent. Raises
    /// ArgumentException for no frame or no clip.
    let internal frames (device: torch.Device) (stft: Stft) (count: int) (key: Key) (clips: Clip list) : Dictionaries =
        Numbers.atLeast 1 "A dictionary" "frames" count

        if clips.IsEmpty then
            invalidArg (nameof clips) "A dictionary is learnt from at least one clip, got none."

        let ofEach = (count + clips.Length - 1) / clips.Length

        Memory.scoped tensors (fun () ->
            let drawn = clips |> List.mapi (fun index -> framesOf device stft ofEach (Key.fold index key))

            { OfMusic = torch.cat [| for part in drawn -> part.OfMusic |]
              OfVoice = torch.cat [| for part in drawn -> part.OfVoice |] })

    /// Learns atoms of unit length for both sources from training clips. The caller frees them. Raises as `frames`.
    let learn (device: torch.Device) (stft: Stft) (plan: DictionaryPlan) (key: Key) (clips: Clip list) : Dictionaries =
        Memory.scoped tensors (fun () ->
            let examples = frames device stft plan.Frames (Key.fold 0 key) clips
            let atoms count number = Nmf.learn plan.Divergence count plan.Iterations (Key.fold number key)

            { OfMusic = atoms plan.MusicAtoms 1 examples.OfMusic; OfVoice = atoms plan.VoiceAtoms 2 examples.OfVoice })

    /// Supervised NMF: `iterations` updates encode magnitudes [frames, bins] over the atoms of both sources. Each source is the
    /// contribution of its own atoms.
    let decompose kind (iterations: int) (dictionaries: Dictionaries) (magnitudes: torch.Tensor) : Decomposition =
        Memory.scoped Decomposition.tensors (fun () ->
            let ofMusic, ofVoice = dictionaries.OfMusic, dictionaries.OfVoice
            let activations = Nmf.encode kind iterations (torch.cat [| ofMusic; ofVoice |]) magnitudes
            let own first (atoms: torch.Tensor) = activations.narrow(1L, first, atoms.shape[0]).mm atoms
            { MusicPart = own 0L ofMusic; VoicePart = own ofMusic.shape[0] ofVoice })
