namespace FunctionalSeparation.Core;

/// <summary>
/// Limits on reading a sound, for applications that read files from strangers. A small file can be hours of sound, and a damaged or a
/// malicious one can keep a decoder busy. At a limit the reading ends with an <see cref="InputException"/>, the decoder ends too, and its
/// output is deleted. The defaults suit songs and concerts; without a record there is no limit.
/// </summary>
public sealed record DecoderLimits
{
    /// <summary>How long the decoder may work, from its start; 5 minutes unless set. An hour of MP3 takes it some seconds.</summary>
    /// <exception cref="ArgumentOutOfRangeException">No time, or less.</exception>
    public TimeSpan Time
    {
        get;
        init
        {
            ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(value, TimeSpan.Zero);
            field = value;
        }
    } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// The most bytes that may come from a stream or a pipe, or from the decoder as 4 bytes a sample and channel. Each of the two has one
    /// temporary file. The limit is 4 GiB unless set, which is three hours of stereo at 44.1 kHz.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">Less than 1.</exception>
    public long Bytes
    {
        get;
        init
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1);
            field = value;
        }
    } = 4L << 30;

    /// <summary>
    /// The most memory of the decoder in bytes (its working set, looked at every 20 ms); 1 GiB unless set. ffmpeg takes some 50 MiB with
    /// most sounds, and hundreds where it meets a large picture beside them.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">Less than 1.</exception>
    public long Memory
    {
        get;
        init
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1);
            field = value;
        }
    } = 1L << 30;
}
