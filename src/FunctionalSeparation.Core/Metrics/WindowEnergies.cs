using TorchSharp;
using static TorchSharp.torch;

namespace FunctionalSeparation.Core;

/// <summary>
/// The energies from which the ratios of one window are computed, for estimate e and source s. P is the projection of e on the delayed
/// channels of all sources, Q that on those of s.
/// </summary>
/// <param name="Source">|s|².</param>
/// <param name="Own">|Q|².</param>
/// <param name="Explained">|P|².</param>
/// <param name="Total">|e - s|².</param>
/// <param name="Spatial">|Q - s|².</param>
/// <param name="Interference">|P - Q|².</param>
/// <param name="Artifacts">|e - P|².</param>
/// <param name="Unfiltered">|e - Q|²: the error where filtering is no error.</param>
internal readonly record struct WindowEnergies(
    double Source, double Own, double Explained, double Total, double Spatial, double Interference, double Artifacts, double Unfiltered)
{
    /// <summary>The energies of signals [channels, samples], which sum up over stretches of a window.</summary>
    internal static WindowEnergies Of(Tensor source, Tensor estimate, Tensor own, Tensor explained)
    {
        using var scope = NewDisposeScope();
        static double Energy(Tensor signal) => signal.Square().sum().item<double>();
        return new WindowEnergies(
            Energy(source), Energy(own), Energy(explained), Energy(estimate - source), Energy(own - source),
            Energy(explained - own), Energy(estimate - explained), Energy(estimate - own));
    }

    public static WindowEnergies operator +(WindowEnergies a, WindowEnergies b) => new(
        a.Source + b.Source, a.Own + b.Own, a.Explained + b.Explained, a.Total + b.Total, a.Spatial + b.Spatial,
        a.Interference + b.Interference, a.Artifacts + b.Artifacts, a.Unfiltered + b.Unfiltered);

    internal double Sdr(BssEvalTarget target) =>
        target == BssEvalTarget.Images ? Decibels(Source, Total) : Decibels(Own, Unfiltered);

    internal double Isr(BssEvalTarget target) => target == BssEvalTarget.Images ? Decibels(Source, Spatial) : double.NaN;

    internal double Sir => Decibels(Own, Interference);

    internal double Sar => Decibels(Explained, Artifacts);

    private static double Decibels(double wanted, double unwanted) =>
        unwanted == 0 ? double.PositiveInfinity : 10 * Math.Log10(wanted / unwanted);
}
