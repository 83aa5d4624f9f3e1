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

    /// <summary>
    /// MP3 of variable bit rate (about 190 kbit/s of stereo); only of one or two channels, up to 48 kHz. A rate that MP3 does not have
    /// becomes the next of those that it has.
    /// </summary>
    Mp3,

    /// <summary>Opus at 160 kbit/s, which has 48 kHz whatever the song has; of one channel, two, or five to eight.</summary>
    Opus,
}

/// <summary>The one table of the formats: their limits, and how they are made.</summary>
public static class StemFormats
{
    private static readonly int[] Mp3Rates = [8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000];

    private static readonly Dictionary<StemFormat, Coding> Codings = new()
    {
        [StemFormat.WavFloat32] = Wav(SampleFormat.Float32),
        [StemFormat.WavPcm24] = Wav(SampleFormat.Pcm24),
        [StemFormat.WavPcm16] = Wav(SampleFormat.Pcm16),
        [StemFormat.Flac] = new(
            "FLAC", ".flac", SampleFormat.Pcm24,
            "up to 8 channels at up to 65534 Hz, or at a multiple of 10 Hz below 655350",
            channels => channels <= 8,
            rate => rate < 65535 || (rate % 10 == 0 && rate < 655350) ? rate : null,
            ["-c:a", "flac", "-f", "flac"],
            HasLoudspeakers: true),
        [StemFormat.Mp3] = new(
            "MP3", ".mp3", SampleFormat.Pcm24,
            "1 or 2 channels at up to 48000 Hz",
            channels => channels <= 2,
            rate => Mp3Rates.Where(known => known >= rate).Select(known => (int?)known).FirstOrDefault(),
            ["-c:a", "libmp3lame", "-q:a", "2", "-f", "mp3"],
            HasLoudspeakers: false),
        // ffmpeg makes no Opus of three and four channels: it takes WAV files without a mask for 2.1 and 4.0, which Opus does not have.
        // Opus takes the usual loudspeakers only and has another rate, so neither loudspeakers nor positions in samples are stored.
        [StemFormat.Opus] = new(
            "Opus", ".opus", SampleFormat.Pcm24,
            "1, 2 or 5 to 8 channels",
            channels => channels is <= 2 or (>= 5 and <= 8),
            _ => 48000,
            ["-c:a", "libopus", "-b:a", "160k", "-f", "opus"],
            HasLoudspeakers: false),
    };

    /// <param name="Name">The name that people know.</param>
    /// <param name="Extension">The ending of a file's name.</param>
    /// <param name="Samples">The samples of the WAV file that a stem is, or that ffmpeg makes it of.</param>
    /// <param name="Limits">A description of its limits.</param>
    /// <param name="HoldsChannels">Whether it holds a number of channels.</param>
    /// <param name="StoredRate">The rate that sound of a rate (Hz) has in it; null where it cannot hold that.</param>
    /// <param name="Encoder">The arguments with which ffmpeg makes it from a WAV file; null where the stem is a WAV file.</param>
    /// <param name="HasLoudspeakers">Whether a file tells the loudspeakers of its channels, and places in time by samples.</param>
    private sealed record Coding(
        string Name,
        string Extension,
        SampleFormat Samples,
        string Limits,
        Func<int, bool> HoldsChannels,
        Func<int, int?> StoredRate,
        string[]? Encoder,
        bool HasLoudspeakers);

    /// <summary>
    /// Whether a format holds sound of a sample rate and number of channels, if need be at another rate (<see cref="StoredRate"/>).
    /// </summary>
    /// <param name="format">The format.</param>
    /// <param name="sampleRate">The sound's sample rate in Hz.</param>
    /// <param name="channels">Its channels.</param>
    /// <exception cref="ArgumentOutOfRangeException">An undefined format, or a rate or number of channels below 1.</exception>
    public static bool Holds(this StemFormat format, int sampleRate, int channels)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(sampleRate, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(channels, 1);
        return Of(format) is var coding && coding.HoldsChannels(channels) && coding.StoredRate(sampleRate) is not null;
    }

    /// <summary>
    /// The sample rate in Hz of stems in a format: that of the song, except for 48 kHz in Opus and the next available rate in MP3.
    /// </summary>
    /// <param name="format">The format.</param>
    /// <param name="sampleRate">The song's sample rate in Hz; returned as it is where the format cannot hold it.</param>
    /// <exception cref="ArgumentOutOfRangeException">An undefined format, or a rate below 1 Hz.</exception>
    public static int StoredRate(this StemFormat format, int sampleRate)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(sampleRate, 1);
        return Of(format).StoredRate(sampleRate) ?? sampleRate;
    }

    /// <summary>Refuses a song whose rate and channels the format cannot hold, before it is separated.</summary>
    /// <exception cref="InputException">It cannot; the message names the formats that can.</exception>
    internal static void Require(this StemFormat format, WavReader song)
    {
        var (channels, rate) = (song.Info.Channels, song.Info.SampleRate);
        if (format.Holds(rate, channels)) return;
        var others = Codings.Where(other => other.Key.Holds(rate, channels)).Select(other => other.Value.Name).Distinct();
        throw new InputException(
            $"{song.Path} has {channels} channels at {rate} Hz, and {Of(format).Name} holds {Of(format).Limits}: "
            + $"choose {string.Join(" or ", others)}.");
    }

    internal static SampleFormat Samples(this StemFormat format) => Of(format).Samples;

    internal static bool HasLoudspeakers(this StemFormat format) => Of(format).HasLoudspeakers;

    internal static string Extension(this StemFormat format) => Of(format).Extension;

    internal static string[]? Encoder(this StemFormat format) => Of(format).Encoder;

    private static Coding Wav(SampleFormat samples) =>
        new(
            "WAV", ".wav", samples,
            $"up to {WavHeader.MostChannels} channels at {WavHeader.LowestRate} to {WavHeader.HighestRate} Hz",
            channels => channels <= WavHeader.MostChannels,
            rate => rate is >= WavHeader.LowestRate and <= WavHeader.HighestRate ? rate : null,
            null,
            HasLoudspeakers: true);

    private static Coding Of(StemFormat format) =>
        Codings.TryGetValue(format, out var coding)
            ? coding
            : throw new ArgumentOutOfRangeException(nameof(format), $"There is no format of stems with the number {(int)format}.");
}
