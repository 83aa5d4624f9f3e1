namespace FunctionalSeparation

open System
open FunctionalSeparation.Core

/// Silence behind sounds.
[<RequireQualifiedAccess>]
module internal Silence =

    /// A sound of at most `length` samples, and silence up to that length.
    let after (sound: AudioBuffer) (length: int) : AudioBuffer =
        if sound.Length = length then
            sound
        else
            let filled (channel: float32[]) = Array.append channel (Array.zeroCreate (length - channel.Length))
            AudioBuffer([| for channel in sound.Channels -> filled channel |], sound.SampleRate)

/// A sound track of a file, which is read in parts, with silence behind its end. A WAV file is read in place. Any other file is
/// decoded when it is first read, into a temporary file that ends with the process. `track` is the number of the sound track,
/// from 0, in a file with several. Raises InputException, when it is read, for a file that cannot be read or decoded.
[<Sealed>]
type internal SoundFile(path: string, track: int option) =
    let shape = lazy AudioFile.Shape path
    let decoded = lazy AudioFile.OpenTrack(path, Option.toNullable track)

    /// `count` samples from `start` on of a sound of `length` samples: the part that is present, and silence.
    let partOf length (read: int64 -> int -> AudioBuffer) (start: int) (count: int) =
        let present = int (min (int64 count) (max 0L (length - int64 start)))
        Silence.after (read (min (int64 start) length) present) count

    /// The file.
    member _.Path = path

    /// Rate, channels and length as the header states them.
    member _.Shape = shape.Value

    /// All channels from sample `start` on, `count` samples each.
    member _.Read (start: int) (count: int) : AudioBuffer =
        if shape.Value.IsWav then
            partOf shape.Value.Length (fun start count -> AudioFile.Read(path, start, count)) start count
        else
            // A header may promise more than there is.
            partOf decoded.Value.Info.Length (fun start count -> decoded.Value.Read(start, count)) start count
