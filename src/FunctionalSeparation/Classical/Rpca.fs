namespace FunctionalSeparation

open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// Settings of robust principal component analysis.
type Rpca =
    {
        /// Factor k of the weight of the l1 norm, k / sqrt(max(frames, bins)); 1 is the value that recovery theorems use.
        Sparsity: float
        /// Stops where the Frobenius norm of M - L - S is below this share of that of M.
        Tolerance: float
        /// The largest number of iterations.
        Iterations: int
    }

/// Robust principal component analysis splits the matrix M into L + S by min |L|_* + lambda |S|_1. L is of low rank (music, which
/// repeats itself) and S is sparse (voice). Huang, Chen, Smaragdis, Hasegawa-Johnson, ICASSP 2012. Solved by the inexact
/// augmented Lagrange multiplier method of Lin, Chen, Ma (2010), their algorithm 5.
[<RequireQualifiedAccess>]
module Rpca =

    [<NoEquality; NoComparison>]
    type private State =
        { LowRank: torch.Tensor; Sparse: torch.Tensor; Multiplier: torch.Tensor; Penalty: float; Residual: float }

    /// Factor on the penalty from iteration to iteration, and its largest growth: as Lin, Chen, Ma recommend.
    let private growth, private largest = 1.5, 1e7

    let private owner = "RPCA"

    let private tensors state = [ state.LowRank; state.Sparse; state.Multiplier ]

    let private norm (matrix: torch.Tensor) = matrix.norm().to_type(torch.float64).item<float>()

    let private step (matrix: torch.Tensor) (weights: torch.Tensor) ceiling state =
        let scaled = matrix .+ state.Multiplier.div state.Penalty
        let sparse = Shrinkage.softThresholds (weights.div state.Penalty) (scaled - state.LowRank)
        let lowRank = Shrinkage.singularValues (1.0 / state.Penalty) (scaled - sparse)
        let gap = matrix - lowRank - sparse

        { LowRank = lowRank
          Sparse = sparse
          Multiplier = state.Multiplier .+ gap.mul state.Penalty
          Penalty = min (state.Penalty * growth) ceiling
          Residual = norm gap }

    let private start (matrix: torch.Tensor) (weights: torch.Tensor) spectral =
        let dual = max spectral ((matrix.abs () / weights).max().item<float>())

        { LowRank = torch.zeros_like matrix
          Sparse = torch.zeros_like matrix
          Multiplier = matrix.div dual
          Penalty = 1.25 / spectral
          Residual = infinity }

    let private solve (settings: Rpca) (matrix: torch.Tensor) (weights: torch.Tensor) =
        let spectral = Shrinkage.spectralNorm matrix
        let goal = settings.Tolerance * norm matrix
        let ceiling = 1.25 / spectral * largest
        let first = Memory.scoped tensors (fun () -> start matrix weights spectral)

        first
        |> Iteration.run tensors settings.Iterations (fun state -> state.Residual <= goal) (step matrix weights ceiling)

    /// The setting of Huang et al. (ICASSP 2012), with the tolerance of Lin, Chen, Ma.
    let huang2012: Rpca = { Sparsity = 1.0; Tolerance = 1e-7; Iterations = 1000 }

    /// The weighted form, min |L|_* + lambda sum_ij w_ij |S_ij|: weights [frames, bins] above 0; a small one invites a bin into
    /// the sparse part. Magnitudes [frames, bins] give L as music and S as voice, in float64. A matrix of zeros gives zeros.
    /// Raises ArgumentException for settings out of range, magnitudes that are no finite matrix, and weights of another shape.
    let decomposeWeighted (settings: Rpca) (weights: torch.Tensor) (magnitudes: torch.Tensor) : Decomposition =
        Numbers.positive owner "Sparsity" settings.Sparsity
        Numbers.notNegative owner "Tolerance" settings.Tolerance
        Decomposition.requireMagnitudes owner magnitudes
        Shapes.RequireSame(owner, "weights", weights, "magnitudes", magnitudes)

        Memory.scoped Decomposition.tensors (fun () ->
            let matrix = magnitudes.to_type torch.float64
            let weight = settings.Sparsity / sqrt (float (max matrix.shape[0] matrix.shape[1]))

            if norm matrix = 0.0 then
                { MusicPart = torch.zeros_like matrix; VoicePart = torch.zeros_like matrix }
            else
                let solved = solve settings matrix (weights.to_type(torch.float64).mul weight)
                { MusicPart = solved.LowRank; VoicePart = solved.Sparse })

    /// Splits magnitudes [frames, bins] into a low-rank part (music) and a sparse part (voice), in float64. Raises as
    /// `decomposeWeighted`.
    let decompose (settings: Rpca) (magnitudes: torch.Tensor) : Decomposition =
        Memory.scoped Decomposition.tensors (fun () -> decomposeWeighted settings (torch.ones_like magnitudes) magnitudes)
