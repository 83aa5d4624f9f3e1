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

    /// <summary>MP3 of variable bit rate (about 190 kbit/s of stereo); one channel or two, up to 48 kHz.</summary>
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
