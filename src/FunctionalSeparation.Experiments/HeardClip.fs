namespace FunctionalSeparation

open System.IO
open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// The mixture of a clip, the true source that tables put first, and a system's estimate of it. The estimate has the level of the
/// true source, since scores do not depend on the level of an estimate.
[<NoEquality; NoComparison>]
type HeardClip = { Mixture: AudioBuffer; Clean: AudioBuffer; Separated: AudioBuffer }

/// Sounds of a row of a table, kept as files in its folder.
[<RequireQualifiedAccess; CompilationRepresentation(CompilationRepresentationFlags.ModuleSuffix)>]
module HeardClip =

    /// Longest sound that is kept, in seconds; of longer clips, the middle is kept.
    let mostSeconds = 10.0

    /// The mixture is scaled to this peak, and the clean source by the same gain; full scale = 1.
    let private peak = 0.5

    let private path folder name = Path.Combine(folder, "heard", name + ".wav")

    /// The middle of a sound [channels, samples].
    let private middle (rate: int) (sound: torch.Tensor) : AudioBuffer =
        let kept = min sound.shape[1] (int64 (mostSeconds * float rate))
        let part = sound.narrow (1L, (sound.shape[1] - kept) / 2L, kept)
        AudioTensors.FromTensor(part, rate)

    let private norm (sound: torch.Tensor) = sound.squared().sum().sqrt().clamp_min 1e-20

    /// The sound with the norm of another; silence stays silent.
    let private levelled (other: torch.Tensor) (sound: torch.Tensor) = sound * (norm other / norm sound)

    /// Separates a clip and keeps its sounds in `folder`. Raises InputException as `Evaluate.clip`.
    let write (folder: string) (mixing: Mixing) (device: torch.Device) (separator: Separator) (clip: Clip) : unit =
        let place = int64 clip.Sources.Length - 1L

        let sounds =
            Memory.plain (fun () ->
                let sources, estimates = Evaluate.estimates mixing torch.float32 device separator clip
                let sources = sources.narrow (2L, 0L, estimates.shape[2])
                let mixture = sources.sum 0L
                let toPeak (sound: torch.Tensor) = sound.mul peak / mixture.abs().max().clamp_min 1e-20
                let clean = toPeak sources[place]

                [ "mixture", toPeak mixture; "clean", clean; "separated", levelled clean estimates[place] ]
                |> List.map (fun (name, sound) -> name, middle clip.SampleRate sound))

        for name, sound in sounds do
            AudioFile.Write(path folder name, sound) |> ignore

    /// Reads the clip in `folder`. None for a row that was made before sounds were kept. Raises InputException where a file
    /// cannot be read.
    let tryRead (folder: string) : HeardClip option =
        if File.Exists(path folder "separated") then
            let sound name = AudioFile.Read(path folder name)
            Some { Mixture = sound "mixture"; Clean = sound "clean"; Separated = sound "separated" }
        else
            None
