using System.Text;

namespace FunctionalSeparation.Core;

/// <summary>The texts and the cover that ffmpeg writes into a stem: files beside the stem, until this is disposed.</summary>
internal sealed class EncodedTags : IDisposable
{
    private readonly UnfinishedFile _texts;
    private readonly UnfinishedFile? _cover;
    private readonly Cover? _picture;

    /// <param name="folder">Where the files lie.</param>
    /// <param name="texts">Texts by ffmpeg's names.</param>
    /// <param name="cover">The picture, for formats that hold it as one; null for none.</param>
    /// <exception cref="IOException">The folder cannot be written.</exception>
    public EncodedTags(string folder, IReadOnlyDictionary<string, string> texts, Cover? cover)
    {
        _picture = cover;
        _texts = new UnfinishedFile(folder);
        try
        {
            RandomAccess.Write(_texts.Handle, Encoding.UTF8.GetBytes(Document(texts)), 0);
            if (cover is null) return;
            _cover = new UnfinishedFile(folder);
            RandomAccess.Write(_cover.Handle, cover.Bytes, 0);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The arguments of ffmpeg behind the file of the sound.</summary>
    public IReadOnlyList<string> Arguments
    {
        get
        {
            string[] input = DecoderInput.As(_texts.Path, "ffmetadata"), output = ["-map", "0:a", "-map_metadata", "1"];
            return _cover is null
                ? [.. input, .. output]
                :
                [
                    .. input, .. DecoderInput.As(_cover.Path, _picture!.Demuxer), .. output,
                    "-map", "2:v", "-c:v", "copy", "-disposition:v", "attached_pic", "-metadata:s:v", "comment=Cover (front)",
                ];
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _texts.Dispose();
        _cover?.Dispose();
    }

    private static string Document(IReadOnlyDictionary<string, string> texts) =>
        ";FFMETADATA1\n" + string.Concat(texts.Select(text => $"{text.Key}={Escaped(text.Value)}\n"));

    private static string Escaped(string text)
    {
        var escaped = new StringBuilder();
        foreach (var letter in text.ReplaceLineEndings("\n"))
        {
            if ("=;#\\\n".Contains(letter)) escaped.Append('\\');
            if (letter != '\0') escaped.Append(letter);
        }
        return escaped.ToString();
    }
}
