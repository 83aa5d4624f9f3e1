using FunctionalSeparation;
using FunctionalSeparation.Core;

// song.wav out-folder [model-folder]: with the library's own model, or one that training wrote.
using ISeparator separator = args.Length < 3 ? Separators.Default() : Separators.Open(args[2]);

// A file of any length, in constant memory: song_music.wav and song_voice.wav.
var progress = new OrderedProgress(share => Console.Error.Write($"\r{share:P0} "));
using var stop = new CancellationTokenSource();
var files = await separator.SeparateFileAsync(args[0], args[1], progress: progress, cancellation: stop.Token);

// A sound in memory.
AudioBuffer song = AudioFile.Read(args[0]);
var stems = separator.Separate(song);
Console.WriteLine(stems["voice"]);

// A sound that comes piece by piece, whose level nobody knows yet: stems with a fixed delay.
using StemStream stream = separator.Open(song.SampleRate, song.Channels.Count);
int ready = stream.Push(song)["voice"].Length + stream.Finish()["voice"].Length;
Console.WriteLine($"{separator.Name}: {string.Join(", ", files.Keys)}, {ready} samples, {stream.Latency} late");

// Against the true stems, here the estimates themselves: median SDR, ISR, SIR and SAR of windows of a second (BSS Eval 4).
Console.WriteLine(BssEval.InWindows([stems["music"], stems["voice"]], [stems["music"], stems["voice"]]));
