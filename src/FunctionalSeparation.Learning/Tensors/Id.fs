namespace FunctionalSeparation.Learning

open System
open System.Globalization

/// The identity of a value such as an optimiser or a loss: its name, its numbers, and the identities of its parts. Two values
/// with equal identities do the same.
type Id =
    {
        /// The name of the function, and of those of its arguments that are not numbers.
        Name: string
        /// Its numbers by their names, in the order of its arguments.
        Numbers: (string * float) list
        /// The identities of its parts, in their order.
        Parts: Id list
    }

/// Identities.
[<RequireQualifiedAccess>]
module Id =

    /// An identity of a name, numbers and parts. Raises ArgumentException for an empty name.
    let create (name: string) (numbers: (string * float) list) (parts: Id list) : Id =
        if String.IsNullOrWhiteSpace name then
            invalidArg (nameof name) "An identity needs a name that tells it from others."

        { Name = name; Numbers = numbers; Parts = parts }

    /// An identity without numbers or parts. Raises ArgumentException for an empty name.
    let named (name: string) : Id = create name [] []

    /// The number of that name, where there is one.
    let tryNumber (name: string) (id: Id) : float option = List.tryFind (fst >> (=) name) id.Numbers |> Option.map snd

    /// The identity as text, for messages: `chain(clip norm (bound 5), adam (beta1 0.9, beta2 0.999))`.
    let rec text (id: Id) : string =
        let number (name: string, value: float) = name + " " + value.ToString("R", CultureInfo.InvariantCulture)
        let numbers = id.Numbers |> List.map number |> String.concat ", "
        let parts = id.Parts |> List.map text |> String.concat ", "

        id.Name + (if numbers = "" then "" else $" ({numbers})") + (if parts = "" then "" else $"({parts})")
