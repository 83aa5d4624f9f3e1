namespace FunctionalSeparation.Learning

open System
open System.Globalization
open TorchSharp
open FunctionalSeparation.Core

/// How a weight starts.
type Init =
    /// Zero.
    | Zeros
    /// One value everywhere.
    | Constant of value: float
    /// Uniform in [-bound, bound).
    | Uniform of bound: float
    /// Normally distributed around zero. sqrt(2 / fan-in) is the start of He et al. 2015, eq. 10, for rectified units.
    | Normal of deviation: float
    /// Rows, or columns where these are fewer, that are orthogonal and of norm `gain` (Saxe et al. 2014); the first axis against
    /// all others.
    | Orthogonal of gain: float
    /// Not learnt: a statistic of normalisation, and its value before any is observed (see `Statistics`).
    | Statistic of value: float

/// One named weight of a model: its place in the parameter vector follows from its position in the layout.
type Weight =
    {
        /// Unique within a model, such as `hidden1.weight`.
        Name: string
        /// Sizes of the tensor; the last one varies fastest in the vector.
        Shape: int64 list
        /// How it starts.
        Init: Init
    }

/// The weights of a model, in order. Learnt weights lie in this order in the parameter vector, and statistics in the vector of
/// statistics.
type Layout = Weight list

/// Layouts: sizes, and how two become one.
[<RequireQualifiedAccess>]
module Layout =

    /// Elements of one weight.
    let size (weight: Weight) = List.fold (*) 1L weight.Shape

    let internal isLearnt (weight: Weight) =
        match weight.Init with
        | Statistic _ -> false
        | _ -> true

    /// The weights that are learnt.
    let learnt (layout: Layout) : Layout = List.filter isLearnt layout

    /// The weights that are statistics.
    let statistics (layout: Layout) : Layout = List.filter (isLearnt >> not) layout

    /// Elements of the whole parameter vector: of what is learnt.
    let total (layout: Layout) = layout |> learnt |> List.sumBy size

    /// `weight.2` is the second weight of its name.
    let private numbered (weight: Weight) =
        let dot = weight.Name.LastIndexOf '.'

        match Int32.TryParse(weight.Name.AsSpan(dot + 1), NumberStyles.None, CultureInfo.InvariantCulture) with
        | true, number when dot > 0 -> weight.Name.Substring(0, dot), number
        | _ -> weight.Name, 1

    /// Appends one layout to another. A name that both have is numbered in the second: `weight`, `weight.2`, `weight.3`. Names
    /// are therefore unique, and do not depend on the order in which layouts are joined. Raises ArgumentException for an empty
    /// name.
    let join (first: Layout) (second: Layout) : Layout =
        if List.exists (fun (weight: Weight) -> String.IsNullOrWhiteSpace weight.Name) (first @ second) then
            invalidArg (nameof second) "A weight has an empty name."

        let last =
            first
            |> List.map numbered
            |> List.groupBy fst
            |> List.map (fun (name, all) -> name, all |> List.map snd |> List.max)
            |> Map.ofList

        let behind (weight: Weight) =
            let name, number = numbered weight

            match last.TryFind name with
            | Some last -> { weight with Name = $"{name}.{last + number}" }
            | None -> weight

        first @ List.map behind second

    /// The layout with `prefix.` before every name.
    let prefixed (prefix: string) (layout: Layout) : Layout =
        layout |> List.map (fun weight -> { weight with Name = $"{prefix}.{weight.Name}" })

/// All parameters of a model: what is learnt and what is observed, as a flat tensor each, and their layout. Gradient, optimisers
/// and checkpoints work on the vector of what is learnt; models work on the named views that `Params.split` gives.
[<NoEquality; NoComparison>]
type Params =
    {
        /// All elements that are learnt, [total].
        Vector: torch.Tensor
        /// The statistics of normalisation, one behind the other; [0] where the model has none.
        Statistics: torch.Tensor
        /// Where the named weights lie in the two.
        Layout: Layout
    }

/// Parameters: made, split into named weights, put together again.
[<RequireQualifiedAccess>]
module Params =

    let private require what (layout: Layout) (vector: torch.Tensor) =
        let size = List.sumBy Layout.size layout

        if vector.shape <> [| size |] then
            let shape = vector.shape |> Array.map string |> String.concat " x "
            invalidArg (nameof vector) $"A layout of {size} {what} does not fit a tensor of shape [{shape}]."

    /// The statistics of all models that have none; never freed.
    let private none = lazy (Arithmetic.Full(ReadOnlySpan [| 0L |], 0.0, torch.float64).DetachFromDisposeScope())

    let private startingStatistics (layout: Layout) (dtype: torch.ScalarType) (device: torch.Device) =
        let values (weight: Weight) =
            match weight.Init with
            | Statistic value -> Array.create (int (Layout.size weight)) value
            | _ -> [||]

        match layout |> List.map values |> Array.concat with
        | [||] -> none.Value
        | values -> Memory.tensor (fun () -> torch.tensor(values).``to``(dtype).``to`` device)

    /// Joins a layout and a vector [total]; statistics have their starting values. Raises ArgumentException where the sizes
    /// differ.
    let create (layout: Layout) (vector: torch.Tensor) : Params =
        require "elements" (Layout.learnt layout) vector
        { Vector = vector; Statistics = startingStatistics layout vector.dtype vector.device; Layout = layout }

    /// The parameters with other statistics [n], as `Statistics.observe` gave them. Raises ArgumentException where the sizes
    /// differ.
    let withStatistics (statistics: torch.Tensor) (parameters: Params) : Params =
        require "statistics" (Layout.statistics parameters.Layout) statistics
        { parameters with Statistics = statistics }

    /// The tensors that are the parameters' own: the vector [total], and the statistics [n] where the model has some.
    let tensors (parameters: Params) : torch.Tensor list =
        if (Layout.statistics parameters.Layout).IsEmpty then
            [ parameters.Vector ]
        else
            [ parameters.Vector; parameters.Statistics ]

    /// Frees the parameters.
    let dispose (parameters: Params) : unit =
        for tensor in tensors parameters do
            tensor.Dispose()

    let private floats = [ torch.float32; torch.float64; torch.float16; torch.bfloat16 ]

    let private normal deviation size key = torch.tensor(Key.normals (int size) key, dtype = torch.float64).mul(deviation: float)

    /// Q of a normal matrix, each column with the sign that makes the distribution uniform (Mezzadri 2007).
    let private orthogonal gain (weight: Weight) key =
        let rows = if weight.Shape.IsEmpty then 1L else weight.Shape.Head
        let drawn = (normal 1.0 (Layout.size weight) key).view(rows, -1L)
        let isWide = drawn.shape[0] < drawn.shape[1]
        let struct (q, r) = torch.linalg.qr (if isWide then drawn.t () else drawn)
        let turned = q * r.diagonal().sign()
        (if isWide then turned.t () else turned).reshape(-1L).mul(gain: float)

    let private draw (weight: Weight) key =
        let size = Layout.size weight

        match weight.Init with
        | Zeros -> torch.zeros (size, dtype = torch.float64)
        | Constant value -> Arithmetic.Full(ReadOnlySpan [| size |], value, torch.float64)
        | Uniform bound -> Key.uniformTensor -bound bound [ size ] key
        | Normal deviation -> normal deviation size key
        | Orthogonal gain -> orthogonal gain weight key
        | Statistic _ -> torch.zeros (0L, dtype = torch.float64)

    /// Starting parameters of the given type and device. Weight i draws from child i of the key. Raises ArgumentException for a
    /// type of whole numbers: all weights would be zero.
    let init (layout: Layout) (dtype: torch.ScalarType) (device: torch.Device) (key: Key) : Params =
        if not (List.contains dtype floats) then
            invalidArg (nameof dtype) $"Parameters are of float32 or another type of fractions, not of {dtype}."

        let vector =
            Memory.tensor (fun () ->
                let parts = layout |> List.mapi (fun index weight -> draw weight (Key.fold index key))
                torch.cat(List.toArray (torch.zeros (0L, dtype = torch.float64) :: parts)).``to``(dtype).``to`` device)

        create layout vector

    /// A vector as numbered views of the shapes of a layout: one split, whose backward is one concatenation.
    let private views (layout: (int * Weight) list) (vector: torch.Tensor) =
        let sizes: int64[] = [| for _, weight in layout -> Layout.size weight |]

        List.map2
            (fun (index, weight) (part: torch.Tensor) -> index, part.view (List.toArray weight.Shape))
            layout
            (List.ofArray (vector.split sizes))

    /// The weights as views of the two vectors, in layout order and in the shapes [...] that it says.
    let split (parameters: Params) : torch.Tensor list =
        match parameters.Layout |> List.indexed |> List.partition (snd >> Layout.isLearnt) with
        | learnt, [] -> views learnt parameters.Vector |> List.map snd
        | learnt, statistics ->
            views learnt parameters.Vector @ views statistics parameters.Statistics |> List.sortBy fst |> List.map snd

    /// Parameters of tensors in layout order: the way back of `split`, [...] each. Raises ArgumentException where one has another
    /// shape than the layout says.
    let ofTensors (layout: Layout) (tensors: torch.Tensor list) : Params =
        if tensors.Length <> layout.Length then
            invalidArg (nameof tensors) $"A layout of {layout.Length} weights does not fit {tensors.Length} tensors."

        for weight, tensor in List.zip layout tensors do
            Shapes.Require("parameters", weight.Name, tensor, [| for size in weight.Shape -> Axis.Of size |])

        let vector part =
            Memory.tensor (fun () ->
                List.zip layout tensors
                |> List.filter (fst >> part)
                |> List.map (fun (_, tensor) -> tensor.reshape -1L)
                |> List.toArray
                |> torch.cat)

        let statistics =
            if (Layout.statistics layout).IsEmpty then
                none.Value
            else
                vector (Layout.isLearnt >> not)

        { Vector = vector Layout.isLearnt; Statistics = statistics; Layout = layout }

    /// The weights by name, as views of the two vectors in the shapes [...] of the layout.
    let named (parameters: Params) : (string * torch.Tensor) list =
        List.zip (parameters.Layout |> List.map _.Name) (split parameters)
