using FunctionalSeparation;
using FunctionalSeparation.Core;

namespace FunctionalSeparation.CSharpConsumer;

/// <summary>The C# of the README.</summary>
internal static class ReadmeExample
{
    public static async Task RunAsync()
    {
        using ISeparator separator = Separators.Default();
        var files = await separator.SeparateFileAsync("song.mp3", "stems");
        Console.WriteLine(string.Join(", ", files.Keys));
    }
}
