using System.Runtime.CompilerServices;

namespace FunctionalSeparation.Core;

/// <summary>Argument checks that .NET does not have, called like its own.</summary>
internal static class ArgumentChecks
{
    extension(ArgumentOutOfRangeException)
    {
        /// <summary>Refuses a value of an enumeration that has no name.</summary>
        public static void ThrowIfUndefined<T>(T value, [CallerArgumentExpression(nameof(value))] string? name = null) where T : struct, Enum
        {
            if (!Enum.IsDefined(value))
                throw new ArgumentOutOfRangeException(name, $"{value} is no {typeof(T).Name}: choose among {string.Join(", ", Enum.GetNames<T>())}.");
        }

        /// <summary>Refuses NaN and infinity.</summary>
        public static void ThrowIfNotFinite(double value, [CallerArgumentExpression(nameof(value))] string? name = null)
        {
            if (!double.IsFinite(value)) throw new ArgumentOutOfRangeException(name, FormattableString.Invariant($"{value} is not a finite number."));
        }
    }

    extension(ArgumentException)
    {
        /// <summary>Refuses a null list, and one that holds a null.</summary>
        public static void ThrowIfNullOrHasNull<T>(IEnumerable<T> values, [CallerArgumentExpression(nameof(values))] string? name = null) where T : class
        {
            ArgumentNullException.ThrowIfNull(values, name);
            if (values.Any(value => value is null)) throw new ArgumentException("The list holds a null.", name);
        }
    }
}
