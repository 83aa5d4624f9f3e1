namespace FunctionalSeparation

open System
open System.IO
open System.Security.Cryptography
open System.Text
open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// The best parameters so far, where a run chooses on development clips.
[<NoEquality; NoComparison>]
type Best =
    {
        /// Voice GNSDR on the development clips, dB.
        Score: float
        /// Steps done when it was reached.
        AtStep: int
        /// The parameters, [total].
        Vector: torch.Tensor
    }

/// The state of a run that, with its task, determines the next step.
[<NoEquality; NoComparison>]
type Progress =
    {
        /// Parameters and the state of the optimiser.
        State: TrainState
        /// The best parameters so far; None where the run does not choose.
        Best: Best option
        /// Seconds of training so far, over all sessions.
        Seconds: float
    }

/// The progress of a run as a file, `checkpoint.safetensors` in its folder. It is written whole or not at all, with a SHA-256 of
/// its contents. A run that is killed at any moment therefore resumes bit-identically, and never from a damaged file. A
/// checkpoint of an older version has no hash and is still read.
[<RequireQualifiedAccess>]
module Checkpoint =

    /// The file in a run's folder.
    let path (folder: string) = Path.Combine(folder, "checkpoint.safetensors")

    let private hashName = "sha256"

    let private hashText (hash: IncrementalHash) (text: string) = hash.AppendData(Encoding.UTF8.GetBytes(text + "\000"))

    let private hashTensor (hash: IncrementalHash) (name: string, tensor: torch.Tensor) =
        let shape = tensor.shape |> Array.map string |> String.concat " "
        hashText hash $"{name} {tensor.dtype} {shape}"
        Memory.plain (fun () -> hash.AppendData(Span<byte>.op_Implicit(tensor.detach().cpu().contiguous().bytes)))

    /// The hash of all tensors and texts, except the stored hash itself.
    let private hashOf (file: TensorFile) =
        use hash = IncrementalHash.CreateHash HashAlgorithmName.SHA256

        for KeyValue(name, text) in Map.remove hashName file.Texts do
            hashText hash name
            hashText hash text

        List.iter (hashTensor hash) file.Tensors
        Convert.ToHexStringLower(hash.GetHashAndReset())

    let private toFile (identity: string) (progress: Progress) : TensorFile =
        let state = TrainState.toFile progress.State

        let best =
            match progress.Best with
            | None -> [], []
            | Some best ->
                [ "best", best.Vector ], [ "best.score", TrainState.invariant best.Score; "best.step", string best.AtStep ]

        let texts = [ "run", identity; "seconds", TrainState.invariant progress.Seconds ] @ snd best

        { Tensors = state.Tensors @ fst best
          Texts = Map.fold (fun all name text -> Map.add name text all) (Map.ofList texts) state.Texts }

    /// Writes the checkpoint of the run with this identity. Raises InputException where it cannot be written.
    let save (folder: string) (identity: string) (progress: Progress) : unit =
        let file = toFile identity progress
        Safetensors.save (path folder) { file with Texts = Map.add hashName (hashOf file) file.Texts }

    let private refuse why = raise (InputException why)

    let private checkIntact (file: TensorFile) =
        match file.Texts.TryFind hashName with
        | Some hash when hash <> hashOf file ->
            refuse "is damaged: what it holds is not what was written. Remove it to start afresh."
        | _ -> ()

    let private checkVector (layout: Layout) name (vector: torch.Tensor) =
        if vector.shape <> [| Layout.total layout |] || not (vector.is_floating_point ()) then
            refuse $"the tensor '{name}' is not of the size of the model. Remove it to start afresh."

        if not (Memory.plain (fun () -> vector.isfinite().all().item<bool>())) then
            refuse $"the tensor '{name}' holds a value that is no finite number. Remove it to start afresh."

    let private ofFile (device: torch.Device) (layout: Layout) (identity: string) (file: TensorFile) : Progress =
        checkIntact file

        if file.Texts.TryFind "run" <> Some identity then
            refuse "belongs to a run with other settings or other clips. Use the settings it was started with, or another folder."

        let best, tensors = file.Tensors |> List.partition (fun (name, _) -> name = "best")
        let own = [ "run"; "seconds"; hashName ] @ (if best.IsEmpty then [] else [ "best.score"; "best.step" ])
        let state = TrainState.ofFile device { Tensors = tensors; Texts = List.foldBack Map.remove own file.Texts }
        checkVector layout "parameters" state.Parameters

        { State = state
          Best =
            best
            |> List.tryHead
            |> Option.map (fun (name, vector) ->
                checkVector layout name vector

                { Score = TrainState.numberIn file "best.score"
                  AtStep = TrainState.countIn file "best.step"
                  Vector = Memory.moveTo device vector })
          Seconds = TrainState.numberIn file "seconds" }

    let private tensors (progress: Progress) =
        TrainState.tensors progress.State @ (progress.Best |> Option.map _.Vector |> Option.toList)

    /// Frees the tensors.
    let dispose (progress: Progress) : unit =
        for tensor in tensors progress do
            tensor.Dispose()

    /// Reads the progress of the run with this identity and a model of this layout, onto `device`, from an open file or one in
    /// memory. `name` is the name of the file in messages. Raises InputException, naming the file, where it is damaged or another
    /// run's.
    let internal read (name: string) (device: torch.Device) (layout: Layout) (identity: string) (stream: Stream) : Progress =
        Memory.scoped tensors (fun () ->
            let file = Safetensors.read name stream

            try
                ofFile device layout identity file
            with :? InputException as wrong ->
                raise (InputException($"{name}: {wrong.Message}", wrong)))

    /// Reads the checkpoint of a run's folder, as `read`.
    let load (folder: string) (device: torch.Device) (layout: Layout) (identity: string) : Progress =
        WholeFile.Read(path folder, read (path folder) device layout identity)
