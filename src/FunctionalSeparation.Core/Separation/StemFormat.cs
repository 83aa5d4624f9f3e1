namespace FunctionalSeparation.Core;

/// <summary>How stems are stored as files. All but WAV are made by the ffmpeg program, from samples of 24 bits.</summary>
public enum StemFormat
{
    /// <summary>WAV, 32-bit float: nothing is lost, and samples beyond full scale are kept.</summary>
    WavFloat32,

    /// <summary>WAV, 24-bit integers.</summary>
    WavPcm24,

    /// <summary>WAV, 16-bit integers.</summary>
    WavPcm16,

    /// <summary>FLAC, 24 bits: nothing but the rounding is lost.</summary>
    Flac,

    /// <summary>MP3 of variable bit rate (about 190 kbit/s of stereo); of one channel or two, up to 48 kHz, alone.</summary>
    Mp3,

    /// <summary>Opus at 160 kbit/s, which has 48 kHz whatever the song has.</summary>
    Opus,
}

/// <summary>What the formats are made of.</summary>
internal static class StemFormats
{
    /// <summary>The samples of the WAV file that a stem is, or that ffmpeg makes it of.</summary>
    public static SampleFormat Samples(this StemFormat format) => format switch
    {
        StemFormat.WavFloat32 => SampleFormat.Float32,
        StemFormat.WavPcm16 => SampleFormat.Pcm16,
        _ => SampleFormat.Pcm24,
    };

    /// <summary>Refuses a song whose rate and channels the format cannot hold: ffmpeg would change them without a word.</summary>
    /// <exception cref="InputException">The format is MP3, and the song has more than two channels or 48 kHz.</exception>
    public static void Require(this StemFormat format, WavReader song)
    {
        var (channels, rate) = (song.Info.Channels, song.Info.SampleRate);
        if (format == StemFormat.Mp3 && (channels > 2 || rate > 48000))
            throw new InputException($"{song.Path} has {channels} channels at {rate} Hz, MP3 at most 2 at 48000 Hz: choose FLAC or WAV.");
    }

    /// <summary>
    /// Whether a file of the format tells loudspeakers, and places in time by samples. The Opus encoder takes the usual loudspeakers only,
    /// and its rate is another.
    /// </summary>
    public static bool HasLoudspeakers(this StemFormat format) => format is not (StemFormat.Mp3 or StemFormat.Opus);

    /// <summary>What the name of a file ends with.</summary>
    public static string Extension(this StemFormat format) => format switch
    {
        StemFormat.Flac => ".flac",
        StemFormat.Mp3 => ".mp3",
        StemFormat.Opus => ".opus",
        _ => ".wav",
    };

    /// <summary>What ffmpeg is told to make of a WAV file; null where the stem is one.</summary>
    public static string[]? Encoder(this StemFormat format) => format switch
    {
        StemFormat.Flac => ["-c:a", "flac", "-f", "flac"],
        StemFormat.Mp3 => ["-c:a", "libmp3lame", "-q:a", "2", "-f", "mp3"],
        StemFormat.Opus => ["-c:a", "libopus", "-b:a", "160k", "-f", "opus"],
        _ => null,
    };
}
