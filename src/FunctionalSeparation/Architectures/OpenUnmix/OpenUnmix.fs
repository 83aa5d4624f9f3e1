namespace FunctionalSeparation

open System
open System.IO
open System.Text.Json
open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// Folders of open-unmix's weights, read as its authors' program writes them.
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

    /// An entry of a JSON object, whatever else it holds: training writes a whole history there.
    let private entry (place: string) (name: string) (json: JsonElement) : JsonElement =
        match json |> Json.pairs place |> Seq.tryFind (fst >> (=) name) with
        | Some(_, found) -> found
        | None -> refuse $"the entry '{name}' of {place} is missing"

    let private count place name json =
        let full = if place = "args" then $"args.{name}" else name
        let value = entry place name json |> Json.read<int> full
        Json.requireWithin 1.0 (float (1 <<< 24)) full (float value)
        value

    let private parse path = Json.parse (ReadOnlySpan(WholeFile.Read(path: string)))

    let private order name = List.tryFindIndex ((=) name) [ "vocals"; "drums"; "bass"; "other" ] |> Option.defaultValue 4, name

    let private weightsOf folder target =
        let isOf (path: string) =
            let name = Path.GetFileNameWithoutExtension path
            name = target || name.StartsWith(target + "-", StringComparison.Ordinal)

        Directory.GetFiles(folder, "*.pth") |> Array.filter isOf

    /// Whether a JSON file says how a target was trained. Other programs put files of theirs beside.
    let private saysArguments path =
        try
            parse path |> Json.pairs "the file" |> Seq.exists (fst >> (=) "args")
        with :? InputException ->
            false

    /// The names of the targets: `vocals.json` names vocals. It has weights, or says how they were trained.
    let private targetNames folder =
        let names =
            [ for path in Directory.GetFiles(folder, "*.json") do
                  let name = Path.GetFileNameWithoutExtension path

                  if Path.GetFileName path <> separatorName && ((weightsOf folder name).Length > 0 || saysArguments path) then
                      name ]

        if names.IsEmpty then
            refuse $"{folder}: names no target. A folder of open-unmix holds vocals.json and the like."

        List.sortBy order names

    let private weightsPath folder target =
        match weightsOf folder target with
        | [| path |] -> path
        | [||] -> refuse $"{folder}: has no weights of '{target}' ({target}-*.pth). Get the folder of open-unmix again."
        | several ->
            let names = several |> Array.map Path.GetFileName |> Array.sort |> String.concat ", "
            refuse $"{folder}: has several files of weights of '{target}' ({names}). Leave the one that is meant."

    let private checkArguments path (stft: Stft) (channels: int) =
        inFile path (fun () ->
            let arguments = parse path |> entry "the file" "args"

            for name, wanted in [ "nfft", stft.FftSize; "nhop", stft.HopLength; "nb_channels", channels ] do
                if count "args" name arguments <> wanted then
                    refuse $"'args.{name}' is not the {wanted} of {separatorName}")

    /// The setting of the networks in a folder, without the names of the sources.
    let private specOf path : SourceSpec =
        inFile path (fun () ->
            let json = parse path
            let integer name = count "the file" name json
            let stft = Stft(integer "nfft", integer "nhop", StftWindow.Hann, true)

            try
                stft.Validate()
            with :? ArgumentException as wrong ->
                refuse wrong.Message

            { FrontEnd = { SampleRate = integer "sample_rate"; Stft = stft }
              Channels = integer "nb_channels"
              Sources = [] })

    let private find (state: Map<string, torch.Tensor>) name =
        match state.TryFind name with
        | Some tensor -> tensor
        | None -> refuse $"the tensor '{name}' is missing"

    /// Far beyond what can be trained.
    let private mostUnits = 1L <<< 24

    let private sizeOf state name axis =
        let tensor: torch.Tensor = find state name

        if tensor.dim () <= int64 axis || tensor.shape[axis] < 1L || tensor.shape[axis] > mostUnits then
            refuse $"the tensor '{name}' is no weight of open-unmix: {Shapes.Describe tensor}"

        int tensor.shape[axis]

    /// The settings of the network of these weights.
    let private settingsOf wiener (stft: Stft) (state: Map<string, torch.Tensor>) : UnmixSettings =
        let layers =
            Seq.initInfinite id |> Seq.takeWhile (fun layer -> state.ContainsKey $"lstm.weight_ih_l{layer}") |> Seq.length

        if layers = 0 then refuse "the tensor 'lstm.weight_ih_l0' is missing"

        let bins = sizeOf state "output_mean" 0

        if bins <> stft.Bins then
            refuse $"its network has {bins} bins, {separatorName} {stft.Bins}"

        { BinsRead = sizeOf state "input_mean" 0
          Hidden = sizeOf state "fc1.weight" 0
          Layers = layers
          IsBidirectional = state.ContainsKey "lstm.weight_ih_l0_reverse"
          Wiener = wiener }

    /// The weights of a target, converted from PyTorch's tensors, in the order of the network's layout.
    let private translated (net: UnmixSettings) (state: Map<string, torch.Tensor>) : torch.Tensor list =
        let own = find state
        let transposed name = (own name).t()

        let dense number =
            [ transposed $"fc{number}.weight"
              for part in [ "weight"; "bias"; "running_mean"; "running_var" ] do
                  own $"bn{number}.{part}" ]

        let direction suffix =
            [ transposed $"lstm.weight_ih_{suffix}"
              own $"lstm.bias_ih_{suffix}" .+ own $"lstm.bias_hh_{suffix}"
              transposed $"lstm.weight_hh_{suffix}" ]

        let layer index =
            if net.IsBidirectional then
                direction $"l{index}" @ direction $"l{index}_reverse"
            else
                direction $"l{index}"

        [ own "input_mean"; own "input_scale" ]
        @ dense 1
        @ List.collect layer [ 0 .. net.Layers - 1 ]
        @ dense 2
        @ dense 3
        @ [ own "output_mean"; own "output_scale" ]

    let private stateOf (device: torch.Device) path : Map<string, torch.Tensor> =
        (PyTorchFile.load path).Tensors |> List.map (fun (name, tensor) -> name, tensor.``to`` device) |> Map.ofList

    /// Turns errors about shapes and names, which are meant for programmers, into an InputException: here a file is wrong.
    let private ofFiles (make: unit -> 'a) : 'a =
        try
            make ()
        with
        | :? ArgumentException as wrong -> raise (InputException($"its weights do not fit each other ({wrong.Message})", wrong))
        | :? System.Runtime.InteropServices.ExternalException as wrong ->
            raise (InputException("its weights do not fit each other", wrong))

    /// The settings and the weights of a target.
    let private readTarget device wiener (stft: Stft) path =
        inFile path (fun () ->
            Memory.scoped snd (fun () ->
                let state = stateOf device path
                let net = settingsOf wiener stft state
                let weights = ofFiles (fun () -> translated net state)

                if
                    not (Memory.plain (fun () -> weights |> List.forall (fun weight -> weight.isfinite().all().item<bool>())))
                then
                    refuse "a weight is no finite number"

                net, weights))

    let private settingsOfAll folder (targets: (UnmixSettings * torch.Tensor list) list) =
        match targets |> List.map fst |> List.distinct with
        | [ net ] -> net
        | _ -> refuse $"{folder}: its targets have networks of several sizes. Get the folder of open-unmix again."

    /// Whether a folder is one of open-unmix's.
    let isIn (folder: string) : bool = File.Exists(Path.Combine(folder, separatorName))

    /// Loads a folder of open-unmix onto a device: `separator.json`, and for each target `vocals.json` and `vocals-*.pth`, in
    /// either of PyTorch's formats. Its sources are the targets (vocals, drums, bass, other, and then what else there is, by
    /// name), behind the residual where the filter has one. Raises InputException, naming the file, where one is missing,
    /// damaged, or does not fit the others, and ArgumentException for a filter that has nothing to refine there.
    let load (wiener: WienerSettings) (device: torch.Device) (folder: string) : TrainedModel =
        if not (Directory.Exists folder) then
            refuse $"{folder}: there is no such folder. Give a folder of open-unmix's weights."

        let spec = specOf (Path.Combine(folder, separatorName))
        let names = targetNames folder

        for name in names do
            checkArguments (Path.Combine(folder, name + ".json")) spec.FrontEnd.Stft spec.Channels

        Memory.scoped (fun trained -> Params.tensors trained.Parameters) (fun () ->
            let targets = [ for name in names -> readTarget device wiener spec.FrontEnd.Stft (weightsPath folder name) ]
            let sources = if wiener.Residual then "residual" :: names else names
            let network = Unmix.family.Network (settingsOfAll folder targets) { spec with Sources = sources }

            let parameters =
                inFile folder (fun () ->
                    ofFiles (fun () -> Params.ofTensors (Network.layout network) (List.collect snd targets)))

            { Network = network; Parameters = parameters; Level = None })
