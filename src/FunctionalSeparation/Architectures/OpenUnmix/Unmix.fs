namespace FunctionalSeparation

open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// open-unmix: one network per source, and a Wiener filter on their estimates.
type UnmixSettings =
    {
        /// Number of bins that the networks read, from the lowest. They estimate all bins.
        BinsRead: int
        /// Units of each layer.
        Hidden: int
        /// Number of LSTM layers.
        Layers: int
        /// Whether the LSTM layers run in both directions, with half of the units in each.
        IsBidirectional: bool
        /// The Wiener filter that computes the sources from the magnitudes. A residual, if any, is the first source, and no
        /// network estimates it.
        Wiener: WienerSettings
    }

/// The family of open-unmix (Stöter, Uhlich, Liutkus, Mitsufuji 2019), the open reference for music separation.
[<RequireQualifiedAccess>]
module Unmix =

    /// The published sizes, which read up to 16 kHz of the front end `frontEnd`.
    let settings: UnmixSettings =
        { BinsRead = 1487; Hidden = 512; Layers = 3; IsBidirectional = true; Wiener = Wiener.openUnmix }

    /// 93 ms windows every 23 ms at 44.1 kHz.
    let frontEnd: FrontEnd = { SampleRate = 44100; Stft = Stft(4096, 1024, StftWindow.Hann, true) }

    let private perBin name bins combine : Model<Activations, Activations> =
        let wanted = [| Axis.Any "batch"; Axis.Any "channels"; Axis.Any "time"; Axis.Of(int64 bins) |]

        let layout =
            [ { Name = "shift"; Shape = [ int64 bins ]; Init = Zeros }
              { Name = "scale"; Shape = [ int64 bins ]; Init = Constant 1.0 } ]

        Layer.withWeights name (fun _ -> "images") (fun _ -> wanted) layout (fun weights ->
            Activations.map (combine weights[0] weights[1]))

    /// (x + shift) scale, for each bin.
    let private shiftedThenScaled bins = perBin "input scale" bins (fun shift scale x -> (x .+ shift) * scale)

    /// x scale + shift, for each bin.
    let private scaledThenShifted bins = perBin "output scale" bins (fun shift scale x -> x * scale .+ shift)

    let private lowest bins = Model.pureFunction $"lowest {bins} bins" (Activations.map _.narrow(-1L, 0L, int64 bins))

    let private recurrent (net: UnmixSettings) =
        let layer =
            if net.IsBidirectional then
                Lstm.bidirectional net.Hidden (net.Hidden / 2)
            else
                Lstm.layer net.Hidden net.Hidden

        List.replicate net.Layers layer |> List.reduce (-->)

    let private dense number inputs outputs =
        Model.prefixed $"fc{number}" (Layer.product inputs outputs)
        --> Model.prefixed $"bn{number}" (Norm.batch outputs)

    /// The network of one source: scaled input, dense layer with tanh, LSTM beside it, two dense layers, scaled output. All of it
    /// is a mask on the mixture's magnitudes [batch, channels, time, bins].
    let private target (net: UnmixSettings) channels bins : Model<Activations, Activations> =
        lowest net.BinsRead
        --> Model.prefixed "input" (shiftedThenScaled net.BinsRead)
        --> Image.toFrames
        --> dense 1 (channels * net.BinsRead) net.Hidden
        --> Layer.activation Tanh
        --> Model.skip (Model.prefixed "lstm" (recurrent net))
        --> dense 2 (2 * net.Hidden) net.Hidden
        --> Layer.activation Relu
        --> dense 3 net.Hidden (channels * bins)
        --> Image.ofFrames channels
        --> Model.prefixed "output" (scaledThenShifted bins)
        --> Layer.activation Relu
        |> Model.mask

    /// The sources that have a network.
    let internal targets (net: UnmixSettings) (sources: string list) : string list =
        if net.Wiener.Residual then sources.Tail else sources

    let private check (net: UnmixSettings) (spec: SourceSpec) =
        let name = "An open-unmix network"

        for what, size in [ "BinsRead", net.BinsRead; "Hidden", net.Hidden; "Layers", net.Layers ] do
            Numbers.atLeast 1 name what size

        if net.BinsRead > spec.FrontEnd.Stft.Bins then
            invalidArg (nameof net) $"{name} reads at most the {spec.FrontEnd.Stft.Bins} bins that there are, got {net.BinsRead}."

        if net.IsBidirectional && net.Hidden % 2 <> 0 then
            invalidArg (nameof net) $"Two directions share the hidden units: Hidden must be even, got {net.Hidden}."

        let count = (targets net spec.Sources).Length
        if count = 0 then invalidArg (nameof net) $"{name} wants a source besides the residual."
        Wiener.require net.Wiener (int64 count) (int64 spec.Channels)

    /// Frames in a block of a song, 56 s, and frames on each side of it. Frames further away count little; a test says how little
    /// at most, for small random weights.
    let private block, private around = 2400, 300

    let private plan (net: UnmixSettings) (spec: SourceSpec) : NetworkPlan =
        check net spec
        let network = target net spec.Channels spec.FrontEnd.Stft.Bins
        let window = Option.defaultValue 1 net.Wiener.Window

        { Input = Input.Magnitude
          Output = Output.Magnitudes net.Wiener
          // Windows of the filter lie where they would lie in the whole.
          ReceptiveField = ReceptiveField.Blocks((block + window - 1) / window * window, around)
          Stride = 1
          MiddleSide = false
          Model = [ for source in targets net spec.Sources -> Model.prefixed source (Model.scoped network) ] |> Model.concat }

    /// The family of open-unmix: networks of settings for a front end, channels and sources. Raises ArgumentException for
    /// settings that contradict each other, the front end, or the number of channels and sources.
    let family: Family<UnmixSettings> = Family.define "open-unmix" plan
