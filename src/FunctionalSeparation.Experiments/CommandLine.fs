namespace FunctionalSeparation

open System
open System.Globalization
open Argu
open FunctionalSeparation.Core

/// Reads all numbers on command lines: 2.5 is accepted, and 2,5 is refused with the name of the option. Other parsers take the
/// comma for a thousands separator, and 2,5 for 25.
[<RequireQualifiedAccess>]
module CommandLine =

    let private refuse (name: string) (text: string) (wanted: string) = raise (InputException $"{name} {text}: {wanted}")

    let private pointed (text: string) = text.Replace(',', '.')

    let private isReal (text: string) = fst (Double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture))

    /// The number of this text, with a decimal point. Raises InputException, naming the option, for any other text, such as 2,5.
    let real (name: string) (text: string) : float =
        match Double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture) with
        | true, number -> number
        | false, _ when text.Contains ',' && isReal (pointed text) ->
            refuse
                name
                text
                $"numbers have a decimal point and no mark between thousands. Write {pointed text}, if that is meant."
        | false, _ -> refuse name text "give a number, such as 2.5."

    /// The whole number of this text. Raises InputException, naming the option, for any other text.
    let whole (name: string) (text: string) : int =
        match Int32.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture) with
        | true, number -> number
        | false, _ -> refuse name text "give a whole number, without any mark, such as 25."

    /// The check of one value of an option.
    let private checkOf (case: ArgumentCaseInfo) (kind: Type) : string -> string -> unit =
        let isText =
            kind = typeof<string> || kind = typeof<string list> || kind.IsEnum || Reflection.FSharpType.IsUnion kind

        if kind = typeof<float> then
            fun name text -> real name text |> ignore
        elif kind = typeof<int> then
            fun name text -> whole name text |> ignore
        elif isText && not (Array.exists ((<>) typeof<string>) kind.GenericTypeArguments) then
            fun _ _ -> ()
        else
            invalidArg (nameof case) $"{case.Name.Value}: values of options are of type float, int, string, or names, got {kind}."

    /// The checks of the values of an option.
    let private checksOf (case: ArgumentCaseInfo) =
        [ for field in case.UnionCaseInfo.GetFields() -> checkOf case field.PropertyType ]

    /// Checks the arguments of a command line (after the script's name) before they are parsed. Raises InputException for an
    /// argument with -- that is no option, and for an invalid number after an option. Raises ArgumentException for an option with
    /// values of other types.
    let check (cases: ArgumentCaseInfo list) (words: string list) : unit =
        let options =
            Map
                [ for case in cases do
                      for name in case.CommandLineNames.Value -> name, checksOf case ]

        let rec look words =
            match words with
            | [] -> ()
            | name :: others when options.ContainsKey name ->
                for check, text in Seq.zip options[name] others do
                    check name text

                look others
            | "--help" :: others -> look others
            | name :: _ when name.StartsWith("--", StringComparison.Ordinal) ->
                raise (InputException $"{name}: there is no such option. See -- --help.")
            | _ :: others -> look others

        look words
