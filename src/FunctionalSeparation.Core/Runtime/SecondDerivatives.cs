namespace FunctionalSeparation.Core;

/// <summary>
/// Whether the function that runs on this thread will be differentiated twice. An operation whose gradient is written by hand
/// (<see cref="RatioMask"/>, the recurrent states) has a first derivative only, and libtorch would take the second one
/// for what is left of it, in silence: such operations refuse here.
/// </summary>
public static class SecondDerivatives
{
    [ThreadStatic]
    private static bool s_areWanted;

    /// <summary>Runs a function that will be differentiated twice.</summary>
    /// <param name="work">The function.</param>
    public static T Of<T>(Func<T> work)
    {
        ArgumentNullException.ThrowIfNull(work);
        var before = s_areWanted;
        s_areWanted = true;
        try
        {
            return work();
        }
        finally
        {
            s_areWanted = before;
        }
    }

    /// <summary>Called by an operation that has a first derivative only.</summary>
    /// <param name="owner">Its name in messages.</param>
    /// <param name="instead">What to use in its place.</param>
    /// <exception cref="ArgumentException">A second derivative is wanted.</exception>
    internal static void Refuse(string owner, string instead)
    {
        if (s_areWanted) throw new ArgumentException($"{owner}: has a first derivative only, and a second one is wanted: {instead}.");
    }
}
