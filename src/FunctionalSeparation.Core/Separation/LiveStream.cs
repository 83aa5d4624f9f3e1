using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.ExceptionServices;

namespace FunctionalSeparation.Core;

/// <summary>
/// A <see cref="StemStream"/> for live sound. Each piece of the mixture gives pieces of the stems of the same length, which begin with
/// silence for the latency. The separator works on a thread of its own, and its output is handed out a fixed time later. A push waits for
/// the separator only where it is behind by more than that time, and nothing is dropped then. The stems are those of the stream. It has its
/// separator to itself until it is disposed, and is disposed before it. It is used by one thread at a time.
/// </summary>
public sealed class LiveStream : IDisposable
{
    private readonly StemStream _stream;
    private readonly BlockingCollection<AudioBuffer> _pieces = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly Dictionary<string, SampleQueue[]> _ready; // also the lock of what both threads see
    private readonly Thread _worker;
    private ExceptionDispatchInfo? _failure;
    private long _received;
    private long _heard; // samples whose stems are ready, but for the latency
    private bool _ended; // the thread has
    private bool _finished;
    private bool _disposed;

    /// <summary>Starts a thread for a stream. Applications call <see cref="SeparatorExtensions.OpenLive"/>.</summary>
    /// <param name="stream">A stream that nothing has been pushed into; disposed with this one.</param>
    /// <param name="ahead">The additional delay of the stems: how far the separator may be behind.</param>
    /// <exception cref="ArgumentOutOfRangeException">A time below zero, or longer than a minute.</exception>
    public LiveStream(StemStream stream, TimeSpan ahead)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentOutOfRangeException.ThrowIfLessThan(ahead, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(ahead, TimeSpan.FromMinutes(1));
        _stream = stream;
        Latency = stream.Latency + (int)Math.Ceiling(ahead.TotalSeconds * stream.SampleRate);
        _ready = stream.Stems.ToDictionary(stem => stem, _ => Queues(new float[Latency]));
        _worker = new Thread(Work) { IsBackground = true, Name = nameof(LiveStream) };
        _worker.Start();
    }

    /// <summary>Latency of the stems in samples: that of the stream, and the time ahead.</summary>
    public int Latency { get; }

    /// <summary>Sample rate of mixture and stems in Hz.</summary>
    public int SampleRate => _stream.SampleRate;

    /// <summary>Channels of the mixture and of each stem.</summary>
    public int Channels => _stream.Channels;

    /// <summary>
    /// The total time that pushes have waited for the separator. Where it grows, the sound stops. More time ahead helps against single
    /// pieces that take long (a network that works in blocks takes all of a block at once). A lighter network helps where the machine is
    /// too slow.
    /// </summary>
    public TimeSpan Waited { get; private set; }

    /// <summary>Takes in a piece of the mixture.</summary>
    /// <param name="mixture">Any length, with the rate and channels of the stream. Its arrays may be used again.</param>
    /// <returns>One buffer for each stem, as long as the piece.</returns>
    /// <exception cref="ArgumentException">Another rate or number of channels.</exception>
    /// <exception cref="InvalidOperationException">The stream has been finished, or the separator failed before.</exception>
    /// <exception cref="ObjectDisposedException">The stream has been disposed.</exception>
    /// <exception cref="InputException">A sample is not a finite number; nothing of the piece is taken.</exception>
    public IReadOnlyDictionary<string, AudioBuffer> Push(AudioBuffer mixture)
    {
        ArgumentNullException.ThrowIfNull(mixture);
        RequireOpen();
        _stream.Require(mixture, _received);
        _received += mixture.Length;
        _pieces.Add(new AudioBuffer([.. mixture.Channels.Select(channel => channel.ToArray())], SampleRate));
        return Take(mixture.Length);
    }

    /// <summary>Ends the mixture.</summary>
    /// <returns>The remaining stems, as long as the latency.</returns>
    /// <exception cref="InvalidOperationException">The stream has been finished, or the separator failed before.</exception>
    /// <exception cref="ObjectDisposedException">The stream has been disposed.</exception>
    public IReadOnlyDictionary<string, AudioBuffer> Finish()
    {
        RequireOpen();
        _finished = true;
        _pieces.CompleteAdding();
        return Take(Latency);
    }

    /// <summary>Ends the stream, when the separator has finished the current piece. Further calls do nothing.</summary>
    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        _stop.Cancel();
        _worker.Join();
        _stream.Dispose();
        _pieces.Dispose();
        _stop.Dispose();
    }

    private SampleQueue[] Queues(float[] first) =>
        [.. Enumerable.Range(0, Channels).Select(_ =>
        {
            var queue = new SampleQueue();
            queue.Add(first);
            return queue;
        })];

    private void Work()
    {
        try
        {
            foreach (var piece in _pieces.GetConsumingEnumerable(_stop.Token)) Add(_stream.Push(piece), piece.Length);
            Add(_stream.Finish(), 0);
        }
        catch (Exception failure)
        {
            // Whatever it is, it belongs to the thread that pushes.
            lock (_ready) _failure = ExceptionDispatchInfo.Capture(_disposed ? new ObjectDisposedException(nameof(LiveStream)) : failure);
        }
        lock (_ready)
        {
            _ended = true;
            Monitor.PulseAll(_ready);
        }
    }

    private void Add(IReadOnlyDictionary<string, AudioBuffer> stems, int heard)
    {
        lock (_ready)
        {
            foreach (var (stem, piece) in stems)
                for (var c = 0; c < Channels; c++) _ready[stem][c].Add(piece.Channels[c]);
            _heard += heard;
            Monitor.PulseAll(_ready);
        }
    }

    private Dictionary<string, AudioBuffer> Take(int count)
    {
        lock (_ready)
        {
            Await(count);
            return _ready.ToDictionary(
                stem => stem.Key,
                stem => new AudioBuffer([.. stem.Value.Select(queue => queue.Take(count).ToArray())], SampleRate));
        }
    }

    private void Await(int count)
    {
        var queue = _ready[_stream.Stems[0]][0];
        if (queue.Count < count)
        {
            var watch = Stopwatch.StartNew();
            while (queue.Count < count && _failure is null && !IsAllHeard) Monitor.Wait(_ready);
            Waited += watch.Elapsed;
        }
        if (_failure is null && queue.Count >= count) return;
        _finished = true;
        _failure?.Throw();
        throw new InvalidOperationException($"The separator stays further behind than its Latency tells: {count - queue.Count} samples are missing.");
    }

    private bool IsAllHeard => _finished ? _ended : _heard == _received;

    private void RequireOpen()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_finished) throw new InvalidOperationException("The stream has been finished, or a piece failed: open another one.");
    }
}
