using FunctionalSeparation;
using FunctionalSeparation.Core;

// song.wav out-folder [model-folder]: with the library's own model, or one that training wrote.
using ISeparator separator = args.Length < 3 ? Separators.Default() : ModelFolder.openSeparator("auto", args[2]);

// A file of any length, in constant memory: song_music.wav and song_voice.wav.
var progress = new Progress<double>(share => Console.Error.Write($"\r{share:P0} "));
var files = separator.SeparateFile(args[0], args[1], progress);

// A sound in memory.
AudioBuffer song = AudioFile.Read(args[0]);
AudioBuffer voice = separator.Separate(song)["voice"];

// A sound that comes piece by piece: the same stems, with a fixed delay.
using StemStream stream = separator.Open(song.SampleRate, song.Channels.Count, song.Level());
int ready = stream.Push(song)["voice"].Length + stream.Finish()["voice"].Length;
Console.WriteLine($"{separator.Name}: {string.Join(", ", files.Keys)}, {voice.Seconds:F1} s, {ready} samples, {stream.Latency} late");
