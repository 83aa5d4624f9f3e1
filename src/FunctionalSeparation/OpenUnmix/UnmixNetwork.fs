namespace FunctionalSeparation

open TorchSharp
open FunctionalSeparation.Core

/// The sizes of open-unmix's network.
type UnmixNetwork =
    {
        /// Channels of the sound.
        Channels: int
        /// Frequency bins, n_fft/2 + 1.
        Bins: int
        /// How many of them the network reads, from the lowest on; it estimates all.
        BinsRead: int
        /// Units of its layers.
        Hidden: int
        /// LSTM layers.
        Layers: int
        /// Whether they run in both directions, with half the units in each.
        IsBidirectional: bool
    }

/// The network of open-unmix (Stöter, Uhlich, Liutkus, Mitsufuji 2019): magnitudes [batch, channels, time, bins] of the mixture to
/// those of one target.
[<RequireQualifiedAccess>]
module UnmixNetwork =

    let private perBin name bins combine : Model<Flow, Flow> =
        let wanted = [| Axis.Any "batch"; Axis.Any "channels"; Axis.Any "time"; Axis.Of(int64 bins) |]

        let layout =
            [ { Name = "shift"; Shape = [ int64 bins ]; Start = Zeros }
              { Name = "scale"; Shape = [ int64 bins ]; Start = Constant 1.0 } ]

        Layer.withWeights name (fun _ -> "images") (fun _ -> wanted) layout (fun weights ->
            Flow.map (combine weights[0] weights[1]))

    /// (x + shift) scale, for each bin.
    let private shiftedThenScaled bins = perBin "input scale" bins (fun shift scale x -> (x .+ shift) * scale)

    /// x scale + shift, for each bin.
    let private scaledThenShifted bins = perBin "output scale" bins (fun shift scale x -> x * scale .+ shift)

    let private lowest bins = Model.pureFunction $"lowest {bins} bins" (Flow.map _.narrow(-1L, 0L, int64 bins))

    let private recurrent (net: UnmixNetwork) =
        let layer =
            if net.IsBidirectional then
                Lstm.bidirectional net.Hidden (net.Hidden / 2)
            else
                Lstm.layer net.Hidden net.Hidden

        List.replicate net.Layers layer |> List.reduce (-->)

    let private dense number inputs outputs =
        Model.prefixed $"fc{number}" (Layer.product inputs outputs)
        --> Model.prefixed $"bn{number}" (Norm.batch outputs)

    let private check (net: UnmixNetwork) =
        for name, size in [ "Channels", net.Channels; "BinsRead", net.BinsRead; "Hidden", net.Hidden; "Layers", net.Layers ] do
            Numbers.atLeast 1 "An open-unmix network" name size

        Numbers.atLeast net.BinsRead "An open-unmix network" "Bins" net.Bins

        if net.IsBidirectional && net.Hidden % 2 <> 0 then
            invalidArg (nameof net) $"Two directions share the hidden units: Hidden must be even, got {net.Hidden}."

    /// The network: scaled input, dense layer with tanh, LSTM beside it, two dense layers, scaled output, all of it a mask on the
    /// mixture. Raises ArgumentException for sizes that contradict each other.
    let create (net: UnmixNetwork) : Model<Flow, Flow> =
        check net

        let inside =
            lowest net.BinsRead
            --> Model.prefixed "input" (shiftedThenScaled net.BinsRead)
            --> Image.toFrames
            --> dense 1 (net.Channels * net.BinsRead) net.Hidden
            --> Layer.activation Tanh
            --> Model.skip (Model.prefixed "lstm" (recurrent net))
            --> dense 2 (2 * net.Hidden) net.Hidden
            --> Layer.activation Relu
            --> dense 3 net.Hidden (net.Channels * net.Bins)
            --> Image.ofFrames net.Channels
            --> Model.prefixed "output" (scaledThenShifted net.Bins)
            --> Layer.activation Relu

        { Model.mask inside with Name = "open-unmix" }

    let private refuse why = raise (InputException why)

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

    /// The sizes of the network of these weights, named as PyTorch names them. Raises InputException where it is no open-unmix.
    let ofState (channels: int) (state: Map<string, torch.Tensor>) : UnmixNetwork =
        let layers =
            Seq.initInfinite id |> Seq.takeWhile (fun layer -> state.ContainsKey $"lstm.weight_ih_l{layer}") |> Seq.length

        if layers = 0 then refuse "the tensor 'lstm.weight_ih_l0' is missing"

        { Channels = channels
          Bins = sizeOf state "output_mean" 0
          BinsRead = sizeOf state "input_mean" 0
          Hidden = sizeOf state "fc1.weight" 0
          Layers = layers
          IsBidirectional = state.ContainsKey "lstm.weight_ih_l0_reverse" }

    /// What the layout's weights are in terms of PyTorch's, in order.
    let private translated (net: UnmixNetwork) (state: Map<string, torch.Tensor>) : torch.Tensor list =
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

    /// The parameters that PyTorch's weights are. Raises InputException, naming what does not fit, where the weights contradict each
    /// other, and where one is no finite number.
    let parametersOf (net: UnmixNetwork) (state: Map<string, torch.Tensor>) : Params =
        try
            let parameters = translated net state |> Params.ofTensors (create net).Layout

            for vector in Params.tensors parameters do
                if not (Memory.plain (fun () -> vector.isfinite().all().item<bool>())) then
                    refuse "a weight is no finite number"

            parameters
        with
        | :? System.ArgumentException as wrong ->
            raise (InputException($"its weights do not fit each other ({wrong.Message})", wrong))
        | :? System.Runtime.InteropServices.ExternalException as wrong ->
            raise (InputException("its weights do not fit each other", wrong))
