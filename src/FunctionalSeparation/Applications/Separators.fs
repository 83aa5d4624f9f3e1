namespace FunctionalSeparation

open System.IO
open System.Runtime.InteropServices
open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// The library's own model, which lies inside the assembly (the folder DefaultModel of the sources; its README.md is the model
/// card).
[<RequireQualifiedAccess>]
module DefaultModel =

    let private part (name: string) : Stream = typeof<TrainedModel>.Assembly.GetManifestResourceStream $"DefaultModel.{name}"

    /// The model, on a device. The caller owns its parameters. Raises InputException where the assembly was damaged.
    let load (device: torch.Device) : TrainedModel =
        use description = part "model.json"
        use weights = part "weights.safetensors"

        ModelFolder.ofStreams
            ModelFolder.families
            device
            ("DefaultModel/model.json", description)
            ("DefaultModel/weights", weights)

/// Ready-made separators for applications.
[<AbstractClass; Sealed>]
type Separators =

    /// <summary>
    /// The library's own model: singing voice ("voice") and accompaniment ("music") of songs of any rate, length and number of
    /// channels. `device`: cpu, cuda, cuda:N or auto. Raises InputException for a device that is not there.
    /// </summary>
    /// <example><code lang="fsharp">
    /// let separate (path: string) =
    ///     use separator = Separators.Default()
    ///     separator.SeparateFile(path, "stems") // song_music.wav and song_voice.wav in stems
    /// </code></example>
    static member Default([<Optional; DefaultParameterValue("auto")>] device: string) : ISeparator =
        new NetworkSeparator("FunctionalSeparation's own", DefaultModel.load (Devices.Parse device))

    /// Opens a separator. `model` is a folder that training wrote (of this library's families), a folder of open-unmix's weights,
    /// or the name of a system that learns nothing. Such systems are rpca, rpcah and hpss (see `ClassicalSystems`). `device`:
    /// cpu, cuda, cuda:N or auto; systems take cpu or auto. Raises InputException, naming the file, where the folder is missing,
    /// damaged or no model. Raises InputException also for a system that needs more than a song, and for a device that is not
    /// there.
    static member Open(model: string, [<Optional; DefaultParameterValue("auto")>] device: string) : ISeparator =
        let find systems = systems |> List.tryFind (fst >> (=) model) |> Option.map snd

        match find ClassicalSystems.byName, find ClassicalSystems.unavailable with
        | Some _, _ when not (Directory.Exists model) && device <> "auto" && device <> "cpu" ->
            raise (InputException $"{model} works on the cpu, got {device}. Choose cpu, or leave the device out.")
        | Some system, _ when not (Directory.Exists model) -> Separator.toInterface (system ())
        | _, Some reason when not (Directory.Exists model) -> raise (InputException $"{model}: {reason}.")
        | _ -> ModelFolder.openSeparator device model
