namespace FunctionalSeparation

open System
open FunctionalSeparation.Core

/// Silence behind sounds.
[<RequireQualifiedAccess>]
module internal Silence =

    /// A sound of at most so many samples, and silence up to there.
    let after (sound: AudioBuffer) (length: int) : AudioBuffer =
        if sound.Length = length then
            sound
        else
            let filled (channel: float32[]) = Array.append channel (Array.zeroCreate (length - channel.Length))
            AudioBuffer([| for channel in sound.Channels -> filled channel |], sound.SampleRate)

/// A sound track of a file, of which parts are read, and silence behind its end: of a WAV file in place; any other is decoded when it is
/// first asked for, into a temporary file that ends with the process. `track`: which of several, from 0. Raises InputException, when it
/// is asked, for a file that cannot be read or decoded.
[<Sealed>]
type internal SoundFile(path: string, track: int option) =
    let shape = lazy AudioFile.Shape path
    let decoded = lazy AudioFile.OpenTrack(path, Option.toNullable track)

    /// The part that is present, of a sound of so many samples, and silence.
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
