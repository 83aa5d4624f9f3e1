namespace FunctionalSeparation

open TorchSharp

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

    /// `first`, then `second`; the weights of `first` come first. Composition is associative. Raises ArgumentException where both
    /// have a weight of one name (see `prefixed`).
    let compose (first: Model<'a, 'b>) (second: Model<'b, 'c>) : Model<'a, 'c> =
        let count = List.length first.Layout

        { Name = $"{first.Name} > {second.Name}"
          Layout = Layout.join first.Layout second.Layout
          Apply =
            fun weights input ->
                let own, rest = List.splitAt count weights
                input |> first.Apply own |> second.Apply rest }

    /// Puts `prefix.` before the name of every weight.
    let prefixed prefix (model: Model<'a, 'b>) : Model<'a, 'b> = { model with Layout = Layout.prefixed prefix model.Layout }

    /// Adds the model's input to its output.
    let residual (model: Model<torch.Tensor, torch.Tensor>) : Model<torch.Tensor, torch.Tensor> =
        { model with
            Name = $"residual ({model.Name})"
            Apply = fun weights input -> input .+ model.Apply weights input }

    /// Two models side by side on the same input.
    let beside (left: Model<'a, 'b>) (right: Model<'a, 'c>) : Model<'a, 'b * 'c> =
        let count = List.length left.Layout

        { Name = $"({left.Name} & {right.Name})"
          Layout = Layout.join (Layout.prefixed "left" left.Layout) (Layout.prefixed "right" right.Layout)
          Apply =
            fun weights input ->
                let own, rest = List.splitAt count weights
                left.Apply own input, right.Apply rest input }

    /// Starting parameters of the given type and device.
    let init (dtype: torch.ScalarType) (device: torch.Device) (key: Key) (model: Model<'i, 'o>) : Params =
        Params.start model.Layout dtype device key

    /// The output of the model for these parameters, whose layout is the model's.
    let apply (model: Model<'i, 'o>) (parameters: Params) (input: 'i) : 'o = model.Apply (Params.split parameters) input

[<AutoOpen>]
module ModelOperators =

    /// `first --> second`: feeds the output of the first model to the second.
    let (-->) first second = Model.compose first second
