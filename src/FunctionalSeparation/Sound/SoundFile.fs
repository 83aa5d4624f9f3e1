namespace FunctionalSeparation

open System
open FunctionalSeparation.Core

/// A sound track of a file, of which parts are read: of a WAV file in place; any other is decoded when it is first asked for, into a
/// temporary file that ends with the process. `track`: which of several, from 0. Raises InputException, when it is asked, for a file that
/// cannot be read or decoded.
[<Sealed>]
type internal SoundFile(path: string, track: int option) =
    let shape = lazy AudioFile.Shape path
    let decoded = lazy AudioFile.OpenTrack(path, Option.toNullable track)

    /// The part of a decoded file; a header may promise more than there is: silence follows then.
    let ofDecoded (reader: WavReader) (start: int) count =
        let present = int (min (int64 count) (max 0L (reader.Info.Length - int64 start)))
        let part = reader.Read(min (int64 start) reader.Info.Length, present)

        if present = count then
            part
        else
            let filled (channel: float32[]) = Array.append channel (Array.zeroCreate (count - present))
            AudioBuffer([| for channel in part.Channels -> filled channel |], part.SampleRate)

    /// Rate, channels and length as the header states them.
    member _.Shape = shape.Value

    /// All channels from sample `start` on, `count` samples each.
    member _.Read (start: int) (count: int) : AudioBuffer =
        if shape.Value.IsWav then
            AudioFile.Read(path, int64 start, count)
        else
            ofDecoded decoded.Value start count
