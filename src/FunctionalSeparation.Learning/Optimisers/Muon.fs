namespace FunctionalSeparation.Learning

open System
open TorchSharp

/// Momentum with matrices that are brought near to orthogonal ones, so that a step moves all directions of a weight alike (Muon,
/// Jordan et al. 2024). The step size is that of Liu et al. 2025, so that rates and decays of AdamW fit.
[<RequireQualifiedAccess>]
module Muon =

    /// Coefficients of the odd polynomial of degree 5 that Jordan et al. iterate: singular values come to lie between about 0.7
    /// and 1.2.
    let private linear, private cubic, private quintic = 3.4445, -4.7750, 2.0315

    let private iterations = 5

    /// About the nearest matrix of orthonormal rows (columns, where these are fewer) to a matrix [rows, columns]: its singular
    /// vectors, and singular values of about 1; Newton-Schulz, five iterations. Zeros stay zeros.
    let internal orthogonalised (matrix: torch.Tensor) : torch.Tensor =
        let isTall = matrix.shape[0] > matrix.shape[1]

        let step (x: torch.Tensor) _ =
            let square = x.mm (x.t ())
            let series = (square.mm square).mul(quintic).add_(square, cubic)
            (series.mm x).add_(x, linear)

        let wide = if isTall then matrix.t () else matrix
        let start = wide / (matrix.norm().add 1e-12)
        let turned = List.fold step start [ 1..iterations ]
        if isTall then turned.t () else turned

    /// Whether Muon moves a weight: matrices of at least 8 rows and columns, the first axis against all others.
    let isMatrix (weight: Weight) : bool =
        match weight.Shape with
        | rows :: _ :: _ -> rows >= 8L && Layout.size weight / rows >= 8L
        | _ -> false

    /// Its steps are of the size of Adam's: an element is about 0.2.
    let private size = 0.2

    /// The direction of one weight: a step of root mean square of about 0.2.
    let private directionOf (weight: Weight) (velocity: torch.Tensor) =
        Memory.tensor (fun () ->
            let matrix = velocity.view (weight.Shape.Head, -1L)
            let longest = float (max matrix.shape[0] matrix.shape[1])
            (orthogonalised matrix).mul(size * sqrt longest).reshape -1L)

    let private partsOf (layout: Layout) (vector: torch.Tensor) =
        vector.split [| for weight in layout -> Layout.size weight |] |> List.ofArray

    /// Parts of a vector, or of one like it, as one vector; there may be none.
    let private joined (like: torch.Tensor) (parts: torch.Tensor list) =
        torch.cat (List.toArray (like.narrow (0L, 0L, 0L) :: parts))

    /// Nesterov's momentum of weights that all have two axes or more, each brought near to an orthogonal one. Raises
    /// ArgumentException unless 0 <= decay < 1.
    let direction (decay: float) (layout: Layout) : Transform =
        let momentum = Transform.nesterov decay

        { momentum with
            Id = Id.create "muon" [ "decay", decay ] []
            Update =
                fun gradient state parameters ->
                    let struct (velocity, next) = momentum.Update gradient state parameters
                    struct (List.map2 directionOf layout (partsOf layout velocity) |> joined velocity, next) }

    /// Two transforms, each of its own weights: `first` moves those that `isFirst` picks from a layout, `second` the others. Each
    /// is made for the weights that it is given, in their order.
    let split (isFirst: Weight -> bool) (first: Layout -> Transform) (second: Layout -> Transform) (layout: Layout) : Transform =
        let learnt = Layout.learnt layout
        let picked, others = List.partition isFirst learnt
        let first, second = first picked, second others

        let divided vector =
            let yes, no = List.zip learnt (partsOf learnt vector) |> List.partition (fst >> isFirst)
            joined vector (List.map snd yes), joined vector (List.map snd no)

        let rec merged weights yes no =
            match weights, yes, no with
            | weight :: rest, part :: yes, no when isFirst weight -> part :: merged rest yes no
            | _ :: rest, yes, part :: no -> part :: merged rest yes no
            | _ -> []

        let both a b = OptimiserState.join (OptimiserState.nest "first" a) (OptimiserState.nest "second" b)

        { Id = Id.create "split" [] [ first.Id; second.Id ]
          Init =
            fun parameters ->
                let yes, no = divided parameters
                both (first.Init yes) (second.Init no)
          Update =
            fun gradient state parameters ->
                let (gradient1, gradient2), (parameters1, parameters2) = divided gradient, divided parameters
                let struct (update1, next1) = first.Update gradient1 (OptimiserState.inside "first" state) parameters1
                let struct (update2, next2) = second.Update gradient2 (OptimiserState.inside "second" state) parameters2
                let update = merged learnt (partsOf picked update1) (partsOf others update2) |> joined gradient
                struct (update, both next1 next2) }

    /// Muon with momentum `decay` on the matrices of a layout, and Adam's direction on all other weights. Raises
    /// ArgumentException unless 0 <= decay, beta1, beta2 < 1.
    let create (decay: float) (beta1: float) (beta2: float) (layout: Layout) : Transform =
        split isMatrix (direction decay) (fun _ -> Transform.adam beta1 beta2 1e-8) layout
