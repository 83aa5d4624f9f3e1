namespace FunctionalSeparation

open TorchSharp
open FunctionalSeparation.Core

/// A model is a function of its weights and its input, plus what is needed to make the weights: nothing is hidden inside.
[<NoEquality; NoComparison>]
type Model<'input, 'output> =
    {
        Name: string
        /// The weights that `Apply` expects, in order.
        Layout: Layout
        /// The forward pass; differentiable in the weights.
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

    /// `first`, then `second`; the weights of `first` come first. Composition is associative. Raises ArgumentException where both
    /// have a weight of one name (see `prefixed`).
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

    /// Adds the model's input to its output.
    let residual (model: Model<torch.Tensor, torch.Tensor>) : Model<torch.Tensor, torch.Tensor> =
        { model with
            Name = $"residual ({model.Name})"
            Apply =
                fun weights input ->
                    let output = model.Apply weights input
                    Shapes.RequireSame($"residual ({model.Name})", "input", input, "output", output)
                    input .+ output }

    /// Two models side by side on the same input.
    let beside (left: Model<'a, 'b>) (right: Model<'a, 'c>) : Model<'a, 'b * 'c> =
        let name = $"({left.Name} & {right.Name})"

        { Name = name
          Layout = Layout.join (Layout.prefixed "left" left.Layout) (Layout.prefixed "right" right.Layout)
          Apply =
            fun weights input ->
                let own, rest = shareOut name left.Layout right.Layout weights
                left.Apply own input, right.Apply rest input }

    /// Starting parameters of the given type and device.
    let init (dtype: torch.ScalarType) (device: torch.Device) (key: Key) (model: Model<'i, 'o>) : Params =
        Params.start model.Layout dtype device key

    let private inWords (weight: Weight) =
        let shape = weight.Shape |> List.map string |> String.concat ", "
        $"{weight.Name} [{shape}]"

    /// Parameters of another model are refused by the first weight that differs; how weights start plays no part.
    let private requireOwn (model: Model<'i, 'o>) (parameters: Params) =
        let refuse (wanted: string) (got: string) =
            invalidArg (nameof parameters) $"{model.Name}: wants {wanted}, got {got}. Give the parameters of this model."

        let differ (own: Weight, given: Weight) = own.Name <> given.Name || own.Shape <> given.Shape

        if not (obj.ReferenceEquals(model.Layout, parameters.Layout)) then
            if model.Layout.Length <> parameters.Layout.Length then
                refuse $"{model.Layout.Length} weights" $"{parameters.Layout.Length}"

            List.zip model.Layout parameters.Layout
            |> List.tryFind differ
            |> Option.iter (fun (own, given) -> refuse $"the weight {inWords own}" (inWords given))

        Shapes.Require(model.Name, "a parameter vector", parameters.Vector, [| Axis.Of(Layout.total model.Layout) |])

    /// The output of the model for these parameters, whose layout is the model's. Raises ArgumentException, naming the model and
    /// what differs, where it is not.
    let apply (model: Model<'i, 'o>) (parameters: Params) (input: 'i) : 'o =
        requireOwn model parameters
        model.Apply (Params.split parameters) input

[<AutoOpen>]
module ModelOperators =

    /// `first --> second`: feeds the output of the first model to the second.
    let (-->) first second = Model.compose first second
