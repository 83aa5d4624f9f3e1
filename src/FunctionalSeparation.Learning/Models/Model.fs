namespace FunctionalSeparation.Learning

open TorchSharp
open FunctionalSeparation.Core

/// <summary>
/// A model is a function of its weights and its input, with the layout from which its weights are made. It has no hidden state.
/// </summary>
/// <example><code lang="fsharp">
/// let gain =
///     { Name = "gain"
///       Layout = [ { Name = "gain"; Shape = [ 1L ]; Init = Constant 1.0 } ]
///       Apply = fun weights flow -> flow |> Activations.map (fun value -> value * weights.Head) }
/// </code></example>
[<NoEquality; NoComparison>]
type Model<'input, 'output> =
    {
        /// The name of the model in messages.
        Name: string
        /// The weights that `Apply` expects, in order.
        Layout: Layout
        /// The forward pass; differentiable in the weights, which have the shapes [...] of the layout.
        Apply: torch.Tensor list -> 'input -> 'output
    }

[<RequireQualifiedAccess>]
module Model =

    /// A model without weights.
    let pureFunction name (apply: 'input -> 'output) : Model<'input, 'output> =
        { Name = name; Layout = []; Apply = (fun _ input -> apply input) }

    /// The weights of two models in one list, apart.
    let private shareOut name (first: Layout) (second: Layout) (weights: torch.Tensor list) =
        if weights.Length <> first.Length + second.Length then
            invalidArg (nameof weights) $"{name}: wants {first.Length + second.Length} weights, got {weights.Length}."

        List.splitAt first.Length weights

    /// `first`, then `second`; the weights of `first` come first. Composition is associative. Weights of one name are numbered
    /// (see `Layout.join`).
    let compose (first: Model<'a, 'b>) (second: Model<'b, 'c>) : Model<'a, 'c> =
        let name = $"{first.Name} > {second.Name}"

        { Name = name
          Layout = Layout.join first.Layout second.Layout
          Apply =
            fun weights input ->
                let own, rest = shareOut name first.Layout second.Layout weights
                input |> first.Apply own |> second.Apply rest }

    /// Puts `prefix.` before the name of every weight.
    let prefixed prefix (model: Model<'a, 'b>) : Model<'a, 'b> = { model with Layout = Layout.prefixed prefix model.Layout }

    /// The model that returns its input.
    let identity: Model<Activations, Activations> = pureFunction "identity" id

    /// Two models on one input, their values merged. States, moments and keys pass through the first, then the second.
    let private mergeTwo
        name
        merge
        (first: Model<Activations, Activations>)
        (second: Model<Activations, Activations>)
        : Model<Activations, Activations> =
        { Name = name
          Layout = Layout.join first.Layout second.Layout
          Apply =
            fun weights input ->
                let own, rest = shareOut name first.Layout second.Layout weights
                let left = first.Apply own input
                let right = second.Apply rest { left with Value = input.Value }
                { right with Value = merge name left.Value right.Value } }

    let private merged name merge (models: Model<Activations, Activations> list) : Model<Activations, Activations> =
        if models.IsEmpty then invalidArg (nameof models) $"{name}: wants at least one model."
        { List.reduce (mergeTwo name merge) models with Name = name }

    let private namesOf (models: Model<Activations, Activations> list) = models |> List.map _.Name |> String.concat " & "

    let private added name (left: torch.Tensor) (right: torch.Tensor) =
        Shapes.RequireSame(name, "one output", left, "the next", right)
        left .+ right

    /// One behind the other along the features of frames or the channels of images.
    let private joined name (left: torch.Tensor) (right: torch.Tensor) =
        let axis = Activations.channelAxis left

        let wanted =
            [| for index, size in Array.indexed left.shape -> if int64 index = axis then Axis.Any "channels" else Axis.Of size |]

        Shapes.Require(name, "a second output", right, wanted, left)
        torch.cat ([| left; right |], axis)

    /// Models on one input, their outputs added. Raises ArgumentException, naming them, where the outputs differ in shape.
    let sum (models: Model<Activations, Activations> list) : Model<Activations, Activations> =
        merged $"sum ({namesOf models})" added models

    /// Models on one input, their outputs one behind the other: the features of frames, the channels of images. Raises
    /// ArgumentException, naming them, where the other axes differ.
    let concat (models: Model<Activations, Activations> list) : Model<Activations, Activations> =
        merged $"concat ({namesOf models})" joined models

    /// Adds the model's input to its output (He et al. 2016, eq. 1). Applied, it raises ArgumentException where the two differ in
    /// shape.
    let residual (model: Model<Activations, Activations>) : Model<Activations, Activations> =
        merged $"residual ({model.Name})" added [ identity; model ]

    /// The model's input, and its output behind it: the skip connection of a U-Net around all that lies deeper (Ronneberger et
    /// al. 2015). Applied, it raises ArgumentException where the two differ but for the channels.
    let skip (model: Model<Activations, Activations>) : Model<Activations, Activations> =
        merged $"skip ({model.Name})" joined [ identity; model ]

    /// The same model, which frees its intermediate tensors as soon as its output exists. libtorch keeps those that a gradient
    /// needs. It suits parts of deep networks on long inputs.
    let scoped (model: Model<Activations, Activations>) : Model<Activations, Activations> =
        let tensors (flow: Activations) = flow.Value :: flow.InitialStates @ flow.FinalStates @ flow.Moments

        { model with
            Apply =
                fun weights input ->
                    let given = tensors input
                    let isNew tensor = not (List.exists (fun other -> obj.ReferenceEquals(other, tensor)) given)
                    Memory.scoped (tensors >> List.filter isNew) (fun () -> model.Apply weights input) }

    let private multiplied name (left: torch.Tensor) (right: torch.Tensor) =
        Shapes.RequireSame(name, "input", left, "output", right)
        left * right

    /// The model's input times its output: the output is a mask. Applied, it raises ArgumentException where the two differ in
    /// shape.
    let mask (model: Model<Activations, Activations>) : Model<Activations, Activations> =
        merged $"mask ({model.Name})" multiplied [ identity; model ]

    /// Starting parameters of the given type and device.
    let init (dtype: torch.ScalarType) (device: torch.Device) (key: Key) (model: Model<'i, 'o>) : Params =
        Params.init model.Layout dtype device key

    let private inWords (weight: Weight) =
        let shape = weight.Shape |> List.map string |> String.concat ", "
        $"{weight.Name} [{shape}]"

    /// Parameters of another model are refused by the first weight that differs; how weights start plays no part.
    let internal requireOwn (model: Model<'i, 'o>) (parameters: Params) =
        let refuse (wanted: string) (got: string) =
            invalidArg (nameof parameters) $"{model.Name}: wants {wanted}, got {got}. Give the parameters of this model."

        let differ (own: Weight, given: Weight) = own.Name <> given.Name || own.Shape <> given.Shape

        if not (obj.ReferenceEquals(model.Layout, parameters.Layout)) then
            if model.Layout.Length <> parameters.Layout.Length then
                refuse $"{model.Layout.Length} weights" $"{parameters.Layout.Length}"

            List.zip model.Layout parameters.Layout
            |> List.tryFind differ
            |> Option.iter (fun (own, given) -> refuse $"the weight {inWords own}" (inWords given))

        let vectors =
            [ "a parameter vector", parameters.Vector, Layout.learnt
              "statistics", parameters.Statistics, Layout.statistics ]

        for what, vector, part in vectors do
            Shapes.Require(model.Name, what, vector, [| Axis.Of(model.Layout |> part |> List.sumBy Layout.size) |])

    /// The output of the model for these parameters, whose layout is the model's. Raises ArgumentException, naming the model and
    /// what differs, where it is not.
    let apply (model: Model<'i, 'o>) (parameters: Params) (input: 'i) : 'o =
        requireOwn model parameters
        model.Apply (Params.split parameters) input

/// Composition, as soon as `FunctionalSeparation.Learning` is open.
[<AutoOpen>]
module ModelOperators =

    /// <summary>
    /// `first --> second`: feeds the output of the first model to the second.
    /// </summary>
    /// <example><code lang="fsharp">
    /// let network = Layer.linear 4 3 --> Layer.activation Relu
    /// let weights = Model.init torch.float32 torch.CPU (Key.ofSeed 0) network
    /// let outputs = (Model.apply network weights (Activations.ofFrames (torch.zeros (5L, 1L, 4L)))).Value // [5, 1, 3]
    /// </code></example>
    let (-->) first second = Model.compose first second
