namespace FunctionalSeparation

open TorchSharp

/// How a weight starts.
type Start =
    | Zeros
    /// Uniform in [-bound, bound).
    | Uniform of bound: float

/// One named weight of a model: its place in the parameter vector follows from its position in the layout.
type Weight =
    {
        /// Unique within a model, such as `hidden1.weight`.
        Name: string
        /// Sizes of the tensor; the last one varies fastest in the vector.
        Shape: int64 list
        /// How it starts.
        Start: Start
    }

/// The weights of a model in the order in which they lie in its parameter vector.
type Layout = Weight list

[<RequireQualifiedAccess>]
module Layout =

    /// Elements of one weight.
    let size (weight: Weight) = List.fold (*) 1L weight.Shape

    /// Elements of the whole parameter vector.
    let total (layout: Layout) = List.sumBy size layout

    /// One layout behind another. Raises ArgumentException where a name is empty or stands twice: weights are found by name.
    let join (first: Layout) (second: Layout) : Layout =
        let joined = first @ second

        for name, count in joined |> List.countBy _.Name do
            if count > 1 then
                invalidArg (nameof second) $"Two weights are called '{name}': give one of the two models a prefix."

            if System.String.IsNullOrWhiteSpace name then
                invalidArg (nameof second) "A weight has an empty name."

        joined

    /// The layout with `prefix.` before every name.
    let prefixed (prefix: string) (layout: Layout) : Layout =
        layout |> List.map (fun weight -> { weight with Name = $"{prefix}.{weight.Name}" })

/// All parameters of a model: one flat tensor [total] and its layout. Gradient, optimisers, files and checkpoints work on
/// the vector; models work on the named views that `Params.split` gives.
[<NoEquality; NoComparison>]
type Params =
    {
        /// All elements, [total].
        Vector: torch.Tensor
        /// Where the named weights lie in it.
        Layout: Layout
    }

[<RequireQualifiedAccess>]
module Params =

    /// Joins a layout and a vector. Raises ArgumentException where their sizes differ.
    let create (layout: Layout) (vector: torch.Tensor) : Params =
        if vector.shape <> [| Layout.total layout |] then
            let shape = vector.shape |> Array.map string |> String.concat " x "
            invalidArg (nameof vector) $"A layout of {Layout.total layout} elements does not fit a tensor of shape [{shape}]."

        { Vector = vector; Layout = layout }

    let private floats = [ torch.float32; torch.float64; torch.float16; torch.bfloat16 ]

    /// Starting parameters as one vector [total] of the given type and device. Weight i draws from child i of the key. Raises
    /// ArgumentException for a type of whole numbers: all weights would be zero.
    let start (layout: Layout) (dtype: torch.ScalarType) (device: torch.Device) (key: Key) : Params =
        if not (List.contains dtype floats) then
            invalidArg (nameof dtype) $"Parameters are of float32 or another type of fractions, not of {dtype}."

        let draw index weight =
            match weight.Start with
            | Zeros -> torch.zeros (Layout.size weight, dtype = torch.float64)
            | Uniform bound -> Key.uniformTensor -bound bound [ Layout.size weight ] (Key.fold index key)

        let vector =
            Memory.tensor (fun () ->
                let parts = List.mapi draw layout
                torch.cat(List.toArray (torch.zeros (0L, dtype = torch.float64) :: parts)).``to``(dtype).``to`` device)

        create layout vector

    /// The weights as views of the vector, in layout order and in their shapes: one split, whose backward is one concatenation.
    let split (parameters: Params) : torch.Tensor list =
        let sizes = parameters.Layout |> List.map Layout.size |> List.toArray

        (List.ofArray (parameters.Vector.split sizes), parameters.Layout)
        ||> List.map2 (fun part weight -> part.view (List.toArray weight.Shape))

    /// The weights by name, as views of the vector.
    let named (parameters: Params) : (string * torch.Tensor) list =
        List.zip (parameters.Layout |> List.map _.Name) (split parameters)
