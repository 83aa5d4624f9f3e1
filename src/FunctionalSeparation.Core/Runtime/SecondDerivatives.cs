namespace FunctionalSeparation.Core;

/// <summary>
/// Whether the function that runs on this thread will be differentiated twice. An operation whose gradient is written by hand
/// (<see cref="RatioMask"/>, the recurrent states) has a first derivative only. libtorch would silently return a wrong second derivative,
/// without the part of that operation: such operations refuse here.
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

    /// <summary>Refuses a second derivative. An operation that has only a first derivative calls this.</summary>
    /// <param name="owner">The name of the operation in the message.</param>
    /// <param name="instead">The alternative that the message suggests.</param>
    /// <exception cref="ArgumentException">A second derivative is requested.</exception>
    internal static void Refuse(string owner, string instead)
    {
        if (s_areWanted) throw new ArgumentException($"{owner}: has a first derivative only, and a second one is wanted: {instead}.");
    }
}
