using FunctionalSeparation;
using FunctionalSeparation.Core;

// song.wav stems true-stems: takes a song apart into files, streams it, and scores the files against the true stems.
using ISeparator separator = Separators.Default();
var files = separator.SeparateFile(args[0], args[1]);
Console.WriteLine(string.Join(", ", files.Values.Select(file => Path.GetFileName(file.Path))));

AudioBuffer song = AudioFile.Read(args[0]);
using StemStream stream = separator.Open(song.SampleRate, song.Channels.Count);
int streamed = stream.Push(song)["voice"].Length + stream.Finish()["voice"].Length;
Console.WriteLine($"{streamed} samples of the voice in a stream");

// Medians over windows of a second (BSS Eval 4), the files of both folders in the order of their names.
static AudioBuffer[] Stems(string folder) =>
    [.. Directory.GetFiles(folder, "*.wav").Order(StringComparer.Ordinal).Select(file => AudioFile.Read(file))];

Console.WriteLine(BssEval.InWindows(Stems(args[2]), Stems(args[1])));
