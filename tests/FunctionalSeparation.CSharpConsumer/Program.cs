using FunctionalSeparation;
using FunctionalSeparation.Core;

// song.wav model-folder out-folder
using ISeparator separator = ModelFolder.openSeparator("auto", args[1]);
AudioBuffer song = AudioFile.Read(args[0]);
var progress = new Progress<double>(share => Console.Error.Write($"\r{share:P0} "));
var stems = separator.Separate(song, progress);
foreach (var (name, stem) in stems)
    AudioFile.Write(Path.Combine(args[2], name + ".wav"), stem, SampleFormat.Pcm16);
Console.WriteLine($"{separator.Name}: {string.Join(", ", stems.Keys)}, {song.Seconds:F1} s");
