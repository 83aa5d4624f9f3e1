namespace FunctionalSeparation.Core;

/// <summary>
/// The input (a file, a folder, a setting) is wrong and the user can fix it. The message is one line that names the file or value and says
/// what to do; command lines print it alone and exit with code 2.
/// </summary>
public sealed class InputException : Exception
{
    /// <summary>Makes the exception.</summary>
    /// <param name="message">One line: what is wrong, where, and what to do.</param>
    public InputException(string message) : base(message) { }

    /// <summary>Makes the exception and keeps its cause.</summary>
    /// <param name="message">One line: what is wrong, where, and what to do.</param>
    /// <param name="cause">The lower-level failure.</param>
    public InputException(string message, Exception cause) : base(message, cause) { }
}
