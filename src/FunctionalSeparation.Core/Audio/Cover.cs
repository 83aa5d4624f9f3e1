using System.Buffers.Binary;
using System.Text;
using FFMpegCore;

namespace FunctionalSeparation.Core;

/// <summary>The picture of an album, as files of sound carry it: JPEG or PNG.</summary>
/// <param name="Bytes">The picture's file.</param>
/// <param name="IsPng">Whether it is PNG.</param>
internal sealed record Cover(byte[] Bytes, bool IsPng)
{
    /// <summary>The longest that a FLAC file holds.</summary>
    private const int MostBytes = 1 << 24;

    private const int FrontCover = 3;

    /// <summary>ffmpeg's name for a file of the picture.</summary>
    public string Demuxer => IsPng ? "png_pipe" : "jpeg_pipe";

    /// <summary>Takes the picture out of a file; null where that fails: a song can do without it.</summary>
    /// <param name="path">The file.</param>
    /// <param name="stream">The index of the picture among all its streams.</param>
    /// <param name="watch">Ends it.</param>
    /// <exception cref="InputException">It takes more than the limits.</exception>
    public static Cover? Read(string path, int stream, DecoderWatch watch)
    {
        string[] arguments =
        [
            "-nostdin", "-nostats", "-loglevel", "quiet", .. DecoderInput.Of(path),
            "-map", $"0:{stream}", "-c", "copy", "-frames:v", "1", "-f", "image2pipe", "-",
        ];
        byte[] picture = [];
        void Take(Stream output)
        {
            var bytes = new byte[MostBytes];
            var length = output.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            if (length < MostBytes) picture = bytes[..length];
            DecoderRun.Ignore(output);
        }
        var run = DecoderRun.Of(GlobalFFOptions.GetFFMpegBinaryPath(), arguments, Take, watch);
        return run.ExitCode == 0 ? Of(picture) : null;
    }

    /// <summary>The picture as Ogg files hold it: a FLAC picture block in Base64 (Xiph's "Ogg Vorbis comment field", cover art).</summary>
    public string ToPictureBlock()
    {
        var mime = Encoding.ASCII.GetBytes(IsPng ? "image/png" : "image/jpeg");
        // Type, MIME type, no description, no size of the picture (a reader finds it there), the picture.
        byte[] block = [.. Number(FrontCover), .. Number(mime.Length), .. mime, .. new byte[4 + 4 * 4], .. Number(Bytes.Length), .. Bytes];
        return Convert.ToBase64String(block);
    }

    private static Cover? Of(byte[] bytes) =>
        bytes.AsSpan().StartsWith<byte>([0x89, (byte)'P', (byte)'N', (byte)'G']) ? new(bytes, true)
        : bytes.AsSpan().StartsWith<byte>([0xFF, 0xD8, 0xFF]) ? new(bytes, false)
        : null;

    private static byte[] Number(int value)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(bytes, value);
        return bytes;
    }
}
