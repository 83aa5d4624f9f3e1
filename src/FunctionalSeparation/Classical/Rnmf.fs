namespace FunctionalSeparation

open TorchSharp
open FunctionalSeparation.Learning

/// Settings of robust low-rank NMF, for magnitudes of mean 1. Others are scaled to it and back, so their level does not matter.
type Rnmf =
    {
        /// Weight of the l1 norm of the sparse part: the amount taken from each bin of it, in mean magnitudes.
        Sparsity: float
        /// Weight of the squared norms of the factors.
        Ridge: float
        /// Updates of all parts.
        Iterations: int
    }

/// Robust low-rank nonnegative matrix factorisation (Sprechmann, Bronstein, Sapiro, ISMIR 2012): magnitudes X ~ H W + O. H W is
/// of low rank (music), O is sparse (voice), and all are at least 0. They are found by
/// min 1/2 |X - H W - O|^2 + ridge/2 (|H|^2 + |W|^2) + sparsity |O|_1. The half squared norms of the factors bound the nuclear
/// norm of their product from above, so this is a nonnegative RPCA.
[<RequireQualifiedAccess>]
module Rnmf =

    let private owner = "RNMF"

    /// The three parts of the model.
    [<NoEquality; NoComparison>]
    type Factors =
        {
            /// H, [frames, atoms].
            Activations: torch.Tensor
            /// W, [atoms, bins].
            Dictionary: torch.Tensor
            /// O, [frames, bins].
            Sparse: torch.Tensor
        }

    /// The three matrices of a model, as `Factors` has them: [frames, atoms], [atoms, bins], [frames, bins].
    let internal tensors (factors: Factors) = [ factors.Activations; factors.Dictionary; factors.Sparse ]

    /// The value that is minimised, for magnitudes x [frames, bins].
    let internal objective (settings: Rnmf) (x: torch.Tensor) (factors: Factors) : float =
        Memory.plain (fun () ->
            let gap = x - factors.Activations.mm factors.Dictionary - factors.Sparse
            let energy = factors.Activations.squared().sum() .+ factors.Dictionary.squared().sum()
            let costs = energy.mul (settings.Ridge / 2.0) .+ factors.Sparse.abs().sum().mul(settings.Sparsity)
            (gap.squared().sum().mul(0.5) .+ costs).to_type(torch.float64).item<float>())

    /// The exact minimum over O: the residual of the mixture minus the weight, where that is above 0.
    let private sparse sparsity (x: torch.Tensor) (activations: torch.Tensor) (dictionary: torch.Tensor) =
        let rest = (x - activations.mm dictionary).sub(sparsity: float)
        rest.clamp_min 0.0

    /// Multiplicative update of H for the data X - O, which is at least 0 whenever O is that minimum.
    let private activations ridge (data: torch.Tensor) (dictionary: torch.Tensor) (activations: torch.Tensor) =
        let push = data.mm (dictionary.t ())
        let pull: torch.Tensor = activations.mm (dictionary.mm (dictionary.t ())) .+ activations.mul (ridge: float)
        activations * (push / pull.clamp_min 1e-12)

    let private step (settings: Rnmf) (x: torch.Tensor) learns factors =
        let ridge = settings.Ridge
        let data: torch.Tensor = x - factors.Sparse
        let nextActivations = activations ridge data factors.Dictionary factors.Activations

        let nextDictionary =
            if learns then
                (activations ridge (data.t ()) (nextActivations.t ()) (factors.Dictionary.t ())).t().contiguous()
            else
                factors.Dictionary.clone ()

        { Activations = nextActivations
          Dictionary = nextDictionary
          Sparse = sparse settings.Sparsity x nextActivations nextDictionary }

    /// One update of activations, dictionary and sparse part for magnitudes x [frames, bins]: the objective never grows.
    let internal update (settings: Rnmf) (x: torch.Tensor) (factors: Factors) : Factors =
        Memory.scoped tensors (fun () -> step settings x true factors)

    /// Random factors with `atoms` atoms for magnitudes [frames, bins], and an empty sparse part. Raises ArgumentException for no
    /// atom.
    let internal start (atoms: int) (key: Key) (x: torch.Tensor) : Factors =
        Numbers.atLeast 1 owner (nameof atoms) atoms

        Memory.scoped tensors (fun () ->
            let level = x.mean().div(float atoms).sqrt()

            let random rows columns number =
                (Key.uniformTensor 0.5 1.5 [ rows; columns ] (Key.fold number key)).to_type(x.dtype).``to``(x.device) * level

            { Activations = random x.shape[0] (int64 atoms) 0
              Dictionary = random (int64 atoms) x.shape[1] 1
              Sparse = torch.zeros_like x })

    let private parts (level: torch.Tensor) factors =
        { MusicPart = factors.Activations.mm factors.Dictionary * level; VoicePart = factors.Sparse * level }

    /// Scales magnitudes to mean 1, solves from the start that `first` makes of them, and scales the parts back.
    let private solve (settings: Rnmf) learns first (magnitudes: torch.Tensor) =
        Numbers.notNegative owner "Sparsity" settings.Sparsity
        Numbers.notNegative owner "Ridge" settings.Ridge
        Decomposition.requireMagnitudes owner magnitudes

        Memory.scoped Decomposition.tensors (fun () ->
            let level = magnitudes.mean().clamp_min(1e-30)
            let x = magnitudes / level
            first x |> Iteration.times tensors settings.Iterations (step settings x learns) |> parts level)

    /// Unsupervised: the dictionary of `atoms` atoms is learnt from the mixture itself, magnitudes [frames, bins]. Raises
    /// ArgumentException for settings out of range, no atom, and magnitudes that are no finite matrix.
    let decompose (settings: Rnmf) (atoms: int) (key: Key) (magnitudes: torch.Tensor) : Decomposition =
        solve settings true (start atoms key) magnitudes

    /// Supervised: a dictionary of music [atoms, bins], learnt before, is kept; the voice is what it cannot explain. Raises
    /// ArgumentException as `decompose`, and where dictionary and magnitudes [frames, bins] do not fit each other.
    let decomposeWith (settings: Rnmf) (dictionary: torch.Tensor) (magnitudes: torch.Tensor) : Decomposition =
        magnitudes
        |> solve settings false (fun x ->
            { Activations = Nmf.encode Divergence.Euclidean 1 dictionary x
              Dictionary = dictionary.clone ()
              Sparse = torch.zeros_like x })
