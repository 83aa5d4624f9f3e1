namespace FunctionalSeparation.Core;

/// <summary>
/// The level of a sound so far, while the whole is not known yet. It is the root mean square of its steps of a tenth of a second, without
/// those that are more than 40 dB below the loudest so far. A quiet beginning thus does not make the rest seem loud, and the steps in
/// between count as they do for the whole.
/// </summary>
/// <param name="sampleRate">Samples a second.</param>
/// <exception cref="ArgumentOutOfRangeException">A sample rate below 1 Hz.</exception>
public sealed class RunningLevel(int sampleRate)
{
    private const double Gate = 1e-4;

    /// <summary>Steps of like energy are counted together: a tenth of a decibel each.</summary>
    private const double BinsPerDecade = 100;

    private readonly SortedDictionary<int, (double Energy, long Steps)> _bins = [];

    /// <summary>Samples of a step.</summary>
    public int StepSamples { get; } = sampleRate >= 1
        ? Math.Max(1, sampleRate / 10)
        : throw new ArgumentOutOfRangeException(nameof(sampleRate), sampleRate, "A sample rate is at least 1 Hz.");

    /// <summary>Root mean square over all channels; 0 while nothing but silence has come.</summary>
    public double RootMeanSquare { get; private set; }

    /// <summary>Takes in a step.</summary>
    /// <param name="step"><see cref="StepSamples"/> samples, or fewer at the end; finite numbers.</param>
    public void Add(AudioBuffer step)
    {
        ArgumentNullException.ThrowIfNull(step);
        if (step.Length == 0) return;
        var energy = step.Channels.Average(channel => channel.Average(sample => (double)sample * sample));
        if (energy == 0) return;
        var bin = (int)Math.Floor(Math.Log10(energy) * BinsPerDecade);
        var (sum, steps) = _bins.GetValueOrDefault(bin);
        _bins[bin] = (sum + energy, steps + 1);
        var lowest = _bins.Keys.Last() + Math.Log10(Gate) * BinsPerDecade;
        var heard = _bins.Where(some => some.Key >= lowest).Select(some => some.Value).ToArray();
        RootMeanSquare = Math.Sqrt(heard.Sum(some => some.Energy) / heard.Sum(some => some.Steps));
    }
}
