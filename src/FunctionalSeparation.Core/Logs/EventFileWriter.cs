using System.Globalization;

namespace FunctionalSeparation.Core;

/// <summary>
/// Writes event files for TensorBoard: scalars, histograms and sounds over steps (records of protobuf messages; fields as in TensorFlow's
/// event.proto, summary.proto and histogram.proto).
/// </summary>
/// <remarks>
/// A run that is resumed from a checkpoint opens a new writer with the checkpoint's step. Events of later steps are cut off in older files
/// of the folder. The new file begins with the session mark on which a running TensorBoard drops those steps. So no step is there twice.
/// </remarks>
public sealed class EventFileWriter : IDisposable
{
    private const string NamePrefix = "events.out.tfevents.";

    private readonly FileStream _file;

    /// <summary>Cuts off the events of steps after <paramref name="step"/> in older files and starts a file.</summary>
    /// <param name="folder">The run's folder of event files; a missing one is made. TensorBoard shows a folder as a run.</param>
    /// <param name="step">Steps done so far: 0 for a new run, the checkpoint's for a resumed one.</param>
    /// <exception cref="InputException">The folder cannot be written.</exception>
    public EventFileWriter(string folder, long step)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        // Names sort by step and then by time: TensorBoard reads the files of a folder in the order of their names.
        var milliseconds = (long)DateTime.UtcNow.Subtract(DateTime.UnixEpoch).TotalMilliseconds;
        Path = System.IO.Path.Combine(
            folder, string.Create(CultureInfo.InvariantCulture, $"{NamePrefix}{step:D10}.{milliseconds:D13}"));
        _file = Guard(() =>
        {
            Directory.CreateDirectory(folder);
            foreach (var older in Directory.GetFiles(folder, NamePrefix + "*")) CutAfter(older, step);
            return new FileStream(Path, FileMode.CreateNew, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
        });
        Write(Event(step).Text(3, "brain.Event:2"));
        if (step > 0) Write(Event(step + 1).Message(7, new ProtoMessage().Integer(1, SessionStart)));
    }

    private const int SessionStart = 1;

    /// <summary>The event file.</summary>
    public string Path { get; }

    /// <summary>Adds a point to a curve.</summary>
    /// <param name="step">Steps done.</param>
    /// <param name="tag">Name of the curve; what stands before a slash groups curves.</param>
    /// <param name="value">The value, kept as float32. NaN is shown as a gap.</param>
    /// <exception cref="InputException">The file cannot be written.</exception>
    public void Scalar(long step, string tag, double value) => Summary(step, Value(tag).Float(2, (float)value));

    /// <summary>Adds a distribution.</summary>
    /// <param name="step">Steps done.</param>
    /// <param name="tag">Name of the quantity.</param>
    /// <param name="histogram">Its values, counted.</param>
    /// <exception cref="InputException">The file cannot be written.</exception>
    public void Distribution(long step, string tag, Histogram histogram)
    {
        ArgumentNullException.ThrowIfNull(histogram);
        Summary(step, Value(tag).Message(5, new ProtoMessage()
            .Double(1, histogram.Min)
            .Double(2, histogram.Max)
            .Double(3, histogram.Count)
            .Double(4, histogram.Sum)
            .Double(5, histogram.SumOfSquares)
            .Doubles(6, histogram.Limits)
            .Doubles(7, histogram.Buckets)));
    }

    /// <summary>Adds a sound, as a 16-bit WAV file.</summary>
    /// <param name="step">Steps done.</param>
    /// <param name="tag">Name of the sound.</param>
    /// <param name="sound">The sound; what exceeds full scale is clipped.</param>
    /// <exception cref="InputException">The file cannot be written.</exception>
    public void Sound(long step, string tag, AudioBuffer sound)
    {
        ArgumentNullException.ThrowIfNull(sound);
        Summary(step, Value(tag).Message(6, new ProtoMessage()
            .Float(1, sound.SampleRate)
            .Integer(2, sound.Channels.Count)
            .Integer(3, sound.Length)
            .Bytes(4, WavOf(sound))
            .Text(5, "audio/wav")));
    }

    /// <summary>Hands written events to the operating system, so that TensorBoard sees them.</summary>
    /// <exception cref="InputException">The file cannot be written.</exception>
    /// <exception cref="ObjectDisposedException">The writer has been disposed.</exception>
    public void Flush()
    {
        RequireOpen();
        Guard(() => { _file.Flush(); return true; });
    }

    /// <summary>Closes the file; nothing can be added then (an <see cref="ObjectDisposedException"/>). Further calls do nothing.</summary>
    public void Dispose() => _file.Dispose();

    private void RequireOpen() => ObjectDisposedException.ThrowIf(!_file.CanWrite, this);

    private static ProtoMessage Event(long step) =>
        new ProtoMessage()
            .Double(1, DateTime.UtcNow.Subtract(DateTime.UnixEpoch).TotalSeconds)
            .Integer(2, step);

    private static ProtoMessage Value(string tag)
    {
        ArgumentException.ThrowIfNullOrEmpty(tag);
        return new ProtoMessage().Text(1, tag);
    }

    private void Summary(long step, ProtoMessage value)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        RequireOpen();
        Write(Event(step).Message(5, new ProtoMessage().Message(1, value)));
    }

    private void Write(ProtoMessage message) =>
        Guard(() => { RecordFile.Append(_file, message.ToArray()); return true; });

    private static byte[] WavOf(AudioBuffer sound)
    {
        const SampleFormat format = SampleFormat.Pcm16;
        var header = WavHeaderBytes.Build(
            format, sound.Channels.Count, sound.SampleRate, sound.Length, [], WavHeaderBytes.RiffLimit);
        var bytes = new byte[header.Length + sound.Length * sound.Channels.Count * SampleCodec.Bytes(format)];
        header.CopyTo(bytes, 0);
        SampleCodec.Encode(format, sound.Channels, 0, sound.Length, bytes.AsSpan(header.Length));
        return bytes;
    }

    private static void CutAfter(string path, long step)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        file.SetLength(RecordFile.LengthWhile(file, payload => StepOf(payload) <= step));
    }

    /// <summary>The step of an event as this class writes it: field 2, behind the time (9 bytes).</summary>
    private static long StepOf(byte[] payload)
    {
        var step = 0L;
        for (var (at, shift) = (10, 0); at < payload.Length; at++, shift += 7)
        {
            step |= (payload[at] & 0x7FL) << shift;
            if (payload[at] < 0x80) break;
        }
        return step;
    }

    private T Guard<T>(Func<T> action)
    {
        try
        {
            return action();
        }
        catch (Exception cause) when (FileFailure.IsOfFiles(cause))
        {
            throw FileFailure.Writing(Path, cause);
        }
    }
}
