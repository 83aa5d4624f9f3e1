namespace FunctionalSeparation

open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// The objective that a factorisation minimises.
[<RequireQualifiedAccess>]
type Divergence =
    /// Half the squared distance.
    | Euclidean
    /// The generalised Kullback-Leibler divergence, sum x log(x/y) - x + y.
    | KullbackLeibler

/// Nonnegative matrix factorisation, X ~ H W: magnitudes X [frames, bins], activations H [frames, atoms], dictionary
/// W [atoms, bins], all at least 0. Multiplicative updates of Lee and Seung (2001), under which the divergence never grows.
[<RequireQualifiedAccess>]
module Nmf =

    /// Keeps quotients finite; far below any audible magnitude.
    let private floor = 1e-12

    let private over (divisor: torch.Tensor) (dividend: torch.Tensor) = dividend / divisor.clamp_min floor

    /// The divergence of X from H W.
    let internal divergence (kind: Divergence) (dictionary: torch.Tensor) (activations: torch.Tensor) (x: torch.Tensor) : float =
        Memory.plain (fun () ->
            let model = activations.mm dictionary

            let total =
                match kind with
                | Divergence.Euclidean -> (x - model).squared().sum().mul(0.5)
                | Divergence.KullbackLeibler -> (torch.xlogy (x, over model x) - x .+ model).sum()

            total.to_type(torch.float64).item<float>())

    /// One update of the activations [frames, atoms].
    let internal updateActivations kind (dictionary: torch.Tensor) (x: torch.Tensor) (activations: torch.Tensor) : torch.Tensor =
        Memory.tensor (fun () ->
            match kind with
            | Divergence.Euclidean ->
                activations * (x.mm (dictionary.t ()) |> over (activations.mm (dictionary.mm (dictionary.t ()))))
            | Divergence.KullbackLeibler ->
                let ratio = x |> over (activations.mm dictionary)
                activations * (ratio.mm (dictionary.t ()) |> over (dictionary.sum 1L)))

    /// One update of the dictionary [atoms, bins].
    let internal updateDictionary kind (activations: torch.Tensor) (x: torch.Tensor) (dictionary: torch.Tensor) : torch.Tensor =
        Memory.tensor (fun () -> (updateActivations kind (activations.t ()) (x.t ()) (dictionary.t ())).t().contiguous())

    let private owner = "NMF"

    /// Activations [frames, atoms] after `iterations` updates from equal ones, with a fixed dictionary. Raises ArgumentException
    /// where dictionary and magnitudes do not fit each other.
    let encode (kind: Divergence) (iterations: int) (dictionary: torch.Tensor) (x: torch.Tensor) : torch.Tensor =
        Shapes.Require(owner, "magnitudes", x, [| Axis.Any "frames"; Axis.Any "bins" |])
        Shapes.Require(owner, "a dictionary", dictionary, [| Axis.Any "atoms"; Axis.Of x.shape[1] |], x)

        Memory.tensor (fun () ->
            let level = x.mean () / dictionary.sum(0L).mean().clamp_min floor
            let start = torch.ones (x.shape[0], dictionary.shape[0], dtype = x.dtype, device = x.device) * level
            start |> Iteration.times List.singleton iterations (updateActivations kind dictionary x))

    /// Atoms [atoms, bins] of unit Euclidean length; an atom of zeros stays one.
    let internal unitAtoms (dictionary: torch.Tensor) : torch.Tensor =
        Memory.tensor (fun () -> dictionary |> over (dictionary.squared().sum(1L, keepdim = true).sqrt()))

    /// A positive random matrix at the level of the magnitudes.
    let private random (x: torch.Tensor) rows columns key =
        (Key.uniformTensor 0.1 1.0 [ rows; columns ] key).to_type(x.dtype).``to``(x.device) * x.mean().sqrt()

    /// Learns `atoms` atoms of unit length, [atoms, bins], from magnitudes [frames, bins]. Raises ArgumentException for no atom.
    let learn (kind: Divergence) (atoms: int) (iterations: int) (key: Key) (x: torch.Tensor) : torch.Tensor =
        Numbers.atLeast 1 owner (nameof atoms) atoms
        Shapes.Require(owner, "magnitudes", x, [| Axis.Any "frames"; Axis.Any "bins" |])

        Memory.tensor (fun () ->
            let frames, bins = x.shape[0], x.shape[1]
            let start = random x frames (int64 atoms) (Key.fold 0 key), random x (int64 atoms) bins (Key.fold 1 key)

            let step (activations, dictionary) =
                let next = updateActivations kind dictionary x activations
                next, updateDictionary kind next x dictionary

            let _, dictionary = start |> Iteration.times (fun (a, d) -> [ a; d ]) iterations step
            unitAtoms dictionary)
