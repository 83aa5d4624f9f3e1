namespace FunctionalSeparation

open System
open System.IO
open System.Text.Json
open TorchSharp
open FunctionalSeparation.Core

/// A target of open-unmix: a source, and the network that estimates it.
[<NoEquality; NoComparison>]
type UnmixTarget = { Name: string; Network: Model<Flow, Flow>; Parameters: Params }

/// A folder of open-unmix's weights, loaded.
[<NoEquality; NoComparison>]
type OpenUnmix =
    {
        /// Hz.
        SampleRate: int
        Channels: int
        Stft: Stft
        /// Vocals, drums, bass, other, and then what else there is, by name.
        Targets: UnmixTarget list
    }

/// open-unmix (Stöter, Uhlich, Liutkus, Mitsufuji 2019), the open reference for music separation: a network for each target, and a
/// Wiener filter over their estimates. Its folders are read as its authors' program writes them.
[<RequireQualifiedAccess>]
module OpenUnmix =

    let private refuse why = raise (InputException why)

    let private separatorName = "separator.json"

    /// Puts the name of the file before what is wrong in it.
    let private inFile (path: string) (read: unit -> 'a) : 'a =
        try
            read ()
        with :? InputException as wrong when not (wrong.Message.StartsWith(path, StringComparison.Ordinal)) ->
            raise (InputException($"{path}: {wrong.Message}. Get the folder of open-unmix again.", wrong))

    /// Entries of a JSON file, whatever else it holds: training writes a whole history there.
    let private entriesOf place (json: JsonElement) : JsonEntries =
        { Place = place; Values = json |> StrictJson.pairs (if place = "" then "the file" else place) |> Map.ofSeq }

    let private parse path = StrictJson.parse (ReadOnlySpan(WholeFile.Read(path: string)))

    let private order name = List.tryFindIndex ((=) name) [ "vocals"; "drums"; "bass"; "other" ] |> Option.defaultValue 4, name

    /// The names of the targets: `vocals.json` names vocals.
    let private targetNames folder =
        let names =
            [ for path in Directory.GetFiles(folder, "*.json") do
                  if Path.GetFileName path <> separatorName then Path.GetFileNameWithoutExtension path ]

        if names.IsEmpty then
            refuse $"{folder}: names no target. A folder of open-unmix holds vocals.json and the like."

        List.sortBy order names

    let private weightsPath folder target =
        let isOf (path: string) =
            let name = Path.GetFileNameWithoutExtension path
            name = target || name.StartsWith(target + "-", StringComparison.Ordinal)

        match Directory.GetFiles(folder, "*.pth") |> Array.filter isOf with
        | [| path |] -> path
        | [||] -> refuse $"{folder}: has no weights of '{target}' ({target}-*.pth). Get the folder of open-unmix again."
        | several ->
            let names = several |> Array.map Path.GetFileName |> Array.sort |> String.concat ", "
            refuse $"{folder}: has several files of weights of '{target}' ({names}). Leave the one that is meant."

    let private checkArguments path (stft: Stft) (channels: int) =
        inFile path (fun () ->
            let arguments = parse path |> entriesOf "" |> StrictJson.entry "args" |> entriesOf "args."

            for name, wanted in [ "nfft", stft.FftSize; "nhop", stft.HopLength; "nb_channels", channels ] do
                if StrictJson.integer 1 Int32.MaxValue name arguments <> wanted then
                    refuse $"'args.{name}' is not the {wanted} of {separatorName}")

    let private loadTarget (device: torch.Device) folder (stft: Stft) channels name : UnmixTarget =
        checkArguments (Path.Combine(folder, name + ".json")) stft channels
        let path = weightsPath folder name

        inFile path (fun () ->
            Memory.scoped (fun target -> Params.tensors target.Parameters) (fun () ->
                let state =
                    (PyTorchFile.load path).Tensors |> List.map (fun (name, tensor) -> name, tensor.``to`` device) |> Map.ofList

                let net = UnmixNetwork.ofState channels state

                if net.Bins <> stft.Bins then
                    refuse $"its network has {net.Bins} bins, {separatorName} {stft.Bins}"

                { Name = name; Network = UnmixNetwork.create net; Parameters = UnmixNetwork.parametersOf net state }))

    let private settingsOf path =
        inFile path (fun () ->
            let entries = parse path |> entriesOf ""
            let integer name = StrictJson.integer 1 (1 <<< 24) name entries
            let stft = Stft(integer "nfft", integer "nhop", StftWindow.Hann, true)

            try
                stft.Validate()
            with :? ArgumentException as wrong ->
                refuse wrong.Message

            integer "sample_rate", integer "nb_channels", stft)

    /// Loads a folder of open-unmix onto a device: `separator.json`, and for each target `vocals.json` and `vocals-*.pth`, in either
    /// of PyTorch's formats. Raises InputException, naming the file, where one is missing, damaged, or does not fit the others.
    let load (device: torch.Device) (folder: string) : OpenUnmix =
        if not (Directory.Exists folder) then
            refuse $"{folder}: there is no such folder. Give a folder of open-unmix's weights."

        let sampleRate, channels, stft = settingsOf (Path.Combine(folder, separatorName))

        { SampleRate = sampleRate
          Channels = channels
          Stft = stft
          Targets = targetNames folder |> List.map (loadTarget device folder stft channels) }

    /// Frees the weights.
    let dispose (unmix: OpenUnmix) : unit =
        for target in unmix.Targets do
            Params.dispose target.Parameters

    /// The names of the estimates in order; the residual is called so.
    let sources (wiener: WienerSettings) (unmix: OpenUnmix) : string list =
        [ for target in unmix.Targets do
              target.Name
          if wiener.Residual then "residual" ]

    /// The magnitudes [targets, channels, time, bins] that the networks estimate of a mixture's, [channels, time, bins].
    let magnitudes (unmix: OpenUnmix) (mixture: torch.Tensor) : torch.Tensor =
        Memory.tensor (fun () ->
            use _ = torch.no_grad ()
            let images = Flow.ofImages (mixture.unsqueeze 0L)
            let ofTarget target = Memory.tensor (fun () -> (Model.apply target.Network target.Parameters images).Value)
            torch.cat [| for target in unmix.Targets -> ofTarget target |])

    /// A sound shorter than a window, with silence behind it.
    let private atLeastWindow (unmix: OpenUnmix) (audio: torch.Tensor) =
        torch.nn.functional.pad (audio, [| 0L; max 0L (int64 unmix.Stft.FftSize - audio.shape[1]) |])

    /// The estimates of the targets (and the residual), [sources, channels, samples], of a sound [channels, samples] of float32 at the
    /// model's rate, all of it at once. Raises ArgumentException for another number of channels, and as `Wiener.estimates` does.
    let estimate (wiener: WienerSettings) (unmix: OpenUnmix) (audio: torch.Tensor) : torch.Tensor =
        let wanted = [| Axis.Of(int64 unmix.Channels); Axis.Any "samples" |]
        Shapes.Require("open-unmix", "a sound", audio, wanted, unmix.Targets.Head.Parameters.Vector)

        Memory.tensor (fun () ->
            use _ = torch.no_grad ()
            let sound = atLeastWindow unmix audio
            let mixture = unmix.Stft.Forward sound
            let spectrograms = Wiener.estimates wiener (magnitudes unmix (mixture.abs ())) mixture
            let inverse (source: int64) = unmix.Stft.Inverse(spectrograms[source], sound.shape[1])

            let sounds =
                torch.stack [| for source in 0L .. spectrograms.shape[0] - 1L -> Memory.tensor (fun () -> inverse source) |]

            sounds.narrow(-1L, 0L, audio.shape[1]).clone())
