using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace FunctionalSeparation.Core;

/// <summary>
/// Identifies songs by their sound: SHA-256 over the sample rate and the samples of each channel (32-bit float). Moved, renamed and
/// retagged files, and lossless copies, are the same song. The cut of the samples into pieces does not matter.
/// </summary>
internal sealed class SongFingerprint : IDisposable
{
    private readonly int _sampleRate;
    private readonly IncrementalHash[] _channels;

    public SongFingerprint(int sampleRate, int channels)
    {
        _sampleRate = sampleRate;
        _channels = [.. Enumerable.Range(0, channels).Select(_ => IncrementalHash.CreateHash(HashAlgorithmName.SHA256))];
    }

    public void Add(AudioBuffer piece)
    {
        for (var c = 0; c < _channels.Length; c++) _channels[c].AppendData(MemoryMarshal.AsBytes(piece.Channels[c].AsSpan()));
    }

    /// <summary>The fingerprint, in hexadecimal digits.</summary>
    public string Finish()
    {
        byte[] all = [.. BitConverter.GetBytes(_sampleRate), .. _channels.SelectMany(channel => channel.GetHashAndReset())];
        return Convert.ToHexStringLower(SHA256.HashData(all));
    }

    public void Dispose()
    {
        foreach (var channel in _channels) channel.Dispose();
    }
}
