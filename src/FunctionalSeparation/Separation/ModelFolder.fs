namespace FunctionalSeparation

open System
open System.IO
open System.Security.Cryptography
open System.Text.Json.Nodes
open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// A model is a folder that describes itself: `model.json` (see `ModelDescription`) and `weights.safetensors`.
[<RequireQualifiedAccess>]
module ModelFolder =

    let private descriptionPath folder = Path.Combine(folder, "model.json")
    let private weightsPath folder = Path.Combine(folder, "weights.safetensors")

    let private hash (stream: Stream) = Convert.ToHexStringLower(SHA256.HashData stream)

    /// Raises InputException, naming the tensor, where a value is no finite number.
    let private requireFinite path (name: string, tensor: torch.Tensor) =
        if not (Memory.plain (fun () -> tensor.isfinite().all().item<bool>())) then
            raise (
                InputException
                    $"{path}: the weight {Json.quoted name} holds a value that is no finite number. Train the model again."
            )

    let private requireName (folder: string) =
        ArgumentNullException.ThrowIfNull(folder, nameof folder)

        if String.IsNullOrWhiteSpace folder then
            raise (InputException "The name of the model folder is empty. Name a folder.")

        if File.Exists folder then
            raise (InputException $"{folder}: is a file, a model is a folder. Name a folder.")

    let private saveAs
        (stored: torch.Tensor -> torch.Tensor)
        (folder: string)
        (trained: TrainedModel)
        (provenance: JsonNode)
        : unit =
        requireName folder
        TrainedModel.requireWhole trained
        ArgumentNullException.ThrowIfNull(provenance, nameof provenance)
        Option.iter ModelDescription.requireLevel trained.Level
        let path = weightsPath folder

        Memory.plain (fun () ->
            let weights = Params.named trained.Parameters
            List.iter (requireFinite path) weights
            let learnt = set [ for weight in Layout.learnt (Network.layout trained.Network) -> weight.Name ]
            let weights = [ for name, weight in weights -> name, (if learnt.Contains name then stored weight else weight) ]
            List.iter (requireFinite path) weights
            Safetensors.save path { Tensors = weights; Texts = Map.ofList [ "model", trained.Network.Name ] })

        let weightsHash = WholeFile.Read(path, hash)
        WholeFile.Write(descriptionPath folder, ModelDescription.write trained.Network trained.Level weightsHash provenance)

    /// <summary>
    /// Writes a model folder. The weights are written first, so a folder with a description is complete. `provenance` is stored
    /// unchanged. Raises InputException where the folder has an empty name, is a file or cannot be written. Raises InputException
    /// also for a model that `load` would refuse: a weight that is no finite number, or a level that no recording has. Raises
    /// ArgumentNullException for null, and for a model without a network or parameters.
    /// </summary>
    /// <example><code lang="fsharp">
    /// let keep (trained: TrainedModel) = ModelFolder.save "artifacts/own" trained (System.Text.Json.Nodes.JsonObject())
    /// </code></example>
    let save (folder: string) (trained: TrainedModel) (provenance: JsonNode) : unit = saveAs id folder trained provenance

    /// `save`, with the learnt weights rounded to float16, which halves the size. Statistics are not rounded. Raises as `save`,
    /// and InputException for a weight beyond the range of float16.
    let saveHalf (folder: string) (trained: TrainedModel) (provenance: JsonNode) : unit =
        saveAs _.``to``(torch.float16) folder trained provenance

    let private shapeText (shape: int64 seq) = shape |> Seq.map string |> String.concat " x "

    let private check path (layout: Layout) (file: TensorFile) =
        let refuse why = raise (InputException $"{path}: {why}. The folder mixes two models.")

        for name, tensor in file.Tensors do
            if not (layout |> List.exists (fun weight -> weight.Name = name)) then
                refuse $"the weight {Json.quoted name} is not one of the model's"

            if tensor.dtype <> (snd file.Tensors.Head).dtype || not (tensor.is_floating_point ()) then
                refuse $"the weight {Json.quoted name} is of the type {tensor.dtype}"

            requireFinite path (name, tensor)

        let tensors = Map.ofList file.Tensors

        for weight in layout do
            match tensors.TryFind weight.Name with
            | Some tensor when List.ofArray tensor.shape = weight.Shape -> ()
            | Some tensor ->
                refuse $"'{weight.Name}' has the shape {shapeText tensor.shape}, the model needs {shapeText weight.Shape}"
            | None -> refuse $"the weight '{weight.Name}' is missing"

    /// The weights of a layout as one vector, in its order.
    let private vectorOf (tensors: Map<string, torch.Tensor>) (layout: Layout) : torch.Tensor =
        torch.cat [| for weight in layout -> tensors[weight.Name].reshape -1L |]

    /// Networks are computed in float32 at least.
    let private widened (tensor: torch.Tensor) = if tensor.dtype = torch.float16 then tensor.``to`` torch.float32 else tensor

    let private parametersOf path (device: torch.Device) (layout: Layout) (file: TensorFile) : Params =
        let file = { file with Tensors = [ for name, tensor in file.Tensors -> name, widened tensor ] }
        check path layout file
        let tensors = Map.ofList file.Tensors
        let parameters = Params.create layout ((vectorOf tensors (Layout.learnt layout)).``to`` device)

        match Layout.statistics layout with
        | [] -> parameters
        | statistics -> parameters |> Params.withStatistics ((vectorOf tensors statistics).``to`` device)

    let private readWeights path (description: ModelDescription) (device: torch.Device) (stream: Stream) : Params =
        match description.WeightsHash with
        | Some expected when hash stream <> expected ->
            raise (
                InputException(
                    $"{path}: is not the file that model.json describes (its SHA-256 differs): "
                    + "it is damaged, or the folder mixes two models. Copy the model folder again."
                )
            )
        | _ ->
            Memory.scoped Params.tensors (fun () ->
                Safetensors.read path stream |> parametersOf path device (Network.layout description.Network))

    let private requireFolder folder =
        requireName folder

        if not (Directory.Exists folder) then
            raise (
                InputException(
                    $"{folder}: there is no such model folder. Check the path; "
                    + "the library's own model (Separators.Default) needs none."
                )
            )

        if not (File.Exists(descriptionPath folder)) then
            raise (
                InputException $"{folder}: is not a model folder (it holds no model.json). Give the folder that training wrote."
            )

    let private describe families folder : ModelDescription =
        requireFolder folder
        let path = descriptionPath folder
        ModelDescription.read families path (ReadOnlyMemory(WholeFile.Read path))

    /// The families that this library has.
    let families: Family list =
        [ Drnn.family; UNet.family.Reader; StereoUNet.family.Reader; BandSplit.family.Reader; Unmix.family.Reader ]

    /// <summary>
    /// Loads a model folder onto a device. Its network is of one of these families (`ModelFolder.families`, and custom ones). The
    /// caller owns its parameters. Raises InputException where the folder is missing, is no model folder, is one of a newer
    /// version, or has parts that do not fit or are damaged. The message names the file and the entry or weight. In a model of
    /// format 1 (see `ModelDescription`), damage to the weights is detected only where it yields a value that is not finite.
    /// </summary>
    /// <example><code lang="fsharp">
    /// // One's own families come beside those of the library.
    /// let loadWith (own: Family) = ModelFolder.load (own :: ModelFolder.families) torch.CPU "artifacts/own"
    /// </code></example>
    let load (families: Family list) (device: torch.Device) (folder: string) : TrainedModel =
        let description = describe families folder
        let path = weightsPath folder

        { Network = description.Network
          Parameters = WholeFile.Read(path, readWeights path description device)
          Level = description.Level }

    /// A model whose description and weights come from streams, with the names of the streams in messages. Raises InputException
    /// as `load`.
    let internal ofStreams families device (descriptionName, description: Stream) (weightsName, weights: Stream) : TrainedModel =
        use bytes = new MemoryStream()
        description.CopyTo bytes
        let description = ModelDescription.read families descriptionName (ReadOnlyMemory(bytes.ToArray()))

        { Network = description.Network
          Parameters = readWeights weightsName description device weights
          Level = description.Level }

    /// Provenance of a model: the record of its training, and a fingerprint of the weights. Raises InputException as `load`.
    let provenance (families: Family list) (folder: string) : JsonObject =
        let description = describe families folder
        let json = JsonObject()
        json["folder"] <- JsonValue.Create folder
        json["weights"] <- JsonValue.Create(WholeFile.Read(weightsPath folder, hash).Substring(0, 16))

        json["training"] <-
            if isNull description.Provenance then
                null
            else
                description.Provenance.DeepClone()

        json

    /// Loads a model folder, whose network is of one of these families, as a separator for applications. `device`: cpu, cuda,
    /// cuda:N or auto. Raises InputException as `load`, and for a device that is not there.
    let openWith (families: Family list) (device: string) (folder: string) : ISeparator =
        let trained = load families (Devices.Parse device) folder
        new NetworkSeparator(trained.Network.Name, trained)

    /// Loads a model folder of this library's families, or a folder of open-unmix with its residual, as a separator for
    /// applications. `device`: cpu, cuda, cuda:N or auto. Raises InputException as `openWith`.
    let openSeparator (device: string) (folder: string) : ISeparator =
        if OpenUnmix.isIn folder then
            let wiener = { Wiener.openUnmix with Residual = true }
            new NetworkSeparator("open-unmix", OpenUnmix.load wiener (Devices.Parse device) folder)
        else
            openWith families device folder
